package uapay

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// invoiceDrills make, read and change invoices (uapay.md 7).
func invoiceDrills() map[string]func(*testing.T, vector) {
	made := func(t *testing.T, result gateway.Result) {
		require.Equal(t, &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://pay.demo.uapay.ua/payment/" + testInvoice}, result.NextAction)
		require.Equal(t, testInvoice, result.ProviderReference)
		require.Equal(t, testInvoice, result.State[stateInvoice].Reveal())
	}
	create := func(change func(*gateway.PaymentRequest)) drill {
		return drill{also: made, call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			req := hosted()
			if change != nil {
				change(&req)
			}
			return g.CreatePayment(ctx, req)
		}}
	}
	// The example's orderRef is that of another order; ours names the order that it goes with.
	ownRef := func(d drill, id string) drill {
		d.adjust = func(_, data map[string]any) { data["extraInfo"] = fmt.Sprintf(`{"orderRef":%q}`, id) }
		return d
	}
	show := func(name string) drill {
		return drill{
			call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
				ref := payment(operationFor(name))
				ref.ProviderReference = testInvoice
				return g.Fetch(ctx, ref)
			},
			also: func(t *testing.T, result gateway.Result) {
				require.EqualValues(t, 25000, *result.Amount)
				require.Equal(t, testInvoice, result.State[stateInvoice].Reveal())
				if name == "invoice_show_no_payment_yet" {
					return
				}
				require.Equal(t, testPayment, result.ProviderData["payment_id"])
				if result.Status != gateway.StatusProcessing { // else another payment of the invoice may bring the money
					require.Equal(t, testPayment, result.State[statePayment].Reveal())
				}
				require.Equal(t, &gateway.MaskedMethod{Type: "card", Masked: "411111******1111", BIN: "411111"}, result.PaymentMethod)
				require.EqualValues(t, "UAH", result.Currency)
			},
		}
	}
	out := map[string]func(*testing.T, vector){
		"invoice_create_pay":  create(nil).play,
		"invoice_create_hold": ownRef(create(func(r *gateway.PaymentRequest) { r.Ref.OrderID, r.Ref.Operation = "ord-1002", gateway.OpAuthorize }), "ord-1002").play,
		"invoice_create_subscribe": ownRef(create(func(r *gateway.PaymentRequest) {
			r.Ref.OrderID = "sub-1"
			r.Recurring = gateway.Recurring{Enabled: true, FrequencyDays: 30, ExpiresAt: time.UnixMilli(1811030400000)}
		}), "sub-1").play,
		"invoice_create_pay_signed": func(t *testing.T, v vector) {
			create(nil).play(t, v)
			p := newProvider(t, map[string][]string{"invoicer/invoices/create": {v.answer(t)}})
			_, err := open(t, account(p.url)).CreatePayment(t.Context(), hosted())
			require.NoError(t, err)
			require.JSONEq(t, string(v.Request), p.seen()[0].Body, "to the letter, token and all")
		},
		"invoices_show_list_by_external_ids": drill{call: func(ctx context.Context, g *Gateway) (gateway.Result, error) {
			r, err := g.listInvoices(ctx, "ord-1001", "ord-1002")
			if err == nil && (r.Invoices == nil || len(*r.Invoices) != 0) {
				return gateway.Result{}, fmt.Errorf("found %v", r.Invoices)
			}
			return gateway.Result{}, err
		}}.play,
	}
	for _, name := range []string{"no_payment_yet", "finished", "holded_paid", "holded_not_paid", "rejected", "canceled", "reversed"} {
		out["invoice_show_"+name] = show("invoice_show_" + name).play
	}
	return out
}
