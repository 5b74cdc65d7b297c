package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func newClient(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{Provider: "testpay", Log: zerolog.Nop(), Registerer: prometheus.NewRegistry(), Timeout: 2 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c := New(cfg)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func post(url string) Call {
	return Call{Operation: "pay", Class: ClassWrite, Role: "gateway", Method: http.MethodPost, URL: url, Body: []byte(`{"a":1}`)}
}

func kindAndCode(t *testing.T, err error) (gateway.ErrorKind, string) {
	t.Helper()
	var e *gateway.Error
	require.ErrorAs(t, err, &e)
	return e.Kind, e.Code
}

// rawServer answers each connection with serve.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer func() { _ = conn.Close() }(); serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return "http://" + l.Addr().String() + "/pay"
}

func TestDoAnswersOfAnyStatusAreResponses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 400, 401, 404, 500, 502} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "%s %s", r.URL.Path, body)
		}))
		resp, err := newClient(t, nil).Do(t.Context(), post(srv.URL+"/pay"))
		srv.Close()
		require.NoError(t, err)
		require.Equal(t, status, resp.Status)
		require.Equal(t, `/pay {"a":1}`, string(resp.Body), "no redirect was followed")
	}
}

func TestDoNothingSent(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())
	strangers := httptest.NewTLSServer(http.NotFoundHandler())
	defer strangers.Close()
	plain := rawServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 10)); _, _ = c.Write([]byte("HTTP/1.1 400 Bad\r\n\r\n")) })
	noAnswer := rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	gone, cancel := context.WithCancel(t.Context())
	cancel()

	for name, tc := range map[string]struct {
		ctx  context.Context
		url  string
		code string
	}{
		"refused connection":     {t.Context(), refused, "refused"},
		"unknown host":           {t.Context(), "http://payrelay.invalid", "dns"},
		"untrusted certificate":  {t.Context(), strangers.URL, "tls"},
		"no TLS there":           {t.Context(), strings.Replace(plain, "http:", "https:", 1), "tls"},
		"TLS handshake timeout":  {t.Context(), strings.Replace(noAnswer, "http:", "https:", 1), "timeout"},
		"context was over":       {gone, refused, "not_sent"},
		"no such scheme or host": {t.Context(), "ftp://x", "request"},
	} {
		c := newClient(t, func(cfg *Config) {
			cfg.Timeout, cfg.AnyHost = 20*time.Second, true
			if tc.code == "timeout" {
				cfg.TLSTimeout = 100 * time.Millisecond
			}
		})
		_, err := c.Do(tc.ctx, post(tc.url))
		kind, code := kindAndCode(t, err)
		if tc.code == "request" {
			require.Equal(t, gateway.KindInvalid, kind, name)
		} else {
			require.Equal(t, gateway.KindNotSent, kind, name)
		}
		require.Equal(t, tc.code, code, name)
		require.NotContains(t, err.Error(), "127.0.0.1", name)
	}
}

func TestDoUnknownOnceSomethingWasWritten(t *testing.T) {
	t.Parallel()
	readRequest := func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			_, _ = io.Copy(io.Discard, req.Body)
		}
	}
	for name, tc := range map[string]struct {
		serve func(net.Conn)
		code  string
	}{
		"no answer": {func(c net.Conn) { readRequest(c); _, _ = io.Copy(io.Discard, c) }, "timeout"},
		"closed":    {readRequest, "cut_off"},
		"reset":     {func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }, "reset"},
		"half an answer": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"sta")
		}, "cut_off"},
		"garbage": {func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "\x00\x01\x02 nonsense\r\n\r\n") }, "network"},
		"body never ends": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
			_, _ = io.Copy(io.Discard, c)
		}, "timeout"},
		"too much is sent": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", DefaultMaxResponse+1))
		}, "answer_too_large"},
	} {
		// Only where the time is to run out may it be short: a busy machine takes its own for the rest.
		timeout := 10 * time.Second
		if tc.code == "timeout" {
			timeout = 500 * time.Millisecond
		}
		c := newClient(t, func(cfg *Config) { cfg.Timeout = timeout })
		resp, err := c.Do(t.Context(), post(rawServer(t, tc.serve)))
		kind, code := kindAndCode(t, err)
		require.Equal(t, gateway.KindUnknown, kind, name)
		require.Equal(t, tc.code, code, name)
		require.Zero(t, resp, name)
	}
}

func TestDoExactlyTheLimitIsFine(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
	}))
	defer srv.Close()
	call := post(srv.URL)
	call.MaxResponse = 100
	resp, err := newClient(t, nil).Do(t.Context(), call)
	require.NoError(t, err)
	require.Len(t, resp.Body, 100)
	call = post(srv.URL)
	call.MaxResponse = 99
	_, err = newClient(t, nil).Do(t.Context(), call)
	require.Error(t, err)
}

func TestDoHonoursCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := rawServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); cancel(); _, _ = io.Copy(io.Discard, c) })
	_, err := newClient(t, nil).Do(ctx, post(url))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, gateway.KindUnknown, gateway.KindOf(err))
}

