package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// A capture whose answer was lost is taken for one that never arrived only by several answers in a row, the last one
// past the provider's delay and past the call's own time. Then the money is as it was: held.
func TestALostCaptureIsBelievedLate(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	commanded := func(op gateway.Operation) *Order {
		o := newTestOrder()
		o.Manual, o.Operation = true, gateway.OpAuthorize
		require.Equal(t, Apply, o.Record(Report{Cause: CauseAnswer, Status: StatusAuthorized, Basis: o.Sequence, At: epoch}))
		o.Operation, o.CaptureAmount = op, 400
		o.step(StatusProcessing, CauseRequest, nil, epoch)
		return o
	}
	ask := func(o *Order, after time.Duration, status gateway.Status) Verdict {
		return s.recordCheck(o, d, gateway.Result{Status: status}, nil, o.Sequence, epoch.Add(after))
	}
	for _, op := range []gateway.Operation{gateway.OpCapture, gateway.OpCancel} {
		o := commanded(op)
		for _, after := range []time.Duration{0, time.Second, 3 * time.Second, delay + timeout - 1} {
			require.Equal(t, Stale, ask(o, after, gateway.StatusAuthorized), "%s, after %s", op, after)
			require.Equal(t, StatusProcessing, o.Status)
		}
		require.Equal(t, Apply, ask(o, delay+timeout, gateway.StatusAuthorized))
		require.Equal(t, StatusAuthorized, o.Status)
		require.Equal(t, gateway.OpAuthorize, o.Operation)
		require.Zero(t, o.CaptureAmount)
		require.NoError(t, holds(o, op), "it can be asked for again")
	}

	o := commanded(gateway.OpCapture)
	require.Equal(t, Stale, ask(o, time.Minute, gateway.StatusAuthorized), "one answer is no proof, however late")
	require.Equal(t, Stale, ask(o, 61*time.Second, gateway.StatusAuthorized))
	require.Equal(t, Repeat, ask(o, 62*time.Second, gateway.StatusProcessing), "it had arrived")
	require.Equal(t, Stale, ask(o, 70*time.Second, gateway.StatusAuthorized), "the row is broken")
	require.Equal(t, Stale, ask(o, 71*time.Second, gateway.StatusAuthorized))
	require.Equal(t, Apply, ask(o, 72*time.Second, gateway.StatusSucceeded))
	require.EqualValues(t, 400, o.Captured)
}
