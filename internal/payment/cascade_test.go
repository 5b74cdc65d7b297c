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

// cascadeShop is threeAccounts at providers whose failures are final, polled without pauses.
func cascadeShop() (s *shopStore, service *Service, providers map[string]*gatewaytest.Fake) {
	s, service, providers = threeAccounts()
	service.DeclinePolls = []time.Duration{time.Microsecond, time.Microsecond}
	for _, p := range providers {
		p.Description.FailedIsFinal = true
	}
	return s, service, providers
}

// byCard is a direct payment by card that cascades.
func byCard(c Cascade) NewPayment {
	return NewPayment{
		Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), Flow: gateway.FlowDirect, Cascade: c, RequestHash: []byte("h"),
		Method: gateway.PaymentMethod{Card: &card.Card{}},
	}
}

func declinedAs(class gateway.RetryClass) gateway.Result {
	return gateway.Result{Status: gateway.StatusFailed, Failure: &gateway.Failure{Category: gateway.FailureUnavailable, Code: "GONE", Retry: class}}
}

// Only a decline that the shop lets go elsewhere, and that the provider shows when it is asked, moves a payment.
func TestWhichDeclineCascades(t *testing.T) {
	t.Parallel()
	working := gateway.Result{Status: gateway.StatusProcessing}
	form := gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://form.example"}}
	code := gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionConfirmCode}}
	other, issuer := declinedAs(gateway.RetryOtherAccount), declinedAs(gateway.RetryIssuer)
	paid := gateway.Result{Status: gateway.StatusSucceeded}
	for name, c := range map[string]struct {
		cascade  Cascade
		change   func(*NewPayment, map[string]*gatewaytest.Fake)
		answer   gateway.Result
		shown    []gateway.Result // by each poll; a zero one is no answer
		polls    int
		reason   string // "" is that it stays
		status   Status // where it stays
		answered error
	}{
		"declined, and shown":                 {cascade: CascadeProvider, answer: other, shown: []gateway.Result{other}, polls: 1, reason: ReasonDeclinedByProvider},
		"declined while it is watched":        {cascade: CascadeProvider, answer: working, shown: []gateway.Result{working, other}, polls: 2, reason: ReasonDeclinedByProvider},
		"declined beside a form":              {cascade: CascadeProvider, answer: form, shown: []gateway.Result{other}, polls: 1, reason: ReasonDeclinedByProvider},
		"the issuer's, asked for":             {cascade: CascadeIssuer, answer: issuer, shown: []gateway.Result{issuer}, polls: 1, reason: ReasonDeclinedByIssuer},
		"the issuer's by the answer":          {cascade: CascadeIssuer, answer: issuer, shown: []gateway.Result{other}, polls: 1, reason: ReasonDeclinedByIssuer},
		"the provider's, with issuer":         {cascade: CascadeIssuer, answer: other, shown: []gateway.Result{other}, polls: 1, reason: ReasonDeclinedByProvider},
		"the issuer's, not asked for":         {cascade: CascadeProvider, answer: issuer, status: StatusFailed},
		"the issuer's, shown late":            {cascade: CascadeProvider, answer: working, shown: []gateway.Result{issuer}, polls: 1, status: StatusFailed},
		"not asked for":                       {answer: other, status: StatusFailed},
		"never":                               {cascade: CascadeIssuer, answer: declinedAs(gateway.RetryNever), status: StatusFailed},
		"too little money":                    {cascade: CascadeIssuer, answer: declinedAs(gateway.RetrySameLater), status: StatusFailed},
		"the customer's":                      {cascade: CascadeIssuer, answer: declinedAs(gateway.RetryCustomer), status: StatusFailed},
		"a word in no table":                  {cascade: CascadeIssuer, answer: declinedAs(gateway.RetryUnknown), status: StatusFailed},
		"no class":                            {cascade: CascadeIssuer, answer: declinedAs(""), status: StatusFailed},
		"shown as another":                    {cascade: CascadeIssuer, answer: other, shown: []gateway.Result{declinedAs(gateway.RetryNever)}, polls: 1, status: StatusFailed},
		"not shown":                           {cascade: CascadeProvider, answer: other, shown: []gateway.Result{working, working}, polls: 2, status: StatusFailed},
		"nobody can be asked":                 {cascade: CascadeProvider, answer: other, shown: []gateway.Result{{}, {}}, polls: 2, status: StatusFailed},
		"shown as paid":                       {cascade: CascadeProvider, answer: other, shown: []gateway.Result{paid}, polls: 1, status: StatusSucceeded},
		"the customer is waited for":          {cascade: CascadeProvider, answer: form, shown: []gateway.Result{form, other}, polls: 1, status: StatusRequiresAction},
		"a code is asked for":                 {cascade: CascadeProvider, answer: code, status: StatusRequiresAction},
		"unknown":                             {cascade: CascadeProvider, answered: &gateway.Error{Kind: gateway.KindUnknown, Code: "timeout"}, status: StatusUnknown},
		"refused":                             {cascade: CascadeProvider, answered: &gateway.Error{Kind: gateway.KindDeclined, Code: "GONE"}, status: StatusFailed},
		"no proof at this provider":           {cascade: CascadeProvider, answer: other, change: func(_ *NewPayment, p map[string]*gatewaytest.Fake) { p["first"].Description.FailedIsFinal = false }, status: StatusFailed},
		"the account is named":                {cascade: CascadeProvider, answer: other, change: func(in *NewPayment, _ map[string]*gatewaytest.Fake) { in.Account = "first" }, status: StatusFailed},
		"a hold":                              {cascade: CascadeProvider, answer: other, change: func(in *NewPayment, _ map[string]*gatewaytest.Fake) { in.Manual = true }, status: StatusFailed},
		"a form of the provider":              {cascade: CascadeProvider, answer: other, change: func(in *NewPayment, _ map[string]*gatewaytest.Fake) { in.Flow = gateway.FlowHosted }, status: StatusFailed},
		"a wallet":                            {cascade: CascadeProvider, answer: other, change: func(in *NewPayment, _ map[string]*gatewaytest.Fake) { in.Method = gateway.PaymentMethod{} }, status: StatusFailed},
		"without failover, the decline moves": {cascade: CascadeProvider, answer: other, shown: []gateway.Result{other}, polls: 1, change: func(in *NewPayment, _ map[string]*gatewaytest.Fake) { in.NoFailover = true }, reason: ReasonDeclinedByProvider},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := cascadeShop()
			in := byCard(c.cascade)
			if c.change != nil {
				c.change(&in, providers)
			}
			first, polls := "", 0
			providers["first"].CreatePaymentFunc = func(_ context.Context, r gateway.PaymentRequest) (gateway.Result, error) {
				first = r.Ref.OrderID
				return c.answer, c.answered
			}
			providers["first"].FetchFunc = func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
				require.Equal(t, first, ref.OrderID)
				require.Less(t, polls, len(c.shown))
				polls++
				if shown := c.shown[polls-1]; shown.Status != "" {
					return shown, nil
				}
				return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown, Code: "timeout"}
			}
			o, _, err := service.CreatePayment(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, c.polls, polls)
			if c.reason == "" {
				require.Equal(t, [2]any{c.status, "first"}, [2]any{o.Status, o.AccountName})
				require.Empty(t, s.ended)
				return
			}
			require.Equal(t, [2]any{StatusProcessing, "second"}, [2]any{o.Status, o.AccountName})
			require.Equal(t, []EndedAttempt{{1, "first", s.accounts[0].ID, "first", first, c.reason, "GONE", epoch}}, s.ended)
			require.Equal(t, 2, o.Sequence, "the shop hears of one step only")
		})
	}
}

