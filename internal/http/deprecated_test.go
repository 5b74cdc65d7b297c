package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/shop"
)

const oldContract = `
openapi: 3.0.3
info: {title: old, version: "1"}
paths:
  /socks:
    get:
      operationId: listSocks
      x-scope: read
      parameters:
        - {name: color, in: query, schema: {type: string}}
        - {name: colour, in: query, deprecated: true, x-deprecated-since: "2030-01-31", x-sunset: "2031-03-01", schema: {type: string}}
      responses: {"200": {description: Socks.}}
  /stockings:
    get:
      operationId: listStockings
      x-scope: read
      deprecated: true
      x-deprecated-since: "2029-12-01"
      x-sunset: "2030-12-01"
      parameters:
        - {name: colour, in: query, deprecated: true, x-deprecated-since: "2030-01-31", x-sunset: "2031-03-01", schema: {type: string}}
      responses: {"200": {description: Stockings.}}
`

func oldDocument(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(oldContract))
	require.NoError(t, err)
	return doc
}

func TestWhatIsDeprecatedSaysSo(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := &server{operations: operationsOf(oldDocument(t)), metrics: newMetrics(registry)}
	known := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := &call{principal: shop.Principal{KeyID: "k1", Scopes: []shop.Scope{shop.ScopeRead}}}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyCall, c)))
		})
	}
	router := chi.NewRouter()
	router.Use(known)
	router.Group(func(r chi.Router) {
		r.Use(s.authorize, s.deprecated)
		for _, path := range []string{"/socks", "/stockings"} {
			r.Get(path, func(http.ResponseWriter, *http.Request) {})
		}
	})
	for path, want := range map[string][2]string{
		"/socks":                {},
		"/socks?color=red":      {},
		"/socks?colour=red":     {"@1896048000", "Sat, 01 Mar 2031 00:00:00 GMT"},
		"/stockings":            {"@1890777600", "Sun, 01 Dec 2030 00:00:00 GMT"},
		"/stockings?colour=red": {"@1890777600", "Sun, 01 Dec 2030 00:00:00 GMT"}, // goes first
	} {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Equal(t, want, [2]string{w.Header().Get("Deprecation"), w.Header().Get("Sunset")}, path)
		require.Equal(t, want[0] != "", w.Header().Get("Link") == `</docs/versioning#how-something-goes>; rel="deprecation"; type="text/html"`, path)
	}
	require.InDelta(t, 2, testutil.ToFloat64(s.metrics.deprecated.WithLabelValues("listStockings", "k1")), 0)
	require.InDelta(t, 1, testutil.ToFloat64(s.metrics.deprecated.WithLabelValues("listSocks", "k1")), 0)
}

func TestWhatIsDeprecatedNeedsItsDates(t *testing.T) {
	t.Parallel()
	doc := oldDocument(t)
	require.NoError(t, checkDeprecations(doc))
	delete(doc.Paths.Find("/stockings").Get.Extensions, "x-sunset")
	doc.Paths.Find("/socks").Get.Parameters[1].Value.Extensions["x-deprecated-since"] = "soon"
	err := checkDeprecations(doc)
	require.ErrorContains(t, err, "GET /stockings: what is deprecated needs x-sunset")
	require.ErrorContains(t, err, "GET /socks, parameter colour: what is deprecated needs x-deprecated-since")
}

// The real server's answer, a refusal as well, says it.
func TestADeprecatedAddressOfTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	address, part, _ := strings.Cut(howSomethingGoes, "#")
	require.Contains(t, b.send(t, "GET", address, "").Body.String(), `id="`+part+`"`)
	require.NotEmpty(t, b.send(t, "GET", "/v1/orders/"+orderID+"/events", "").Header().Get("Deprecation"))
	require.NotEmpty(t, b.send(t, "POST", "/v1/payments/"+orderID+"/charges", "{}").Header().Get("Sunset"))
	require.Empty(t, b.send(t, "GET", "/v1/orders/"+orderID+"/transitions", "").Header().Get("Deprecation"))
}
