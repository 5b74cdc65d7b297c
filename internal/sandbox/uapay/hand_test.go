package uapay

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a developer does by hand: keep a card, refund in the provider's cabinet, open the card frame.
func TestByHand(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	send := func(path, body string, want int) object {
		t.Helper()
		status, raw, err := b.raw(http.MethodPost, "/control"+path, body)
		require.NoError(t, err)
		require.Equal(t, want, status, string(raw))
		out, _ := parse(raw)
		return out
	}
	card := send("/cards", `{"number":"4111 1111 1111 1111"}`, 201)
	require.Equal(t, "4111111111", card["masked"])
	send("/cards", `{"number":"4111 1111 1111 1112"}`, 400)
	send("/cards", `{"number":"4111111111111111","client_id":"5"}`, 400)
	invoice := b.invoice("hand", nil).text("id")
	foreign := send("/cards", `{"number":"4111111111111111","client_id":"1"}`, 201).text("id")
	require.Equal(t, CodeNotFound, b.refused("invoicer/payments/create", object{"device": device}, b.payData(invoice, foreign)))
	send("/orders/hand/later", `{"what":"refund"}`, 409)
	payment := b.call("invoicer/payments/create", object{"device": device}, b.payData(invoice, card.text("id"))).text("id")
	b.status(invoice, payment, SystemFinished)

	send("/orders/none/later", `{"what":"refund"}`, 404)
	send("/orders/hand/later", `{"what":"refund","amount":25001}`, 400)
	send("/orders/hand/later", `{"what":"refund","amount":10000}`, 200)
	b.status(invoice, payment, SystemFinished)
	require.Equal(t, CodeAmount, b.refused("invoicer/payments/reverse", ids(invoice, payment), object{"amount": 15001}))
	send("/orders/hand/later", `{"what":"refund"}`, 200)
	b.status(invoice, payment, SystemReversed)
	got := b.callbacks(2) // the second may overtake the first
	require.ElementsMatch(t, []any{"FINISHED", "REVERSED"}, []any{got[0]["paymentStatus"], got[1]["paymentStatus"]})

	code, where, _ := b.visit(http.MethodGet, b.base+"/console/frame", nil)
	require.Equal(t, http.StatusSeeOther, code)
	_, _, html := b.visit(http.MethodPost, where, typed(CardSuccess))
	require.NotEmpty(t, between(t, html, `id="card-id">`, "<"))
}

// An invoice that nobody begins to pay ends after a while; one that somebody does is left alone.
func TestUnpaidInvoicesEnd(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.InvoiceTTLMS = 1000 })
	show := func(id string) object { return b.call("invoicer/invoices/show", object{"id": id}, nil) }
	paid := b.invoice("begun", nil).text("id")
	require.NoError(t, b.simulator.Complete("begun", "3ds"))
	left := b.invoice("left", nil).text("id")
	b.eventually(func() bool { return show(left)["invoiceStatus"] == "INACTIVE" })
	require.Empty(t, show(left)["payments"])
	require.Equal(t, "ACTIVE", show(paid)["invoiceStatus"])
	require.Empty(t, b.hook.Got(), "no callback tells of an invoice that ends unpaid")
	raw, err := json.Marshal(b.simulator.Settings())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"invoice_ttl_ms":1000`)
}
