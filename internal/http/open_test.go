package httpapi

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"payrelay/api"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

// everySchema calls visit for a schema and all that it is made of.
func everySchema(name string, s *openapi3.SchemaRef, visit func(name string, s *openapi3.Schema)) {
	if s == nil || s.Value == nil {
		return
	}
	visit(name, s.Value)
	for member, inner := range s.Value.Properties {
		everySchema(name+"."+member, inner, visit)
	}
	everySchema(name+"[]", s.Value.Items, visit)
	everySchema(name+".*", s.Value.AdditionalProperties.Schema, visit)
	for _, inner := range slices.Concat(s.Value.AllOf, s.Value.AnyOf, s.Value.OneOf) {
		everySchema(name, inner, visit)
	}
}

// everyAnswer calls visit for all that a client may be sent: answers of every status, and notifications.
func everyAnswer(t *testing.T, visit func(name string, s *openapi3.Schema)) {
	t.Helper()
	for _, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				for _, media := range response.Value.Content {
					everySchema(op.OperationID+" "+status, media.Schema, visit)
				}
			}
			for _, callback := range op.Callbacks {
				for address, item := range callback.Value.Map() {
					everySchema(address, item.Post.RequestBody.Value.Content.Get("application/json").Schema, visit)
				}
			}
		}
	}
}

// everyRequest calls visit for all that a client may send.
func everyRequest(t *testing.T, visit func(name string, s *openapi3.Schema)) {
	t.Helper()
	for _, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				everySchema(op.OperationID, op.RequestBody.Value.Content.Get("application/json").Schema, visit)
			}
			for _, p := range op.Parameters {
				everySchema(op.OperationID+" "+p.Value.Name, p.Value.Schema, visit)
			}
		}
	}
}

// What a client may be sent can gain members and values without breaking it.
func TestAnswersAreOpen(t *testing.T) {
	t.Parallel()
	seen := 0
	everyAnswer(t, func(name string, s *openapi3.Schema) {
		seen++
		require.Empty(t, s.Enum, "%s: list known values as x-extensible-enum", name)
		has := s.AdditionalProperties.Has
		require.False(t, has != nil && !*has, "%s refuses members that come later", name)
		for _, value := range known(s) {
			require.Contains(t, s.Description, "`"+value+"`", "%s: say the known values to those whose tools do not read x-extensible-enum", name)
		}
	})
	require.Greater(t, seen, 100)
	for _, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			require.NotNil(t, op.Responses.Default(), "%s: an error with a status that comes later is a problem too", op.OperationID)
		}
	}
}

// A default makes a member that may be left out one that TypeScript clients must send.
func TestRequestsHaveNoDefaults(t *testing.T) {
	t.Parallel()
	everyRequest(t, func(name string, s *openapi3.Schema) {
		require.Nil(t, s.Default, "%s: say it in words", name)
		require.Empty(t, known(s), "%s: requests are closed, list the values as enum", name)
	})
}

func TestEveryPathParameterHasAnExample(t *testing.T) {
	t.Parallel()
	for _, item := range document(t).Paths.Map() {
		for _, op := range item.Operations() {
			for _, p := range op.Parameters {
				if p.Value.In == openapi3.ParameterInPath {
					require.NotNil(t, p.Value.Example, "%s %s", op.OperationID, p.Value.Name)
				}
			}
		}
	}
}

// The document is for clients in every language: it says nothing of how this server is made.
func TestTheContractNamesNoGoTypes(t *testing.T) {
	t.Parallel()
	require.NotContains(t, string(api.OpenAPI), "x-go-")
	require.NotContains(t, string(api.OpenAPI), "x-oapi-")
}

