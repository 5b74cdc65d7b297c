package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestBreakerOpensOnTheProvidersFailuresOnly(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer srv.Close()
	registry := prometheus.NewRegistry()
	c := newClient(t, func(cfg *Config) {
		cfg.Registerer, cfg.BreakerFailures, cfg.BreakerDelay = registry, 3, time.Second
	})
	state := func(class Class) float64 {
		return breakerState(t, registry, class)
	}

	status.Store(422)
	for range 10 {
		_, err := c.Do(t.Context(), post(srv.URL))
		require.NoError(t, err, "a refusal is an answer")
	}
	require.Zero(t, state(ClassWrite))

	status.Store(503)
	for range 3 {
		_, err := c.Do(t.Context(), post(srv.URL))
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, state(ClassWrite))
	_, err := c.Do(t.Context(), post(srv.URL))
	kind, code := kindAndCode(t, err)
	require.Equal(t, gateway.KindNotSent, kind)
	require.Equal(t, "breaker_open", code)

	read := post(srv.URL)
	read.Class = ClassRead
	_, err = c.Do(t.Context(), read)
	require.NoError(t, err, "classes do not share a breaker")

	status.Store(200)
	require.Eventually(t, func() bool { _, err := c.Do(t.Context(), post(srv.URL)); return err == nil }, time.Minute, 10*time.Millisecond)
	require.Zero(t, state(ClassWrite), "one good answer closes it")

	status.Store(503)
	for range 3 {
		_, err := c.Do(t.Context(), post(srv.URL))
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, state(ClassWrite))
	require.Eventually(t, func() bool { return state(ClassWrite) == 0 }, time.Minute, 10*time.Millisecond, "a class without calls holds none back")
}

// A shop that asks for one thing again and again, and gets 500 for it, holds back nothing but that.
func TestAnOperationThatFailsHoldsNoOtherBack(t *testing.T) {
	t.Parallel()
	var balance atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/balance" {
			balance.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	registry := prometheus.NewRegistry()
	c := newClient(t, func(cfg *Config) {
		cfg.Registerer, cfg.BreakerFailures, cfg.BreakerDelay = registry, 3, 20*time.Millisecond
	})
	ask := func(operation, scope string) error {
		_, err := c.Do(t.Context(), Call{Operation: operation, Scope: scope, Class: ClassRead, Role: "gateway", Method: http.MethodPost, URL: srv.URL + "/" + operation})
		return err
	}
	for round := 0; balance.Load() < 6; round++ { // three that open the breaker and three trials
		if err := ask("balance", "one"); err != nil {
			_, code := kindAndCode(t, err)
			require.Equal(t, "breaker_open", code)
		}
		require.NoError(t, ask("check", ""), "round %d", round)
	}
	require.Eventually(t, func() bool { return ask("balance", "one") != nil && breakerState(t, registry, ClassRead) == 2 }, time.Minute, time.Millisecond,
		"the class is as its worst operation")
	require.NoError(t, ask("balance", "another"), "what one caller may not have says nothing of the others")
}

// A host that resets connections holds back the calls to it, and none to another: neither while it is left alone nor while a call to
// it is being tried.
func TestADeadHostHoldsNoOtherBack(t *testing.T) {
	t.Parallel()
	alive := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer alive.Close()
	arrived, hang := make(chan struct{}, 100), make(chan struct{})
	var hangs atomic.Bool
	dead := rawServer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		if hangs.Load() {
			arrived <- struct{}{}
			<-hang
		}
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	registry := prometheus.NewRegistry()
	c := newClient(t, func(cfg *Config) {
		cfg.Registerer, cfg.BreakerFailures, cfg.BreakerDelay, cfg.Timeout = registry, 3, time.Second, time.Minute
	})
	others := func(message string) {
		t.Helper()
		require.Zero(t, c.HeldBack(post(alive.URL)), message)
		_, err := c.Do(t.Context(), post(alive.URL))
		require.NoError(t, err, message)
	}
	for range 3 {
		_, err := c.Do(t.Context(), post(dead))
		kind, _ := kindAndCode(t, err)
		require.Equal(t, gateway.KindUnknown, kind)
		others("each host's failures are counted alone")
	}
	_, err := c.Do(t.Context(), post(dead))
	_, code := kindAndCode(t, err)
	require.Equal(t, "breaker_open", code)
	require.Positive(t, c.HeldBack(post(dead+"/of-another-account")), "who calls the same host is held back")
	others("the dead host is left alone")
	require.EqualValues(t, 2, breakerState(t, registry, ClassWrite), "the class is as its worst host")

	hangs.Store(true)
	require.Eventually(t, func() bool { return c.HeldBack(post(dead)) == 0 }, time.Minute, time.Millisecond)
	var tried sync.WaitGroup
	defer tried.Wait()
	defer close(hang)
	tried.Go(func() { _, _ = c.Do(context.Background(), post(dead)) })
	<-arrived
	require.Positive(t, c.HeldBack(post(dead)))
	others("the dead host is being tried")
}

// However a host is spelled, it has one breaker.
func TestHowAHostIsSpelled(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://API.Example.com/pay":     "api.example.com:443",
		"https://api.example.com:443/":    "api.example.com:443",
		"http://api.example.com/pay":      "api.example.com:80",
		"https://api.example.com:8443/":   "api.example.com:8443",
		"http://[2001:DB8::1]:8080/other": "[2001:db8::1]:8080",
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, hostPort(u), address)
	}
}

