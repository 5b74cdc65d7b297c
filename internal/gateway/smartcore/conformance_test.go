package smartcore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/gateway/transport"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	canary := func(req gateway.PaymentRequest) gateway.PaymentRequest {
		req.Customer.LastName, req.Customer.Email = "Canarylastname", "canary@example.com"
		return req
	}
	visa := func() *card.Card {
		c := mustCard(t, "4003830171874018", "9173")
		return c
	}
	hold := ref("hold-1", 1000)
	hold.Operation = gateway.OpAuthorize
	refundRef := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "refund-1", Amount: eur(500), Parent: &hold}
	fields := coreFields()
	fields["lastName"], fields["card_holder"], fields["card_number"] = "Canarylastname", "Canarylastname", "400383******4018"
	type (
		gw  = gateway.Gateway
		res = gateway.Result
	)
	subject := gatewaytest.Subject{
		Provider: Name,
		Open: func(t testing.TB, client *transport.Client, url string) gateway.Gateway {
			a := account(url)
			a.Secrets = map[string]gateway.Secret{"merchant_key": "canary-key-71", "secret": "canary-secret-72", "callback_secret": "canary-secret-73"}
			g, err := New(client).Open(a)
			require.NoError(t, err)
			return g
		},
		Secrets: []string{"canary-key-71", "canary-secret-72", "canary-secret-73"},
		Answer:  http.HandlerFunc(goodDay),
		Echo: func(text string) string {
			quoted, _ := json.Marshal(text)
			return fmt.Sprintf(`{"status":-1,"err":%[1]s,"errorMessage":%[1]s,"message":%[1]s,"msg":%[1]s,"order_id":%[1]s,"refund_id":%[1]s,
				"form_url":%[1]s,"authorize_status":%[1]s,"type":%[1]s,"rrn":%[1]s,"endDate":%[1]s,"responseType":%[1]s,
				"cascadeErrors":[{"gatePriority":0,"errorCategory":%[1]s}],"card":{"number":%[1]s,"bin":%[1]s,"iso":%[1]s,"type":%[1]s}}`, quoted)
		},
		Hosted: func() gateway.PaymentRequest { return canary(documented("order-1")) },
		Direct: func() gateway.PaymentRequest {
			return canary(direct("order-1", gateway.PaymentMethod{Card: visa()}, gateway.OpSale))
		},
		Operations: map[string]func(context.Context, gw) (res, error){
			"authorize": func(ctx context.Context, g gw) (res, error) {
				return g.CreatePayment(ctx, canary(direct("order-1", gateway.PaymentMethod{Card: visa()}, gateway.OpAuthorize)))
			},
			"fetch": func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, ref("order-1", 1000)) },
			"fetch refund": func(ctx context.Context, g gw) (res, error) {
				r := refundRef
				r.ProviderReference = "r-1"
				return g.Fetch(ctx, r)
			},
			"capture": func(ctx context.Context, g gw) (res, error) { return g.(gateway.Capturer).Capture(ctx, hold, eur(900)) },
			"cancel":  func(ctx context.Context, g gw) (res, error) { return g.(gateway.Canceler).Cancel(ctx, hold) },
			"refund": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Refunder).Refund(ctx, gateway.RefundRequest{Refund: refundRef, Payment: ref("order-1", 1000), Reason: "returned"})
			},
			"charge": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Charger).Charge(ctx, gateway.ChargeRequest{Ref: ref("order-2", 1000), Parent: ref("order-1", 1000), Description: "month two"})
			},
			"payout": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Payer).Payout(ctx, documentedPayout(t, gateway.PayoutMethod{Card: &card.Card{Number: visa().Number, Expiry: visa().Expiry}}))
			},
			"payout card": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.PayoutCardOpener).OpenPayoutCard(ctx, gateway.PayoutCardRequest{Ref: ref("card-1", 0)})
			},
		},
		Callback:  rawCallback(sign(t, "canary-secret-73", fields)),
		Callbacks: callbackReadings(t, fields),
		Readings:  declinedReadings(),
	}
	gatewaytest.Run(t, subject)
	gatewaytest.RequireWhole(t, subject)
}

// declinesBy are codes, and what may follow such a decline.
var declinesBy = map[string]gateway.RetryClass{
	"TECHNICAL_PROCESSING_ERROR": gateway.RetryOtherAccount, "EMITTER_DENIAL_PROCESSING_ERROR": gateway.RetryIssuer,
	"INSUFFICIENT_FUNDS_PROCESSING_ERROR": gateway.RetrySameLater, "DO_NOT_HONOUR_PROCESSING_ERROR": gateway.RetryNever, "SOMETHING_NEW": gateway.RetryUnknown,
}

// declinedReadings are payments that a status poll shows as declined.
func declinedReadings() map[string]gatewaytest.Reading {
	all := map[string]gatewaytest.Reading{}
	for code, class := range declinesBy {
		all[code] = gatewaytest.Reading{
			Ref: ref("order-1", 1000), Status: gateway.StatusFailed, Class: class,
			Provider: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"order_id":"order-1","status":-1,"type":"Payment","amount":1000,"err":null,"errorMessage":%q}`, code)
			}),
		}
	}
	return all
}

// callbackReadings are callbacks about declines, and about money that went back: by a refund of ours, one in the cabinet, or a chargeback.
func callbackReadings(t testing.TB, fields map[string]string) map[string]gatewaytest.CallbackReading {
	all := map[string]gatewaytest.CallbackReading{}
	with := func(changed map[string]string) gateway.RawCallback {
		of := maps.Clone(fields)
		maps.Copy(of, changed)
		return rawCallback(sign(t, "canary-secret-73", of))
	}
	for code, class := range declinesBy {
		all[code] = gatewaytest.CallbackReading{
			Callback: with(map[string]string{"status": "-1", "errorCategory": code}), Kind: gateway.KindPayment, Status: gateway.StatusFailed, Class: class,
		}
	}
	all["money that went back"] = gatewaytest.CallbackReading{
		Callback: with(map[string]string{"type": "Refund", "amount": "300", "finalAmount": "300"}), Kind: gateway.KindRefund, Status: gateway.StatusSucceeded, Minor: 300,
	}
	return all
}

// goodDay answers every call of the suite as the provider would, with nothing final.
func goodDay(w http.ResponseWriter, r *http.Request) {
	var req struct {
		OrderID string `json:"order_id"`
	}
	_ = json.NewDecoder(r.Body).Decode(&req)
	switch r.URL.Path {
	case "/refund":
		_, _ = fmt.Fprint(w, `{"success":false,"message":"","refund_id":"r-1","parentTransaction":"64a40ee3c4125fdb1d5cf635"}`)
	case "/recurrent":
		_, _ = fmt.Fprint(w, `{"success":true,"message":"","payment_id":"p-1","err":null}`)
	case "/check", "/capture", "/cancel", "/withdrawal/init":
		_, _ = fmt.Fprintf(w, `{"order_id":%q,"status":1,"firstName":"John","lastName":"Canarylastname"}`, req.OrderID)
	default:
		_, _ = fmt.Fprintf(w, `{"order_id":%q,"status":1,"form_url":"https://payment.smartcore.pro/64a7e106d46c5db10d082b13","err":null}`, req.OrderID)
	}
}
