package httpapi

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheEarlierAddressOfTransitions holds that it answers as the present one does, says that it is deprecated, and that the document advises against it and the
// former address of charges, and against nothing else.
func TestTheEarlierAddressOfTransitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, query := range []string{"", "?limit=1", "?limit=0", "?cursor=MDAwMDAwMDAwMQ", "?colour=red"} {
		now := b.send(t, "GET", "/v1/orders/"+orderID+"/transitions"+query, "", "X-Request-Id", "request-1")
		earlier := b.send(t, "GET", "/v1/orders/"+orderID+"/events"+query, "", "X-Request-Id", "request-1")
		require.Equal(t, now.Code, earlier.Code, query)
		require.Equal(t, now.Body.String(), earlier.Body.String(), query)
		header := earlier.Header().Clone()
		for _, name := range []string{"Deprecation", "Sunset", "Link"} {
			require.NotEmpty(t, header.Get(name), query)
			header.Del(name)
		}
		require.Equal(t, now.Header(), header, query)
	}
	former := []string{"/v1/orders/{id}/events", "/v1/payments/{id}/charges"}
	for path, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			require.Equal(t, slices.Contains(former, path), op.Deprecated, path)
		}
	}
}
