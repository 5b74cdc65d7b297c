package uapay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// A capture or cancel that never arrived leaves the hold as it was. Read as "under way" it would stay under way for ever.
func TestAHoldThatStandsIsHeldWhenAskedLater(t *testing.T) {
	t.Parallel()
	for _, op := range []gateway.Operation{gateway.OpAuthorize, gateway.OpCapture, gateway.OpCancel} {
		require.Equal(t, gateway.StatusAuthorized, state{"HOLDED", "PAID"}.fetched(op).status, op)
		require.Equal(t, gateway.StatusProcessing, state{"HOLDED", "NEW"}.fetched(op).status, "%s: the hold is not placed yet", op)
		require.Equal(t, gateway.StatusSucceeded, state{"FINISHED", "FINISHED"}.fetched(op).status, op)
		require.Equal(t, gateway.StatusCanceled, state{"CANCELED", "CANCELED"}.fetched(op).status, op)
	}
	require.Equal(t, gateway.StatusProcessing, state{"HOLDED", "PAID"}.fetched(gateway.OpSale).status, "a step of a plain payment")
	require.Equal(t, gateway.StatusProcessing, state{"HOLDED", "PAID"}.meaning(gateway.OpCapture).status, "right after the command")
}
