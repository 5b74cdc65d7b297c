package payment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// What an account answers decides whether the order may go to the next one: only after the proof that nothing was done, and never
// because the request is wrong, or the outcome unknown.
func TestWhatLetsAnOrderGoElsewhere(t *testing.T) {
	t.Parallel()
	fails := func(kind gateway.ErrorKind, code string) error { return &gateway.Error{Kind: kind, Code: code} }
	for name, c := range map[string]struct {
		answer  error
		account string // "" is any that fits
		slow    bool
		stay    bool // the shop said so
		status  Status
		at      string
		reason  string
	}{
		"nothing was sent":            {answer: fails(gateway.KindNotSent, "dial"), status: StatusProcessing, at: "second", reason: "not_sent"},
		"it was held back meanwhile":  {answer: fails(gateway.KindNotSent, "breaker_open"), status: StatusProcessing, at: "second", reason: "not_sent"},
		"the credentials are refused": {answer: fails(gateway.KindCredentials, "http_401"), status: StatusProcessing, at: "second", reason: "credentials_refused"},
		"the secrets do not agree":    {answer: fails(gateway.KindNotSent, gateway.CodeNotSigned), status: StatusProcessing, at: "second", reason: gateway.CodeNotSigned},
		"the first of two steps":      {answer: fails(gateway.KindDeclined, gateway.CodeUnanswered), status: StatusProcessing, at: "second", reason: gateway.CodeUnanswered},
		"the outcome is unknown":      {answer: fails(gateway.KindUnknown, "timeout"), status: StatusUnknown, at: "first"},
		"the provider has it":         {answer: fails(gateway.KindDuplicate, "duplicate"), status: StatusUnknown, at: "first"},
		"the request is wrong":        {answer: fails(gateway.KindDeclined, "bad_amount"), status: StatusFailed, at: "first"},
		"it cannot be done":           {answer: fails(gateway.KindUnsupported, ""), status: StatusFailed, at: "first"},
		"there was no time":           {answer: fails(gateway.KindNotSent, codeTooLate), status: StatusFailed, at: "first"},
		"it took too long":            {answer: fails(gateway.KindNotSent, "dial"), slow: true, status: StatusFailed, at: "first"},
		"the account was named":       {answer: fails(gateway.KindNotSent, "dial"), account: "first", status: StatusFailed, at: "first"},
		"the shop wants none":         {answer: fails(gateway.KindNotSent, "dial"), stay: true, status: StatusFailed, at: "first"},
		"no error of a provider":      {answer: context.DeadlineExceeded, status: StatusUnknown, at: "first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := threeAccounts()
			now := epoch
			service.Now = func() time.Time { return now }
			service.ProviderTimeout = time.Minute
			var sent []gateway.Ref
			providers["first"].CreatePaymentFunc = func(_ context.Context, r gateway.PaymentRequest) (gateway.Result, error) {
				sent = append(sent, r.Ref)
				if c.slow {
					now = now.Add(DefaultFailoverWithin + time.Second)
				}
				return gateway.Result{}, c.answer
			}
			providers["second"].CreatePaymentFunc = func(_ context.Context, r gateway.PaymentRequest) (gateway.Result, error) {
				sent = append(sent, r.Ref)
				return gateway.Result{Status: gateway.StatusProcessing}, nil
			}
			var moved []Event
			service.Observe = func(e Event) {
				if e.Elsewhere != "" {
					moved = append(moved, e)
				}
			}
			o, isNew, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), Account: c.account, NoFailover: c.stay, RequestHash: []byte("h")})
			require.NoError(t, err)
			require.True(t, isNew)
			require.Equal(t, c.status, o.Status)
			require.Equal(t, c.at, o.AccountName)
			require.Len(t, s.orders, 1)
			require.Equal(t, o.ProviderOrderID, sent[len(sent)-1].OrderID, "the order has the id that was sent last")
			if c.at == "first" {
				require.Empty(t, s.ended)
				require.Empty(t, moved)
				require.Len(t, sent, 1)
				return
			}
			require.Equal(t, []EndedAttempt{{1, "first", s.accounts[0].ID, "first", sent[0].OrderID, c.reason, "", now}}, s.ended)
			require.NotEqual(t, sent[0].OrderID, o.ProviderOrderID, "or the next attempt would be a repeat of the first")
			require.Equal(t, 2, o.Sequence, "the shop hears of one step only")
			require.Len(t, moved, 1)
			require.Equal(t, [3]string{"first", "second", c.reason}, [3]string{moved[0].Account, moved[0].Elsewhere, moved[0].Reason})
		})
	}
}

