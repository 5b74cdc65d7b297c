package smartcore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// What HeldBack is asked about is the very call that would be made.
func TestHeldBackIsAboutTheCallThatWouldBeMade(t *testing.T) {
	t.Parallel()
	parent := ref("order-1", 1000)
	hold := ref("hold-1", 1000)
	hold.Operation = gateway.OpAuthorize
	refundRef := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "refund-1", Amount: eur(500)}
	with := func(r gateway.Ref, change func(*gateway.Ref)) gateway.Ref { change(&r); return r }
	visa := gateway.PaymentMethod{Card: mustCard(t, "4003830171874018", "917")}
	for name, tc := range map[string]struct {
		ref  gateway.Ref
		call func(ctx context.Context, g *Gateway) (gateway.Result, error)
	}{
		"form": {with(parent, func(r *gateway.Ref) { r.Flow = gateway.FlowHosted }), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.CreatePayment(ctx, documented("order-1"))
		}},
		"card": {with(parent, func(r *gateway.Ref) { r.Flow = gateway.FlowDirect }), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.CreatePayment(ctx, direct("order-1", visa, gateway.OpSale))
		}},
		"hold": {with(hold, func(r *gateway.Ref) { r.Flow = gateway.FlowDirect }), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.CreatePayment(ctx, direct("order-1", visa, gateway.OpAuthorize))
		}},
		"capture": {with(hold, func(r *gateway.Ref) { r.Operation = gateway.OpCapture }), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Capture(ctx, hold, eur(1000))
		}},
		"cancel": {with(hold, func(r *gateway.Ref) { r.Operation = gateway.OpCancel }), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Cancel(ctx, hold)
		}},
		"refund": {refundRef.Of(parent), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Refund(ctx, gateway.RefundRequest{Refund: refundRef, Payment: parent, Reason: "returned"})
		}},
		"charge": {ref("order-2", 1000).Of(parent), func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Charge(ctx, gateway.ChargeRequest{Ref: ref("order-2", 1000), Parent: parent, Description: "month two"})
		}},
		"payout": {gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, Flow: gateway.FlowDirect}, func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Payout(ctx, documentedPayout(t, gateway.PayoutMethod{Phone: "+79123456789"}))
		}},
		"payout card": {gateway.Ref{Kind: gateway.KindPayoutCard, Operation: gateway.OpSale, Flow: gateway.FlowHosted}, func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.OpenPayoutCard(ctx, gateway.PayoutCardRequest{Ref: ref("card-1", 0)})
		}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		client := transport.New(transport.Config{Provider: Name, Registerer: prometheus.NewRegistry(), BreakerFailures: 1, BreakerDelay: time.Minute})
		opened, err := New(client).Open(account(srv.URL))
		require.NoError(t, err)
		g := opened.(*Gateway)
		require.Zero(t, g.HeldBack(tc.ref), name)
		_, err = tc.call(t.Context(), g)
		require.Error(t, err, name)
		require.Positive(t, g.HeldBack(tc.ref), name)
		srv.Close()
	}
}

// An account whose hosts fail holds back the accounts that call the same hosts, and no other account of the provider.
func TestHeldBackIsAboutTheHostThatWouldBeCalled(t *testing.T) {
	t.Parallel()
	var checks atomic.Int64
	gone := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer gone.Close()
	alive := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { checks.Add(1) }))
	defer alive.Close()
	d := New(narrow(t, 8))
	at := func(name string, settings map[string]string) *Gateway {
		a := account("")
		a.Name, a.Settings = name, settings
		gw, err := d.Open(a)
		require.NoError(t, err)
		return gw.(*Gateway)
	}
	dead := at("dead", map[string]string{"gateway_url": gone.URL, "pci_url": gone.URL + "/pci", "reporting_url": gone.URL})
	sibling := at("sibling", map[string]string{"gateway_url": gone.URL + "/other", "pci_url": gone.URL, "reporting_url": gone.URL})
	half := at("half", map[string]string{"gateway_url": alive.URL, "pci_url": gone.URL, "reporting_url": alive.URL})
	healthy := at("healthy", map[string]string{"gateway_url": alive.URL, "pci_url": alive.URL, "reporting_url": alive.URL})

	form, card := ref("order-1", 1000), ref("order-1", 1000)
	form.Flow, card.Flow = gateway.FlowHosted, gateway.FlowDirect
	visa := gateway.PaymentMethod{Card: mustCard(t, "4003830171874018", "917")}
	_, err := dead.CreatePayment(t.Context(), documented("order-1"))
	require.ErrorContains(t, err, "cut_off")
	_, err = dead.CreatePayment(t.Context(), direct("order-2", visa, gateway.OpSale))
	require.ErrorContains(t, err, "cut_off")
	_, err = dead.Fetch(t.Context(), form)
	require.ErrorContains(t, err, "cut_off")
	for _, r := range []gateway.Ref{form, card} {
		require.Positive(t, dead.HeldBack(r))
		require.Positive(t, sibling.HeldBack(r), "it calls the same host")
		require.Zero(t, healthy.HeldBack(r))
	}
	require.Zero(t, half.HeldBack(form), "its forms are made at another host")
	require.Positive(t, half.HeldBack(card))
	_, err = sibling.Fetch(t.Context(), form)
	require.ErrorContains(t, err, "breaker_open")
	_, _ = healthy.Fetch(t.Context(), form)
	require.EqualValues(t, 1, checks.Load(), "its polls go on")
}
