package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// A payout that never arrived ends only by several answers in a row, the last one past the provider's delay.
func TestNoSuchOrderIsBelievedLate(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	missing := &gateway.Error{Kind: gateway.KindNotFound, Op: "check", Code: "ORDER_NOT_FOUND"}
	lost := func() *Order {
		o := newTestOrder()
		o.Kind, o.Amount = gateway.KindPayout, money.New(700, "EUR")
		require.Equal(t, Apply, o.Record(Report{Cause: CauseAnswer, Status: StatusUnknown, Basis: o.Sequence, At: epoch}))
		return o
	}
	ask := func(o *Order, after time.Duration, err error) Verdict {
		return s.recordCheck(o, d, gateway.Result{Status: gateway.StatusProcessing}, err, o.Sequence, epoch.Add(after))
	}
	o := lost()
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 6 * time.Second, delay + timeout - 1} {
		require.Equal(t, Stale, ask(o, after, missing), "after %s", after)
		require.Equal(t, StatusUnknown, o.Status)
	}
	require.Equal(t, Apply, ask(o, delay+timeout, missing))
	require.Equal(t, StatusFailed, o.Status)
	require.Equal(t, gateway.FailureUnavailable, o.Failure.Category)
	require.Equal(t, gateway.AdviceRetryLater, o.Failure.Advice)

	o = lost()
	require.Equal(t, Stale, ask(o, time.Minute, missing), "one answer is no proof, however late")
	require.Equal(t, Stale, ask(o, 61*time.Second, missing))
	require.Equal(t, Stale, ask(o, 62*time.Second, missing), "the first was less than the delay ago")
	require.Equal(t, Stale, ask(o, 63*time.Second, &gateway.Error{Kind: gateway.KindUnknown}))
	require.Equal(t, Apply, ask(o, 66*time.Second, missing), "not having been able to ask breaks no row")

	o = lost()
	require.Equal(t, Stale, ask(o, time.Second, missing))
	require.Equal(t, Stale, ask(o, 2*time.Second, missing))
	require.Equal(t, Apply, ask(o, 3*time.Second, nil), "it was there all the time")
	for _, after := range []time.Duration{10 * time.Second, 20 * time.Second, time.Hour, 2 * time.Hour} {
		require.Equal(t, Stale, ask(o, after, missing), "that it is gone proves nothing about money")
	}
	require.Equal(t, StatusProcessing, o.Status)

	o = lost()
	o.Kind = gateway.KindRefund // without the provider's id of it
	for _, after := range []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, time.Hour} {
		require.Equal(t, Stale, ask(o, after, missing))
	}
	require.Equal(t, StatusUnknown, o.Status)
}

// An order that waits for its customer or its shop is left alone at first; one whose call may be under way is not.
func TestTheScheduleOfAnOrderThatWaits(t *testing.T) {
	t.Parallel()
	times := func(status Status, operation gateway.Operation) (all []time.Duration) {
		o := newTestOrder()
		o.Status, o.Operation = status, operation
		o.restart(epoch)
		for now := epoch; len(all) < 4; {
			DefaultSchedule.next(o, now)
			all = append(all, o.NextCheckAt.Sub(epoch))
			now, o.Checks = *o.NextCheckAt, o.Checks+1
		}
		return all
	}
	soon, later := DefaultSchedule[:4], DefaultSchedule[2:6]
	for status, ops := range map[Status]map[gateway.Operation]Schedule{
		StatusCreated:        {gateway.OpSale: soon},
		StatusUnknown:        {gateway.OpSale: soon, gateway.OpCapture: soon},
		StatusProcessing:     {gateway.OpSale: soon},
		StatusRequiresAction: {gateway.OpSale: later, gateway.OpAuthorize: later, gateway.OpCancel: soon},
		StatusAuthorized:     {gateway.OpAuthorize: later, gateway.OpCapture: soon, gateway.OpCancel: soon},
	} {
		for op, want := range ops {
			for i, at := range times(status, op) {
				require.InEpsilon(t, want[i], at, 0.2, "%s %s, check %d", status, op, i+1)
			}
		}
	}
}
