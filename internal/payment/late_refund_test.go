package payment

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// failedRefund is a refund of a part that has failed, and its payment.
func failedRefund(t *testing.T, minor int64, reference string) (refund, paid *Order) {
	t.Helper()
	paid = orderIn(t, StatusSucceeded)
	refund = newTestOrder()
	refund.Kind, refund.ParentID, refund.ProviderReference = gateway.KindRefund, &paid.ID, reference
	refund.Amount = money.New(minor, paid.Amount.Currency())
	r := undated(StatusFailed)
	r.Failure = &gateway.Failure{Code: "REFUSED", Advice: gateway.AdviceRetryLater}
	require.Equal(t, Apply, refund.Record(r))
	refund.Saved()
	paid.Saved()
	refund.SetPayment(paid)
	return refund, paid
}

func TestWhatARefundThatIsCarriedOutLateLeadsTo(t *testing.T) {
	t.Parallel()
	part, tooMuch := int64(400), int64(601)
	by := func(source Source, change func(*Observation)) Observation {
		r := Observation{Source: source, Status: StatusSucceeded, At: epoch}
		if change != nil {
			change(&r)
		}
		return r
	}
	for name, tc := range map[string]struct {
		reference string // the provider's of the refund
		gone      int64  // what disputes took of the payment before
		r         Observation
		verdict   Verdict
		minor     int64 // of the dispute
	}{
		"a callback":                              {r: by(SourceCallback, nil), verdict: Apply, minor: 600},
		"a callback with its sum":                 {r: by(SourceCallback, func(r *Observation) { r.Settled = &part }), verdict: Apply, minor: 400},
		"a callback of a sum that cannot be":      {r: by(SourceCallback, func(r *Observation) { r.Settled = &tooMuch }), verdict: Conflict},
		"a callback of another amount":            {r: by(SourceCallback, func(r *Observation) { r.Amount = &part }), verdict: Conflict},
		"a callback in another currency":          {r: by(SourceCallback, func(r *Observation) { r.Currency = "USD" }), verdict: Conflict},
		"a callback, and all is gone":             {gone: 1000, r: by(SourceCallback, nil), verdict: Apply, minor: 600},
		"a poll by its id":                        {reference: "r-1", gone: 700, r: by(SourceStatusPoll, nil), verdict: Apply, minor: 600},
		"its own answer with an id":               {gone: 700, r: by(SourceAnswer, func(r *Observation) { r.ProviderReference = "r-1" }), verdict: Apply, minor: 600},
		"a poll of its payment":                   {r: by(SourceStatusPoll, nil), verdict: Apply, minor: 600},
		"a poll of its payment, a part is known":  {gone: 700, r: by(SourceStatusPoll, nil), verdict: Apply, minor: 300},
		"a poll of its payment, and all is known": {gone: 1000, r: by(SourceStatusPoll, nil), verdict: Stale},
		"it is failed":                            {r: Observation{Source: SourceCallback, Status: StatusFailed, At: epoch}, verdict: Repeat},
		"it is under way":                         {r: Observation{Source: SourceCallback, Status: StatusProcessing, At: epoch}, verdict: Stale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, paid := failedRefund(t, 600, tc.reference)
			paid.take(tc.gone)
			require.Equal(t, tc.verdict, o.Record(tc.r))
			require.Equal(t, StatusFailed, o.Status, "a final status is never changed")
			require.Zero(t, o.Captured)
			if tc.minor == 0 {
				require.Empty(t, paid.Transitions())
				require.Nil(t, o.SupersededBy)
				return
			}
			d := lastDispute(t, paid)
			require.Equal(t, []any{DisputeExternalRefund, DisputeOpen, tc.minor, &o.ID, tc.r.Source}, []any{d.Kind, d.Status, d.Amount.Minor(), d.RefundID, d.Source})
			require.Equal(t, tc.gone+tc.minor, paid.Disputed+paid.Overdrawn)
			require.Equal(t, o.ID.String(), paid.Transitions()[0].ProviderData["refund"])
			require.Equal(t, &d.ID, o.SupersededBy)
			require.Equal(t, gateway.AdviceDoNotRetry, o.Failure.Advice)
			require.Zero(t, o.Conflicts)
			require.Equal(t, Repeat, o.Record(tc.r), "it is on record")
			require.Len(t, paid.Transitions(), 1)
		})
	}
}

// Without its payment, whose row may not be usable, a person is told.
func TestALateRefundWithoutItsPaymentIsAConflict(t *testing.T) {
	t.Parallel()
	o, _ := failedRefund(t, 600, "")
	o.SetPayment(nil)
	require.Equal(t, Conflict, o.Record(Observation{Source: SourceCallback, Status: StatusSucceeded, At: epoch}))
	require.True(t, o.Contested())
}

