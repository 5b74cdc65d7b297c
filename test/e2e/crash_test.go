package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/localpg"
	"payrelay/internal/store/storetest"
)

// asServer makes this test binary be the program, for tests that kill it.
const asServer = "PAYRELAY_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(app.Main())
	}
	// Tests mostly wait, for callbacks, checks and browsers: more of them than processors may run.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))) // a number is never refused
	}
	os.Exit(m.Run())
}

// process is the program as a process of its own.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func startProcess(t testing.TB, environ []string, args ...string) *process {
	cmd := exec.CommandContext(context.Background(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asServer+"=1"), environ...)
	cmd.Stderr = &lockedBuffer{}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{cmd, bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) line(t testing.TB) string {
	line, err := p.out.ReadString('\n')
	require.NoError(t, err, "%s", p.cmd.Stderr)
	return line
}

// The server is killed after the provider has taken the order and before its answer is written down. After a restart
// the order ends as the provider says.
func TestKilledBetweenTheProvidersAnswerAndTheCommit(t *testing.T) {
	t.Parallel()
	simulator := startProcess(t, nil, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error")
	sandboxURL := simulatorURL(t, simulator.line(t))
	databaseURL := storetest.URL(t)
	data := t.TempDir()
	start := func() (*process, *dev) {
		p := startProcess(t, []string{"DATABASE_URL=" + databaseURL}, "dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
			"--shop", "127.0.0.1:0", "--data", data, "--external-sandbox", sandboxURL)
		d := &dev{t: t}
		require.NoError(t, json.Unmarshal([]byte(p.line(t)), &d.Ready))
		d.Sandbox = sandboxURL
		return p, d
	}

	server, d := start()
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "delay_after", "endpoint": "initPayment", "delay_ms": 120000, "count": 1})
	go func() { // the answer never comes: the server dies first
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.API+"/v1/payments",
			strings.NewReader(fmt.Sprintf(`{"reference":"crash-1","amount":1000,"currency":"EUR",%s}`, customer)))
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+d.ShopKey)
			req.Header.Set("Content-Type", "application/json")
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}
	}()
	var id string
	require.Eventually(t, func() bool { // the provider has the order
		if list := d.simulatorOrders(); len(list) == 1 {
			id = list[0]
		}
		return id != ""
	}, waitTimeout, 10*time.Millisecond)
	server.kill()

	_, d = start()
	var found struct {
		Data []order `json:"data"`
	}
	d.call(http.MethodGet, "/v1/orders?reference=crash-1", "", &found)
	require.Len(t, found.Data, 1, "the order was written down before it was sent")
	require.Equal(t, id, found.Data[0].ProviderOrderID)
	d.control(http.MethodPost, "/orders/"+id+"/complete", map[string]any{"outcome": "success"})
	end := d.await(found.Data[0].ID, "succeeded")
	require.EqualValues(t, 1000, end.AmountCaptured)

	// the shop repeats its request, as it should, and gets the same order; the provider has one order
	repeated := order{}
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"crash-1","amount":1000,"currency":"EUR",%s}`, customer), &repeated)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, end.ID, repeated.ID)
	require.Len(t, d.simulatorOrders(), 1)
}

// simulatorOrders lists the ids of the provider's orders.
func (d *dev) simulatorOrders() (ids []string) {
	d.t.Helper()
	var list struct {
		Orders []struct {
			OrderID string `json:"order_id"`
		} `json:"orders"`
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders", nil), &list))
	for _, o := range list.Orders {
		ids = append(ids, o.OrderID)
	}
	return ids
}

func simulatorURL(t testing.TB, line string) string {
	_, rest, ok := strings.Cut(line, "http://")
	require.True(t, ok, line)
	return "http://" + strings.TrimSpace(rest)
}

func TestADatabaseThatIsDownIsSaidAndRecoveredFrom(t *testing.T) {
	t.Parallel()
	pg, err := localpg.Start(context.Background(), localpg.Options{Dir: t.TempDir(), Database: "payrelay"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pg.Stop(context.Background()) })
	d := startDevOn(t, pg.URL())
	o := d.create("before-1")
	require.NoError(t, pg.Kill())

	res, text := d.send(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"during-1","amount":1000,"currency":"EUR",%s}`, customer), nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "%s", text)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.Equal(t, http.StatusServiceUnavailable, d.adminStatus("/readyz"))
	require.Equal(t, http.StatusOK, d.adminStatus("/healthz"))
	d.pay(o.NextAction.URL, cardSuccess, "") // its callback meets the outage

	require.NoError(t, pg.Restart(context.Background()))
	d.await(o.ID, "succeeded")
	require.Eventually(t, func() bool { return d.adminStatus("/readyz") == http.StatusOK }, waitTimeout, 50*time.Millisecond)
	require.Eventually(t, func() bool { // connections from before the outage are found dead one by one
		res, _ := d.send(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"after-1","amount":1000,"currency":"EUR",%s}`, customer), nil)
		return res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusOK
	}, waitTimeout, 100*time.Millisecond)
}

func (d *dev) adminStatus(path string) int {
	status, _ := d.adminGet(path)
	return status
}

func (d *dev) adminGet(path string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, d.Admin+path, nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode, string(text)
}
