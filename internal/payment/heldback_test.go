package payment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// readStore has one account and a paid payment, and fails a test that writes.
type readStore struct {
	Store
	t       *testing.T
	paid    *Order
	earlier *Order
}

func (s *readStore) ShopAccounts(context.Context, uuid.UUID) ([]Account, error) {
	return []Account{{Name: "a", Provider: "fake", Currency: "EUR", Purpose: PurposeAny, Priority: 1}}, nil
}

func (s *readStore) Account(context.Context, uuid.UUID) (Account, error) {
	return Account{Name: "a", Provider: "fake", Currency: "EUR"}, nil
}

func (s *readStore) ProviderOrderID(context.Context, uuid.UUID, gateway.Kind, string, int) (string, error) {
	return trialOrderID, nil
}

func (s *readStore) Order(context.Context, Key) (*Order, error) { return s.paid, nil }

func (s *readStore) OrderByReference(context.Context, uuid.UUID, gateway.Kind, string) (*Order, error) {
	if s.earlier == nil {
		return nil, ErrNotFound
	}
	return s.earlier, nil
}

func (s *readStore) CreateOrder(_ context.Context, o *Order) (*Order, bool, error) {
	s.t.Errorf("a %s was stored", o.Kind)
	return o, true, nil
}

func (s *readStore) UpdateOrder(_ context.Context, _ Key, _ func(*Order) error) (*Order, error) {
	s.t.Error("an order was changed")
	return s.paid, nil
}

// An order whose call would be held back is refused before anything of it is stored, so that its reference stays free. One
// that was made earlier is answered all the same.
func TestWhatWouldBeHeldBackIsNotStored(t *testing.T) {
	t.Parallel()
	ctx, eur := context.Background(), money.New(1000, "EUR")
	pan, err := card.ParsePAN("4111111111111111")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		want    gateway.Ref // what the gateway is asked about
		command bool        // of an order that there is
		do      func(s *Service) (*Order, error)
	}{
		"payment": {want: gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpAuthorize, Flow: gateway.FlowDirect}, do: func(s *Service) (*Order, error) {
			o, _, err := s.CreatePayment(ctx, NewPayment{Reference: "r", Amount: eur, Flow: gateway.FlowDirect, Manual: true})
			return o, err
		}},
		"charge": {want: gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, Flow: gateway.FlowDirect, Parent: &gateway.Ref{}}, do: func(s *Service) (*Order, error) {
			o, _, err := s.Charge(ctx, NewCharge{Reference: "r", Minor: 1})
			return o, err
		}},
		"refund": {want: gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, Parent: &gateway.Ref{}}, do: func(s *Service) (*Order, error) {
			o, _, err := s.Refund(ctx, NewRefund{Reference: "r", Minor: 1})
			return o, err
		}},
		"payout": {want: gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, Flow: gateway.FlowDirect}, do: func(s *Service) (*Order, error) {
			o, _, err := s.Payout(ctx, NewPayout{Reference: "r", Minor: 1, Account: "a", Method: gateway.PayoutMethod{Card: &card.Card{Number: pan}}})
			return o, err
		}},
		"payout card": {want: gateway.Ref{Kind: gateway.KindPayoutCard, Operation: gateway.OpSale, Flow: gateway.FlowHosted}, do: func(s *Service) (*Order, error) {
			o, _, err := s.OpenPayoutCard(ctx, NewPayoutCard{Reference: "r", Account: "a"})
			return o, err
		}},
		"transfer": {want: gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, Flow: gateway.FlowDirect}, do: func(s *Service) (*Order, error) {
			o, _, err := s.Transfer(ctx, NewTransfer{Reference: "r", Account: "a", Amount: eur})
			return o, err
		}},
		"capture": {want: gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpCapture}, command: true, do: func(s *Service) (*Order, error) {
			return s.Capture(ctx, Key{}, 0)
		}},
		"cancel": {want: gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpCancel}, command: true, do: func(s *Service) (*Order, error) {
			return s.Cancel(ctx, Key{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked gateway.Ref
			fake := &gatewaytest.Fake{HeldBackFunc: func(ref gateway.Ref) time.Duration {
				asked = ref
				return 7 * time.Second
			}}
			store := &readStore{t: t, paid: newTestOrder()}
			store.paid.Status, store.paid.Captured, store.paid.Recurring = StatusSucceeded, 1000, true
			if tc.command {
				store.paid = authorizedOrder(t)
			}
			s := New(Config{Store: store, Drivers: gateway.NewRegistry(fake)})
			_, err := tc.do(s)
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, CodeProviderFailed, refused.Code)
			require.Equal(t, 7*time.Second, refused.RetryAfter)
			require.Equal(t, [3]any{tc.want.Kind, tc.want.Operation, tc.want.Flow}, [3]any{asked.Kind, asked.Operation, asked.Flow})
			require.Equal(t, tc.want.Parent != nil, asked.Parent != nil)
			require.Empty(t, fake.Calls(), "nothing was asked of the provider")
			if tc.command {
				return
			}
			store.earlier = newTestOrder()
			repeated, err := tc.do(s)
			require.NoError(t, err)
			require.Equal(t, store.earlier.ID, repeated.ID, "a repeat gives the first order")
		})
	}
}

