package e2e

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

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

// A payment of 100.00 is refunded a thousand times at once, through two servers.
func TestAThousandRefundsThroughTwoServersNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	p := d.paid("thousand", 10000, "")
	var next, accepted atomic.Int64
	var mu sync.Mutex
	odd := map[string]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for n := next.Add(1); n <= 1000; n = next.Add(1) {
				amount := 1 + rand.Int64N(2500) //nolint:gosec // any sum will do
				body := refund(fmt.Sprintf("thousand-%d", n), amount)
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, replicas[n%2].API+refundsOf(p), strings.NewReader(body))
				if err != nil {
					panic(err)
				}
				req.Header.Set("Authorization", "Bearer "+d.ShopKey)
				req.Header.Set("Content-Type", "application/json")
				res, err := client.Do(req)
				if err != nil {
					panic(err)
				}
				var said refusal
				_ = json.NewDecoder(res.Body).Decode(&said)
				_ = res.Body.Close()
				switch {
				case res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusAccepted:
					accepted.Add(amount)
				case said.Code != "refund_in_progress" && said.Code != "refund_exceeds_captured" && said.Code != "service_unavailable":
					mu.Lock()
					odd[fmt.Sprintf("%d %s", res.StatusCode, said.Code)]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, odd)
	require.Positive(t, accepted.Load())
	require.LessOrEqual(t, accepted.Load(), int64(10000))
	require.Eventually(t, func() bool { return d.full(p.ID).AmountRefunded == accepted.Load() }, waitTimeout, 50*time.Millisecond)
	require.Equal(t, accepted.Load(), d.simulator(p.ProviderOrderID).Refunded, "the provider gave back what we say")
}

// callbackTarget is where the provider calls back for an account.
func (d *dev) callbackTarget(account string) string {
	d.t.Helper()
	pool, err := pgxpool.New(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer pool.Close()
	keyring, err := secrets.Open(secrets.DemoKeyset)
	require.NoError(d.t, err)
	accounts, err := store.New(pool, store.Options{Keyring: keyring}).Accounts(context.Background())
	require.NoError(d.t, err)
	i := slices.IndexFunc(accounts, func(a payment.Account) bool { return a.Name == account })
	require.GreaterOrEqual(d.t, i, 0)
	return "/callbacks/smartcore/" + accounts[i].CallbackToken.Reveal()
}

// signedEvent is a callback about an order, by smartcore.md 10 and 11, with some of its fields changed.
func signedEvent(orderID string, changed map[string]string) string {
	fields := map[string]string{
		"amount": "1000", "authorize_status": "null", "cascadeErrors": "null", "currency": "EUR", "eci": "05", "finalAmount": "1000", "firstName": "John",
		"isTrustedTransaction": "false", "lastName": "Doe", "message": "null", "orderId": orderID, "rrn": "318513456789", "status": "2", "type": "Payment",
	}
	maps.Copy(fields, changed)
	values, form := []string{}, url.Values{}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		values = append(values, fields[k])
		form.Set(k, fields[k])
	}
	mac := hmac.New(sha256.New, []byte("qwerty"))
	mac.Write([]byte(strings.Join(values, "|")))
	form.Set("sign", hex.EncodeToString(mac.Sum(nil)))
	return form.Encode()
}

// deliver posts a callback and returns the status of the answer.
// deliver posts a callback as the provider does: again while it is not taken. It returns the last answer's status.
func deliver(target, body string) int {
	for deadline := time.Now().Add(waitTimeout); ; time.Sleep(100 * time.Millisecond) {
		status := deliverOnce(target, body)
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return status
		}
	}
}

func deliverOnce(target, body string) int {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// rejectedNothing requires that no request was rejected so far.
func (d *dev) rejectedNothing() {
	d.t.Helper()
	_, text := d.adminGet("/metrics")
	require.Contains(d.t, text, "payrelay_http_rejected_requests_total")
	require.NotRegexp(d.t, `payrelay_http_rejected_requests_total\S* [1-9]`, text)
}

// Strangers who send half a request each do not keep the providers out.
func TestHalfSentBodiesKeepNoCallbackOut(t *testing.T) {
	t.Parallel()
	d := startDevOn(t, storetest.URL(t))
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	o := d.create("half-sent")
	target := d.callbackTarget("EUR-sandbox")
	for range 60 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(d.API, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "POST /callbacks/smartcore/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na=")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		_, text := d.adminGet("/metrics")
		return strings.Contains(text, "payrelay_http_in_flight_requests 60")
	}, waitTimeout, 50*time.Millisecond, "they have not come")
	require.Equal(t, http.StatusOK, deliver(d.API+target, signedEvent(o.ProviderOrderID, nil)))
	d.rejectedNothing()
	d.await(o.ID, "succeeded")
}

func TestTheSameCallbackFiftyTimesAtOnce(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	o := d.create("fifty")
	target, body := d.callbackTarget("EUR-sandbox"), signedEvent(o.ProviderOrderID, nil)
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			status := deliver(replicas[i%2].API+target, body)
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{http.StatusOK: 50}, answers)
	for _, r := range replicas {
		r.rejectedNothing()
	}
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback")
	require.Equal(t, []string{"apply"}, d.verdicts(o.ID), "it is kept once")
	require.EqualValues(t, 1000, d.full(o.ID).AmountCaptured)
}

// Five callbacks of one payment arrive in each of the 120 orders, some at once. They all end in the same state.
func TestFiveCallbacksInEveryOrderEndTheSame(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	target := d.callbackTarget("EUR-sandbox")
	events := []map[string]string{
		{"status": "0", "finalAmount": "0", "rrn": "null"},
		{"status": "1", "finalAmount": "0", "rrn": "null"},
		{"status": "1", "rrn": "318513456789"},
		{"status": "2"},
		{"status": "2", "message": "settled"},
	}
	var wg sync.WaitGroup
	type end struct {
		id string
		ok bool
	}
	ends := make(chan end, 120)
	limit := make(chan struct{}, 8)
	for n, order := range permutations(5) {
		o := d.create(fmt.Sprintf("five-%d", n))
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			ok := true
			for i, e := range order {
				ok = deliver(replicas[(n+i)%2].API+target, signedEvent(o.ProviderOrderID, events[e])) == http.StatusOK && ok
			}
			ends <- end{o.ID, ok}
		})
	}
	wg.Wait()
	close(ends)
	count := 0
	for e := range ends {
		count++
		require.True(t, e.ok, "every callback is acknowledged")
		o := d.full(e.id)
		require.Equal(t, "succeeded", o.Status)
		require.EqualValues(t, 1000, o.AmountCaptured)
		history := d.history(e.id)
		require.Equal(t, "succeeded by callback", history[len(history)-1])
		require.Len(t, history, o.Sequence)
	}
	require.Equal(t, 120, count)
	require.NotContains(t, d.operator("order", "list", "--older", "0s"), "contradicts")
}

func permutations(n int) (all [][]int) {
	var build func(left, taken []int)
	build = func(left, taken []int) {
		if len(left) == 0 {
			all = append(all, taken)
		}
		for i := range left {
			build(slices.Concat(left[:i], left[i+1:]), append(slices.Clone(taken), left[i]))
		}
	}
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	build(left, nil)
	return all
}
