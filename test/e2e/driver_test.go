package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/store/storetest"
)

// allConnections lets the service have as many connections as in production.
const allConnections = "DATABASE_POOL=20"

// waitTimeout is how long a test waits for what must come. It is no promise of the service: a machine that is busy with other
// things makes everything late, and only what never comes is wrong.
const waitTimeout = time.Minute

// dev is a running `server dev`, as a user would have it.
type dev struct {
	app.Ready
	t    testing.TB
	log  *lockedBuffer
	stop context.CancelFunc
	done chan int
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startDev runs the real program on free ports, with a database of its own, and stops it when the test ends. It has few connections: each
// costs Postgres a process, and a plan of each statement. A test of what happens at once gives it allConnections.
func startDev(t testing.TB, environ ...string) *dev {
	return startDevOn(t, storetest.URL(t), append([]string{"DATABASE_POOL=5"}, environ...)...)
}

func startDevOn(t testing.TB, databaseURL string, environ ...string) *dev {
	return startDevWith(t, databaseURL, environ)
}

// startDevWith gives `server dev` more options.
func startDevWith(t testing.TB, databaseURL string, environ []string, options ...string) *dev {
	ctx, stop := context.WithCancel(context.Background())
	d := &dev{t: t, log: &lockedBuffer{}, stop: stop, done: make(chan int, 1)}
	in, out := io.Pipe()
	environ = append([]string{"DATABASE_URL=" + databaseURL, "LOG_LEVEL=trace"}, environ...)
	go func() {
		d.done <- app.Execute(ctx, append([]string{
			"dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0",
			"--data", t.TempDir(), "--log-level", "trace",
		}, options...), &app.Streams{Out: out, Err: d.log, Environ: environ})
		_ = out.Close()
	}()
	t.Cleanup(d.close)
	line, err := bufio.NewReader(in).ReadBytes('\n')
	require.NoError(t, err, "dev did not become ready: %s", d.log)
	require.NoError(t, json.Unmarshal(line, &d.Ready))
	require.True(t, d.Ready.Ready)
	return d
}

// with returns d for a subtest.
func (d *dev) with(t *testing.T) *dev {
	sub := *d
	sub.t = t
	return &sub
}

func (d *dev) close() {
	d.stop()
	select {
	case <-d.done:
	case <-time.After(waitTimeout):
		d.t.Error("dev did not stop")
	}
}

const customer = `"customer":{"first_name":"John","last_name":"Doe","email":"john.canary@example.com","phone":"+442079460612","ip":"127.0.0.1",
	"address":{"line":"10 Downing Street","city":"London","postal_code":"SW1A 2AA","country":"GB"}}`

// call makes a request to the merchant API as the demo shop and decodes the answer into into.
func (d *dev) call(method, path, body string, into any) *http.Response {
	d.t.Helper()
	res, text := d.raw(method, path, body, nil)
	if into != nil {
		require.NoError(d.t, json.Unmarshal(text, into), "%s", text)
	}
	return res
}

// raw is send, and again while the service is not available, as shops are told to do: on a busy machine the database may
// not be there in time.
func (d *dev) raw(method, path, body string, header http.Header) (*http.Response, []byte) {
	d.t.Helper()
	for deadline := time.Now().Add(waitTimeout); ; time.Sleep(100 * time.Millisecond) {
		res, text := d.send(method, path, body, header)
		if res.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return res, text
		}
	}
}

// send makes one request to the merchant API as the demo shop, whatever the answer.
func (d *dev) send(method, path, body string, header http.Header) (*http.Response, []byte) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, d.API+path, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.ShopKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res, text
}

// eventually waits for a condition. It asks at once, and then the less often the longer it waits: on a busy machine those who ask take
// the time of those who work.
func eventually(t testing.TB, ok func() bool, message ...any) {
	t.Helper()
	for began := time.Now(); !ok(); {
		waited := time.Since(began)
		if waited > waitTimeout {
			require.Fail(t, "what was waited for did not come", message...)
		}
		time.Sleep(min(25*time.Millisecond+waited/8, 250*time.Millisecond))
	}
}

// asServer makes this test binary be the program, for tests that kill it.
const asServer = "PAYRELAY_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(app.Main())
	}
	storetest.MoreAtOnce()
	os.Exit(m.Run())
}

// process is the program as a process of its own.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func startProcess(t testing.TB, environ []string, args ...string) *process {
	return startProgram(t, os.Args[0], environ, args...)
}