// One decline of an order leads elsewhere, whatever the second account says. That nothing was sent still does.
func TestOneDeclineCascades(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second error
		at     string
	}{"declined again": {at: "second"}, "nothing was sent": {&gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}, "third"}} {
		s, service, providers := cascadeShop()
		s.accounts[2].Priority, s.accounts[2].Name = 3, "third"
		other := declinedAs(gateway.RetryOtherAccount)
		for _, p := range []string{"first", "second"} {
			providers[p].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
				if p == "second" && c.second != nil {
					return gateway.Result{}, c.second
				}
				return other, nil
			}
			providers[p].FetchFunc = func(context.Context, gateway.Ref) (gateway.Result, error) { return other, nil }
		}
		o, _, err := service.CreatePayment(t.Context(), byCard(CascadeProvider))
		require.NoError(t, err)
		require.Equal(t, c.at, o.AccountName, name)
	}
}

// While the call that began a cascading payment is under way, nothing else ends it: it may go elsewhere. When its time is over, polls do.
func TestAnEndIsLeftToTheCallThatMayGoElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cascade Cascade
		after   time.Duration
		status  Status
	}{"the call is under way": {CascadeProvider, time.Second, StatusCreated}, "the call is over": {CascadeProvider, time.Minute, StatusFailed}, "no cascade": {CascadeNone, time.Second, StatusFailed}} {
		s, service, providers := cascadeShop()
		now := epoch
		service.Now = func() time.Time { return now }
		providers["first"].FetchFunc = func(context.Context, gateway.Ref) (gateway.Result, error) {
			return declinedAs(gateway.RetryOtherAccount), nil
		}
		stored := &Order{
			ID: uuid.New(), ShopID: uuid.New(), Kind: gateway.KindPayment, Status: StatusCreated, Sequence: 1, Amount: money.New(100, "EUR"), Operation: gateway.OpSale, Cascade: c.cascade,
			Provider: "first", AccountID: s.accounts[0].ID, AccountName: "first", ProviderOrderID: "one", Verification: Verification{PollsSince: now}, CreatedAt: now,
		}
		s.orders[stored.ID] = stored
		now = now.Add(c.after)
		o, err := service.Refresh(t.Context(), stored.Key())
		require.NoError(t, err)
		require.Equal(t, c.status, o.Status, name)

		called := *stored
		verdict, rule, _ := service.applyCallback(&called, s.accounts[0], gateway.Notification{OrderID: "one", Result: declinedAs(gateway.RetryOtherAccount)})
		if c.status == StatusCreated {
			require.Equal(t, [2]any{Verify, ruleInCall}, [2]any{verdict, rule}, name)
			require.Equal(t, StatusCreated, called.Status)
		} else {
			require.Equal(t, [2]any{Apply, StatusFailed}, [2]any{verdict, called.Status}, name)
		}
	}
}

