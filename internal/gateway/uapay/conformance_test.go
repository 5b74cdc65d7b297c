package uapay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/gateway/transport"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	const secret = "canary-secret-72"
	canary := func(req gateway.PaymentRequest) gateway.PaymentRequest {
		req.Customer.LastName, req.Customer.Email = "Canarylastname", "canary@example.com"
		return req
	}
	seal := func(data string) string {
		return `{"status":1,"data":{"token":"` + sealToken([]byte(secret), []byte(data)) + `"}}`
	}
	led := known(gateway.OpSale)
	led.State = remember(stateInvoice, testInvoice, statePayment, testPayment, stateDirect, "1", stateKey, "canary-key-73", stateLeft, "3")
	transfer := gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000), State: remember(statePayment, testP2P, stateEngine, engineClassic)}
	payout := gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000), State: remember(statePayment, testP2P, stateEngine, engineSplit)}
	hold := known(gateway.OpAuthorize)
	refund := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "rf-1", Amount: uah(5000), Parent: &led, State: remember(statePayment, testPayment, stateAccepted, "1")}
	type (
		gw  = gateway.Gateway
		res = gateway.Result
	)
	gatewaytest.Run(t, gatewaytest.Subject{
		Provider: Name,
		Open: func(t testing.TB, client *transport.Client, url string) gateway.Gateway {
			a := account(url)
			a.Secrets = map[string]gateway.Secret{"secret": secret}
			g, err := New(client).Open(a)
			require.NoError(t, err)
			g.(*Gateway).pause = 0
			return g
		},
		Secrets: []string{secret, "canary-key-73", "canary-code-74", "9173-no", "4003830171874018"},
		Answer: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data := ""
			switch strings.TrimPrefix(r.URL.Path, "/api/") {
			case "sessions/create":
				data = `{"id":"` + testSession + `"}`
			case "invoicer/invoices/create":
				data = `{"id":"` + testInvoice + `","paymentPageUrl":"https://pay.demo.uapay.ua/payment/` + testInvoice + `"}`
			case "invoicer/payments/create":
				data = `{"id":"` + testPayment + `","key":"canary-key-73"}`
			case "invoicer/payments/checkStatus":
				data = `{"id":"` + testPayment + `","status":"PENDING","paymentStatus":"NEW","amount":25000,"key":"canary-key-73"}`
			case "invoicer/payments/show":
				data = `{"paymentId":"` + testPayment + `","status":"NEW","paymentStatus":"PENDING","amount":25000,"email":"canary@example.com"}`
			case "invoicer/payments/confirm", "payments/p2p/confirm":
				_, _ = io.WriteString(w, `{"status":1}`)
				return
			case "invoicer/payments/complete", "invoicer/payments/cancel", "invoicer/payments/reverse":
				data = `{"paymentId":"` + testPayment + `"}`
			case "invoicer/invoices/show":
				data = `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE","email":"canary@example.com","payments":[]}`
			case "payments/p2p/direct/create":
				data = `{"id":"` + testP2P + `","key":"canary-key-73"}`
			case "payments/p2p/show":
				data = `{"id":"` + testP2P + `","status":"PENDING","amount":10000,"externalId":"tr-77"}`
			case "p2p/payments/show":
				data = `{"id":"` + testP2P + `","status":"OPEN","amount":10000,"operations":[]}`
			case "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete":
				data = `{"paymentId":"` + testP2P + `","operationId":"1","externalId":"tr-77"}`
			}
			_, _ = io.WriteString(w, seal(data))
		}),
		Prelude: func(r *http.Request) bool { return r.URL.Path == "/api/sessions/create" },
		Echo: func(text string) string {
			quoted, _ := json.Marshal(text)
			return fmt.Sprintf(`{"status":0,"error":{"code":%[1]s,"message":%[1]s,"fields":{"params":{"sessionId":%[1]s,"x":%[1]s},"data":{%[1]s:%[1]s}}}}`, quoted)
		},
		Hosted: func() gateway.PaymentRequest { return canary(hosted()) },
		Operations: map[string]func(context.Context, gw) (res, error){
			"create direct":  func(ctx context.Context, g gw) (res, error) { return g.CreatePayment(ctx, canary(direct(t))) },
			"fetch hosted":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, known(gateway.OpSale)) },
			"fetch direct":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, led) },
			"fetch refund":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, refund) },
			"fetch transfer": func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, transfer) },
			"fetch payout":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, payout) },
			"capture": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Capturer).Capture(ctx, hold, uah(20000))
			},
			"cancel": func(ctx context.Context, g gw) (res, error) { return g.(gateway.Canceler).Cancel(ctx, hold) },
			"refund": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Refunder).Refund(ctx, gateway.RefundRequest{Refund: refund, Payment: led, Reason: "returned"})
			},
			"confirm": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.CodeConfirmer).ConfirmCode(ctx, led, "123456")
			},
			"transfer": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Transferrer).Transfer(ctx, gateway.TransferRequest{
					Ref:  gateway.Ref{Kind: gateway.KindTransfer, OrderID: "tr-77", Amount: uah(10000)},
					From: gateway.TransferEnd{Card: mustCard(t, "4003830171874018")}, To: gateway.TransferEnd{CardID: testCard},
					Customer: gateway.Customer{Phone: "+380000000000", Email: "canary@example.com"},
				})
			},
			"payout": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Payer).Payout(ctx, gateway.PayoutRequest{
					Ref:    gateway.Ref{Kind: gateway.KindPayout, OrderID: "tr-77", Amount: uah(10000)},
					Method: gateway.PayoutMethod{Card: mustCard(t, "4003830171874018")},
				})
			},
			"find transfer": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.TransferImporter).FindTransfer(ctx, gateway.TransferQuery{ProviderID: testP2P})
			},
		},
		Callback: func() gateway.RawCallback {
			data, _ := json.Marshal(callbackClaims())
			return rawCallback(sealToken([]byte(secret), data))
		}(),
	})
}
