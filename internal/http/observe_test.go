package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/clientaddr"
	"payrelay/internal/payment"
)

// TestNothingConfidentialIsLogged sends marked values down every road an answer may take, at the most talkative level.
func TestNothingConfidentialIsLogged(t *testing.T) {
	t.Parallel()
	const pan, cvc, email, token = "4012000000003010", "739", "anna.leak@example.com", "cb-token-leak"
	body := `{"reference":"a","amount":1,"currency":"EUR","flow":"direct","customer":{"email":"` + email + `"},
		"payment_method":{"type":"card","card":{"number":"` + pan + `","exp_month":1,"exp_year":2030,"cvc":"` + cvc + `","holder":"ANNA LEAK"}}}`
	b := setup(t)
	roads := map[string]func(context.Context, string) error{
		"good":     nil,
		"refused":  func(context.Context, string) error { return payment.ErrNotFound },
		"internal": func(context.Context, string) error { return errors.New("broken") },
		"panic":    func(context.Context, string) error { panic(pan) },
	}
	answers := ""
	for name, hook := range roads {
		b.hook = hook
		send := func(method, path, body string, headers ...string) string { // a made-up request id might hold the code
			return b.send(t, method, path, body, append(headers, "X-Request-Id", "request-1")...).Body.String()
		}
		answers += send("POST", "/v1/payments?x="+email, body)
		answers += send("POST", "/v1/payments", body, "Idempotency-Key", "k-"+name)
		answers += send("POST", "/v1/payments", body[:len(body)-9])
		answers += send("POST", "/v1/payments", strings.Replace(body, `"amount":1`, `"amount":"`+pan+`"`, 1))
		answers += send("POST", "/v1/payments", strings.Replace(body, `"number"`, `"`+pan+`"`, 1))
		answers += send("GET", "/v1/orders?reference="+email+"&cursor="+pan, "")
		answers += send("POST", "/callbacks/smartcore/"+token, "x=1")
		answers += send("GET", "/v1/"+email, "")
	}
	require.Equal(t, pan, b.payment.Method.Card.Number.Reveal(), "the card did arrive")
	require.Equal(t, cvc, b.payment.Method.Card.CVC.Reveal())
	require.Equal(t, 200, b.sendCode(t, "code-leak").Code)
	require.Equal(t, "code-leak", b.code.Reveal())
	for _, secret := range []string{"code-leak", pan, cvc + `"`, email, "ANNA", goodKey, "prk_live", token} {
		require.NotContains(t, b.log.String(), secret)
	}
	require.NotContains(t, answers, pan)
	require.NotContains(t, answers, email)
}

func (b *fixture) sendCode(t *testing.T, code string) *httptest.ResponseRecorder {
	t.Helper()
	b.hook = nil
	return b.send(t, "POST", "/v1/payments/"+orderID+"/confirm", `{"code":"`+code+`"}`)
}

func TestOneLineARequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.send(t, "POST", "/v1/orders/"+orderID+"/refresh", "", "X-Request-Id", "my-request.1")
	require.Equal(t, "my-request.1", w.Header().Get("X-Request-Id"))
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.log.String()), &line), "one line: %s", b.log)
	require.Equal(t, "/v1/orders/{id}/refresh", line["route"])
	require.Equal(t, "POST", line["method"])
	require.InDelta(t, 200, line["status"], 0)
	require.InDelta(t, w.Body.Len(), line["bytes"], 0)
	require.Equal(t, "my-request.1", line["request_id"])
	require.Equal(t, "mine", line["shop"])
	require.Equal(t, "192.0.2.1", line["client_ip"])
	require.NotContains(t, line, "peer_ip")
	require.NotContains(t, line, "client_ip_certain")
	require.Equal(t, orderID, line["order_id"])
	require.Equal(t, "smartcore", line["provider"])
	require.Contains(t, line, "duration_ms")
	for _, made := range []string{"two words", "4012000000003010", "id-4012-0000-0000-3010", "a\"b", strings.Repeat("a", 65)} {
		require.NotEqual(t, made, b.send(t, "GET", "/v1/orders", "", "X-Request-Id", made).Header().Get("X-Request-Id"))
	}
}