// A mandate that the shop charges goes to no account where the provider charges by its own schedule, nor the other way round: the customer
// agreed to one of the two.
func TestAMandateGoesOnOnlyWhereItIsChargedAlike(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, second, third bool }{
		"the shop charges":     {false, true, false},
		"the provider charges": {true, false, true},
	} {
		s, service, providers := threeAccounts()
		s.accounts[2].Priority = 3
		providers["first"].Plain, providers["second"].Plain, providers["spare"].Plain = c.first, c.second, c.third
		providers["first"].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
		}
		in := NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")}
		in.Recurring.Enabled = true
		p, err := service.PreviewPayment(t.Context(), in)
		require.NoError(t, err, name)
		require.Equal(t, []PreviewCandidate{{s.accounts[0], ""}, {s.accounts[2], ""}, {s.accounts[1], notRouted}}, p.Candidates, name)
		o, _, err := service.CreatePayment(t.Context(), in)
		require.NoError(t, err, name)
		require.Equal(t, "spare", o.AccountName, name)
	}
}

// When no account is left, the order fails as its last attempt did.
func TestNoAccountIsLeft(t *testing.T) {
	t.Parallel()
	s, service, providers := threeAccounts()
	for _, name := range []string{"first", "second"} {
		providers[name].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
		}
	}
	o, _, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, StatusFailed, o.Status)
	require.Equal(t, codeNotSent, o.Failure.Code)
	require.Equal(t, "second", o.AccountName)
	require.Len(t, s.ended, 1)
}

// What happened to the order during its call stands: it does not go elsewhere any more.
func TestAnOrderThatWentOnStays(t *testing.T) {
	t.Parallel()
	s, service, providers := threeAccounts()
	providers["first"].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		for _, o := range s.orders {
			changed := *o
			changed.step(StatusProcessing, SourceCallback, nil, epoch)
			s.orders[o.ID] = &changed
		}
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
	}
	o, _, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, "first", o.AccountName)
	require.Empty(t, s.ended)
	require.Empty(t, providers["second"].Calls())
}

// If the move cannot be written down, nothing is sent elsewhere.
func TestAMoveThatIsNotWrittenDownSendsNothing(t *testing.T) {
	t.Parallel()
	s, service, providers := threeAccounts()
	providers["first"].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		s.failures["ProviderOrderID"] = errOvertaken
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
	}
	o, _, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, StatusFailed, o.Status)
	require.Empty(t, providers["second"].Calls())
}

// What a provider says of an attempt that has ended meanwhile is no news of the next one, which may be on its way.
func TestAPollOfAnEndedAttemptSaysNothingOfTheNext(t *testing.T) {
	t.Parallel()
	for _, shown := range []gateway.Status{gateway.StatusFailed, gateway.StatusSucceeded, gateway.StatusProcessing} {
		s, service, providers := threeAccounts()
		stored := &Order{
			ID: uuid.New(), ShopID: uuid.New(), Kind: gateway.KindPayment, Status: StatusCreated, Sequence: 1, Amount: money.New(100, "EUR"), Operation: gateway.OpSale,
			Provider: "first", AccountID: s.accounts[0].ID, AccountName: "first", ProviderOrderID: "one",
		}
		s.orders[stored.ID] = stored
		providers["first"].FetchFunc = func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
			require.Equal(t, "one", ref.OrderID)
			moved, target := *stored, *stored
			target.Provider, target.AccountID, target.AccountName, target.ProviderOrderID = "second", s.accounts[1].ID, "second", "two"
			moved.moveTo(&target, 1, ending{reason: codeNotSent}, service.policy(), epoch)
			s.orders[stored.ID] = &moved
			return gateway.Result{Status: shown}, nil
		}
		o, err := service.Refresh(t.Context(), stored.Key())
		require.NoError(t, err)
		require.Equal(t, [2]any{StatusCreated, "two"}, [2]any{o.Status, o.ProviderOrderID}, shown)
		require.False(t, o.Acknowledged, shown)
	}
}