// What a provider says of an attempt that has ended changes nothing of the order. Where it says that money moved, an order of its own
// takes the attempt over.
func TestACallbackAboutAnEndedAttempt(t *testing.T) {
	t.Parallel()
	succeeded := int64(100)
	for name, c := range map[string]struct {
		reason  string
		result  gateway.Result
		verdict Verdict
		late    bool
	}{
		"its decline":                {ReasonDeclinedByProvider, declinedAs(gateway.RetryOtherAccount), Repeat, false},
		"its beginning":              {ReasonDeclinedByProvider, gateway.Result{Status: gateway.StatusProcessing}, Stale, false},
		"it was paid":                {ReasonDeclinedByIssuer, gateway.Result{Status: gateway.StatusSucceeded, Settled: &succeeded}, Verify, true},
		"it arrived after all":       {codeNotSent, gateway.Result{Status: gateway.StatusProcessing}, Verify, true},
		"it was refused":             {codeNotSent, declinedAs(gateway.RetryUnknown), Repeat, false},
		"its refund":                 {ReasonDeclinedByProvider, gateway.Result{Kind: gateway.KindRefund, Status: gateway.StatusSucceeded}, Conflict, false},
		"nothing that is understood": {ReasonDeclinedByProvider, gateway.Result{}, Stale, false},
	} {
		s, service, _ := cascadeShop()
		o := orderIn(t, StatusSucceeded)
		o.Reference, o.AccountID, o.AccountName, o.ProviderOrderID = "r", s.accounts[1].ID, "second", "two"
		o.EndedAttempt = &EndedAttempt{Number: 1, Provider: "first", AccountID: s.accounts[0].ID, AccountName: "first", ProviderOrderID: "one", Reason: c.reason}
		before := o.Sequence
		verdict, _, _ := service.applyCallback(o, s.accounts[0], gateway.Notification{OrderID: "one", Result: c.result})
		require.Equal(t, c.verdict, verdict, name)
		require.Equal(t, before, o.Sequence, name)
		require.Nil(t, o.SupersededBy, name)
		late := o.NewLate()
		require.Equal(t, c.late, late != nil, name)
		if late == nil {
			continue
		}
		late.Complete()
		require.Equal(t, c.result.Status == gateway.StatusSucceeded, late.Order.ReportedAmount != nil, "what a strong callback claims is kept")
		require.Equal(t, []any{"r~late1", StatusUnknown, "first", "one", &o.ID}, []any{late.Order.Reference, late.Order.Status, late.Order.AccountName, late.Order.ProviderOrderID, late.Order.ParentID}, name)
		require.Equal(t, epoch, *late.Order.NextPollAt, name)
		require.True(t, late.Order.Late())
		minor := late.Order.Amount.Minor()
		require.Equal(t, Apply, late.Order.Record(Observation{Source: SourceStatusPoll, Status: StatusSucceeded, AsOf: late.Order.Sequence, Settled: &minor, At: epoch}), name)
		require.Equal(t, 1, late.Order.DisputesOpen, name)
		require.Equal(t, DisputeLateSuccess, late.Order.Transitions()[len(late.Order.Transitions())-1].Dispute.After.Kind)
		verdict, _, _ = service.applyCallback(late.Order, s.accounts[0], gateway.Notification{OrderID: "one", Result: declinedAs(gateway.RetryOtherAccount)})
		require.Equal(t, [3]any{Verify, StatusSucceeded, 0}, [3]any{verdict, late.Order.Status, late.Order.Conflicts}, "the decline that had ended it comes once more")
		require.NotNil(t, late.Order.NextPollAt)
		require.Equal(t, Repeat, late.Order.Record(Observation{Source: SourceStatusPoll, Status: StatusSucceeded, AsOf: late.Order.Sequence, Settled: &minor, At: epoch}))
		require.Equal(t, Conflict, late.Order.Record(Observation{Source: SourceStatusPoll, Status: StatusFailed, AsOf: late.Order.Sequence, At: epoch}), "the provider itself contradicts")
	}
}

