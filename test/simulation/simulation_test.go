package simulation

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// smokeOrders is how many orders an ordinary test run simulates.
const smokeOrders = 5000

// TestNoOrderEndsFalsely simulates SIMULATION_ORDERS orders from SIMULATION_SEED on: a few by default.
func TestNoOrderEndsFalsely(t *testing.T) {
	t.Parallel()
	orders, seed := number(t, "SIMULATION_ORDERS", smokeOrders), uint64(number(t, "SIMULATION_SEED", 1)) //nolint:gosec // not negative
	s, v := Run(seed, orders, runtime.GOMAXPROCS(0))
	t.Logf("seed %d: %d orders in %d scenarios, %d status polls, %d callbacks, %d transitions in %s: %.0f orders a second",
		seed, s.Orders, s.Scenarios, s.Polls, s.Callbacks, s.Transitions, s.Took.Round(time.Millisecond), float64(s.Orders)/s.Took.Seconds())
	for k, n := range s.Statuses {
		t.Logf("%8d %s", n, k)
	}
	for k, n := range s.Ended {
		t.Logf("%8d attempts ended: %s", n, k)
	}
	if v != nil {
		t.Fatal(v)
	}
}

func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, name)
	require.GreaterOrEqual(t, n, int64(0), name)
	return n
}
