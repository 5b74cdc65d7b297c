package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheEarlierAddressOfTransitions holds that it answers as the present one does, and that the document advises against it
// and against nothing else.
func TestTheEarlierAddressOfTransitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, query := range []string{"", "?limit=1", "?limit=0", "?cursor=MDAwMDAwMDAwMQ", "?colour=red"} {
		now := b.send(t, "GET", "/v1/orders/"+orderID+"/transitions"+query, "", "X-Request-Id", "request-1")
		earlier := b.send(t, "GET", "/v1/orders/"+orderID+"/events"+query, "", "X-Request-Id", "request-1")
		require.Equal(t, now.Code, earlier.Code, query)
		require.Equal(t, now.Body.String(), earlier.Body.String(), query)
		require.Equal(t, now.Header(), earlier.Header(), query)
	}
	for path, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			require.Equal(t, path == "/v1/orders/{id}/events", op.Deprecated, path)
		}
	}
}
