package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func TestErasedOrderSaysSo(t *testing.T) {
	t.Parallel()
	shown := func(o *payment.Order) map[string]any {
		t.Helper()
		text, err := json.Marshal(RenderOrder(o))
		require.NoError(t, err)
		fields := map[string]any{}
		require.NoError(t, json.Unmarshal(text, &fields))
		return fields
	}
	order := shown(&payment.Order{Status: payment.StatusSucceeded, Captured: 1000, Erased: true})
	require.Equal(t, true, order["erased"])
	require.Equal(t, map[string]any{}, order["metadata"])
	require.Nil(t, order["details"])
	require.InDelta(t, 1000, order["amount_captured"], 0)
	require.Equal(t, false, shown(&payment.Order{Status: payment.StatusSucceeded})["erased"])
}