// A keep-alive connection that the server closes as the next request arrives is where net/http is tempted to send again.
// The server counts requests over many rounds: none may arrive twice, and none may be called not sent after it arrived.
func TestDoNeverSendsTwiceOverStaleConnections(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	url := rawServer(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for i := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			arrived.Add(1)
			if i == 1 {
				return // the second request on a connection gets no answer
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	for _, call := range []Call{post(url), {Operation: "pay", Class: ClassWrite, Method: http.MethodPost, URL: url}} {
		c, unanswered := newClient(t, func(cfg *Config) { cfg.BreakerFailures = 1000 }), 0
		for i := range 40 {
			before := arrived.Load()
			call.Body = bytes.Clone([]byte(`{"a":1}`))[:len(call.Body)]
			_, err := c.Do(t.Context(), call)
			require.EqualValues(t, before+1, arrived.Load(), "round %d", i)
			if err != nil { // every second one, unless its connection was not back in time and another was opened
				unanswered++
				require.Equal(t, gateway.KindUnknown, gateway.KindOf(err), "round %d", i)
			}
		}
		require.NotZero(t, unanswered)
	}
}

// late is a context whose time is over and whose timer has not fired, as in a process that was stopped meanwhile.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestDoSendsNothingAfterItsTime(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	t.Cleanup(server.Close)
	c := newClient(t, nil)
	_, err := c.Do(t.Context(), post(server.URL))
	require.NoError(t, err)
	_, err = c.Do(late{t.Context()}, post(server.URL)) // over the same connection: there is no dial to fail
	require.Equal(t, gateway.KindNotSent, gateway.KindOf(err))
	require.EqualValues(t, 1, arrived.Load())

	body := newBody([]byte("money")) // which was stopped between that look and this one
	body.until = time.Now().Add(-time.Millisecond)
	text, err := io.ReadAll(body)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, text)
}

// The server closes each connection right after its answer: the next request finds it stale or not, by chance. Whatever
// is called not sent did not arrive.
func TestDoNotSentIsTrueOverClosingConnections(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	url := rawServer(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		arrived.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	})
	c := newClient(t, func(cfg *Config) { cfg.BreakerFailures = 100000 })
	for range 300 {
		before := arrived.Load()
		_, err := c.Do(t.Context(), post(url))
		switch {
		case err == nil:
			require.EqualValues(t, before+1, arrived.Load())
		case gateway.KindOf(err) == gateway.KindNotSent:
			require.EqualValues(t, before, arrived.Load(), "called not sent, but it arrived")
		}
		require.LessOrEqual(t, arrived.Load(), before+1, "arrived twice")
	}
}

func TestDoRefusesHeadersThatAllowReplay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Idempotency-Key", "x-idempotency-key"} {
		call := post("http://127.0.0.1:1")
		call.Header = http.Header{name: {"k"}}
		_, err := newClient(t, nil).Do(t.Context(), call)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	}
	req, err := newClient(t, nil).newRequest(post("http://127.0.0.1:1"), newBody([]byte("x")))
	require.NoError(t, err)
	require.Nil(t, req.GetBody, "a body that can be rewound would be sent again")
}

func TestDoWipesTheBody(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer srv.Close()
	for name, url := range map[string]string{"sent": srv.URL, "refused": "http://127.0.0.1:1", "invalid": "ftp://x"} {
		body := []byte(`{"card_number":"4012000000003010"}`)
		call := post(url)
		call.Body = body
		resp, err := newClient(t, nil).Do(t.Context(), call)
		if name == "sent" {
			require.NoError(t, err)
			require.Contains(t, string(resp.Body), "4012000000003010", "it was sent before it was wiped")
		}
		require.Equal(t, make([]byte, len(body)), body, name)
	}
}

func TestDoSpeaksHTTP2WhereOffered(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := newClient(t, func(cfg *Config) { cfg.RootCAs = roots })
	resp, err := c.Do(t.Context(), post(srv.URL))
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", string(resp.Body))
	c.CloseIdleConnections()
}

func TestLogsAndMetricsHoldNoData(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "canary-answer") }))
	defer srv.Close()
	var out bytes.Buffer
	registry := prometheus.NewRegistry()
	c := newClient(t, func(cfg *Config) {
		cfg.Registerer, cfg.Log = registry, zerolog.New(&out).Level(zerolog.TraceLevel)
	})
	ctx := WithLog(t.Context(), func(e *zerolog.Event) { e.Str("request_id", "r1") })
	ctx = WithLog(ctx, func(e *zerolog.Event) { e.Str("order_id", "o1") })
	call := post(srv.URL + "/canary-path?q=canary-query")
	call.Body = []byte("canary-body")
	call.Header = http.Header{"Authorization": {"canary-secret"}}
	_, err := c.Do(ctx, call)
	require.NoError(t, err)
	line := out.String()
	require.Equal(t, 1, strings.Count(line, "\n"))
	for _, want := range []string{`"provider":"testpay"`, `"host":"` + strings.TrimPrefix(srv.URL, "http://") + `"`, `"operation":"pay"`, `"outcome":"ok"`, `"http_status":200`, `"request_bytes":11`, `"response_bytes":13`, `"request_id":"r1"`, `"order_id":"o1"`, `"duration_ms":`} {
		require.Contains(t, line, want)
	}
	require.NotContains(t, line, "canary")
	families, err := registry.Gather()
	require.NoError(t, err)
	var text strings.Builder
	for _, f := range families {
		text.WriteString(f.String())
	}
	require.Contains(t, text.String(), "payrelay_provider_request_seconds")
	require.Contains(t, text.String(), "payrelay_provider_breaker_state")
	require.NotContains(t, text.String(), "canary")
}

func TestClientsShareARegisterer(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := New(Config{Provider: "a", Registerer: registry})
	b := New(Config{Provider: "b", Registerer: registry})
	_, _ = a.Do(t.Context(), post("http://127.0.0.1:1"))
	_, _ = b.Do(t.Context(), post("http://127.0.0.1:1"))
	require.Equal(t, 2, testutil.CollectAndCount(a.metrics.seconds))
	require.Same(t, a.metrics.seconds, b.metrics.seconds)
}
