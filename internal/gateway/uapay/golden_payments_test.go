package uapay

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

const simKey = "SimKey000000000000000000000000000000000000000.sim0000000000000001"

// checkDrills ask about a payment that we lead the payer through (uapay.md 8.2).
func checkDrills() map[string]func(*testing.T, vector) {
	out := map[string]func(*testing.T, vector){}
	check := func(name string, status gateway.Status, also func(*testing.T, vector, gateway.Result)) {
		out[name] = func(t *testing.T, v vector) {
			var request struct{ Params map[string]string }
			require.NoError(t, json.Unmarshal(v.Request, &request))
			drill{
				status: status,
				call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
					ref := payment(operationFor(name))
					ref.State = saved(stateInvoice, request.Params["invoiceId"], statePayment, request.Params["paymentId"],
						stateDirect, "1", stateReturn, "https://shop.example/return/ord-1001")
					if strings.Contains(name, "lookup") {
						ref.State[stateKey] = "kept" // of payments/create: the examples name none, and no code is taken without it
					}
					return g.Fetch(ctx, ref)
				},
				also: func(t *testing.T, result gateway.Result) {
					require.Equal(t, result.Status == gateway.StatusRequiresAction, result.NextAction != nil)
					if also != nil {
						also(t, v, result)
					}
				},
			}.play(t, v)
		}
	}
	code := func(left int) func(*testing.T, vector, gateway.Result) {
		return func(t *testing.T, _ vector, result gateway.Result) {
			require.Equal(t, &gateway.NextAction{Type: gateway.ActionConfirmCode, AttemptsLeft: &left}, result.NextAction)
			require.Equal(t, itoa(int64(left)), result.State[stateLeft].Reveal())
		}
	}
	// The form's members are passed on as they came, with the address that the bank sends the payer back to.
	form := func(t *testing.T, v vector, result gateway.Result) {
		var r struct {
			Data struct {
				Confirmation struct {
					URL  string
					Form map[string]string
				}
			}
		}
		require.NoError(t, json.Unmarshal(v.Response, &r))
		require.Equal(t, gateway.ActionPostForm, result.NextAction.Type)
		require.Equal(t, r.Data.Confirmation.URL, result.NextAction.URL)
		require.Len(t, result.NextAction.Fields, len(r.Data.Confirmation.Form)+1)
		for member, value := range r.Data.Confirmation.Form {
			require.Equal(t, value, result.NextAction.Fields[member])
		}
		term := result.NextAction.Fields["TermUrl"]
		require.Contains(t, term, "/confirm?id=")
		require.Contains(t, term, "redirect=https%3A%2F%2Fshop.example%2Freturn%2Ford-1001")
		if v.TermURL != "" {
			require.Equal(t, v.TermURL, term)
		}
	}
	check("seed_checkstatus_lookup_needs_confirmation", "", code(3))
	check("checkstatus_lookup_two_attempts_left", "", code(2))
	for _, name := range []string{
		"seed_checkstatus_3ds_needs_confirmation", "seed_checkstatus_3ds_redacted", "checkstatus_3ds_with_md_and_receipt",
		"checkstatus_3ds_without_form", "checkstatus_redirect_nested_in_confirmation",
	} {
		check(name, "", form)
	}
	check("checkstatus_open_new", gateway.StatusProcessing, nil) // nobody is on a page: the provider works
	for _, name := range []string{
		"pending_new", "payed_paid", "holded_paid", "holded_new", "finished_finished", "finished_new", "rejected_canceled",
		"canceled_canceled", "closed_canceled", "reversed_reversed", "returned_reversed", "something_new_new",
	} {
		check("checkstatus_"+name, "", nil)
	}
	return out
}

// paymentDrills start payments on invoices and command them (uapay.md 8).
func paymentDrills() map[string]func(*testing.T, vector) {
	confirming := func() gateway.Ref {
		ref := known(gateway.OpSale)
		ref.State[stateDirect], ref.State[stateLeft], ref.State[stateKey] = "1", "3", simKey
		return ref
	}
	reread := func(answer string) map[string][]string {
		return map[string][]string{"invoicer/payments/show": {answer}}
	}
	refund := func(minor int64, then string) drill {
		return drill{more: reread(then), call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			parent := known(gateway.OpSale)
			ref := gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-1", Amount: uah(minor), Parent: &parent}
			result, err := g.Refund(ctx, gateway.RefundRequest{Refund: ref, Payment: parent})
			if err != nil || result.Status != gateway.StatusProcessing {
				return result, fmt.Errorf("an acknowledgement proves nothing yet: %s, %w", result.Status, err)
			}
			ref.State = result.State
			return g.Fetch(ctx, ref) // about the refund, which succeeded in both examples
		}}
	}
	out := map[string]func(*testing.T, vector){
		"payment_create": drill{
			more: map[string][]string{"invoicer/invoices/create": {invoiceMade}, "invoicer/payments/checkStatus": {pending}},
			// We are not told the size of the browser's window, and send the screen's.
			adjust: func(params, _ map[string]any) {
				device, _ := params["device"].(map[string]any)
				device["windowHeight"], device["windowWidth"] = 900.0, 1440.0
			},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.CreatePayment(ctx, directWith(mustCVC("123")))
			},
			also: func(t *testing.T, result gateway.Result) {
				require.Equal(t, simKey, result.State[stateKey].Reveal())
				require.Equal(t, testPayment, result.State[statePayment].Reveal())
				require.Equal(t, testInvoice, result.ProviderReference)
			},
		}.play,
		"payment_confirm_lookup": drill{
			more: map[string][]string{"invoicer/payments/checkStatus": {pending}},
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.ConfirmCode(ctx, confirming(), "123456")
			},
		}.play,
		"payment_complete_full": drill{more: reread(shown("FINISHED", "FINISHED", 25000)), call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Capture(ctx, known(gateway.OpAuthorize), uah(25000))
		}}.play,
		"payment_complete_reduced": drill{
			more: reread(shown("FINISHED", "FINISHED", 20000)),
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.Capture(ctx, known(gateway.OpAuthorize), uah(20000))
			},
			also: func(t *testing.T, result gateway.Result) { require.EqualValues(t, 20000, *result.Settled) },
		}.play,
		"payment_cancel_hold": drill{more: reread(shown("CANCELED", "CANCELED", 25000)), call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			return g.Cancel(ctx, known(gateway.OpAuthorize))
		}}.play,
		"payment_reverse_full": func(t *testing.T, v vector) {
			v.Reread = "succeeded" // the word is the payment's; the result is about the refund
			refund(25000, shown("REVERSED", "REVERSED", 25000)).play(t, v)
		},
		"payment_reverse_partial": refund(5000, shown("FINISHED", "FINISHED", 25000)).play,
	}
	for name, status := range map[string]gateway.Status{
		// Whoever reads a payment here has asked something of it: that the payer has yet to act is told by checkStatus.
		"new_open": gateway.StatusProcessing, "new_needs_confirmation": gateway.StatusProcessing,
		"new_pending": "", "paid_payed": "", "paid_holded": "", "finished_finished": "", "canceled_canceled": "",
		"canceled_rejected": "", "canceled_closed": "", "reversed_reversed": "", "reversed_returned": "",
	} {
		name = "payment_show_" + name
		out[name] = drill{
			status: status,
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				return g.reread(ctx, payment(operationFor(name)), paymentParams{PaymentID: testPayment, InvoiceID: testInvoice})
			},
			also: func(t *testing.T, result gateway.Result) {
				require.EqualValues(t, 25000, *result.Amount)
				require.Equal(t, "0", result.ProviderData["commission"])
			},
		}.play
	}
	return out
}