// startProgram is startProcess with another build of the program.
func startProgram(t testing.TB, program string, environ []string, args ...string) *process {
	cmd := exec.CommandContext(context.Background(), program, args...) //nolint:gosec // a build of the program
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

func simulatorURL(t testing.TB, line string) string {
	_, rest, ok := strings.Cut(line, "http://")
	require.True(t, ok, line)
	return "http://" + strings.TrimSpace(rest)
}

// swift makes the simulator take no time of its own, which no document speaks of.
func (d *dev) swift() {
	d.control(http.MethodPost, "/settings", map[string]any{"processing_ms": 10, "withdrawal_ms": 10, "export_pending_polls": 0})
}

// startReplica runs another server on the database and the simulators of d. Both tell the other's demo shop from now on.
func startReplica(t *testing.T, d *dev, environ ...string) *dev {
	ctx, stop := context.WithCancel(context.Background())
	r := &dev{t: t, log: &lockedBuffer{}, stop: stop, done: make(chan int, 1)}
	in, out := io.Pipe()
	go func() {
		r.done <- app.Execute(ctx, []string{
			"dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--shop", "127.0.0.1:0", "--external-sandbox", d.Sandbox,
			"--data", t.TempDir(), "--log-level", "error",
		}, &app.Streams{Out: out, Err: r.log, Environ: append([]string{"DATABASE_URL=" + d.DatabaseURL}, environ...)})
		_ = out.Close()
	}()
	t.Cleanup(r.close)
	line, err := bufio.NewReader(in).ReadBytes('\n')
	require.NoError(t, err, "the replica did not become ready: %s", r.log)
	require.NoError(t, json.Unmarshal(line, &r.Ready))
	r.Sandbox, d.ShopPage = d.Sandbox, r.ShopPage
	return r
}

// command runs one command line and returns what it printed.
func command(environ []string, args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = app.Execute(context.Background(), args, &app.Streams{Out: &o, Err: &e, Environ: environ})
	return code, o.String(), e.String()
}

// service is a running `server run`.
type service struct {
	app.Ready
	log  *lockedBuffer
	stop func() int
}

// startService runs the service as in production, on free ports.
func startService(t *testing.T, environ ...string) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{log: &lockedBuffer{}}
	done := make(chan int, 1)
	for _, usual := range []string{"PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "LOG_LEVEL=info", "DRAIN_DELAY=0s", "SHUTDOWN_TIMEOUT=5s"} {
		name, _, _ := strings.Cut(usual, "=")
		if !slices.ContainsFunc(environ, func(given string) bool { return strings.HasPrefix(given, name+"=") }) {
			environ = append(environ, usual)
		}
	}
	go func() {
		done <- app.Execute(ctx, []string{"run"}, &app.Streams{Out: io.Discard, Err: s.log, Environ: environ})
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-done:
			return code
		case <-time.After(waitTimeout):
			return -1
		}
	})
	t.Cleanup(func() { s.stop() })
	serving := regexp.MustCompile(`"api":"([^"]+)","admin":"([^"]+)"[^\n]*"message":"serving"`)
	var addresses []string
	require.Eventually(t, func() bool { addresses = serving.FindStringSubmatch(s.log.String()); return addresses != nil }, waitTimeout, 5*time.Millisecond, "%s", s.log)
	s.API, s.Admin = addresses[1], addresses[2]
	return s
}

func (d *dev) problem(method, path, body string, header http.Header, status int, code string) {
	d.t.Helper()
	res, text := d.raw(method, path, body, header)
	require.Equal(d.t, status, res.StatusCode, "%s", text)
	require.Contains(d.t, res.Header.Get("Content-Type"), "application/problem+json")
	require.Contains(d.t, string(text), fmt.Sprintf("%q", code))
}

// otherShop makes a second shop and returns the header of its key.
func (d *dev) otherShop() http.Header {
	d.t.Helper()
	var out bytes.Buffer
	code := app.Execute(context.Background(), []string{"shop", "create", "other", "--json"},
		&app.Streams{Out: &out, Err: d.log, Environ: []string{"DATABASE_URL=" + d.DatabaseURL}})
	require.Zero(d.t, code, "%s", d.log)
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(d.t, json.Unmarshal(out.Bytes(), &made))
	return http.Header{"Authorization": {"Bearer " + made.Key}}
}

// of returns the dev as another shop uses it, which may use the accounts.
func (d *dev) of(shop string, accounts ...string) *dev {
	d.t.Helper()
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(d.t, json.Unmarshal([]byte(d.operator("shop", "create", shop, "--json")), &made))
	for _, account := range accounts {
		d.operator("account", "link", account, "--shop", shop)
	}
	other := *d
	other.ShopKey = made.Key
	return &other
}

// foreign makes a paid payment of another program with the same merchant key.
func (d *dev) foreign() { d.paidElsewhere("of-another-program", 900, "") }

// paidElsewhere makes a payment that another program asks the provider for, with the same merchant key, and waits until it ends. more is
// put in front of its members.
func (d *dev) paidElsewhere(id string, amount int64, more string) simulatorOrder {
	d.t.Helper()
	body := `{` + more + fmt.Sprintf(`"order_id":%q,"amount":%d,`, id, amount) + `"account":"EUR-sandbox","currency":"EUR","customer_ip_address":"127.0.0.1",
		"customer_first_name":"J","customer_last_name":"D","customer_address":"x","customer_city":"London","customer_zip_code":"SW1A 2AA",
		"customer_country":"GBR","customer_phone":"+442079460612","customer_email":"j@example.com","merchant_site":"https://x.example",
		"card_holder":"J D","card_number":"` + cardSuccess + `","card_exp_month":"12","card_exp_year":"30","card_cvv":"123"}`
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.Sandbox+"/smartcore/pci/initPaymentHost2Host", strings.NewReader(body))
	require.NoError(d.t, err)
	req.SetBasicAuth("test", "qwerty")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, http.StatusOK, res.StatusCode, "%s", text)
	var made simulatorOrder
	eventually(d.t, func() bool {
		made = d.simulator(id)
		return made.Status == 2 || made.Status == -1
	})
	return made
}
