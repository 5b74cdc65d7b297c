package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/localpg"
)

// BenchmarkOverload sends ten times what the service can do, at a fixed rate for a minute, and then half of what it can
// do. It reports the peak, what is done under overload, how soon it is well again, and how far the checks of orders fell
// behind. The peak is what clients that wait for their answers get in the second half of a minute, when the checks of the
// orders before have become part of the work.
//
// The service and its Postgres run on the first processor, the provider simulator and the shops on the others: what it costs
// the shops to send so much is not the service's to bear.
func BenchmarkOverload(b *testing.B) {
	const length = time.Minute
	d, databaseURL := startApart(b)
	conn, err := pgx.Connect(context.Background(), databaseURL)
	require.NoError(b, err)
	defer conn.Close(context.Background()) //nolint:errcheck // the benchmark is over
	late := func() (seconds float64) {
		require.NoError(b, conn.QueryRow(context.Background(),
			"SELECT coalesce(extract(epoch FROM now() - min(next_poll_at)), 0)::float8 FROM orders WHERE next_poll_at < now()").Scan(&seconds))
		return seconds
	}
	l := newLoad(d)
	peak := goodput(l.busy(length), length/2, length)
	lateAtPeak := late()
	b.ResetTimer()
	all := l.steady(10*peak, length, "EUR-sandbox", "EUR")
	under := goodput(all, 0, length)
	lateUnder := late()
	answers := map[int]int{} // 0: none in the client's time
	for _, o := range all {
		answers[o.status]++
	}
	b.Logf("answers by status: %v", answers)
	rejected := answers[http.StatusServiceUnavailable]
	lost := len(all) - rejected - answers[http.StatusCreated]
	const after = 20 * time.Second
	calm := l.steady(peak/2, after, "EUR-sandbox", "EUR")
	recovery := after
	for s := range int(after.Seconds()) {
		if goodput(calm, time.Duration(s)*time.Second, time.Duration(s+1)*time.Second) >= 0.95*peak/2 {
			recovery = time.Duration(s) * time.Second
			break
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(peak, "peak/s")
	b.ReportMetric(float64(len(all))/length.Seconds(), "sent/s")
	b.ReportMetric(under, "done/s")
	b.ReportMetric(under/peak, "ratio")
	b.ReportMetric(worst(all, length)/peak, "worst-5s-ratio")
	b.ReportMetric(float64(rejected)/length.Seconds(), "rejected/s")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(recovery.Seconds(), "recovery-s")
	b.ReportMetric(quantile(all, 0.99).Seconds(), "p99-s")
	b.ReportMetric(lateAtPeak, "checks-late-at-peak-s")
	b.ReportMetric(lateUnder, "checks-late-s")
	b.ReportMetric(late(), "checks-late-after-s")
}

// worst is the least that was done in any five seconds of a load.
func worst(all []requestOutcome, length time.Duration) float64 {
	const window = 5 * time.Second
	least := goodput(all, 0, window)
	for at := window; at+window <= length; at += window {
		least = min(least, goodput(all, at, at+window))
	}
	return least
}

// startApart runs the service and its durable Postgres on the first processor, and the simulator elsewhere.
func startApart(b *testing.B) (*dev, string) {
	ctx := context.Background()
	pg, err := localpg.Start(ctx, localpg.Options{Dir: b.TempDir(), Database: "payrelay"})
	require.NoError(b, err)
	b.Cleanup(func() { _ = pg.Stop(ctx) })
	conn, err := pgx.Connect(ctx, pg.URL())
	require.NoError(b, err)
	var backend int
	require.NoError(b, conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend))
	pin(b, parentOf(b, backend), "0") // what it starts from now on stays there too
	require.NoError(b, conn.Close(ctx))

	simulator := startProcess(b, nil, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error")
	sandbox := simulatorURL(b, simulator.line(b))
	service := startProcess(b, []string{"DATABASE_URL=" + pg.URL(), "GOMAXPROCS=1"}, "dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--shop", "127.0.0.1:0", "--data", b.TempDir(), "--external-sandbox", sandbox, "--log-level", "error")
	pin(b, service.cmd.Process.Pid, "0")
	rest := fmt.Sprintf("1-%d", max(1, runtime.NumCPU()-1))
	pin(b, simulator.cmd.Process.Pid, rest)
	pin(b, os.Getpid(), rest)
	d := &dev{t: b, log: &lockedBuffer{}}
	require.NoError(b, json.Unmarshal([]byte(service.line(b)), &d.Ready))
	d.Sandbox = sandbox
	return d, pg.URL()
}

// pin keeps a process and its threads on processors.
func pin(b *testing.B, pid int, processors string) {
	if runtime.NumCPU() < 2 {
		b.Fatal("this benchmark needs two processors: one for the service, one for its clients")
	}
	out, err := exec.CommandContext(context.Background(), "taskset", "-acp", processors, strconv.Itoa(pid)).CombinedOutput()
	require.NoError(b, err, "%s", out)
}

func parentOf(b *testing.B, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, rest, ok := strings.Cut(string(text), "\nPPid:")
	require.True(b, ok)
	line, _, _ := strings.Cut(rest, "\n")
	parent, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(b, err)
	return parent
}
