package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/docsite"
	"payrelay/internal/gateway"
	"payrelay/internal/shop"
)

func document(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := Document()
	require.NoError(t, err)
	return doc
}

// contract checks answers against the document.
type contract struct{ router routers.Router }

func newContract(t testing.TB) contract {
	t.Helper()
	router, err := gorillamux.NewRouter(document(t))
	require.NoError(t, err)
	return contract{router}
}

// check returns what is wrong with an answer, its status included.
func (c contract) check(method, path string, w *httptest.ResponseRecorder) error {
	r := httptest.NewRequest(method, path, http.NoBody)
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		return err
	}
	if route.Operation.Responses.Status(w.Code) == nil { // the default is for what comes later
		return fmt.Errorf("status %d is not in the document", w.Code)
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func TestTheRouterAndTheDocumentAgree(t *testing.T) {
	t.Parallel()
	documented := []string{ // what is served beside the API
		"GET /", "GET /docs", "GET /docs/*", "GET /openapi.json", "GET /openapi.yaml", "POST /callbacks/{}/{}",
	}
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+placeholder.ReplaceAllString(path, "{}"))
		}
	}
	var served []string
	routes, ok := setup(t).handler.(chi.Routes)
	require.True(t, ok)
	require.NoError(t, chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served = append(served, method+" "+placeholder.ReplaceAllString(route, "{}"))
		return nil
	}))
	slices.Sort(documented)
	slices.Sort(served)
	require.Equal(t, documented, served)
}

func TestEveryOperationNamesItsScope(t *testing.T) {
	t.Parallel()
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			scope, has := op.Extensions["x-scope"].(string)
			open := op.Security != nil && len(*op.Security) == 0
			require.NotEqual(t, open, has, "%s %s needs a scope, or security: []", method, path)
			if has {
				require.Contains(t, shop.Scopes, shop.Scope(scope), "%s %s", method, path)
			}
		}
	}
}

func TestRequestsTakeNoUnknownMembers(t *testing.T) {
	t.Parallel()
	var walk func(name string, s *openapi3.SchemaRef)
	walk = func(name string, s *openapi3.SchemaRef) {
		if s == nil || s.Value == nil {
			return
		}
		if s.Value.Type.Is("object") && s.Value.AdditionalProperties.Schema == nil {
			has := s.Value.AdditionalProperties.Has
			require.True(t, has != nil && !*has, "%s takes members that nobody reads", name)
		}
		for member, inner := range s.Value.Properties {
			walk(name+"."+member, inner)
		}
	}
	for path, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil && strings.HasPrefix(path, "/v1/") {
				walk(op.OperationID, op.RequestBody.Value.Content.Get("application/json").Schema)
			}
		}
	}
}

// kinds are the kinds of order by the name of their collection.
var kinds = map[string]gateway.Kind{
	"payments": gateway.KindPayment, "refunds": gateway.KindRefund, "payouts": gateway.KindPayout,
	"payout-cards": gateway.KindPayoutCard, "transfers": gateway.KindTransfer,
}

// TestEveryExampleWorks sends each example of the document and holds the answer against the document.
func TestEveryExampleWorks(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.HasPrefix(path, "/v1/") {
				continue
			}
			address := strings.NewReplacer("{id}", orderID, "{name}", "EUR-sandbox").Replace(path)
			bodies := map[string]string{}
			if op.RequestBody == nil {
				bodies["no body"] = ""
			} else {
				media := op.RequestBody.Value.Content.Get("application/json")
				for name, example := range media.Examples {
					text, err := json.Marshal(example.Value.Value)
					require.NoError(t, err)
					bodies[name] = string(text)
				}
				if !op.RequestBody.Value.Required {
					bodies["no body"] = ""
				}
				require.NotEmpty(t, media.Examples, "%s has no example", op.OperationID)
			}
			for name, body := range bodies {
				t.Run(op.OperationID+"/"+name, func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					if kind, ok := kinds[strings.Split(path, "/")[2]]; ok {
						b.kind = kind
					}
					w := b.send(t, method, address, body)
					require.Less(t, w.Code, 300, w.Body)
					require.NoError(t, c.check(method, address, w), w.Body)
					require.NotEmpty(t, w.Header().Get("X-Request-Id"))
					if w.Code == http.StatusCreated && !strings.HasPrefix(path, "/v1/statements") {
						require.Equal(t, "/v1/orders/"+orderID, w.Header().Get("Location"))
					}
				})
			}
		}
	}
}

func TestEveryMemberOfAnOrderIsAlwaysThere(t *testing.T) {
	t.Parallel()
	schema := document(t).Components.Schemas["Order"].Value
	b := setup(t)
	var list struct {
		Data []map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(b.send(t, "GET", "/v1/orders", "").Body.Bytes(), &list))
	require.Len(t, list.Data, 2)
	for _, o := range list.Data {
		for member := range schema.Properties {
			require.Contains(t, o, member)
		}
	}
	full, card := list.Data[0], list.Data[1]
	require.Equal(t, map[string]any{}, full["metadata"], "not null")
	require.Equal(t, "automatic", full["capture"])
	require.Equal(t, "2026-01-15T09:00:00Z", full["created_at"], "UTC")
	require.Equal(t, map[string]any{"type": "card", "masked": "401200******3010", "bin": nil, "brand": nil, "country": nil}, full["payment_method"])
	require.Nil(t, card["amount"], "a payout card has no sum")
	require.Nil(t, card["currency"])
}

func TestDocsAreServedWithoutAKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]string{"/docs": "text/html", "/docs/guides/refunds": "text/html", "/docs/docs.css": "text/css", "/docs/docs.js": "text/javascript", "/openapi.yaml": "application/yaml", "/openapi.json": "application/json"} {
		w := b.send(t, "GET", path, "", "Authorization", "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Header().Get("Content-Type"), want)
	}
	policy := b.send(t, "GET", "/docs", "").Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'", "a page loads nothing from elsewhere")
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "/docs", b.send(t, "GET", "/", "").Header().Get("Location"))
}

func TestEveryErrorCodeIsExplained(t *testing.T) {
	t.Parallel()
	page := setup(t).send(t, "GET", docsite.ErrorsAddress, "", "Authorization", "").Body.String()
	explained := map[string]string{}
	for _, part := range strings.Split(page, `<h2 id="`)[1:] {
		code, text, _ := strings.Cut(part, `"`)
		explained[code] = text
		require.Contains(t, text, "What to do:", code)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(titles)), slices.Collect(maps.Keys(explained)))
	for code, status := range statuses {
		require.Contains(t, explained[string(code)], fmt.Sprintf("<p>Status %d. ", status), code)
	}
}

func TestTheContractIsServedAsJSONToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	served := func(path string) *openapi3.T {
		w := b.send(t, "GET", path, "", "Authorization", "")
		require.Equal(t, http.StatusOK, w.Code)
		doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
		require.NoError(t, err)
		return doc
	}
	inJSON, err := served("/openapi.json").MarshalJSON()
	require.NoError(t, err)
	inYAML, err := served("/openapi.yaml").MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, string(inYAML), string(inJSON))
	require.True(t, json.Valid(b.send(t, "GET", "/openapi.json", "").Body.Bytes()), "JSON, not YAML")
}
