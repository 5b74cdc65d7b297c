package docsite

import (
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"payrelay/api"
)

func open(t *testing.T, addresses Addresses) *Site {
	t.Helper()
	contract, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	s, err := New(contract, addresses)
	require.NoError(t, err)
	return s
}

func get(s *Site, address string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
	return w
}

var (
	linkTo   = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	anchorOf = regexp.MustCompile(` id="([^"]*)"|<a name="([^"]*)"`)
)

// Every page can be reached, and every link leads somewhere.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	anchors := map[string][]string{}
	for address := range s.pages {
		w := get(s, address)
		require.Equal(t, http.StatusOK, w.Code, address)
		require.NotContains(t, s.pages[address].source, "```mermaid", "%s: nothing draws it here; write a table or a list", address)
		for _, m := range anchorOf.FindAllStringSubmatch(w.Body.String(), -1) {
			id := m[1] + m[2]
			require.NotContains(t, anchors[address], id, "%s has an id twice", address)
			anchors[address] = append(anchors[address], id)
		}
	}
	reached := map[string]bool{}
	for address := range s.pages {
		for _, m := range linkTo.FindAllStringSubmatch(get(s, address).Body.String(), -1) {
			name, anchor, _ := strings.Cut(m[1], "#")
			name, _, _ = strings.Cut(name, "?")
			switch {
			case strings.HasPrefix(name, "https://"), name == "data:,", strings.HasPrefix(name, "/openapi."), s.assets[name].data != nil:
				continue
			case strings.HasPrefix(name, "http://127.0.0.1"), strings.HasPrefix(name, "http://example.com"):
				continue // this service and its simulators
			case name == "":
				name = address
			}
			require.Contains(t, s.pages, name, "a link of %s", address)
			if anchor != "" {
				require.Contains(t, anchors[name], anchor, "a link of %s to %s", address, name)
			}
			reached[name] = true
		}
	}
	for address := range s.pages {
		require.True(t, reached[address], address)
	}
}

func TestAPageIsFoundByTheNameOfItsFile(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	for from, to := range map[string]string{"/docs/": "/docs", "/docs/guides/refunds.md": "/docs/guides/refunds", "/docs/README.md": "/docs", "/docs/guides/": "/docs/guides", "/docs/guides/README.md": "/docs/guides"} {
		w := get(s, from)
		require.Equal(t, http.StatusMovedPermanently, w.Code, from)
		require.Equal(t, to, w.Header().Get("Location"))
	}
	w := get(s, "/docs/nowhere")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), "No such page")
}

// The examples are ready to be pasted: they have the addresses of the service that shows them.
func TestExamplesHaveTheAddressOfTheService(t *testing.T) {
	t.Parallel()
	require.Contains(t, get(open(t, Addresses{}), "http://127.0.0.1:9999/docs").Body.String(), "curl</span> -sS http://127.0.0.1:9999/v1/payments")
	require.Contains(t, get(open(t, Addresses{}), "http://[::1]:9999/docs").Body.String(), "curl</span> -sS http://[::1]:9999/v1/payments")

	behind := open(t, Addresses{API: "https://pay.example.org/", Simulators: "http://simulators.example.org", DemoShop: "http://shop.example.org"})
	page := get(behind, "http://10.0.0.7:8080/docs").Body.String()
	require.Contains(t, page, "curl</span> -sS https://pay.example.org/v1/payments")
	require.NotContains(t, page, "10.0.0.7")
	testing := get(behind, "/docs/guides/testing").Body.String()
	require.Contains(t, testing, "http://simulators.example.org/")
	require.NotContains(t, testing, writtenSimulators)
	require.Contains(t, get(behind, "/docs/guides").Body.String(), "http://shop.example.org/")

	r := httptest.NewRequest(http.MethodGet, "/docs", nil)
	r.Host = `"><script>alert(1)</script>`
	w := httptest.NewRecorder()
	open(t, Addresses{}).ServeHTTP(w, r)
	require.NotContains(t, w.Body.String(), "alert(1)")
	require.Contains(t, w.Body.String(), writtenAPI)
}

func TestTheReferenceHasEveryCallAndMember(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	contract, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	index := get(s, "/docs/reference").Body.String()
	for at, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			page := get(s, "/docs/reference/"+strings.ToLower(op.Tags[0])).Body.String()
			require.Contains(t, index, "#"+op.OperationID+`"`)
			_, call, found := strings.Cut(page, `<a id="`+op.OperationID+`">`)
			require.True(t, found, op.OperationID)
			call, _, _ = strings.Cut(call, `<a id="`)
			require.Contains(t, call, method+" "+at)
			if op.RequestBody == nil {
				continue
			}
			members, _ := members(op.RequestBody.Value.Content.Get("application/json").Schema.Value)
			for member := range members {
				require.Contains(t, call, "<code>"+member+"</code>", op.OperationID)
			}
		}
	}
	objects := get(s, objectsAddress).Body.String()
	for member := range contract.Components.Schemas["Order"].Value.Properties {
		require.Contains(t, objects, "<code>"+member+"</code>")
	}
}

