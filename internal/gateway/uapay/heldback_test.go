package uapay

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// What HeldBack is asked about are the very calls that would be made, each of them.
func TestHeldBackIsAboutTheCallsThatWouldBeMade(t *testing.T) {
	t.Parallel()
	ofInvoice := known(gateway.OpSale)
	ofInvoice.State = saved(stateInvoice, testInvoice, statePayment, testPayment)
	split := gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, OrderID: "inv-77", Amount: uah(25000), State: saved(statePayment, testP2P, stateEngine, engineSplit)}
	refundRef := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "rf-1", Amount: uah(25000)}
	with := func(r gateway.Ref, op gateway.Operation, flow gateway.Flow) gateway.Ref {
		r.Operation, r.Flow = op, flow
		return r
	}
	for name, tc := range map[string]struct {
		ref   gateway.Ref
		c2a   bool
		calls []string
	}{
		"page":             {with(ofInvoice, gateway.OpSale, gateway.FlowHosted), false, []string{"sessionsCreate", "invoicesCreate"}},
		"stored card":      {with(ofInvoice, gateway.OpAuthorize, gateway.FlowDirect), false, []string{"invoicesCreate", "paymentsCreate"}},
		"card":             {with(split, gateway.OpSale, gateway.FlowDirect), true, []string{"c2aInitiate", "c2aComplete"}},
		"capture":          {with(ofInvoice, gateway.OpCapture, ""), false, []string{"paymentsComplete"}},
		"cancel":           {with(ofInvoice, gateway.OpCancel, ""), false, []string{"paymentsCancel"}},
		"cancel unpaid":    {with(gateway.Ref{Kind: gateway.KindPayment}, gateway.OpCancel, ""), false, []string{"invoicesShow"}},
		"cancel of a card": {with(split, gateway.OpCancel, ""), true, []string{"c2aCancel"}},
		"refund":           {refundRef.Of(ofInvoice), false, []string{"paymentsShow", "paymentsReverse"}},
		"refund of a card": {refundRef.Of(split), true, []string{"c2aReverseInitiate", "c2aReverseComplete"}},
		"payout":           {gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale}, false, []string{"a2cInitiate", "a2cComplete"}},
		"transfer":         {gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale}, false, []string{"p2pDirectCreate"}},
	} {
		for _, op := range tc.calls {
			client := transport.New(transport.Config{Provider: Name, Registerer: prometheus.NewRegistry(), BreakerFailures: 1, BreakerDelay: time.Minute})
			opened, err := New(client).Open(account("http://127.0.0.1:1"))
			require.NoError(t, err)
			g := opened.(*Gateway)
			g.c2a = tc.c2a
			require.Zero(t, g.HeldBack(tc.ref), name)
			e := endpointCalled(t, op)
			_, err = g.send(t.Context(), e, &paymentParams{}, nil, nil) // nobody listens there
			require.Error(t, err)
			require.Positive(t, g.HeldBack(tc.ref), "%s: %s", name, op)
		}
	}
}

// A merchant whose host fails holds back no merchant that is called elsewhere.
func TestHeldBackIsAboutTheHostThatWouldBeCalled(t *testing.T) {
	t.Parallel()
	d := touchy(t)
	broken := serve(t, failing{methods: []string{"invoicer/invoices/create"}})
	page := payment(gateway.OpSale)
	page.Flow = gateway.FlowHosted
	dead, healthy := merchantOf(t, d, broken, "90001"), merchantOf(t, d, serve(t, failing{}), "90002")
	_, err := dead.CreatePayment(t.Context(), hosted())
	require.ErrorContains(t, err, "http_500")
	require.Positive(t, dead.HeldBack(page))
	require.Positive(t, merchantOf(t, d, broken, "90003").HeldBack(page), "it calls the same host")
	require.Zero(t, healthy.HeldBack(page))
	_, err = healthy.CreatePayment(t.Context(), hosted())
	require.NoError(t, err)
}

func endpointCalled(t *testing.T, op string) endpoint {
	for _, e := range []endpoint{
		sessionsCreate, invoicesCreate, invoicesShow, paymentsCreate, paymentsShow, paymentsDone, paymentsCancel, paymentsReverse,
		p2pCreate, a2cInitiate, a2cComplete, c2aInitiate, c2aComplete, c2aCancel, reverseInitiate, reverseComplete,
	} {
		if e.op == op {
			return e
		}
	}
	require.Fail(t, "no such endpoint", op)
	return endpoint{}
}
