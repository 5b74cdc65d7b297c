package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// polled is a success that a poll shows.
func polled(change func(*Observation)) Observation {
	r := Observation{Source: SourceStatusPoll, Status: StatusSucceeded, At: epoch}
	change(&r)
	return r
}

// lastDispute is the dispute of the order's newest step.
func lastDispute(t *testing.T, o *Order) Dispute {
	t.Helper()
	last := o.Transitions()[len(o.Transitions())-1]
	require.NotNil(t, last.Dispute)
	require.Equal(t, [2]Status{StatusSucceeded, StatusSucceeded}, [2]Status{last.From, last.To})
	require.Equal(t, o.Disputed, last.After.Disputed, "its notification has the sums")
	require.Equal(t, last.Dispute.After.ID.String(), last.ProviderData["dispute"])
	return last.Dispute.After
}

func TestMoneyThatWentBackElsewhereIsADispute(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reserved, disputed, back int64
		kind                     DisputeKind // "" for none
		minor                    int64
		verdict                  Verdict
	}{
		"all of it":                       {back: 1000, kind: DisputeReversal, minor: 1000, verdict: Apply},
		"a part":                          {back: 400, kind: DisputeExternalRefund, minor: 400, verdict: Apply},
		"more than our refund":            {reserved: 300, back: 400, kind: DisputeExternalRefund, minor: 100, verdict: Apply},
		"our refund":                      {reserved: 400, back: 400, verdict: Repeat},
		"what a dispute took":             {disputed: 400, back: 400, verdict: Repeat},
		"more than a dispute took":        {disputed: 400, back: 600, kind: DisputeExternalRefund, minor: 200, verdict: Apply},
		"nothing":                         {verdict: Repeat},
		"all beside a refund of a part":   {reserved: 300, back: 1000, verdict: Conflict},
		"all beside a refund of all":      {reserved: 1000, back: 1000, verdict: Repeat},
		"all, of which a dispute took it": {disputed: 1000, back: 1000, verdict: Repeat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := orderIn(t, StatusSucceeded)
			o.RefundReserved, o.Disputed = tc.reserved, tc.disputed
			steps := o.Sequence
			r := polled(func(r *Observation) { r.Refunded = &tc.back })
			require.Equal(t, tc.verdict, o.Record(r))
			require.Equal(t, StatusSucceeded, o.Status)
			if tc.kind == "" {
				require.Equal(t, steps, o.Sequence)
				return
			}
			d := lastDispute(t, o)
			require.Equal(t, []any{tc.kind, DisputeOpen, tc.minor, int64(0)}, []any{d.Kind, d.Status, d.Amount.Minor(), d.Overdrawn})
			require.Equal(t, tc.disputed+tc.minor, o.Disputed)
			require.Equal(t, 1, o.DisputesOpen)
			require.Zero(t, o.Conflicts)
			require.Equal(t, Repeat, o.Record(r), "it is on record now")
		})
	}
}

func TestASuccessWithAnotherNameIsADuplicateCharge(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusSucceeded)
	named := func(rrn string) Observation { return polled(func(r *Observation) { r.BankReferences = []string{rrn} }) }
	require.Equal(t, Repeat, o.Record(named("111")), "the first name is learned")
	require.Equal(t, Repeat, o.Record(named("111")))
	require.Equal(t, Apply, o.Record(named("222")))
	d := lastDispute(t, o)
	require.Equal(t, []any{DisputeDuplicateCharge, int64(1000)}, []any{d.Kind, d.Amount.Minor()})
	require.Zero(t, o.Disputed, "the second sum came beside the payment's")
	require.Equal(t, 1, o.DisputesOpen)
	require.Equal(t, Repeat, o.Record(named("222")), "it is reported once")

	both := orderIn(t, StatusSucceeded)
	both.Record(named("111"))
	back := int64(1000)
	require.Equal(t, Apply, both.Record(polled(func(r *Observation) { r.BankReferences, r.Refunded = []string{"333"}, &back })))
	require.Equal(t, 2, both.DisputesOpen, "one observation may tell of two")
	require.EqualValues(t, 1000, both.Disputed)
}

// What a bank did is written down, also if it is more than is left.
func TestADisputeTakesWhatIsLeft(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusSucceeded)
	r := byOperator("ann", epoch)
	open := func(minor int64) Dispute {
		return o.openDispute(Dispute{Kind: DisputeChargeback, Amount: money.New(minor, "EUR")}, r, "a letter")
	}
	o.MoveRefunds(700, 0)
	d := open(1000)
	require.Equal(t, []int64{300, 700, 700}, []int64{o.Disputed, o.Overdrawn, d.Overdrawn})
	o.MoveRefunds(-700, 0) // the refund failed
	require.Equal(t, []int64{1000, 0}, []int64{o.Disputed, o.Overdrawn}, "what it frees belongs to the dispute")

	second := open(200)
	require.Equal(t, []int64{1000, 200, 200}, []int64{o.Disputed, o.Overdrawn, second.Overdrawn})
	won := o.stepDispute(d, d, DisputeWon, r, "a letter")
	require.Equal(t, []int64{200, 0}, []int64{o.Disputed, o.Overdrawn})
	require.NotNil(t, won.ClosedAt)
	require.Equal(t, 1, o.DisputesOpen)
	o.stepDispute(second, second, DisputeLost, r, "a letter")
	require.Equal(t, []int64{200, 0}, []int64{o.Disputed, o.Overdrawn}, "lost money stays away")
	require.Zero(t, o.DisputesOpen)
	require.Equal(t, StatusSucceeded, o.Status)
}

