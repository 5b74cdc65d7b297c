package smartcore

import (
	"context"
	"net/http"
	"net/http/httptest"
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
