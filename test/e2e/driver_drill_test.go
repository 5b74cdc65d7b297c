//go:build drill

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// balancer is one address in front of several replicas. It asks another replica if one takes no connection. An answer that is cut off
// is 502 with the header cutOff.
type balancer struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	replicas []string
	turn     int
	under    map[string]int // requests that each replica has
}

const cutOff = "X-Cut-Off"

func newBalancer(t *testing.T) *balancer {
	b := &balancer{under: map[string]int{}, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for range 50 {
		replica := b.next()
		if replica == "" {
			break
		}
		res, text, err := b.pass(r, replica, body)
		if op, is := errors.AsType[*net.OpError](err); is && op.Op == "dial" {
			continue
		}
		if err != nil {
			w.Header().Set(cutOff, "true")
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		w.WriteHeader(res.StatusCode)
		_, _ = w.Write(text)
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}

func (b *balancer) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.replicas) == 0 {
		return ""
	}
	b.turn++
	return b.replicas[b.turn%len(b.replicas)]
}

func (b *balancer) pass(r *http.Request, replica string, body []byte) (*http.Response, []byte, error) {
	b.count(replica, 1)
	defer b.count(replica, -1)
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+replica+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = r.Header.Clone()
	res, err := b.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

func (b *balancer) count(replica string, by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under[replica] += by
}

// requests is how many a replica has now.
func (b *balancer) requests(replica string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.under[replica]
}

// in lets a replica have requests, out ends that and waits until it has none.
func (b *balancer) in(replica string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replicas = append(b.replicas, replica)
}

func (b *balancer) out(t *testing.T, replica string) {
	b.mu.Lock()
	b.replicas = slices.DeleteFunc(b.replicas, func(r string) bool { return r == replica })
	b.mu.Unlock()
	require.Eventually(t, func() bool { return b.requests(replica) == 0 }, waitTimeout, 5*time.Millisecond)
}

// drillReplica is one replica of the service, a process that is started again with another keyset.
type drillReplica struct {
	d              *drill
	address, admin string
	program        string // the build that runs
	process        *process
}

func (r *drillReplica) start(keyset string) {
	r.process = startProgram(r.d.t, r.program, []string{
		"DATABASE_URL=" + r.d.databaseURL, "SECRET_KEYSET=" + keyset, "PUBLIC_URL=" + r.d.front.url, "LISTEN_ADDR=" + r.address, "ADMIN_ADDR=" + r.admin,
		"LOG_LEVEL=warn", "DRAIN_DELAY=0s", "SHUTDOWN_TIMEOUT=20s", "CALLBACK_RATE=1000", "VISIBILITY_DELAY=5s",
	}, "run")
	require.Eventually(r.d.t, func() bool {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+r.admin+"/readyz", nil)
		require.NoError(r.d.t, err)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, waitTimeout, 10*time.Millisecond, "%s", r.process.cmd.Stderr)
	r.d.front.in(r.address)
}

// restart gives a replica another keyset, as a rolling update does.
func (r *drillReplica) restart(keyset string) {
	r.d.front.out(r.d.t, r.address)
	require.NoError(r.d.t, r.process.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(r.d.t, r.process.cmd.Wait(), "%s", r.process.cmd.Stderr)
	r.start(keyset)
}

// knows waits until the replica knows of every change of shops, keys and accounts.
func (r *drillReplica) knows(generation int64) {
	d := &dev{t: r.d.t}
	d.Admin = "http://" + r.admin
	eventually(r.d.t, func() bool {
		_, metrics := d.adminGet("/metrics")
		return strings.Contains(metrics, fmt.Sprintf("payrelay_directory_generation %d\n", generation))
	})
}

// drillShop takes notifications, and knows one webhook secret at a time.
type drillShop struct {
	url string

	mu      sync.Mutex
	webhook *standardwebhooks.Webhook
	refused int
	ended   map[string]string // the status of each order that a notification named as its end
}

func newDrillShop(t *testing.T) *drillShop {
	s := &drillShop{ended: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// learns makes the shop take what is signed with a secret, and nothing else.
func (s *drillShop) learns(t *testing.T, secret string) {
	webhook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhook = webhook
}

func (s *drillShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	var e struct {
		Order struct{ ID, Status string }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook.Verify(body, r.Header) != nil || json.Unmarshal(body, &e) != nil {
		s.refused++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.Order.Status == "succeeded" || e.Order.Status == "failed" {
		s.ended[e.Order.ID] = e.Order.Status
	}
}

// drillLoad is shops' calls at a steady rate.
type drillLoad struct {
	d     *drill
	key   atomic.Pointer[string]
	stop  context.CancelFunc
	calls sync.WaitGroup

	mu      sync.Mutex
	done    int
	cut     int      // calls that a kill cut off, and that were made again
	busy    int      // answers of a machine that is busy with other things; the calls were made again, as shops are told
	refused []string // answers that are none
	orders  []string
	slowest time.Duration
}

// begin makes 20 orders a second from now on, of both providers in turn.
func (l *drillLoad) begin() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.calls.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.calls.Go(func() { l.order(n) })
			}
		}
	})
	l.d.t.Cleanup(stop)
}

// end makes no more orders, and waits for the answers of the last ones.
func (l *drillLoad) end() {
	l.stop()
	l.calls.Wait()
}

// order makes an order and reads it.
func (l *drillLoad) order(n int) {
	reference := fmt.Sprint("drill-", n)
	body := direct(reference, 1000, cardMethod(cardSuccess), "")
	if n%2 == 1 {
		body = uah(reference, 1000, "")
	}
	made := l.call(http.MethodPost, "/v1/payments", body, reference)
	if made.ID == "" {
		return
	}
	read := l.call(http.MethodGet, "/v1/orders/"+made.ID, "", "")
	l.mu.Lock()
	l.orders = append(l.orders, made.ID)
	l.mu.Unlock()
	if n%2 == 1 && read.ProviderOrderID != "" {
		if err := l.d.simulators.UAPAY().Complete(read.ProviderOrderID, "success"); err != nil {
			l.note(err.Error())
		}
	}
}

func (l *drillLoad) note(refused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, refused)
}

// call makes one call, again if a kill cut it off, and wants an answer of 2xx.
func (l *drillLoad) call(method, path, body, idempotency string) (o full) {
	began, wasCut := time.Now(), false
	for {
		req, err := http.NewRequestWithContext(context.Background(), method, l.d.front.url+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header.Set("Authorization", "Bearer "+*l.key.Load())
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", idempotency)
		}
		status, text, repeat := l.send(req, wasCut)
		wasCut = wasCut || repeat
		if repeat && time.Since(began) < waitTimeout {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		l.mu.Lock()
		l.done++
		l.slowest = max(l.slowest, time.Since(began))
		l.mu.Unlock()
		if status/100 != 2 || json.Unmarshal(text, &o) != nil {
			l.note(fmt.Sprintf("%s %s: %d %s", method, path, status, text))
			return full{}
		}
		return o
	}
}

// send sends a request once. repeat says that a kill cut it off, or that what it began before is still under way.
func (l *drillLoad) send(req *http.Request, wasCut bool) (status int, text []byte, repeat bool) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, []byte(err.Error()), false
	}
	defer func() { _ = res.Body.Close() }()
	if text, err = io.ReadAll(res.Body); err != nil {
		return 0, []byte(err.Error()), false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case res.Header.Get(cutOff) != "":
		l.cut++
		return res.StatusCode, text, true
	case res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(text), "service_unavailable"):
		l.busy++
		return res.StatusCode, text, true
	}
	return res.StatusCode, text, wasCut && res.StatusCode == http.StatusConflict && strings.Contains(string(text), "idempotency_in_progress")
}