func TestTheContractListsWhatThereIs(t *testing.T) {
	t.Parallel()
	schemas := document(t).Components.Schemas
	of := func(schema string, members ...string) []string {
		s := schemas[schema].Value
		for _, m := range members {
			s = s.Properties[m].Value
		}
		return known(s)
	}
	require.ElementsMatch(t, texts(payment.Statuses), of("Status"))
	require.ElementsMatch(t, texts(slices.Collect(maps.Values(kinds))), of("Kind"))
	require.ElementsMatch(t, declared(t, "../payment", "Source"), of("Transition", "cause"))
	require.ElementsMatch(t, declared(t, "../payment", "Purpose"), of("Account", "for"))
	require.ElementsMatch(t, declared(t, "../payment", "TransactionReportState"), of("TransactionReport", "state"))
	require.ElementsMatch(t, declared(t, "../gateway", "FailureCategory"), of("Failure", "category"))
	require.ElementsMatch(t, declared(t, "../gateway", "Advice"), of("Failure", "advice"))
	require.ElementsMatch(t, declared(t, "../gateway", "ActionType"), of("NextAction", "type"))
	require.ElementsMatch(t, declared(t, "../gateway", "Flow"), of("Order", "flow"))
	require.ElementsMatch(t, slices.Collect(maps.Keys(titles)), of("Problem", "code"))
	require.ElementsMatch(t, texts(payment.DisputeKinds), of("DisputeKind"))
	require.ElementsMatch(t, texts(payment.DisputeStatuses), of("DisputeStatus"))
	for _, name := range []string{"kind", "status"} {
		enum := document(t).Paths.Value("/v1/disputes").Get.Parameters.GetByInAndName("query", name).Schema.Value.Enum
		require.ElementsMatch(t, texts(enum), of("Dispute"+strings.ToUpper(name[:1])+name[1:]), "what can be searched for")
	}
	gw, err := (&gatewaytest.Fake{}).Open(gateway.Account{})
	require.NoError(t, err)
	capabilities := known(schemas["Account"].Value.Properties["capabilities"].Value.Items.Value)
	require.Subset(t, capabilities, gateway.Capabilities(gw))
	require.NotEmpty(t, of("Notification", "type"))
	for _, name := range of("Notification", "type") {
		kind, status, _ := strings.Cut(name, ".")
		if kind == "dispute" || slices.Contains([]string{"payment.late_success", "payment.imported", "payout.late_success", "refund.late_success"}, name) { // they have tests of their own
			continue
		}
		require.Contains(t, of("Kind"), kind)
		if status != "returned" { // of money that came back, where no refund can be
			require.Contains(t, of("Status"), status)
			continue
		}
		require.Contains(t, texts([]gateway.Kind{gateway.KindPayout, gateway.KindTransfer}), kind)
	}
	for _, name := range []string{"kind", "status"} {
		enum := document(t).Paths.Value("/v1/orders").Get.Parameters.GetByInAndName("query", name).Schema.Value.Enum
		require.ElementsMatch(t, texts(enum), of(strings.ToUpper(name[:1])+name[1:]), "what can be searched for")
	}
}

// known returns the values that a schema of an answer lists.
func known(s *openapi3.Schema) []string {
	list, _ := s.Extensions["x-extensible-enum"].([]any)
	return texts(list)
}

func texts[T any](list []T) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// declared returns the constants of a type of text that a package declares.
func declared(t *testing.T, dir, typ string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if named, ok := spec.Type.(*ast.Ident); ok && named.Name == typ {
				for _, v := range spec.Values {
					if text, ok := v.(*ast.BasicLit); ok && text.Kind == token.STRING {
						value, err := strconv.Unquote(text.Value)
						require.NoError(t, err)
						values = append(values, value)
					}
				}
			}
			return true
		})
	}
	require.NotEmpty(t, values, "%s in %s", typ, dir)
	return values
}

// Every list pages in the same way.
func TestEveryListPages(t *testing.T) {
	t.Parallel()
	lists := 0
	for path, item := range document(t).Paths.Map() {
		if item.Get == nil {
			continue
		}
		media := item.Get.Responses.Value("200").Value.Content.Get("application/json")
		if media == nil || media.Schema.Value.Properties["data"] == nil {
			continue
		}
		lists++
		for _, name := range []string{"limit", "cursor"} {
			require.NotNil(t, item.Get.Parameters.GetByInAndName("query", name), "%s takes no %s", path, name)
		}
		address := strings.ReplaceAll(path, "{id}", orderID)
		b := setup(t)
		require.Equal(t, 200, b.send(t, "GET", address+"?limit=1", "").Code, path)
		require.Equal(t, 422, b.send(t, "GET", address+"?limit=0", "").Code, path)
		require.Equal(t, 422, b.send(t, "GET", address+"?limit=201", "").Code, path)
	}
	require.Equal(t, 10, lists)
}

func TestAShortListIsPaged(t *testing.T) {
	t.Parallel()
	same := func(s string) string { return s }
	all, one := []string{"c", "a", "b"}, 1
	var got []string
	var cursor *string
	for {
		page, err := pageOf(all, "letters", same, cursor, &one)
		require.NoError(t, err)
		got = append(got, page.Items...)
		if page.Next == "" {
			break
		}
		require.LessOrEqual(t, len(got), 3, "it never ends")
		cursor = &page.Next
	}
	require.Equal(t, []string{"a", "b", "c"}, got)
	page, err := pageOf([]string{"c", "a"}, "letters", same, cursor, &one)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, page.Items, "the item at the cursor went away, and no other moved")
	page, err = pageOf(all[:0], "letters", same, nil, nil)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	other, err := pageOf(all, "other", same, nil, &one)
	require.NoError(t, err)
	for _, bad := range []string{"?", "zzz", "", "YQ", other.Next} {
		_, err = pageOf(all, "letters", same, &bad, nil)
		require.ErrorIs(t, err, payment.ErrCursor, "%q is no cursor of this list", bad)
	}
}

func TestAfterIsAnotherNameOfCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, query := range []string{"?after=NzQ1LjE", "?cursor=NzQ1LjE"} {
		var list struct {
			LastCursor string `json:"last_cursor"`
		}
		w := b.send(t, "GET", "/v1/events"+query, "")
		require.Equal(t, 200, w.Code)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
		require.Equal(t, "NzQ1LjE", list.LastCursor, "nothing came later")
	}
	w := b.send(t, "GET", "/v1/events?after=NzQ1LjE&cursor=NzQ1LjE", "")
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "another name of cursor")
	w = b.send(t, "GET", "/v1/events?cursor=NzQ1LjE&since=2026-11-21T12:00:00Z", "")
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "since")
}
