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
		return s.recordCheck(o, d, gateway.Result{Status: status}, nil, o.Sequence, epoch.Add(after), epoch.Add(after))
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
		require.NoError(t, holds(o, op, false), "it can be asked for again")
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

// A capture that the provider has answered did arrive, however long the hold is still shown.
func TestACaptureThatWasAnsweredIsNeverTakenForLost(t *testing.T) {
	t.Parallel()
	s := New(Config{ProviderTimeout: time.Second})
	o := newTestOrder()
	o.Manual, o.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, o.Record(Report{Cause: CauseAnswer, Status: StatusAuthorized, Basis: o.Sequence, At: epoch}))
	o.Operation, o.CaptureAmount = gateway.OpCapture, 300
	o.step(StatusProcessing, CauseRequest, nil, epoch)
	o.accept(true)
	for after := range 10 {
		at := epoch.Add(time.Duration(after) * time.Hour)
		verdict := s.recordCheck(o, gateway.Description{VisibilityDelay: time.Second}, gateway.Result{Status: gateway.StatusAuthorized}, nil, o.Sequence, at, at)
		require.Equal(t, Stale, verdict)
	}
	require.Equal(t, StatusProcessing, o.Status)
	require.EqualValues(t, 300, o.CaptureAmount)
	o.accept(false)
	require.Empty(t, o.ProviderState)
}

// An unpaid payment that was to be given up is as before if that never arrived, and ends as the provider says otherwise.
func TestGivingUpAnUnpaidPayment(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	given := func() *Order {
		o := newTestOrder()
		form := &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://provider.example/form"}
		require.Equal(t, Apply, o.Record(Report{Cause: CauseAnswer, Status: StatusRequiresAction, NextAction: form, Basis: o.Sequence, At: epoch}))
		require.NoError(t, holds(o, gateway.OpCancel, true))
		require.Equal(t, CodeUnsupported, CodeOf(holds(o, gateway.OpCancel, false)))
		require.Equal(t, CodeInvalidState, CodeOf(holds(o, gateway.OpCapture, true)))
		o.Operation = gateway.OpCancel
		o.step(StatusProcessing, CauseRequest, nil, epoch)
		return o
	}
	ask := func(o *Order, after time.Duration, status gateway.Status) Verdict {
		return s.recordCheck(o, d, gateway.Result{Status: status}, nil, o.Sequence, epoch.Add(after), epoch.Add(after))
	}
	o := given()
	for _, after := range []time.Duration{time.Second, 3 * time.Second, delay + timeout - 1} {
		require.Equal(t, Stale, ask(o, after, gateway.StatusProcessing))
	}
	require.Equal(t, Apply, ask(o, delay+timeout, gateway.StatusRequiresAction))
	require.Equal(t, StatusRequiresAction, o.Status)
	require.Equal(t, gateway.OpSale, o.Operation)
	require.NotNil(t, o.NextAction, "the form can still be used")

	o = given()
	require.Equal(t, Apply, ask(o, time.Second, gateway.StatusCanceled))
	o = given()
	require.Equal(t, Apply, ask(o, time.Second, gateway.StatusSucceeded), "the customer was quicker")
	require.EqualValues(t, 1000, o.Captured)
	o = given()
	r := answerReport(o, gateway.Result{}, &gateway.Error{Kind: gateway.KindRefused}, o.Sequence, epoch)
	require.Equal(t, Apply, o.Record(r))
	require.Equal(t, StatusRequiresAction, o.Status)
	require.Equal(t, gateway.OpSale, o.Operation)
}
