package transport

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// TestNothingIsSentToAHostThatIsNotListed has calls go to a server under a name that a client may not know.
func TestNothingIsSentToAHostThatIsNotListed(t *testing.T) {
	t.Parallel()
	const listed = "api.example.com:443"
	for address, may := range map[string]bool{
		"https://api.example.com/pay":       true,
		"https://API.Example.com:443/pay":   true,
		"https://api.example.com:8443/pay":  false,
		"https://example.com/pay":           false,
		"https://api.example.com.evil.net/": false,
		"https://evil.net/api.example.com":  false,
		"http://api.example.com/pay":        false,
		"http://api.example.com:443/pay":    false,
		"https://192.0.2.1/pay":             false,
		"http://127.0.0.1:1/pay":            true,
		"http://[::1]:1/pay":                true,
		"https://localhost:1/pay":           true,
		"https://127.0.0.1.evil.net/pay":    false,
	} {
		call := post(address)
		sent := call.Body
		_, err := newClient(t, func(c *Config) { c.Hosts = []string{listed} }).newRequest(call, newBody(call.Body))
		require.Equal(t, may, err == nil, address)

		if may {
			continue
		}
		_, err = newClient(t, func(c *Config) { c.Hosts = []string{listed} }).Do(t.Context(), call)
		kind, code := kindAndCode(t, err)
		require.Equal(t, []any{gateway.KindNotSent, HostNotAllowed}, []any{kind, code}, address)
		require.Equal(t, strings.Repeat("\x00", len(sent)), string(sent), "the body is wiped all the same")
	}
}

func TestHostsMayBeAnyOrWithoutTLS(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(c *Config) { c.AnyHost = true })
	_, err := c.newRequest(post("https://anything.example.net/"), newBody(nil))
	require.NoError(t, err)

	c = newClient(t, func(c *Config) { c.Hosts, c.PlainHTTP = []string{"sandbox.example.com:8090"}, true })
	_, err = c.newRequest(post("http://sandbox.example.com:8090/"), newBody(nil))
	require.NoError(t, err)
	_, err = c.newRequest(post("http://sandbox.example.com/"), newBody(nil))
	require.ErrorIs(t, err, errHost)
}

func TestARedirectToAHostThatIsNotListedIsAnAnswer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.RedirectHandler("https://evil.example.net/", http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	res, err := newClient(t, nil).Do(t.Context(), post(s.URL))
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, res.Status)
}
