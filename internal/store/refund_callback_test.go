package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// refundCallback is a callback about a refund of a payment, which names the payment.
func (b *bench) refundCallback(body string, of *payment.Order) payment.Callback {
	cb := b.callback(body, of.ProviderOrderID)
	cb.Kind = gateway.KindRefund
	return cb
}

func TestRefundCallbackReachesTheOpenRefund(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parent := b.paid(t, "p", 1000)
	judged := func(body string, report payment.Status) (o *payment.Order, namesakes int) {
		verdict, seen, err := b.ApplyCallback(t.Context(), b.refundCallback(body, parent), func(found *payment.Order) (payment.CallbackVerdict, string) {
			o, namesakes = found, found.Namesakes
			if report == "" {
				return payment.CallbackDoubt, ""
			}
			return payment.CallbackVerdict(found.Record(b.newReport(report))), ""
		})
		require.NoError(t, err)
		require.False(t, seen)
		require.NotEmpty(t, verdict)
		return o, namesakes
	}
	create := func(reference string, minor int64) *payment.Order {
		o, _, err := b.CreateOrder(t.Context(), b.draftRefund(t, parent, reference, minor))
		require.NoError(t, err)
		return o
	}
	o, _ := judged("before any refund", "")
	require.Equal(t, parent.ID, o.ID, "the payment, which has no refund")

	one := create("r-1", 300)
	o, namesakes := judged("one", payment.StatusSucceeded)
	require.Equal(t, one.ID, o.ID)
	require.Zero(t, namesakes)
	paid, err := b.Order(t.Context(), parent.Key())
	require.NoError(t, err)
	require.EqualValues(t, 300, paid.Refunded)
	o, _ = judged("one again, in other words", payment.StatusFailed)
	require.Equal(t, one.ID, o.ID, "the only refund, though it is not open any more")
	require.Equal(t, 1, o.Conflicts)

	two := create("r-2", 300)
	o, namesakes = judged("two", "")
	require.Equal(t, two.ID, o.ID)
	require.Zero(t, namesakes, "the other one's end was told already")
	b.report(t, two.Key(), payment.StatusSucceeded) // by another road
	o, _ = judged("which of the two", "")
	require.Equal(t, parent.ID, o.ID, "none is open, and there are two")

	create("r-3", 300)
	_, namesakes = judged("three or two", "")
	require.Equal(t, 1, namesakes, "no callback told the end of the second")
	kept, err := b.CallbacksOf(t.Context(), one.Key())
	require.NoError(t, err)
	require.Len(t, kept, 2)
}

func TestRefundCallbackWithAnotherSumHasNoNamesake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parent := b.paid(t, "p", 1000)
	for _, minor := range []int64{300, 200} {
		o, _, err := b.CreateOrder(t.Context(), b.draftRefund(t, parent, "r-"+string(rune('a'+minor/100)), minor))
		require.NoError(t, err)
		if minor == 300 {
			b.report(t, o.Key(), payment.StatusSucceeded)
		}
	}
	_, _, err := b.ApplyCallback(t.Context(), b.refundCallback("body", parent), func(o *payment.Order) (payment.CallbackVerdict, string) {
		require.Equal(t, gateway.KindRefund, o.Kind)
		require.EqualValues(t, 200, o.Amount.Minor())
		require.Zero(t, o.Namesakes)
		return payment.CallbackStale, ""
	})
	require.NoError(t, err)
}

// A refund that failed here and went out at the provider must not pass unnoticed because there are others.
func TestALateRefundCallbackContradictsTheRightOneOfSeveral(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parent := b.paid(t, "p", 1000)
	create := func(reference string, minor int64, end payment.Status) *payment.Order {
		o, _, err := b.CreateOrder(t.Context(), b.draftRefund(t, parent, reference, minor))
		require.NoError(t, err)
		if end != "" {
			b.report(t, o.Key(), end)
		}
		return o
	}
	told := func(body string, minor int64, report payment.Status) (*payment.Order, payment.Verdict) {
		var o *payment.Order
		cb := b.refundCallback(body, parent)
		cb.Minor, cb.Reported = minor, string(report)
		verdict, _, err := b.ApplyCallback(t.Context(), cb, func(found *payment.Order) (payment.CallbackVerdict, string) {
			o = found
			return payment.CallbackVerdict(found.Record(b.newReport(report))), ""
		})
		require.NoError(t, err)
		return o, payment.Verdict(verdict)
	}
	failed := create("r-1", 300, payment.StatusFailed)
	other := create("r-2", 200, payment.StatusSucceeded)
	o, verdict := told("late", 300, payment.StatusSucceeded)
	require.Equal(t, failed.ID, o.ID)
	require.Equal(t, payment.ConflictVerdict, verdict)
	require.Equal(t, 1, o.Conflicts)

	again := create("r-3", 300, payment.StatusSucceeded)
	o, verdict = told("of the second try", 300, payment.StatusSucceeded)
	require.Equal(t, again.ID, o.ID, "its end was not told yet")
	require.Equal(t, payment.Repeat, verdict)
	o, verdict = told("late, in other words", 300, payment.StatusSucceeded)
	require.Equal(t, failed.ID, o.ID, "both ends of succeeded ones were told: money went out that should not have")
	require.Equal(t, payment.ConflictVerdict, verdict)

	open := create("r-4", 100, "")
	o, verdict = told("other sum", 200, payment.StatusSucceeded)
	require.Equal(t, other.ID, o.ID, "not the open one")
	require.Equal(t, payment.Repeat, verdict)
	o, verdict = told("open one", 100, payment.StatusSucceeded)
	require.Equal(t, open.ID, o.ID)
	require.Equal(t, payment.Apply, verdict)
}
