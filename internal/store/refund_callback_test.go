package store_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

// refundCallback is a callback about a refund of a payment, which names the payment.
func (b *fixture) refundCallback(body string, of *payment.Order) payment.Callback {
	cb := b.callback(body, of.ProviderOrderID)
	cb.Kind = gateway.KindRefund
	return cb
}

func TestRefundCallbackReachesTheOpenRefund(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	judged := func(body string, report payment.Status) (o *payment.Order, sameSum int) {
		cb := b.refundCallback(body, parent)
		pick := func(refunds []payment.RefundFacts) (meant *payment.RefundFacts) {
			meant, sameSum = cb.RefundMeant(refunds)
			return meant
		}
		verdict, seen, err := b.ApplyCallback(t.Context(), cb, pick, func(found *payment.Order) (payment.Verdict, string) {
			o = found
			if report == "" {
				return payment.Verify, ""
			}
			return found.Record(b.newReport(report)), ""
		})
		require.NoError(t, err)
		require.False(t, seen)
		require.NotEmpty(t, verdict)
		return o, sameSum
	}
	create := func(reference string, minor int64) *payment.Order {
		o, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, reference, minor))
		require.NoError(t, err)
		return o
	}
	o, _ := judged("before any refund", "")
	require.Equal(t, parent.ID, o.ID, "the payment, which has no refund")

	one := create("r-1", 300)
	o, sameSum := judged("one", payment.StatusSucceeded)
	require.Equal(t, one.ID, o.ID)
	require.Zero(t, sameSum)
	paid, err := b.Order(t.Context(), parent.Key())
	require.NoError(t, err)
	require.EqualValues(t, 300, paid.Refunded)
	o, _ = judged("one again, in other words", payment.StatusFailed)
	require.Equal(t, one.ID, o.ID, "the only refund, though it is not open any more")
	require.Equal(t, 1, o.Conflicts)

	two := create("r-2", 300)
	o, sameSum = judged("two", "")
	require.Equal(t, two.ID, o.ID)
	require.Zero(t, sameSum, "the other one's end was told already")
	b.report(t, two.Key(), payment.StatusSucceeded) // by another road
	o, _ = judged("which of the two", "")
	require.Equal(t, parent.ID, o.ID, "none is open, and there are two")

	create("r-3", 300)
	_, sameSum = judged("three or two", "")
	require.Equal(t, 1, sameSum, "no callback told the end of the second")
	kept, err := b.CallbacksOf(t.Context(), one.Key())
	require.NoError(t, err)
	require.Len(t, kept, 2)
}

func TestRefundCallbackReachesTheOpenRefundOfAnotherSum(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	for _, minor := range []int64{300, 200} {
		o, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-"+string(rune('a'+minor/100)), minor))
		require.NoError(t, err)
		if minor == 300 {
			b.report(t, o.Key(), payment.StatusSucceeded)
		}
	}
	_, _, err := b.applyCallback(t.Context(), b.refundCallback("body", parent), func(o *payment.Order) (payment.Verdict, string) {
		require.Equal(t, gateway.KindRefund, o.Kind)
		require.EqualValues(t, 200, o.Amount.Minor())
		return payment.Stale, ""
	})
	require.NoError(t, err)
}

// A refund that failed here and went out at the provider must not pass unnoticed because there are others.
func TestALateRefundCallbackReachesTheRightOneOfSeveral(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	create := func(reference string, minor int64, end payment.Status) *payment.Order {
		o, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, reference, minor))
		require.NoError(t, err)
		if end != "" {
			b.report(t, o.Key(), end)
		}
		return o
	}
	reported := func(body string, minor int64, report payment.Status) (*payment.Order, payment.Verdict) {
		var o *payment.Order
		cb := b.refundCallback(body, parent)
		cb.Minor, cb.Reported = minor, string(report)
		verdict, _, err := b.applyCallback(t.Context(), cb, func(found *payment.Order) (payment.Verdict, string) {
			o = found
			return found.Record(b.newReport(report)), ""
		})
		require.NoError(t, err)
		return o, payment.Verdict(verdict)
	}
	failed := create("r-1", 300, payment.StatusFailed)
	other := create("r-2", 200, payment.StatusSucceeded)
	o, verdict := reported("late", 300, payment.StatusSucceeded)
	require.Equal(t, failed.ID, o.ID)
	require.Equal(t, payment.Apply, verdict)
	require.NotNil(t, o.SupersededBy)
	_, err := b.cases().ResolveDispute(t.Context(), b.shop.ID, *o.SupersededBy, payment.AcceptDispute)
	require.NoError(t, err)

	repeated := create("r-3", 300, payment.StatusSucceeded)
	o, verdict = reported("of the second try", 300, payment.StatusSucceeded)
	require.Equal(t, repeated.ID, o.ID, "its end was not told yet")
	require.Equal(t, payment.Repeat, verdict)
	_, verdict = reported("late, in other words", 300, payment.StatusSucceeded)
	require.Equal(t, payment.Repeat, verdict, "both are on record as done")

	open := create("r-4", 100, "")
	o, verdict = reported("other sum", 200, payment.StatusSucceeded)
	require.Equal(t, other.ID, o.ID, "not the open one")
	require.Equal(t, payment.Repeat, verdict)
	o, verdict = reported("open one", 100, payment.StatusSucceeded)
	require.Equal(t, open.ID, o.ID)
	require.Equal(t, payment.Apply, verdict)
}

