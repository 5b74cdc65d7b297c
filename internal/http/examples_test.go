package httpapi

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// TestEveryAnswerHasAnExample holds the examples of successful answers against their schemas. That those of requests work,
// TestEveryExampleWorks tells, and the tests of test/e2e that they work against a whole service.
func TestEveryAnswerHasAnExample(t *testing.T) {
	t.Parallel()
	seen := 0
	for path, item := range document(t).Paths.Map() {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		for _, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				media := response.Value.Content.Get("application/json")
				if status[0] != '2' || media == nil {
					continue
				}
				examples := slices.Collect(maps.Values(media.Examples))
				if media.Example != nil {
					examples = append(examples, &openapi3.ExampleRef{Value: &openapi3.Example{Value: media.Example}})
				}
				require.NotEmpty(t, examples, "%s has no example of its answer %s", op.OperationID, status)
				for _, e := range examples {
					require.NoError(t, media.Schema.Value.VisitJSON(e.Value.Value, openapi3.VisitAsResponse(), openapi3.EnableFormatValidation()), "%s %s: %s", op.OperationID, status, e.Value.Summary)
					kindFits(t, path, op.OperationID, e.Value.Value)
					seen++
				}
			}
		}
	}
	require.NotZero(t, seen)
}

// kindFits holds that an example shows an order of the kind that its operation is about.
func kindFits(t *testing.T, path, operation string, example any) {
	t.Helper()
	order, isObject := example.(map[string]any)
	kind, of := kinds[strings.Split(path, "/")[2]]
	want := string(kind)
	if operation == "refundPayment" {
		want = "refund"
	}
	if isObject && of && order["object"] == "order" {
		require.Equal(t, want, order["kind"], operation)
	}
}
