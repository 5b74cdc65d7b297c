package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/store/storetest"
)

// dev is a running `server dev`, as a user would have it.
// waitTimeout is how long a test waits for what must come. It is no promise of the service: a machine that is busy with other
// things makes everything late, and only what never comes is wrong.
const waitTimeout = time.Minute

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

// startDev runs the real program on free ports, with a database of its own, and stops it when the test ends.
func startDev(t testing.TB, environ ...string) *dev {
	return startDevOn(t, storetest.URL(t), environ...)
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

// order is the part of an order that tests look at.
type order struct {
	ID              string `json:"id"`
	Kind            string `json:"kind"`
	Status          string `json:"status"`
	Reference       string `json:"reference"`
	Amount          int64  `json:"amount"`
	AmountCaptured  int64  `json:"amount_captured"`
	AmountRefunded  int64  `json:"amount_refunded"`
	ProviderOrderID string `json:"provider_order_id"`
	Sequence        int    `json:"sequence"`
	NextAction      *struct {
		Type   string            `json:"type"`
		URL    string            `json:"url"`
		Fields map[string]string `json:"fields"`
	} `json:"next_action"`
	Failure *struct {
		Category string `json:"category"`
		Code     string `json:"code"`
		Advice   string `json:"advice"`
	} `json:"failure"`
	PaymentMethod *struct {
		Masked string `json:"masked"`
	} `json:"payment_method"`
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

// create starts a hosted payment.
func (d *dev) create(reference string) order {
	d.t.Helper()
	var o order
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks",%s}`, reference, customer), &o)
	require.Equal(d.t, http.StatusCreated, res.StatusCode, "%+v", o)
	return o
}

// get reads an order.
func (d *dev) get(id string) order {
	d.t.Helper()
	var o order
	res := d.call(http.MethodGet, "/v1/orders/"+id, "", &o)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return o
}

// await waits until the order has the status.
func (d *dev) await(id, status string) order {
	d.t.Helper()
	var o order
	for deadline := time.Now().Add(waitTimeout); time.Now().Before(deadline); {
		// an answer of 503 is no end: the database may be on its way back
		if res, text := d.send(http.MethodGet, "/v1/orders/"+id, "", nil); res.StatusCode == http.StatusOK {
			require.NoError(d.t, json.Unmarshal(text, &o))
			if o.Status == status {
				return o
			}
		}
		pause := time.NewTimer(25 * time.Millisecond)
		<-pause.C
	}
	require.Equal(d.t, status, o.Status, "the order did not get there in %s", waitTimeout)
	return o
}

// history reads an order's transitions.
func (d *dev) history(id string) []string {
	d.t.Helper()
	var h struct {
		Data []struct {
			Sequence        int
			From, To, Cause string
		} `json:"data"`
	}
	res := d.call(http.MethodGet, "/v1/orders/"+id+"/transitions", "", &h)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	var steps []string
	for i, e := range h.Data {
		require.Equal(d.t, i+1, e.Sequence)
		steps = append(steps, e.To+" by "+e.Cause)
	}
	return steps
}

// control calls the simulator's control API.
func (d *dev) control(method, path string, body any) []byte {
	d.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(context.Background(), method, d.Sandbox+"/smartcore/control"+path, bytes.NewReader(text))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Less(d.t, res.StatusCode, 300, "%s %s: %s", method, path, answer)
	return answer
}

// callbacks turns the simulator's callbacks on one order off.
func (d *dev) fault(kind, endpoint, orderID string, more map[string]any) {
	f := map[string]any{"kind": kind, "endpoint": endpoint, "order_id": orderID}
	for k, v := range more {
		f[k] = v
	}
	d.control(http.MethodPost, "/faults", f)
}

// pay types a card into the provider's form as a browser without scripts would, and follows where it leads. acs is the
// button on the 3-D Secure page.
func (d *dev) pay(form, number, acs string) string {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(d.t, err)
	browser := &http.Client{Jar: jar}
	res := d.submit(browser, form, url.Values{"card_number": {number}, "card_expiry": {"12/30"}, "card_cvc": {"739"}, "card_holder": {"John Doe"}})
	if acs != "" {
		page, action := res.page, res.form
		require.Contains(d.t, page, "acs-"+acs)
		res = d.submit(browser, action, url.Values{"outcome": {acs}})
	}
	return res.page
}

type submitted struct{ page, form string }

func (d *dev) submit(browser *http.Client, to string, fields url.Values) submitted {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, strings.NewReader(fields.Encode()))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Less(d.t, res.StatusCode, 400, "%s", page)
	form := ""
	if _, rest, ok := strings.Cut(string(page), `action="`); ok {
		form, _, _ = strings.Cut(rest, `"`)
		u, err := res.Request.URL.Parse(form)
		require.NoError(d.t, err)
		form = u.String()
	}
	return submitted{string(page), form}
}

// notified lists what the demo shop received and verified about an order.
func (d *dev) notified(id string) []string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, strings.TrimRight(d.ShopPage, "/")+"/api/notifications", nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	type notification struct {
		Type     string `json:"type"`
		Sequence int    `json:"sequence"`
		OrderID  string `json:"order_id"`
		Verified bool   `json:"verified"`
	}
	var all struct {
		Data []notification `json:"data"`
	}
	require.NoError(d.t, json.Unmarshal(text, &all), "%s", text)
	slices.SortFunc(all.Data, func(a, b notification) int { return a.Sequence - b.Sequence })
	list := make([]string, 0, len(all.Data))
	for _, n := range all.Data {
		if n.OrderID == id {
			require.True(d.t, n.Verified)
			list = append(list, fmt.Sprintf("%d %s", n.Sequence, n.Type))
		}
	}
	return list
}
