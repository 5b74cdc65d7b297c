package recipe

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/fault"
)

func TestTheGuideHasTheTable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../docs/guides/testing.md")
	require.NoError(t, err)
	var want, got []string
	for _, r := range All {
		want = append(want, fmt.Sprintf("| `%d` | `%s` | %s |", r.Amount, r.Name, r.Does))
	}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `7777") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	require.Equal(t, want, got)
}

func TestEachRecipeMakesSense(t *testing.T) {
	t.Parallel()
	var faults fault.Set
	seen := map[string]bool{}
	for _, r := range All {
		require.False(t, seen[r.Name], r.Name)
		seen[r.Name] = true
		require.Equal(t, r.Name, Of(r.Amount).Name, "the amount is of one recipe only")
		for _, f := range r.Faults("order", "initPayment") {
			_, err := faults.Add(f)
			require.NoError(t, err, r.Name)
		}
	}
	require.Nil(t, Of(1000))
	require.Len(t, faults.Take("initPayment", "order", fault.DropAfter), 1)
	require.Empty(t, faults.Take("initPayment", "other", fault.All...), "other orders are left alone")
}
