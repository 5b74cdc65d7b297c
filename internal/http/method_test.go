package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHeadIsGetWithoutABody asks over a connection, since the server leaves the body out.
func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	paths := []string{"/", "/docs/guides/refunds", "/nowhere", "/v1/orders/none", "/v1/orders?limit=0", "/v1/refunds/" + orderID}
	for path, item := range document(t).Paths.Map() {
		if item.Get != nil {
			paths = append(paths, strings.NewReplacer("{id}", orderID, "{name}", "EUR-sandbox").Replace(path))
		}
	}
	require.Greater(t, len(paths), 15)
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, key string) (*http.Response, int) {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("X-Request-Id", "request-1")
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		res, err := client.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, len(body)
	}
	for i, path := range paths {
		keys := []string{goodKey, readKey}
		if 2*(i+1) <= failureRate.Quota { // a stranger may ask so often
			keys = append(keys, "")
		}
		for _, key := range keys {
			get, _ := ask(http.MethodGet, path, key)
			head, size := ask(http.MethodHead, path, key)
			require.Equal(t, get.StatusCode, head.StatusCode, "%s with key %q", path, key)
			require.Zero(t, size, path)
			for _, name := range []string{"Content-Type", "Content-Disposition", "Location", "Www-Authenticate", "X-Request-Id", "Cache-Control"} {
				require.Equal(t, get.Header.Values(name), head.Header.Values(name), "%s of %s", name, path)
			}
		}
	}
	head, size := ask(http.MethodHead, "/v1/payments", goodKey)
	require.Equal(t, http.StatusMethodNotAllowed, head.StatusCode, "no GET there either")
	require.Equal(t, "POST", head.Header.Get("Allow"))
	require.Zero(t, size)
	require.Contains(t, b.log.String(), `"method":"HEAD"`)
}

func TestTheMethodsOfAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, allow := range map[string]string{"/v1/orders": "GET, HEAD", "/v1/payments": "POST", "/v1/statements": "POST", "/docs": "GET, HEAD", "/callbacks/smartcore/x": "POST"} {
		w := b.send(t, http.MethodDelete, path, "")
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
		require.Equal(t, allow, w.Header().Get("Allow"), path)
	}
}

// TestABodyInAnEncodingIsRefused holds it for every call that takes a body, for those that take none, and for callbacks.
func TestABodyInAnEncodingIsRefused(t *testing.T) {
	t.Parallel()
	paths := []string{"/callbacks/p/t"}
	for path, item := range document(t).Paths.Map() {
		if item.Post != nil && strings.HasPrefix(path, "/v1/") {
			paths = append(paths, strings.NewReplacer("{id}", orderID, "{name}", "EUR-sandbox").Replace(path))
		}
	}
	require.Greater(t, len(paths), 10)
	for _, path := range paths {
		for _, encoding := range []string{"gzip", "GZIP", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "gzip,identity", "nonsense"} {
			b := setup(t, func(c *Config) {
				c.Callbacks = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a callback was read") })
			})
			for _, body := range []string{"\x1f\x8b\x08", with("amount", "1"), ""} {
				w := b.send(t, "POST", path, body, "Content-Encoding", encoding)
				p := readProblem(t, w)
				require.Equal(t, http.StatusUnsupportedMediaType, w.Code, "%s %s: %s", path, encoding, w.Body)
				require.Equal(t, "unsupported_media_type", p.Code)
				require.Contains(t, p.Detail, "Content-Encoding")
				require.Equal(t, "identity", w.Header().Get("Accept-Encoding"))
			}
			require.Zero(t, b.count())
		}
	}
	b := setup(t)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", "1"), "Content-Encoding", "identity").Code, "which is none")
	require.Equal(t, 200, b.send(t, "POST", "/callbacks/p/t", "x", "Content-Encoding", "identity").Code)
	require.Equal(t, 401, b.send(t, "POST", "/v1/payments", "x", "Content-Encoding", "gzip", "Authorization", "").Code, "a stranger is told nothing")
}

func TestAnUnknownAddressIsToldTheNearestCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for address, want := range map[string]string{
		"/v1/payment":                         "Did you mean POST /v1/payments? GET",
		"/v1/payment/":                        "Leave out the slash at its end. Did you mean POST /v1/payments? GET",
		"/v1/refunds":                         "Did you mean GET /v1/refunds/{id} or POST /v1/payments/{id}/refunds? GET",
		"/v1/charges":                         "Did you mean POST /v1/mandates/{id}/charges? GET", // not the deprecated one
		"/v1/payments/" + orderID + "/refund": "Did you mean POST /v1/payments/{id}/refunds? GET",
		"/v2/orders":                          "Did you mean GET /v1/orders? GET",
		"/payments":                           "at this address. Put /v1 before it. GET",
		"/v1/weather":                         "There is nothing at this address. GET",
	} {
		w := b.send(t, http.MethodPost, address, "{}")
		require.Equal(t, http.StatusNotFound, w.Code, address)
		require.Contains(t, readProblem(t, w).Detail, want, address)
	}
}