func TestALineNamesTheClientAndItsProxy(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		var err error
		c.Clients, err = clientaddr.New(clientaddr.XForwardedFor, []string{"192.0.2.0/24"})
		require.NoError(t, err)
	})
	line := func(header string) (line map[string]any) {
		b.log.out.Reset()
		b.send(t, "POST", "/callbacks/p/t", "x", "X-Forwarded-For", header)
		require.NoError(t, json.Unmarshal([]byte(b.log.String()), &line), "one line: %s", b.log)
		return line
	}
	known := line("127.0.0.1, 203.0.113.9")
	require.Equal(t, []any{"203.0.113.9", "192.0.2.1", "EUR-sandbox"}, []any{known["client_ip"], known["peer_ip"], known["account"]})
	require.NotContains(t, known, "client_ip_certain")
	unknown := line("203.0.113.9, nonsense")
	require.Equal(t, []any{"192.0.2.1", false}, []any{unknown["client_ip"], unknown["client_ip_certain"]})
}

// A reader who hangs up is no defect: neither the log nor what PayrelayServerErrors counts says so.
func TestACallerWhoLeavesIsNoErrorOfTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	working := make(chan struct{})
	b.hook = func(ctx context.Context, _ string) error {
		close(working)
		<-ctx.Done()
		return fmt.Errorf("reading orders: %w", ctx.Err())
	}
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/orders", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+goodKey)
	go func() {
		<-working
		leave()
	}()
	answer, err := server.Client().Do(r)
	if err == nil {
		_ = answer.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return b.log.String() != "" }, time.Minute, time.Millisecond)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.log.String()), &line), "one line: %s", b.log)
	require.Equal(t, "info", line["level"])
	require.InDelta(t, 499, line["status"], 0)
	require.Equal(t, "caller_left", line["code"])
	require.Contains(t, seriesOf(t, b.metrics), "payrelay_http_request_seconds GET /v1/orders 4xx")
}

// What was called off though the caller waits is ours.
func TestWorkThatIsCalledOffUnderACallerIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error { return context.Canceled }
	require.Equal(t, http.StatusInternalServerError, b.send(t, "GET", "/v1/orders", "").Code)
	require.Contains(t, b.log.String(), "request failed")
}

func TestMetricsNameRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, "GET", "/v1/orders/"+orderID, "")
	b.send(t, "GET", "/v1/orders/0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a99", "")
	b.send(t, "GET", "/made/up", "")
	b.send(t, "BREW", "/v1/orders", "")
	require.ElementsMatch(t, []string{
		"payrelay_http_in_flight_requests", "payrelay_http_request_seconds GET /v1/orders/{id} 2xx", "payrelay_http_request_seconds GET /v1/orders/{id} 4xx",
		"payrelay_http_request_seconds GET none 4xx", "payrelay_http_request_seconds OTHER none 4xx",
		"payrelay_http_rejected_requests_total api", "payrelay_http_rejected_requests_total callbacks",
	}, slices.DeleteFunc(seriesOf(t, b.metrics), func(line string) bool { return strings.HasPrefix(line, "payrelay_auth_failures_total") }))
	require.Equal(t, 7+len(failureReasons), testutil.CollectAndCount(b.metrics))
}

// seriesOf is each series by its name and its labels' values.
func seriesOf(t *testing.T, metrics *prometheus.Registry) []string {
	t.Helper()
	families, err := metrics.Gather()
	require.NoError(t, err)
	var found []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			found = append(found, line)
		}
	}
	return found
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/orders", "/made/up", "/docs"} {
		h := b.send(t, "GET", path, "").Header()
		require.NotEmpty(t, h.Get("X-Request-Id"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	}
	require.Equal(t, "no-store", b.send(t, "GET", "/v1/orders", "").Header().Get("Cache-Control"))
}
