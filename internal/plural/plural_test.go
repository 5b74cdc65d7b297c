package plural

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for n, text := range map[int64]string{0: "0 orders", 1: "1 order", 2: "2 orders", 21: "21 orders", -1: "-1 orders"} {
		require.Equal(t, text, Of(n, "order", "orders"))
	}
}