// A call that was held back while it was under way tells when such calls are sent again.
func TestACallThatWasHeldBackTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	held := &gateway.Error{Kind: gateway.KindNotSent, Code: "breaker_open", RetryAfter: 3 * time.Second}
	s := New(Config{Store: &readStore{t: t}, Drivers: gateway.NewRegistry(&gatewaytest.Fake{
		BalanceFunc: func(context.Context) (gateway.Balance, error) { return gateway.Balance{}, held },
	})})
	_, err := s.Balance(context.Background(), uuid.Nil, "a")
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 3*time.Second, refused.RetryAfter)
	require.Zero(t, providerFailed("", &gateway.Error{Kind: gateway.KindUnknown}).RetryAfter)
}

// What an open refund has reserved may become free again: a refund beside it is told to wait, and not refused for good.
func TestWhatCanBeRefunded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		refunded, reserved, ask, want int64
		code                          Code
	}{
		"a part":                           {0, 0, 400, 400, ""},
		"all":                              {0, 0, 1000, 1000, ""},
		"all that is left, unnamed":        {300, 300, 0, 700, ""},
		"all, unnamed":                     {0, 0, 0, 1000, ""},
		"too much":                         {300, 300, 701, 0, CodeRefundTooLarge},
		"nothing left, unnamed":            {1000, 1000, 0, 0, CodeRefundTooLarge},
		"beside an open one":               {0, 300, 100, 100, ""}, // which the store refuses, if it is still open then
		"more than the open one leaves":    {0, 300, 701, 0, CodeRefundInProgress},
		"beside an open one of all":        {0, 1000, 100, 0, CodeRefundInProgress},
		"unnamed beside an open one":       {0, 1000, 0, 0, CodeRefundInProgress},
		"too much whatever the open gives": {600, 700, 401, 0, CodeRefundTooLarge},
	} {
		o := newTestOrder()
		o.Captured, o.Refunded, o.RefundReserved = 1000, tc.refunded, tc.reserved
		got, err := refundable(o, tc.ask)
		require.Equal(t, tc.code, CodeOf(err), name)
		require.Equal(t, tc.want, got, name)
	}
	require.Positive(t, RefundInProgress().RetryAfter)
}

// A hosted order whose form nobody knows says so, whatever word the provider has for it and by whichever road it comes.
func TestALostFormIsTold(t *testing.T) {
	t.Parallel()
	form := &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://pay.example"}
	for name, tc := range map[string]struct {
		flow   gateway.Flow
		status gateway.Status
		next   *gateway.NextAction
		lost   bool
	}{
		"waits for the customer":        {gateway.FlowHosted, gateway.StatusRequiresAction, nil, true},
		"is called processing":          {gateway.FlowHosted, gateway.StatusProcessing, nil, true},
		"has its form":                  {gateway.FlowHosted, gateway.StatusRequiresAction, form, false},
		"a direct one waits":            {gateway.FlowDirect, gateway.StatusRequiresAction, nil, true},
		"a direct one is processing":    {gateway.FlowDirect, gateway.StatusProcessing, nil, false},
		"a transfer started elsewhere":  {"", gateway.StatusProcessing, nil, false},
		"a hosted one that has an end":  {gateway.FlowHosted, gateway.StatusSucceeded, nil, false},
		"a hosted one that is declined": {gateway.FlowHosted, gateway.StatusFailed, nil, false},
	} {
		result := gateway.Result{Status: tc.status, NextAction: tc.next}
		for _, before := range []Status{StatusCreated, StatusUnknown} {
			o := newTestOrder()
			o.Flow = tc.flow
			if before == StatusUnknown {
				o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, Reason: "no answer", At: epoch})
			}
			answered := *o
			answered.Record(answerObservation(&answered, result, nil, o.Sequence, epoch))
			require.Equal(t, tc.lost, answered.StatusReason == formLost, "%s: by an answer", name)

			s := New(Config{})
			late := epoch.Add(time.Hour)
			recordPoll(s, o, gateway.Description{}, result, nil, o.Sequence, late, late)
			require.Equal(t, tc.lost, o.StatusReason == formLost, "%s: by a check of a %s one", name, before)
		}
	}

	o := newTestOrder() // a callback came first, and the answer with the form never
	o.Flow = gateway.FlowHosted
	require.Equal(t, Apply, o.Record(undated(StatusProcessing)))
	s, late := New(Config{}), epoch.Add(time.Hour)
	require.Equal(t, Repeat, recordPoll(s, o, gateway.Description{}, gateway.Result{Status: gateway.StatusProcessing}, nil, o.Sequence, late, late))
	require.Equal(t, formLost, o.StatusReason)
}