// told hands a refund's callback that names a payment to the service, over the store.
func (b *fixture) reportedRefund(t *testing.T, body string, of *payment.Order, status gateway.Status, minor int64) payment.Verdict {
	t.Helper()
	fake := &gatewaytest.Fake{ReadCallbackFunc: func(raw gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: of.ProviderOrderID, Fingerprint: raw.Body, Result: gateway.Result{
			Status: status, Kind: gateway.KindRefund, Amount: &minor, Currency: "EUR",
		}}, nil
	}}
	service := payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	verdict, err := service.HandleCallback(t.Context(), "fake", b.account.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte(body), ReceivedAt: b.clock.Now()})
	require.NoError(t, err)
	return verdict
}

// A refund was refused at once, without an id, and its callback comes when the next one of that sum is under way: it may be
// about either.
func TestTheLateCallbackOfARefusedRefundDoesNotEndTheNext(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failure string
		known   bool            // the second refund has an id of its own
		before  payment.Verdict // of a callback that tells the first one's end in time, none if empty
		want    payment.Verdict
	}{
		"refused":                      {failure: "REFUND_NOT_ALLOWED", want: payment.Verify},
		"refused, the next has an id":  {failure: "REFUND_NOT_ALLOWED", known: true, want: payment.Verify},
		"an operator decided":          {failure: "operator", want: payment.Verify},
		"told before":                  {failure: "REFUND_NOT_ALLOWED", before: payment.Repeat, want: payment.Apply},
		"told before, next has an id":  {failure: "REFUND_NOT_ALLOWED", before: payment.Repeat, known: true, want: payment.Verify},
		"nothing was sent":             {failure: "not_sent", want: payment.Apply},
		"nothing was sent, has an id":  {failure: "not_sent", known: true, want: payment.Apply},
		"nothing was sent, not signed": {failure: gateway.CodeNotSigned, known: true, want: payment.Apply},
		"there is no other":            {known: true, want: payment.Apply},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			parent := b.paid(t, "p", 1000)
			begin := func(reference string, r payment.Observation) payment.Key {
				o, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, reference, 600))
				require.NoError(t, err)
				_, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
					r.AsOf = o.Sequence
					require.Equal(t, payment.Apply, o.Record(r))
					return nil
				})
				require.NoError(t, err)
				return o.Key()
			}
			if tc.failure != "" {
				r := b.newReport(payment.StatusFailed)
				r.Failure = &gateway.Failure{Code: tc.failure}
				begin("first", r)
			}
			if tc.before != "" {
				require.Equal(t, tc.before, b.reportedRefund(t, "in time", parent, gateway.StatusFailed, 600))
			}
			r := b.newReport(payment.StatusProcessing)
			if tc.known {
				r.ProviderReference = "refund-id"
			}
			second := begin("second", r)
			require.Equal(t, tc.want, b.reportedRefund(t, "late", parent, gateway.StatusFailed, 600))
			after, err := b.Order(t.Context(), second)
			require.NoError(t, err)
			paid, err := b.Order(t.Context(), parent.Key())
			require.NoError(t, err)
			if tc.want == payment.Verify {
				require.Equal(t, payment.StatusProcessing, after.Status)
				require.Equal(t, b.clock.Now(), *after.NextPollAt)
				require.EqualValues(t, 600, paid.RefundReserved)
			} else {
				require.Equal(t, payment.StatusFailed, after.Status)
				require.Zero(t, paid.RefundReserved)
			}
		})
	}
}

