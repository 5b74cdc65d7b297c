package benchmark

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if played, err := PlayRole(); played {
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchmark:", err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if serverDir != "" {
		_ = os.RemoveAll(serverDir)
	}
	os.Exit(code)
}

// serverDir is where the server was built, "" if it was not.
var serverDir string

// builtServer is the server that is measured: one for all tests, because linking it takes long.
var builtServer = sync.OnceValues(func() (path string, err error) {
	if serverDir, err = os.MkdirTemp("", "payrelay-benchmark-"); err != nil {
		return "", err
	}
	return buildServer(context.Background(), serverDir)
})

// tiny are options for a short run.
func tiny(t *testing.T, window time.Duration, orders ...int) Options {
	t.Helper()
	server, err := builtServer()
	require.NoError(t, err)
	return Options{Rounds: 1, Window: window, Warm: 200 * time.Millisecond, Clients: []int{1}, Server: server, Orders: orders, Dir: t.TempDir(), Log: t.Output()}
}

// TestEveryFigureIsMeasured runs the whole benchmark with tiny numbers: what it measures means nothing, but nothing is missing.
// Sessions of Postgres report what they counted once a second.
func TestEveryFigureIsMeasured(t *testing.T) {
	t.Parallel()
	figures, err := Run(t.Context(), tiny(t, time.Second))
	require.NoError(t, err)
	var groups []string
	for _, f := range figures.All {
		if !slices.Contains(groups, f.Group) {
			groups = append(groups, f.Group)
		}
		mayBeZero := f.Unit == "%" || strings.HasPrefix(f.Name, "rows deleted") || strings.Contains(f.Unit, "CPU-ms") // the kernel counts in steps of 10 ms
		require.True(t, mayBeZero || f.Median() > 0, "%s %s is %v", f.Group, f.Name, f.Rounds)
	}
	require.ElementsMatch(t, []string{"R1", "R2", "R3", "R4", "R6", "cost"}, groups)
	var out bytes.Buffer
	require.NoError(t, figures.Print(&out))
	require.Contains(t, out.String(), "lives, 1 clients")
}

// TestALifeIsMeasuredAmongOrders fills few orders: it is the statements that must fit the schema.
func TestALifeIsMeasuredAmongOrders(t *testing.T) {
	t.Parallel()
	figures, err := Run(t.Context(), tiny(t, 2*time.Second, 150))
	require.NoError(t, err)
	require.Positive(t, figures.last("R1", "lives, 1 clients, among 150"))
	require.Positive(t, figures.last("cost", "WAL, 1 clients, among 150"))
}

// TestTheRequestLogIsMeasured has a life of each kind.
func TestTheRequestLogIsMeasured(t *testing.T) {
	t.Parallel()
	o := tiny(t, time.Second)
	o.RequestLog = true
	figures, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Positive(t, figures.last("cost", "WAL, 1 clients, with a request log ÷ without"))
	require.Zero(t, figures.last("cost", "requests kept by now, no request log"), "it went first")
	require.Positive(t, figures.last("cost", "requests kept by now, request log"))
}

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	var f Figures
	for _, v := range []float64{9, 1, 2} {
		f.add("R1", "lives", "/s", v)
	}
	require.InDelta(t, 2, f.All[0].Median(), 0)
	f.add("R1", "lives", "/s", 4)
	require.InDelta(t, 3, f.All[0].Median(), 0)
	require.InDelta(t, 4, f.last("R1", "lives"), 0)
}
