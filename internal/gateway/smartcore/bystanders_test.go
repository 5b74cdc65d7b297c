package smartcore

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway/transport"
)

// narrow is a client that stands little.
func narrow(t *testing.T, concurrency uint) *transport.Client {
	t.Helper()
	c := transport.New(transport.Config{
		Provider: Name, Registerer: prometheus.NewRegistry(), BreakerFailures: 1, BreakerDelay: time.Hour, Concurrency: concurrency, BulkheadWait: time.Millisecond,
	})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// An account without payouts may get 500 for its balance. A shop that asks again and again holds neither checks back nor the
// balance of another account.
func TestABalanceThatFailsHoldsNoCheckBack(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string]string{"/withdrawal/balance/get": "", "/check": `{"status":1}`})
	p.statuses = map[string]int{"/withdrawal/balance/get": http.StatusInternalServerError}
	d := New(narrow(t, 8))
	gw, err := d.Open(p.account())
	require.NoError(t, err)
	g := gw.(*Gateway)
	for range 3 {
		_, err = g.Balance(t.Context())
		require.Error(t, err)
	}
	require.ErrorContains(t, err, "breaker_open")
	_, err = g.Fetch(t.Context(), ref("order-1", 1000))
	require.NotContains(t, fmt.Sprint(err), "breaker_open")
	other := p.account()
	other.Name = "EUR-other"
	gw, err = d.Open(other)
	require.NoError(t, err)
	_, err = gw.(*Gateway).Balance(t.Context())
	require.ErrorContains(t, err, "http_500", "it was asked")
}

// Balances that are slow to come take no check's place.
func TestASlowBalanceHoldsNoCheckBack(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/withdrawal/balance/get" {
			close(asked)
			<-release
		}
		_, _ = io.WriteString(w, `{"status":1}`)
	}))
	defer srv.Close()
	gw, err := New(narrow(t, 1)).Open(account(srv.URL))
	require.NoError(t, err)
	g := gw.(*Gateway)
	over := make(chan struct{})
	go func() { defer close(over); _, _ = g.Balance(t.Context()) }()
	<-asked
	_, err = g.Fetch(t.Context(), ref("order-1", 1000))
	close(release)
	<-over
	require.NotContains(t, fmt.Sprint(err), "bulkhead_full")
}