// The metric shows a provider that takes calls and never answers: one call is tried, and it hangs.
func TestTheBreakerOfAProviderThatHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer srv.Close()
	defer close(hang)
	registry := prometheus.NewRegistry()
	c := newClient(t, func(cfg *Config) {
		cfg.Registerer, cfg.BreakerFailures, cfg.BreakerDelay, cfg.Timeout = registry, 1, 1500*time.Millisecond, 1500*time.Millisecond // each state lasts so long that a busy machine sees it
	})
	_, err := c.Do(t.Context(), post(srv.URL))
	require.Error(t, err)
	var tried sync.WaitGroup
	defer tried.Wait()
	require.Eventually(t, func() bool { return breakerState(t, registry, ClassWrite) == 0 }, time.Minute, time.Millisecond)
	tried.Go(func() { _, _ = c.Do(context.Background(), post(srv.URL)) })
	require.Eventually(t, func() bool { return breakerState(t, registry, ClassWrite) == 1 }, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { return breakerState(t, registry, ClassWrite) == 2 }, time.Minute, time.Millisecond)
}

// breakerState is what is scraped.
func breakerState(t *testing.T, registry *prometheus.Registry, class Class) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "payrelay_provider_breaker_state" && strings.Contains(m.String(), `"`+string(class)+`"`) {
				return m.GetGauge().GetValue()
			}
		}
	}
	require.FailNow(t, "no such breaker")
	return 0
}

func TestBreakerIgnoresCallersWhoGoAway(t *testing.T) {
	t.Parallel()
	var cancel atomic.Value
	url := rawServer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		cancel.Load().(context.CancelFunc)()
		_, _ = io.Copy(io.Discard, c)
	})
	c := newClient(t, func(cfg *Config) { cfg.BreakerFailures = 1 })
	for range 3 {
		ctx, stop := context.WithCancel(t.Context())
		cancel.Store(stop)
		_, err := c.Do(ctx, post(url))
		require.ErrorIs(t, err, context.Canceled)
		_, code := kindAndCode(t, err)
		require.Equal(t, "canceled", code)
	}
}

func TestBulkheadRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var arrived atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Add(1)
		close(entered)
		<-release
	}))
	defer srv.Close()
	c := newClient(t, func(cfg *Config) { cfg.Concurrency, cfg.BulkheadWait, cfg.BreakerFailures = 1, time.Millisecond, 1 })
	done := make(chan error, 1)
	go func() { _, err := c.Do(context.Background(), post(srv.URL)); done <- err }()
	<-entered
	for range 3 {
		_, err := c.Do(t.Context(), post(srv.URL))
		kind, code := kindAndCode(t, err)
		require.Equal(t, gateway.KindNotSent, kind)
		require.Equal(t, "bulkhead_full", code, "and the breaker stays closed")
	}
	require.EqualValues(t, 1, testutil.ToFloat64(c.metrics.inFlight.WithLabelValues("testpay", "write")))
	close(release)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, arrived.Load())
	require.Zero(t, testutil.ToFloat64(c.metrics.inFlight.WithLabelValues("testpay", "write")))
}

// A host that takes calls and never answers fills its own bulkhead, and not that of another host of the same provider.
func TestAHostThatHangsLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 100), make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/check" {
			entered <- struct{}{}
			<-release
		}
	}))
	defer hangs.Close()
	alive := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer alive.Close()
	c := newClient(t, func(cfg *Config) { cfg.Timeout, cfg.BulkheadWait = time.Minute, time.Millisecond })
	var hanging sync.WaitGroup
	defer hanging.Wait()
	defer close(release)
	for range 64 {
		hanging.Go(func() { _, _ = c.Do(context.Background(), post(hangs.URL)) })
	}
	for range 64 {
		<-entered
	}
	_, err := c.Do(t.Context(), post(hangs.URL+"/of-another-account"))
	kind, code := kindAndCode(t, err)
	require.Equal(t, gateway.KindNotSent, kind)
	require.Equal(t, "bulkhead_full", code)
	_, err = c.Do(t.Context(), post(alive.URL))
	require.NoError(t, err, "the host of another account")
	read := post(hangs.URL + "/check")
	read.Class = ClassRead
	_, err = c.Do(t.Context(), read)
	require.NoError(t, err, "another class of calls to the host that hangs")
}

// Who asks beforehand learns for how long calls are held back; afterwards one caller at a time is told to go on.
func TestHeldBackTellsBeforeACall(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(500)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer srv.Close()
	c := newClient(t, func(cfg *Config) { cfg.BreakerFailures, cfg.BreakerDelay = 1, 100*time.Millisecond })
	call := post(srv.URL)
	for range 3 {
		require.Zero(t, c.HeldBack(call), "a provider that works holds nobody back")
	}
	_, err := c.Do(t.Context(), call)
	require.NoError(t, err)
	require.Positive(t, c.HeldBack(call))
	require.LessOrEqual(t, c.HeldBack(call), 100*time.Millisecond)
	other := call
	other.Operation = "balance"
	require.Zero(t, c.HeldBack(other))
	_, err = c.Do(t.Context(), call)
	var held *gateway.Error
	require.ErrorAs(t, err, &held)
	require.Positive(t, held.RetryAfter, "and who did not ask is told with the refusal")

	require.Eventually(t, func() bool { return c.HeldBack(call) == 0 }, time.Minute, time.Millisecond, "the delay has passed")
	var let atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if c.HeldBack(call) == 0 {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, let.Load(), int64(1), "one trial is let through, and the rest of the crowd is not") // a second may pass on a busy machine
	status.Store(200)
	require.Eventually(t, func() bool { _, err := c.Do(t.Context(), call); return err == nil }, time.Minute, time.Millisecond)
	require.Zero(t, c.HeldBack(call))
}
