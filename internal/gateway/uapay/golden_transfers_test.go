package uapay

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

const testReverse = "0a1b2c3d-4e5f-4061-8273-8495a6b7c8d9"

func classicRef() gateway.Ref {
	return gateway.Ref{
		Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000),
		State: saved(statePayment, testP2P, stateEngine, engineClassic, stateKey, simKey),
	}
}

// transferDrills are the classic engine's (uapay.md 9.1).
func transferDrills() map[string]func(*testing.T, vector) {
	show := drill{
		call: func(ctx context.Context, g *Gateway) (gateway.Result, error) { return g.Fetch(ctx, classicRef()) },
		also: func(t *testing.T, result gateway.Result) { require.EqualValues(t, 10000, *result.Amount) },
	}.play
	pendingTransfer := `{"id":"` + testP2P + `","status":"PENDING","amount":10000,"externalId":"tr-77"}`
	return map[string]func(*testing.T, vector){
		"p2p_show_3ds": show, "p2p_show_lookup": show, "p2p_show_pending": show, "p2p_show_finished": show, "p2p_show_rejected": show,
		"p2p_show_reversed": func(t *testing.T, v vector) {
			p := newProvider(t, map[string][]string{"payments/p2p/show": {v.answer(t)}})
			result, err := open(t, account(p.url)).Fetch(t.Context(), classicRef())
			require.NoError(t, err)
			requireParams(t, v, p.seen()[0])
			require.Equal(t, gateway.StatusSucceeded, result.Status, "it was sent before it went back")
			require.EqualValues(t, 10000, *result.Refunded)
		},
		"p2p_direct_create": drill{
			more: map[string][]string{"payments/p2p/show": {pendingTransfer}},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.Transfer(ctx, gateway.TransferRequest{
					Ref:  gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000)},
					From: gateway.TransferEnd{CardID: testCard, Card: &card.Card{CVC: mustCVC("123")}}, To: gateway.TransferEnd{CardID: testCardTo},
					Customer: gateway.Customer{Phone: "+380000000000", Email: "to@shop.example"}, Description: "test", CallbackURL: "https://shop.example/hooks/uapay",
				})
			},
			also: func(t *testing.T, result gateway.Result) { require.Equal(t, testP2P, result.ProviderReference) },
		}.play,
		"p2p_confirm_lookup": drill{
			more: map[string][]string{"payments/p2p/show": {pendingTransfer}},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.ConfirmCode(ctx, classicRef(), "112233")
			},
		}.play,
		"p2p_show_list": drill{
			more: map[string][]string{"payments/p2p/show": {`{"id":"` + testP2P + `","status":"FINISHED","amount":10000,"externalId":"tr-77"}`}},
			// The example names a transfer by the provider's id; only one whose id was lost is looked up in a list.
			adjust: func(params, _ map[string]any) {
				delete(params, "ids")
				params["externalIds"] = []any{"tr-77"}
			},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				ref := classicRef()
				ref.State = nil
				return g.Fetch(ctx, ref)
			},
		}.play,
	}
}

// c2aPayment is a payment of the newer engine.
func c2aPayment() gateway.Ref {
	return gateway.Ref{
		Kind: gateway.KindPayment, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(10000), ProviderReference: testP2P,
		State: saved(statePayment, testP2P, stateEngine, engineSplit),
	}
}

func c2aRequest() gateway.PaymentRequest {
	req := directWith(mustCVC("123"))
	req.Ref = gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(10000)}
	req.Description, req.ReturnURLs.Status = "Order 900", "https://shop.example/return/900"
	return req
}

// splitOf is an answer of p2p/payments/show about the examples' payment.
func splitOf(status string, operations ...string) string {
	return fmt.Sprintf(`{"id":%q,"receiptId":"SIMRCPT00002","status":%q,"amount":10000,"commissionAmount":300,"operations":[%s]}`, testP2P, status, strings.Join(operations, ","))
}

func splitOp(kind, status, externalID string) string {
	return fmt.Sprintf(`{"id":%q,"type":%q,"status":%q,"externalId":%q,"amount":10000}`, testReverse, kind, status, externalID)
}

