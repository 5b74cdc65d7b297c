package payment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnOrderGoesOnOnlyWhereItIsCounted holds that an order does not evade the limit of an account that it did not begin at.
func TestAnOrderGoesOnOnlyWhereItIsCounted(t *testing.T) {
	t.Parallel()
	candidates := []Account{{Name: "a"}, {Name: "b", Limits: []Limit{{}}}, {Name: "c"}}
	require.Equal(t, []Account{{Name: "a"}, {Name: "c"}}, unlimited(candidates))
	require.Len(t, candidates, 3, "they are tried still for orders that begin there")
}