// A shop that follows the advice of a failed order must not charge a customer who has paid an earlier attempt of it.
func TestAPaidAttemptOfAFailedOrderAdvisesAgainstARetry(t *testing.T) {
	t.Parallel()
	s, service, _ := cascadeShop()
	o := orderIn(t, StatusFailed)
	o.AccountID, o.Failure = s.accounts[1].ID, &gateway.Failure{Code: "GONE", Advice: gateway.AdviceRetryLater}
	said := o.Failure
	o.EndedAttempt = &EndedAttempt{Number: 1, Provider: "first", AccountID: s.accounts[0].ID, ProviderOrderID: "one", Reason: ReasonDeclinedByProvider}
	verdict, _, _ := service.applyCallback(o, s.accounts[0], gateway.Notification{OrderID: "one", Result: gateway.Result{Status: gateway.StatusSucceeded}})
	require.Equal(t, Verify, verdict)
	require.Equal(t, gateway.AdviceDoNotRetry, o.Failure.Advice)
	require.Contains(t, o.StatusReason, "Order "+o.NewLate().Order.ID.String()+" shows what became of it")
	require.Equal(t, gateway.AdviceRetryLater, said.Advice, "what was notified stays as it was")
	require.Nil(t, o.SupersededBy, "money of the last attempt may still come late")
}

// A callback about an ended attempt that names a sum which cannot be has the provider asked, and claims nothing: no order could keep it.
func TestASumThatCannotBeOfAnEndedAttempt(t *testing.T) {
	t.Parallel()
	for _, odd := range []int64{-5, 0, 1001} {
		s, service, _ := cascadeShop()
		o := orderIn(t, StatusSucceeded)
		o.Reference, o.AccountID, o.AccountName, o.ProviderOrderID = "r", s.accounts[1].ID, "second", "two"
		o.EndedAttempt = &EndedAttempt{Number: 1, Provider: "first", AccountID: s.accounts[0].ID, AccountName: "first", ProviderOrderID: "one", Reason: ReasonDeclinedByProvider}
		verdict, _, _ := service.applyCallback(o, s.accounts[0], gateway.Notification{OrderID: "one", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: &odd}})
		require.Equal(t, Verify, verdict)
		late := o.NewLate()
		late.Complete()
		require.Nil(t, late.Order.ReportedAmount, odd)
		require.Equal(t, epoch, *late.Order.NextPollAt)
	}
}

// A callback says that a payment was paid which had ended without money: nothing is to be tried again while the provider is asked.
func TestALateClaimAdvisesAgainstARetry(t *testing.T) {
	t.Parallel()
	s, service, _ := cascadeShop()
	o := orderIn(t, StatusFailed)
	o.AccountID, o.Failure = s.accounts[0].ID, &gateway.Failure{Code: "GONE", Advice: gateway.AdviceCustomerMayRetry}
	verdict, rule, _ := service.applyCallback(o, s.accounts[0], gateway.Notification{OrderID: o.ProviderOrderID, Result: gateway.Result{Status: gateway.StatusSucceeded}})
	require.Equal(t, [2]any{Verify, rulePaidLate}, [2]any{verdict, rule})
	require.Equal(t, gateway.AdviceDoNotRetry, o.Failure.Advice)
	require.Contains(t, o.StatusReason, "the provider is being asked")
}

// A callback that proves nothing alone has the provider asked about an ended attempt, and nobody is called if it denies.
func TestAWeakCallbackAboutAnEndedAttempt(t *testing.T) {
	t.Parallel()
	s, service, _ := cascadeShop()
	o := orderIn(t, StatusSucceeded)
	o.Reference, o.AccountID, o.AccountName, o.ProviderOrderID = "r", s.accounts[1].ID, "second", "two"
	o.EndedAttempt = &EndedAttempt{Number: 1, Provider: "first", AccountID: s.accounts[0].ID, AccountName: "first", ProviderOrderID: "one", Reason: ReasonDeclinedByProvider}
	n := gateway.Notification{OrderID: "one", Result: gateway.Result{Status: gateway.StatusSucceeded}, Weak: "it names no settled sum"}
	verdict, _, _ := service.applyCallback(o, s.accounts[0], n)
	require.Equal(t, Verify, verdict)
	late := o.NewLate()
	require.NotNil(t, late)
	late.Complete()
	require.Nil(t, late.Order.ReportedAmount)
	require.Equal(t, epoch, *late.Order.NextPollAt)
}
