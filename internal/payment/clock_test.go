package payment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestAClockThatIsOffIsToldAsAClock(t *testing.T) {
	t.Parallel()
	off := &gateway.Error{Kind: gateway.KindDeclined, Op: "create", Code: gateway.CodeClock}
	o := newTestOrder()
	require.Equal(t, Apply, o.Record(answerObservation(o, gateway.Result{}, off, o.Sequence, epoch)))
	require.Equal(t, StatusFailed, o.Status)
	require.Equal(t, gateway.FailureUnavailable, o.Failure.Category)
	require.Equal(t, gateway.CodeClock, o.Failure.Code)
	require.Contains(t, o.Failure.Message, "clock")
	require.Equal(t, gateway.AdviceRetryLater, o.Failure.Advice)

	held := orderIn(t, StatusAuthorized)
	held.Manual, held.Operation = true, gateway.OpCapture
	r := answerObservation(held, gateway.Result{}, off, held.Sequence, epoch)
	require.Equal(t, StatusAuthorized, r.Status)
	require.Contains(t, r.Reason, "clock")

	require.Equal(t, CodeProviderFailed, CodeOf(importRejected(off)))
	require.ErrorContains(t, importRejected(off), "clock")
	require.Equal(t, CodeProviderFailed, CodeOf(notConfirmed(orderIn(t, StatusRequiresAction), off)))
	require.False(t, clockOff(&gateway.Error{Kind: gateway.KindUnknown, Code: gateway.CodeClock}))
}