func TestWhatARefundMayTakeBesideADispute(t *testing.T) {
	t.Parallel()
	p := orderIn(t, StatusSucceeded)
	p.Disputed = 600
	left, err := refundable(p, 0)
	require.NoError(t, err)
	require.EqualValues(t, 400, left)
	_, err = refundable(p, 401)
	require.Equal(t, CodeRefundTooLarge, CodeOf(err))
	require.ErrorContains(t, err, "is left to refund.")
	p.RefundReserved = 100
	_, err = refundable(p, 400)
	require.Equal(t, CodeRefundInProgress, CodeOf(err), "the open refund may become free again")
	p.RefundReserved, p.Disputed = 0, 1000
	_, err = refundable(p, 0)
	require.Equal(t, CodeRefundTooLarge, CodeOf(err))
}

func TestACallbackAboutARefundMadeElsewhere(t *testing.T) {
	t.Parallel()
	sum, tooMuch := int64(400), int64(1001)
	for name, tc := range map[string]struct {
		n       gateway.Notification
		status  Status
		verdict Verdict
		opens   bool
	}{
		"of a sum":                  {n: gateway.Notification{Result: gateway.Result{Amount: &sum}}, verdict: Apply, opens: true},
		"that settled a sum":        {n: gateway.Notification{Result: gateway.Result{Settled: &sum, Amount: &tooMuch}}, verdict: Apply, opens: true},
		"of no sum":                 {verdict: Conflict},
		"of more than was captured": {n: gateway.Notification{Result: gateway.Result{Amount: &tooMuch}}, verdict: Conflict},
		"in another currency":       {n: gateway.Notification{Result: gateway.Result{Amount: &sum, Currency: "USD"}}, verdict: Conflict},
		"signed weakly":             {n: gateway.Notification{Weak: "two readings", Result: gateway.Result{Amount: &sum}}, verdict: Conflict},
		"not to be believed":        {n: gateway.Notification{VerifyReason: "too old", Result: gateway.Result{Amount: &sum}}, verdict: Stale},
		"that failed":               {n: gateway.Notification{Result: gateway.Result{Amount: &sum, Status: gateway.StatusFailed}}, verdict: Stale},
		"of a payment that failed":  {n: gateway.Notification{Result: gateway.Result{Amount: &sum}}, status: StatusFailed, verdict: Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.status == "" {
				tc.status = StatusSucceeded
			}
			if tc.n.Result.Status == "" {
				tc.n.Result.Status = gateway.StatusSucceeded
			}
			o, now := orderIn(t, tc.status), epoch
			tc.n.OrderID, tc.n.Result.Kind, tc.n.Result.BankReferences = "o", gateway.KindRefund, []string{"rrn-of-the-refund"}
			s := reportedOrder(o, &now, &tc.n, prohibited)
			require.Equal(t, tc.verdict, s.call(t))
			if !tc.opens {
				require.Zero(t, o.DisputesOpen)
				return
			}
			d := lastDispute(t, o)
			require.Equal(t, []any{DisputeExternalRefund, sum, SourceCallback}, []any{d.Kind, d.Amount.Minor(), d.Source})
			require.Equal(t, Repeat, s.call(t), "its RRN is known")
			require.Equal(t, 1, o.DisputesOpen)
		})
	}
}

// A callback that proves nothing by itself opens no dispute: the provider is asked first.
func TestAWeakCallbackOpensNoDispute(t *testing.T) {
	t.Parallel()
	all := int64(1000)
	o, now := orderIn(t, StatusSucceeded), epoch
	o.ProviderReference = "p"
	n := gateway.Notification{OrderID: "o", Weak: "two readings", Result: gateway.Result{Status: gateway.StatusSucceeded, Refunded: &all}}
	s := reportedOrder(o, &now, &n, func() (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusSucceeded, Refunded: &all}, nil
	})
	require.Equal(t, Verify, s.call(t))
	require.Zero(t, o.DisputesOpen)
	_, err := s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, DisputeReversal, lastDispute(t, o).Kind)
}