// questions are words that newcomers type, and the page that answers them.
var questions = map[string]string{
	"refund": "guides/refunds", "refunds": "guides/refunds", "partial refund": "guides/refunds", "give money back": "guides/refunds",
	"webhook": "guides/notifications", "verify signature": "guides/notifications", "notification secret": "guides/notifications", "event feed": "guides/notifications",
	"test card": "guides/testing", "simulate timeout": "guides/testing", "idempotency key": "guides/errors", "retry": "guides/errors", "error codes": "errors",
	"invalid_request": "errors", "unauthorized": "errors", "api key": "keys", "rotate key": "keys", "hold": "guides/holds", "capture": "guides/holds", "payout": "guides/payouts",
	"subscription": "guides/recurring", "recurring payment": "guides/recurring", "save card": "guides/saved-cards", "apple pay": "guides/own-form", "3-d secure": "guides/own-form",
	"chargeback": "disputes", "currency": "guides/first-payment", "hryvnia": "guides/hryvnia", "statement": "guides/reports", "balance": "guides/reports", "transfer card to card": "guides/transfers",
	"first payment": "", "health check": "operations", "alert": "runbook", "rate limit": "errors", "delete customer": "erasure", "routing rules": "routing", "quickstart": "",
}

// firstPages are what newcomers type, and the page that a search must show first.
var firstPages = map[string]string{
	"3ds": "guides/own-form", "own form": "guides/own-form", "apple pay": "guides/own-form", "google pay": "guides/own-form",
	"webhook": "guides/notifications", "signature": "guides/notifications", "event feed": "guides/notifications",
	"refund": "guides/refunds", "partial refund": "guides/refunds", "partial capture": "guides/holds", "hold": "guides/holds", "capture": "guides/holds",
	"chargeback": "disputes", "idempotency": "guides/errors", "retry": "guides/errors", "error codes": "errors",
	"sandbox card": "guides/testing", "test card": "guides/testing", "local currency": "guides/hryvnia", "uah": "guides/hryvnia",
	"subscription": "guides/recurring", "save card": "guides/saved-cards", "payout": "guides/payouts", "api key": "keys", "quickstart": "", "client library": "guides/clients",
	"card to card": "guides/transfers", "localhost": "guides/tools",
}

func TestTheFirstPageOfASearchIsTheRightOne(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	for question, want := range firstPages {
		var found []string
		for _, h := range s.index().search(question) {
			found = append(found, h.page.address)
		}
		require.NotEmpty(t, found, question)
		assert.Equal(t, path.Join("/docs", want), found[0], "%s finds %v", question, found[:min(5, len(found))])
	}
}

func TestNewcomersFindTheirPage(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	for question, want := range questions {
		var found []string
		for _, h := range s.index().search(question) {
			found = append(found, h.page.address)
		}
		assert.Contains(t, found[:min(3, len(found))], path.Join("/docs", want), question)
	}
}

func TestTheResultsOfASearch(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	page := get(s, "/docs/search?q=refnd").Body.String()
	require.Contains(t, page, "No page has")
	page = get(s, "/docs/search?q=%3Cb%3Erefund").Body.String()
	require.Contains(t, page, `value="&lt;b&gt;refund"`)
	require.Contains(t, page, `<a href="/docs/guides/refunds">`)
	require.NotContains(t, page, "<b>refund")
	require.Contains(t, get(s, "/docs/search").Body.String(), "Type a word")
	for _, query := range []string{"card+4012+8888+8888+1881", "4012888888881881"} {
		require.NotRegexp(t, "8888 ?8888", get(s, "/docs/search?q="+query).Body.String())
	}
	require.Equal(t, http.StatusOK, get(s, "/docs/search?q="+strings.Repeat("a+", 5000)).Code)
}

func TestNewPagesAreOnTheMenu(t *testing.T) {
	t.Parallel()
	for _, g := range open(t, Addresses{}).menu {
		for _, p := range g.Pages {
			require.True(t, !p.unlisted || strings.HasPrefix(p.address, "/docs/adr/"), "list docs/%s in docs/README.md", p.file)
		}
	}
}

func TestBlocksThatFollowEachOtherAreTabs(t *testing.T) {
	t.Parallel()
	s := open(t, Addresses{})
	p := &page{source: "```sh\nfirst\n```\n\n```go\nsecond\n```\n\ntext\n\n```sh\nthird\n```\n\n```sh\nfourth\n```\n"}
	html := s.render(p).html
	require.Equal(t, 1, strings.Count(html, "<fieldset"))
	require.Equal(t, 2, strings.Count(html, `type="radio"`))
	require.Equal(t, 4, strings.Count(html, "<pre"))
	require.True(t, slices.IsSorted([]int{strings.Index(html, "</label>"), strings.Index(html, "first"), strings.Index(html, "second"), strings.Index(html, "</fieldset>"), strings.Index(html, "third")}))
}