func TestWhichFailedRefundsAreContested(t *testing.T) {
	t.Parallel()
	at := epoch
	for name, tc := range map[string]struct {
		change func(*Order)
		want   bool
	}{
		"it failed":                      {func(*Order) {}, false},
		"something contradicts it":       {func(o *Order) { o.Conflicts = 1 }, true},
		"the provider is being asked":    {func(o *Order) { o.NextPollAt = &at }, true},
		"a dispute has its sum":          {func(o *Order) { o.Conflicts, o.SupersededBy = 1, &o.ID }, false},
		"it succeeded":                   {func(o *Order) { o.Conflicts, o.Status = 1, StatusSucceeded }, false},
		"it is open":                     {func(o *Order) { o.NextPollAt, o.Status = &at, StatusUnknown }, false},
		"it is a payment that is denied": {func(o *Order) { o.Conflicts, o.Kind = 1, gateway.KindPayment }, false},
	} {
		o, _ := failedRefund(t, 600, "")
		tc.change(o)
		require.Equal(t, tc.want, o.Contested(), name)
	}
}

func TestWhichRefundMayBeginBesideOthers(t *testing.T) {
	t.Parallel()
	o, _ := failedRefund(t, 600, "")
	for name, tc := range map[string]struct {
		beside OtherRefunds
		want   Code
	}{
		"none":                             {OtherRefunds{Left: 600}, ""},
		"an open one":                      {OtherRefunds{Left: 1000, Open: []uuid.UUID{o.ID}}, CodeRefundInProgress},
		"a contested one, and enough left": {OtherRefunds{Left: 1000, Contested: []uuid.UUID{o.ID}, ContestedMinor: 400}, ""},
		"a contested one, and less left":   {OtherRefunds{Left: 1000, Contested: []uuid.UUID{o.ID}, ContestedMinor: 401}, CodeRefundInProgress},
		"contested ones of more than all":  {OtherRefunds{Left: 1000, Contested: []uuid.UUID{o.ID, o.ID}, ContestedMinor: 1200}, CodeRefundInProgress},
	} {
		require.Equal(t, tc.want, CodeOf(o.mayBegin(tc.beside)), name)
	}
}

// A callback that proves nothing, or could be about another refund too, opens no dispute: the provider is asked about the refund.
func TestALateRefundIsVerified(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		weak      string
		sameSum   int
		shown     gateway.Status
		verdict   Verdict
		disputed  bool
		conflicts int
	}{
		"signed well":                      {verdict: Apply, disputed: true},
		"signed weakly, and it was done":   {weak: "two readings", shown: gateway.StatusSucceeded, verdict: Verify, disputed: true},
		"signed weakly, and it was not":    {weak: "two readings", shown: gateway.StatusFailed, verdict: Verify},
		"of two of a sum, and it was done": {sameSum: 1, shown: gateway.StatusSucceeded, verdict: Verify, disputed: true},
		"of two of a sum, and it was not":  {sameSum: 1, shown: gateway.StatusFailed, verdict: Verify, conflicts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, paid := failedRefund(t, 600, "r-1")
			o.sameSumRefunds = tc.sameSum
			now := epoch
			s := reportedOrder(o, &now, nil, nil)
			n := gateway.Notification{OrderID: "o", Weak: tc.weak, Result: gateway.Result{Status: gateway.StatusSucceeded, Kind: gateway.KindRefund}}
			verdict, _, _ := s.applyCallback(o, Account{ID: o.AccountID}, n)
			require.Equal(t, tc.verdict, verdict)
			require.Equal(t, verdict == Verify, o.Contested())
			for i := 0; o.NextPollAt != nil && i < 100; i++ {
				now = now.Add(time.Hour)
				o.observePoll(s.policy(), statusPoll{
					Poll: Poll{Asked: now, Answered: now, Due: true}, result: gateway.Result{Status: tc.shown},
					operation: o.Operation, name: o.ProviderOrderID, asOf: o.Sequence, since: o.PollsSince,
				})
			}
			require.Equal(t, tc.disputed, paid.DisputesOpen == 1)
			require.Equal(t, tc.conflicts, o.Conflicts)
			if tc.conflicts > 0 {
				require.Equal(t, "a callback says that 600 went back, and the provider's own answers that the refund is failed", o.NewConflicts()[0].Reason)
			}
			require.Nil(t, o.NextPollAt)
			require.Equal(t, StatusFailed, o.Status)
		})
	}
}
