package payment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// An adapter is told how an order was begun, and nothing where that was not recorded.
func TestARefTellsTheFlow(t *testing.T) {
	t.Parallel()
	for _, flow := range []gateway.Flow{gateway.FlowHosted, gateway.FlowDirect, ""} {
		o := newTestOrder()
		o.Flow = flow
		require.Equal(t, flow, o.Ref().Flow)
	}
}