const ids900 = `{"paymentId":"` + testP2P + `","operationId":"3f2e1d0c-9b8a-4796-8574-635241302f1e","externalId":"tr-900"}`

// splitDrills are the newer engine's (uapay.md 9.2, 9.3).
func splitDrills() map[string]func(*testing.T, vector) {
	const initiated, completed = "p2p/payments/c2a/initiate", "p2p/payments/c2a/complete"
	c2a := map[string]string{settingDirect: directC2A}
	pay := func(d drill) drill {
		d.account = c2a
		d.call = func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.CreatePayment(ctx, c2aRequest())
		}
		d.also = func(t *testing.T, result gateway.Result) { require.Equal(t, testP2P, result.ProviderReference) }
		return d
	}
	working := []string{splitOf("OPEN", splitOp("SEND", "OPEN", "tr-900"))}
	refund := func(more map[string][]string) drill {
		return drill{more: more, call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			parent := c2aPayment()
			ref := gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-900", Amount: uah(10000), Parent: &parent}
			if result, err := g.Refund(ctx, gateway.RefundRequest{Refund: ref, Payment: parent}); err != nil || result.Status != gateway.StatusProcessing {
				return result, fmt.Errorf("an acknowledgement proves nothing yet: %s, %w", result.Status, err)
			}
			return g.Fetch(ctx, ref)
		}}
	}
	reversed := `{"paymentId":"` + testP2P + `","reverseOperationId":"` + testReverse + `","reverseExternalId":"rf-900"}`
	payoutRequest := gateway.PayoutRequest{
		Ref:    gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(15000)},
		Method: gateway.PayoutMethod{Card: &card.Card{Number: mustPAN("4111111111111111")}}, Description: "Payout 900", CallbackURL: "https://shop.example/hooks/uapay",
	}
	payout := func(more map[string][]string) drill {
		return drill{more: more, call: func(ctx context.Context, g *Gateway) (gateway.Result, error) { return g.Payout(ctx, payoutRequest) }}
	}
	// A command after which the call goes on: what the example says of the state in between is passed by.
	on := func(d drill) drill { d.status = gateway.StatusProcessing; return d }
	out := map[string]func(*testing.T, vector){
		"c2a_initiate": on(pay(drill{more: map[string][]string{completed: {ids900}, "p2p/payments/show": working}})).play,
		"c2a_complete": pay(drill{
			more: map[string][]string{initiated: {ids900}, "p2p/payments/show": working},
			adjust: func(params, _ map[string]any) { // as with payment_create
				device, _ := params["device"].(map[string]any)
				device["windowHeight"], device["windowWidth"] = 900.0, 1440.0
			},
		}).play,
		"c2a_cancel": drill{
			more: map[string][]string{"p2p/payments/show": {splitOf("OPEN", splitOp("SEND", "CANCELED", "tr-900"))}},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) { return g.Cancel(ctx, c2aPayment()) },
		}.play,
		// The examples' words are the payment's; the results are about the refund.
		"c2a_reverse_initiate": on(refund(map[string][]string{
			"p2p/payments/c2a/reverse/complete": {reversed}, "p2p/payments/show": {splitOf("WAITING_COMPLETE", splitOp("SEND", "FINISHED", "tr-900"), splitOp("RETURN", "NEEDS_COMPLETE", "rf-900"))},
		})).play,
		"c2a_reverse_complete": func(t *testing.T, v vector) {
			v.Reread = "succeeded"
			refund(map[string][]string{
				"p2p/payments/c2a/reverse/initiate": {reversed}, "p2p/payments/show": {splitOf("FINISHED", splitOp("SEND", "FINISHED", "tr-900"), splitOp("RETURN", "FINISHED", "rf-900"))},
			}).play(t, v)
		},
		"c2a_reverse_cancel": func(t *testing.T, v vector) {
			p := newProvider(t, map[string][]string{
				"p2p/payments/c2a/reverse/initiate": {reversed}, "p2p/payments/c2a/reverse/complete": {`!{"code":"FORMAT_ERROR"}`}, "p2p/payments/c2a/reverse/cancel": {v.answer(t)},
			})
			parent := c2aPayment()
			_, err := open(t, account(p.url)).Refund(t.Context(), gateway.RefundRequest{Refund: gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-900", Amount: uah(10000)}, Payment: parent})
			require.Equal(t, gateway.KindDeclined, kindOf(t, err))
			requireParams(t, v, p.seen()[2])
			require.Nil(t, p.seen()[2].Data)
		},
		"a2c_initiate": on(payout(map[string][]string{"p2p/payments/a2c/complete": {ids900}})).play,
		"a2c_complete": drill{
			more: map[string][]string{"p2p/payments/a2c/initiate": {ids900}},
			// The example names a kept card; UAPAY lists none of them to us, and payouts go to card numbers.
			adjust: func(_, data map[string]any) { data["cardTo"] = map[string]any{"pan": "4111111111111111"} },
			call:   func(ctx context.Context, g *Gateway) (gateway.Result, error) { return g.Payout(ctx, payoutRequest) },
		}.play,
		"a2c_cancel": func(t *testing.T, v vector) {
			p := newProvider(t, map[string][]string{
				"p2p/payments/a2c/initiate": {ids900}, "p2p/payments/a2c/complete": {`!{"code":"FORMAT_ERROR"}`}, "p2p/payments/a2c/cancel": {v.answer(t)},
			})
			_, err := open(t, account(p.url)).Payout(t.Context(), payoutRequest)
			require.Equal(t, gateway.KindDeclined, kindOf(t, err))
			requireParams(t, v, p.seen()[2])
			require.Nil(t, p.seen()[2].Data)
		},
		"seed_p2p_payments_show_bucket_finished": drill{
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.FindTransfer(ctx, gateway.TransferQuery{ProviderID: "a5878766-9a1f-485e-adb9-4c14d6bcceb1", ReceiptID: "6ZDTRBEZ9YFP"})
			},
			also: func(t *testing.T, result gateway.Result) {
				require.EqualValues(t, 400, *result.Amount)
				require.EqualValues(t, "UAH", result.Currency)
				require.Equal(t, "SEND FINISHED, RECEIVE FINISHED", result.ProviderData["operations"])
				require.Equal(t, "a5878766-9a1f-485e-adb9-4c14d6bcceb1", result.ProviderReference)
				require.Equal(t, "32072020", result.OrderID)
			},
		}.play,
	}
	for name, status := range map[string]gateway.Status{
		// A completion is under way, or the provider lets it lapse.
		"c2a_waiting_complete": gateway.StatusProcessing, "a2c_waiting_complete": gateway.StatusProcessing,
		"c2a_open_needs_confirmation": "", "c2a_open_canceled": "", "c2a_finished": "", "c2a_rejected": "", "c2a_refund_waiting": "",
		"c2a_refund_cancelled": "", "c2a_refunded": "", "a2c_finished": "", "a2c_rejected": "", "bucket_needs_confirmation": "", "bucket_sent_not_received": "",
	} {
		ref := c2aPayment()
		switch {
		case strings.HasPrefix(name, "a2c"):
			ref.Kind = gateway.KindPayout
		case strings.HasPrefix(name, "bucket"):
			ref.Kind = gateway.KindTransfer
		}
		out["p2p_payments_show_"+name] = drill{
			status: status,
			more:   map[string][]string{"payments/p2p/show": {`{"id":"` + testP2P + `","status":"NEEDS_CONFIRMATION","confirmation":{"type":"LOOKUP","confirmationsLeft":3}}`}},
			call:   func(ctx context.Context, g *Gateway) (gateway.Result, error) { return g.Fetch(ctx, ref) },
			also: func(t *testing.T, result gateway.Result) {
				require.EqualValues(t, 10000, *result.Amount)
				require.Equal(t, testP2P, result.ProviderReference)
				require.Contains(t, []string{"processing", "requires_action", "canceled", "succeeded", "failed"}, string(result.Status))
				if result.Refunded != nil {
					require.EqualValues(t, 10000, *result.Refunded)
				}
			},
		}.play
	}
	return out
}

func mustPAN(number string) card.PAN {
	pan, err := card.ParsePAN(number)
	if err != nil {
		panic(err)
	}
	return pan
}
