package payment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Addresses that differ in path or in the case of their host fail together; other ports and schemes do not.
func TestDestination(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://Shop.example/hooks/1?a=b": "https://shop.example",
		"https://shop.example:8443/":       "https://shop.example:8443",
		"http://shop.example":              "http://shop.example",
		"https://shop.example:port/":       "",
	} {
		require.Equal(t, want, Destination(address), address)
	}
}
