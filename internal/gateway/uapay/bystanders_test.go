package uapay

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// failing is a provider of which some methods answer 500, and sessions do for the merchants that it does not know.
type failing struct {
	methods   []string
	strangers []string
}

func (f failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Params struct {
			ClientID string `json:"clientId"`
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	for _, method := range f.methods {
		if r.URL.Path == "/api/"+method {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	switch strings.TrimPrefix(r.URL.Path, "/api/") {
	case "sessions/create":
		for _, id := range f.strangers {
			if body.Params.ClientID == id {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
		_, _ = io.WriteString(w, signed(`{"id":"`+testSession+`"}`))
	default:
		_, _ = io.WriteString(w, signed(invoiceMade))
	}
}

// touchy is a driver whose breakers open with the first failure, for long.
func touchy(t *testing.T) *Driver {
	t.Helper()
	c := transport.New(transport.Config{Provider: Name, Registerer: prometheus.NewRegistry(), BreakerFailures: 1, BreakerDelay: time.Hour})
	t.Cleanup(c.CloseIdleConnections)
	return New(c)
}

func merchantOf(t *testing.T, d *Driver, url, clientID string) *Gateway {
	t.Helper()
	a := account(url)
	a.Settings["client_id"] = clientID
	gw, err := d.Open(a)
	require.NoError(t, err)
	return gw.(*Gateway)
}

// Reads that fail hold no session back, which every new payment may need.
func TestReadsThatFailHoldNoSessionBack(t *testing.T) {
	t.Parallel()
	url := serve(t, failing{methods: []string{"invoicer/invoices/show", "invoicer/invoices/show/list"}})
	d := touchy(t)
	_, err := merchantOf(t, d, url, "90001").Fetch(t.Context(), known(gateway.OpSale))
	require.ErrorContains(t, err, "http_500")
	_, err = merchantOf(t, d, url, "90001").Fetch(t.Context(), known(gateway.OpSale))
	require.ErrorContains(t, err, "breaker_open")
	_, err = merchantOf(t, d, url, "90002").CreatePayment(t.Context(), hosted())
	require.NoError(t, err)
}

// Nor do reads that are slow.
func TestSlowReadsTakeNoSessionsPlace(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/invoicer/invoices/show" {
			close(asked)
			<-release
		}
		failing{}.ServeHTTP(w, r)
	}))
	c := transport.New(transport.Config{Provider: Name, Registerer: prometheus.NewRegistry(), Concurrency: 1, BulkheadWait: time.Millisecond})
	t.Cleanup(c.CloseIdleConnections)
	d := New(c)
	slow, other := merchantOf(t, d, url, "90001"), merchantOf(t, d, url, "90002")
	over := make(chan struct{})
	go func() { defer close(over); _, _ = slow.Fetch(context.Background(), known(gateway.OpSale)) }()
	<-asked
	_, err := other.CreatePayment(t.Context(), hosted())
	close(release)
	<-over
	require.NoError(t, err)
}

// A merchant that gets no session, and whose shop asks for card forms again and again, holds no other merchant's back.
func TestAMerchantWithoutASessionHoldsNoOtherBack(t *testing.T) {
	t.Parallel()
	url := serve(t, failing{strangers: []string{"90009"}})
	d := touchy(t)
	stranger := merchantOf(t, d, url, "90009")
	for range 3 {
		_, err := stranger.CardFrame(t.Context(), gateway.CardFrameRequest{})
		require.Error(t, err)
	}
	_, err := merchantOf(t, d, url, "90001").CreatePayment(t.Context(), hosted())
	require.NoError(t, err)
}

// Transfers that a shop asks to import, and that the provider fails to show, hold no check of a transfer back.
func TestImportsThatFailHoldNoCheckBack(t *testing.T) {
	t.Parallel()
	d := touchy(t)
	g := merchantOf(t, d, serve(t, failing{methods: []string{"p2p/payments/show"}}), "90001")
	for range 3 {
		_, err := g.FindTransfer(t.Context(), gateway.TransferQuery{ProviderID: testP2P})
		require.Error(t, err)
	}
	_, err := g.Fetch(t.Context(), gateway.Ref{
		Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000), State: saved(statePayment, testP2P, stateEngine, engineSplit),
	})
	require.ErrorContains(t, err, "http_500", "it was asked")
}