func mustCVC(code string) card.CVC {
	cvc, err := card.ParseCVC(code)
	if err != nil {
		panic(err)
	}
	return cvc
}

// directWith is a payment with a kept card and its code.
func directWith(cvc card.CVC) gateway.PaymentRequest {
	no, depth, height, width, zone := false, 24, 900, 1440, -120
	req := hosted()
	req.Flow = gateway.FlowDirect
	req.Customer.IP = "192.0.2.10"
	req.Method.StoredCard = &gateway.StoredCard{ID: testCard, CVC: cvc}
	req.Browser = &gateway.Browser{
		AcceptHeader: "*/*", UserAgent: "sim-browser/1.0", Language: "uk-UA", JavaEnabled: &no,
		ColorDepth: &depth, ScreenHeight: &height, ScreenWidth: &width, TimeZoneOffset: &zone,
	}
	return req
}

// callbackDrills read callbacks (uapay.md 10).
func callbackDrills() map[string]func(*testing.T, vector) {
	read := func(check func(t *testing.T, n gateway.Notification, err error, v vector)) func(*testing.T, vector) {
		return func(t *testing.T, v vector) {
			n, err := open(t, account("")).ReadCallback(gateway.RawCallback{Method: "POST", ContentType: "application/json", Body: v.Request, ReceivedAt: testNow})
			check(t, n, err, v)
		}
	}
	believed := func(t *testing.T, n gateway.Notification, err error, v vector) {
		require.NoError(t, err)
		require.Empty(t, n.VerifyReason)
		require.Equal(t, "ord-1001", n.OrderID)
		require.Equal(t, gateway.KindPayment, n.Result.Kind)
		want, _ := neutral(t, v.Want)
		require.Equal(t, want, n.ResultFor(operationFor(v.Name)).Status)
		require.Equal(t, want == gateway.StatusFailed, n.ResultFor(operationFor(v.Name)).Failure != nil)
		require.EqualValues(t, 25000, *n.Result.Amount)
		require.Equal(t, testPayment, n.Result.State[statePayment].Reveal())
		require.Equal(t, testInvoice, n.Result.ProviderReference)
	}
	forged := func(t *testing.T, n gateway.Notification, err error, _ vector) {
		require.Equal(t, gateway.KindInvalidSignature, kindOf(t, err))
		require.Empty(t, n)
	}
	return map[string]func(*testing.T, vector){
		"callback_finished": read(believed), "callback_holded": read(believed), "callback_rejected": read(believed), "callback_canceled": read(believed),
		"callback_reversed": read(func(t *testing.T, n gateway.Notification, err error, _ vector) {
			require.NoError(t, err)
			require.NotEmpty(t, n.VerifyReason, "whose refund it was must be asked")
			require.Empty(t, n.Result.Status)
		}),
		"callback_amount_mismatch": read(func(t *testing.T, n gateway.Notification, err error, _ vector) {
			require.NoError(t, err)
			require.EqualValues(t, 100, *n.Result.Amount, "package payment compares it")
		}),
		"callback_wrong_key":       read(forged),
		"callback_tampered_amount": read(forged),
		"callback_legacy_orders_2017": func(t *testing.T, v vector) {
			read(func(t *testing.T, _ gateway.Notification, err error, _ vector) {
				require.Equal(t, gateway.KindRejected, kindOf(t, err), "without a signature")
			})(t, v)
			var claims map[string]any
			require.NoError(t, json.Unmarshal(v.Request, &claims))
			n, err := open(t, account("")).ReadCallback(sealed(t, claims))
			require.NoError(t, err)
			require.Empty(t, n.VerifyReason)
			require.Equal(t, "24", n.OrderID)
			want, _ := neutral(t, v.Want)
			require.Equal(t, want, n.Result.Status)
			require.Equal(t, testInvoice, n.Result.ProviderReference)
		},
	}
}