// A payment that had ended without money is paid after all: it stays as it ended, and another order carries the money.
func TestALateSuccess(t *testing.T) {
	t.Parallel()
	for _, end := range []Status{StatusFailed, StatusCanceled} {
		o := orderIn(t, end)
		o.Reference, o.NotificationURL, o.ProviderOrderID = "shop-1", "https://shop.example/hook", "pr-1"
		o.Saved()
		r := polled(func(r *Observation) { r.BankReferences, r.ProviderReference = []string{"111"}, "p-1" })
		require.Equal(t, Apply, o.Record(r))
		require.Equal(t, end, o.Status)
		require.Zero(t, o.Captured)
		require.Zero(t, o.Conflicts)
		last := o.Transitions()[len(o.Transitions())-1]
		require.Equal(t, [2]Status{end, end}, [2]Status{last.From, last.To})
		require.Equal(t, o.SupersededBy, last.After.SupersededBy)
		if end == StatusFailed {
			require.Equal(t, gateway.AdviceDoNotRetry, o.Failure.Advice)
		}

		late := o.NewLate()
		require.NotNil(t, late)
		require.Equal(t, StatusCreated, late.Order.Status, "as the store writes it first")
		late.Complete()
		n := late.Order
		require.True(t, n.Late())
		require.Equal(t, []any{StatusSucceeded, int64(1000), "shop-1~late", "pr-1", "p-1", "https://shop.example/hook", &o.ID, o.SupersededBy},
			[]any{n.Status, n.Captured, n.Reference, n.ProviderOrderID, n.ProviderReference, n.NotificationURL, n.ParentID, &n.ID})
		d := lastDispute(t, n)
		require.Equal(t, []any{DisputeLateSuccess, int64(1000), int64(0)}, []any{d.Kind, d.Amount.Minor(), n.Disputed})
		require.Equal(t, 1, n.DisputesOpen)
		require.Equal(t, []Status{StatusCreated, StatusSucceeded, StatusSucceeded}, []Status{n.transitions[0].To, n.transitions[1].To, n.transitions[2].To})

		o.Saved()
		require.Nil(t, o.NewLate())
		require.Equal(t, Stale, o.Record(r), "it is reported once")
		require.Equal(t, Repeat, n.Record(r))
	}
}

// A callback alone is not enough: the provider contradicts itself, so it is asked. If it goes on to say that nothing was paid, a
// person is told.
func TestALateSuccessIsVerified(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shown gateway.Status
		late  bool
	}{
		"it shows the success": {gateway.StatusSucceeded, true},
		"it shows the failure": {gateway.StatusFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, now := orderIn(t, StatusFailed), epoch
			o.ProviderReference = "p"
			sum := int64(1000)
			n := gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: &sum}}
			s := reportedOrder(o, &now, &n, func() (gateway.Result, error) { return gateway.Result{Status: tc.shown}, nil })
			require.Equal(t, Verify, s.call(t))
			require.Nil(t, o.SupersededBy)
			require.NotNil(t, o.NextPollAt, "the provider is asked")
			s.checks(t, o, &now, epoch.Add(time.Hour))
			require.Equal(t, tc.late, o.SupersededBy != nil)
			require.Equal(t, !tc.late, o.Conflicts == 1)
			require.Nil(t, o.ReportedAmount)
			require.Equal(t, StatusFailed, o.Status)
		})
	}
}

// A payout that had ended without money is paid out after all: another order carries the money, and nothing is to be decided of it.
func TestALateSuccessOfAPayout(t *testing.T) {
	t.Parallel()
	for _, end := range []Status{StatusFailed, StatusCanceled} {
		o := orderIn(t, end)
		o.Kind, o.Reference, o.ProviderOrderID = gateway.KindPayout, "out-1", "po-1"
		o.Saved()
		r := polled(func(r *Observation) { r.ProviderReference = "p-1" })
		require.Equal(t, Apply, o.Record(r))
		require.Equal(t, []any{end, int64(0), 0}, []any{o.Status, o.Captured, o.Conflicts})
		require.Contains(t, o.StatusReason, "Do not send it again")

		late := o.NewLate()
		require.NotNil(t, late)
		late.Complete()
		n := late.Order
		require.True(t, n.Late())
		require.Equal(t, []any{gateway.KindPayout, StatusSucceeded, int64(1000), "out-1~late", "po-1", &o.ID, o.SupersededBy},
			[]any{n.Kind, n.Status, n.Captured, n.Reference, n.ProviderOrderID, n.ParentID, &n.ID})
		require.Zero(t, n.DisputesOpen)
		require.Len(t, n.transitions, 2)

		o.Saved()
		require.Equal(t, Stale, o.Record(r), "it is reported once")
		require.Nil(t, o.NewLate())
		require.Equal(t, Repeat, n.Record(r))
	}
}

func TestWhatIsNoLateSuccess(t *testing.T) {
	t.Parallel()
	tooMuch := int64(1001)
	for name, tc := range map[string]struct {
		change func(*Order)
		r      Observation
	}{
		"of a hold":           {func(o *Order) { o.Manual = true }, polled(func(*Observation) {})},
		"of a refund":         {func(o *Order) { o.Kind = gateway.KindRefund }, polled(func(*Observation) {})},
		"of a transfer":       {func(o *Order) { o.Kind = gateway.KindTransfer }, polled(func(*Observation) {})},
		"of a sum too large":  {func(*Order) {}, polled(func(r *Observation) { r.Settled = &tooMuch })},
		"in another currency": {func(*Order) {}, polled(func(r *Observation) { r.Currency = "USD" })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := orderIn(t, StatusFailed)
			tc.change(o)
			require.Equal(t, Conflict, o.Record(tc.r))
			require.Nil(t, o.NewLate())
		})
	}
}