// A sum that went back and that no refund asked for is a dispute of the payment, whatever other refunds there are. What
// our own refunds' callbacks say late, or again, is no such news.
func TestASumThatNoRefundAskedForIsADispute(t *testing.T) {
	t.Parallel()
	for name, others := range map[string][]payment.Status{
		"none": nil, "one": {payment.StatusSucceeded}, "one that failed": {payment.StatusFailed}, "one that is open": {""},
		"two": {payment.StatusSucceeded, payment.StatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			parent := b.paid(t, "p", 1000)
			for i, status := range others {
				o, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-"+string(rune('a'+i)), 300))
				require.NoError(t, err)
				if status != "" {
					b.report(t, o.Key(), status)
				}
			}
			if name == "one" {
				require.Equal(t, payment.Repeat, b.reportedRefund(t, "ours", parent, gateway.StatusSucceeded, 300))
				require.Equal(t, payment.Repeat, b.reportedRefund(t, "ours, in other words", parent, gateway.StatusSucceeded, 300))
			}
			require.Equal(t, payment.Apply, b.reportedRefund(t, "theirs", parent, gateway.StatusSucceeded, 600))
			paid, err := b.Order(t.Context(), parent.Key())
			require.NoError(t, err)
			require.Equal(t, []any{1, 0}, []any{paid.DisputesOpen, paid.Conflicts})
			b.reportedRefund(t, "theirs", parent, gateway.StatusSucceeded, 600)
			paid, err = b.Order(t.Context(), parent.Key())
			require.NoError(t, err)
			require.Equal(t, 1, paid.DisputesOpen, "the same content again is no news")
		})
	}
}

// A refund in the cabinet of the same sum as one of ours has another RRN: it is another movement, and a dispute.
func TestARefundOfTheSameSumElsewhereIsADispute(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	ours, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-1", 300))
	require.NoError(t, err)
	say := func(body, rrn string) payment.Verdict {
		minor := int64(300)
		fake := &gatewaytest.Fake{ReadCallbackFunc: func(raw gateway.RawCallback) (gateway.Notification, error) {
			return gateway.Notification{OrderID: parent.ProviderOrderID, Fingerprint: raw.Body, Result: gateway.Result{
				Status: gateway.StatusSucceeded, Kind: gateway.KindRefund, Amount: &minor, Currency: "EUR", BankReferences: []string{rrn},
			}}, nil
		}}
		service := payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
		verdict, err := service.HandleCallback(t.Context(), "fake", b.account.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte(body), ReceivedAt: b.clock.Now()})
		require.NoError(t, err)
		return verdict
	}
	require.Equal(t, payment.Apply, say("ours", "111"))
	require.Equal(t, payment.Repeat, say("ours, in other words", "111"))
	require.Equal(t, payment.Apply, say("the cabinet's", "222"))
	require.Equal(t, payment.Repeat, say("the cabinet's, in other words", "222"))
	d := b.disputeOf(t, parent.ID)
	require.Equal(t, []any{payment.DisputeExternalRefund, int64(300), true}, []any{d.Kind, d.Amount.Minor(), d.RefundID == nil})
	ours, err = b.Order(t.Context(), ours.Key())
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusSucceeded, 0}, []any{ours.Status, ours.Conflicts})
	require.Equal(t, payment.CodePaymentDisputed, b.asksToRefund(t, parent, "r-2", 700))
	require.Empty(t, b.verify(t))
}

// What payment picks by is what the rows say.
func TestARefundsFactsTellWhatCallbacksSaidOfIt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-1", 300))
	require.NoError(t, err)
	r := b.newReport(payment.StatusFailed)
	r.Failure, r.ProviderReference = &gateway.Failure{Code: "REFUND_NOT_ALLOWED"}, "refund-1"
	_, err = b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
		require.Equal(t, payment.Apply, o.Record(r))
		return nil
	})
	require.NoError(t, err)
	next, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-2", 200))
	require.NoError(t, err)
	var facts []payment.RefundFacts
	for i, verdict := range []payment.Verdict{payment.Repeat, payment.Verify, payment.Verify} {
		_, _, err := b.ApplyCallback(t.Context(), b.refundCallback("body "+strconv.Itoa(i), parent), func(refunds []payment.RefundFacts) *payment.RefundFacts {
			facts = refunds
			require.Len(t, refunds, 2)
			return &refunds[slices.IndexFunc(refunds, func(f payment.RefundFacts) bool { return f.ID == refund.ID })]
		}, func(o *payment.Order) (payment.Verdict, string) {
			require.Equal(t, refund.ID, o.ID)
			return verdict, ""
		})
		require.NoError(t, err)
	}
	require.Len(t, facts, 2)
	ended := facts[slices.IndexFunc(facts, func(f payment.RefundFacts) bool { return f.ID == refund.ID })].FinalizedAt
	require.NotNil(t, ended)
	require.Contains(t, facts, payment.RefundFacts{
		ID: refund.ID, Minor: 300, Status: payment.StatusFailed, FinalizedAt: ended, ProviderReference: "refund-1", FailureCode: "REFUND_NOT_ALLOWED",
		Judged: []payment.JudgedCallback{{Reported: "succeeded", Verdict: payment.Repeat}, {Reported: "succeeded", Verdict: payment.Verify}},
	})
	require.Contains(t, facts, payment.RefundFacts{ID: next.ID, Minor: 200, Status: payment.StatusCreated})
}
