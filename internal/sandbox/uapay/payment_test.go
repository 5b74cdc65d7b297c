package uapay

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The payer's page: each card of the table ends as the table says, the payer
// comes back to the shop, and the merchant hears of it.
func TestHostedPage(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	made := b.invoice("ord-1", nil)
	page := made.text("paymentPageUrl")
	require.Equal(t, b.base+"/payment/"+made.text("id"), page)
	code, _, html := b.visit(http.MethodGet, page, nil)
	require.Equal(t, 200, code)
	for _, id := range []string{"card-form", "card-number", "card-expiry", "card-cvc", "pay"} {
		require.Contains(t, html, `id="`+id+`"`)
	}
	code, _, html = b.visit(http.MethodPost, page, url.Values{"card_number": {"4111111111111112"}, "card_cvc": {"1"}})
	require.Equal(t, 422, code)
	require.NotContains(t, html, "4111111111111112")
	code, where, _ := b.visit(http.MethodPost, page, typed(CardSuccess))
	require.Equal(t, 303, code)
	require.Equal(t, "https://shop.example/return/ord-1", where)
	show := b.call("invoicer/invoices/show", object{"id": made["id"]}, nil)
	p := show["payments"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"FINISHED", "FINISHED", "4111111111"}, []any{p["status"], p["paymentStatus"], p["cardFromMasked"]})
	require.Equal(t, map[string]any{"orderRef": "ord-1"}, show["extraInfo"])
	cb := b.callbacks(1)[0]
	require.Equal(t, []any{"ord-1", "FINISHED", made["id"]}, []any{cb["externalId"], cb["paymentStatus"], cb["invoiceId"]})
	_, _, html = b.visit(http.MethodGet, page, nil)
	require.Contains(t, html, `data-status="success"`)

	repeated, _, _ := b.visit(http.MethodPost, page, typed(CardSuccess)) // the button pressed twice
	require.Equal(t, 303, repeated)
	o, _ := b.simulator.Order("ord-1")
	require.Len(t, o.Payments, 1)

	for number, want := range map[string]string{
		CardReject: "failed", CardPending: "processing", CardCancel: "canceled", CardClose: "failed", "4242424242424242": "failed",
	} {
		made := b.invoice("card-"+number[12:], object{"redirectUrl": nil})
		_, where, _ := b.visit(http.MethodPost, made.text("paymentPageUrl"), typed(number))
		_, _, html := b.visit(http.MethodGet, where, nil)
		require.Contains(t, html, `data-status="`+want+`"`)
	}
}

func TestHosted3DS(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for answer, want := range map[string]string{"success": SystemFinished, "fail": SystemRejected, "cancel": SystemCanceled} {
		page := b.invoice("h-"+answer, nil).text("paymentPageUrl")
		_, acs, _ := b.visit(http.MethodPost, page, typed(Card3DS))
		code, _, html := b.visit(http.MethodGet, acs, nil)
		require.Equal(t, 200, code)
		require.Contains(t, html, `id="acs-`+answer+`"`)
		action := strings.ReplaceAll(between(t, html, `action="`, `"`), "&amp;", "&")
		u, err := url.Parse(b.base)
		require.NoError(t, err)
		_, where, _ := b.visit(http.MethodPost, u.Scheme+"://"+u.Host+action, url.Values{"PaRes": {between(t, html, `id="acs-`+answer+`" class="`+class(html, answer)+`" name="PaRes" value="`, `"`)}})
		require.Equal(t, "https://shop.example/return/h-"+answer, where)
		o, _ := b.simulator.Order("h-" + answer)
		require.Equal(t, want, o.Payment().System)
	}
}

func class(html, answer string) string {
	_, rest, _ := strings.Cut(html, `id="acs-`+answer+`" class="`)
	c, _, _ := strings.Cut(rest, `"`)
	return c
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(s, from)
	require.True(t, found, from)
	got, _, found := strings.Cut(rest, to)
	require.True(t, found)
	return got
}

func TestHostedLookup(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	page := b.invoice("l-1", nil).text("paymentPageUrl")
	_, lookup, _ := b.visit(http.MethodPost, page, typed(CardLookup))
	code, _, html := b.visit(http.MethodPost, lookup, url.Values{"code": {"000000"}})
	require.Equal(t, 422, code)
	require.Contains(t, html, `<strong id="attempts-left">2</strong>`)
	require.Contains(t, html, `id="lookup-submit"`)
	_, where, _ := b.visit(http.MethodPost, lookup, url.Values{"code": {"123456"}})
	require.Equal(t, "https://shop.example/return/l-1", where)
	o, _ := b.simulator.Order("l-1")
	require.Equal(t, SystemFinished, o.Payment().System)

	page = b.invoice("l-2", nil).text("paymentPageUrl")
	_, lookup, _ = b.visit(http.MethodPost, page, typed(CardLookup))
	for range 3 {
		b.visit(http.MethodPost, lookup, url.Values{"code": {"000000"}})
	}
	o, _ = b.simulator.Order("l-2")
	require.Equal(t, SystemRejected, o.Payment().System)
}

// Server to server with a challenge: the form as a shop would post it, and the
// words of status swapped between checkStatus and show.
func TestDirect3DS(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, key := b.direct("s-3ds", Card3DS, nil)
	got := b.status(invoice, payment, SystemConfirm)
	require.Equal(t, InvoicerNew, got["paymentStatus"])
	require.Equal(t, key, got["key"])
	show := b.call("invoicer/payments/show", object{"paymentId": payment}, nil)
	require.Equal(t, []any{InvoicerNew, SystemConfirm}, []any{show["status"], show["paymentStatus"]})
	confirmation, redirect := got.object("confirmation"), got.object("redirect")
	require.Equal(t, "3DS", confirmation["type"])
	require.Equal(t, b.base+"/api/payments/ecom/confirm", redirect["url"])
	form := object(confirmation).object("form")
	back := "https://shop.example/back?a=1"
	term := object(redirect).text("url") + "?" + url.Values{"id": {payment}, "key": {key}, "redirect": {back}}.Encode()
	post := url.Values{"PaReq": {form.text("PaReq")}, "MD": {form.text("MD")}, "TermUrl": {term}}
	code, _, html := b.visit(http.MethodPost, object(confirmation).text("url"), post)
	require.Equal(t, 200, code)
	require.Equal(t, term, strings.ReplaceAll(between(t, html, `action="`, `"`), "&amp;", "&"))
	evil := url.Values{"PaReq": post["PaReq"], "TermUrl": {"https://evil.example/?id=" + payment}}
	code, _, _ = b.visit(http.MethodPost, object(confirmation).text("url"), evil)
	require.Equal(t, 400, code)
	code, _, _ = b.visit(http.MethodPost, strings.Replace(term, "key=", "key=x", 1), url.Values{"PaRes": {pares("success")}})
	require.Equal(t, 400, code)
	_, where, _ := b.visit(http.MethodPost, term, url.Values{"PaRes": {pares("success")}, "MD": {form.text("MD")}})
	require.Equal(t, back, where)
	done := b.status(invoice, payment, SystemFinished)
	require.NotContains(t, done, "confirmation")

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.RedirectNested, s.ThreeDSForm = true, "none" }))
	invoice, payment, _ = b.direct("s-nested", Card3DS, nil)
	got = b.status(invoice, payment, SystemConfirm)
	require.NotContains(t, got, "redirect")
	require.Contains(t, got.object("confirmation"), "redirect")
	require.NotContains(t, got.object("confirmation"), "form")
	code, _, html = b.visit(http.MethodPost, got.object("confirmation").text("url"), nil)
	require.Equal(t, 200, code)
	require.Contains(t, html, "acs-success")
}

func pares(word string) string { return base64.StdEncoding.EncodeToString([]byte("PARes " + word)) }

func TestDirectLookup(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, key := b.direct("s-lookup", CardLookup, nil)
	got := b.status(invoice, payment, SystemConfirm)
	require.Equal(t, map[string]any{"type": "LOOKUP", "confirmationsLeft": json.Number("3")}, got["confirmation"])
	require.NotContains(t, got, "key")
	confirm := func(code, key string) object {
		return with(ids(invoice, payment), object{"code": code, "key": key})
	}
	require.Equal(t, CodeFormat, b.refused("invoicer/payments/confirm", confirm("123456", ""), nil))
	require.Equal(t, CodeKey, b.refused("invoicer/payments/confirm", confirm("123456", "x"), nil))
	require.Equal(t, CodeConfirm, b.refused("invoicer/payments/confirm", confirm("111111", key), nil))
	left := b.status(invoice, payment, SystemConfirm).object("confirmation")["confirmationsLeft"]
	require.Equal(t, json.Number("2"), left)
	require.Nil(t, b.call("invoicer/payments/confirm", confirm("123456", key), nil))
	b.status(invoice, payment, SystemFinished)
	require.Equal(t, CodeState, b.refused("invoicer/payments/confirm", confirm("123456", key), nil))

	invoice, payment, key = b.direct("s-out", CardLookup, nil)
	b.status(invoice, payment, SystemConfirm)
	for range 3 {
		require.Equal(t, CodeConfirm, b.refused("invoicer/payments/confirm", confirm("0", key), nil))
	}
	require.Equal(t, InvoicerCanceled, b.status(invoice, payment, SystemRejected)["paymentStatus"])
}

func TestHold(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	hold := object{"type": "HOLD"}
	invoice, payment, _ := b.direct("hold-1", CardSuccess, hold)
	require.Equal(t, InvoicerPaid, b.status(invoice, payment, SystemHolded)["paymentStatus"])
	require.Equal(t, CodeState, b.refused("invoicer/payments/reverse", ids(invoice, payment), nil))
	require.Equal(t, CodeAmount, b.refused("invoicer/payments/complete", with(ids(invoice, payment), object{"amount": 25001}), nil))
	done := b.call("invoicer/payments/complete", with(ids(invoice, payment), object{"amount": 20000}), nil)
	require.Equal(t, object{"paymentId": payment}, done)
	require.Equal(t, json.Number("20000"), b.status(invoice, payment, SystemFinished)["amount"])
	require.Equal(t, CodeState, b.refused("invoicer/payments/cancel", ids(invoice, payment), nil))
	require.Equal(t, CodeAmount, b.refused("invoicer/payments/reverse", ids(invoice, payment), object{"amount": 20001}))

	invoice, payment, _ = b.direct("hold-2", CardSuccess, hold)
	b.status(invoice, payment, SystemHolded)
	b.call("invoicer/payments/cancel", ids(invoice, payment), nil)
	b.status(invoice, payment, SystemCanceled)
	words := []any{}
	for _, c := range b.callbacks(4) {
		words = append(words, c["paymentStatus"])
	}
	require.ElementsMatch(t, []any{SystemHolded, SystemFinished, SystemHolded, SystemCanceled}, words)

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.HoldTTLMS, s.HoldUnpaidMS = 50, 5 }))
	invoice, payment, _ = b.direct("hold-3", CardSuccess, hold)
	b.status(invoice, payment, SystemCanceled) // nobody completed it
	o, _ := b.simulator.Order("hold-3")
	require.Contains(t, history(o), "HOLDED / NEW")
	require.Contains(t, history(o), "nobody completed the hold")
}

func history(o Order) string {
	var sb strings.Builder
	for _, e := range o.History {
		sb.WriteString(e.Text + "\n")
	}
	return sb.String()
}

func TestReverse(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, _ := b.direct("rev", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	b.call("invoicer/payments/reverse", ids(invoice, payment), object{"amount": 5000})
	require.Equal(t, SystemFinished, b.status(invoice, payment, SystemFinished)["status"])
	require.Equal(t, CodeAmount, b.refused("invoicer/payments/reverse", ids(invoice, payment), object{"amount": 20001}))
	require.Equal(t, CodeFormat, b.refused("invoicer/payments/reverse", ids(invoice, payment), object{"amount": "1"}))
	b.call("invoicer/payments/reverse", ids(invoice, payment), nil) // the rest
	b.status(invoice, payment, SystemReversed)
	show := b.call("invoicer/payments/show", object{"paymentId": payment}, nil)
	require.NotNil(t, show["reversedAt"])
	require.Equal(t, CodeState, b.refused("invoicer/payments/reverse", ids(invoice, payment), nil))
	var reported []any // two callbacks may overtake each other
	for _, c := range b.callbacks(2) {
		reported = append(reported, c["paymentStatus"])
	}
	require.Contains(t, reported, SystemReversed)

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.ReverseIgnored = true }))
	invoice, payment, _ = b.direct("rev-2", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	b.call("invoicer/payments/reverse", ids(invoice, payment), nil)
	b.status(invoice, payment, SystemFinished)
}

func TestInvoiceRules(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	show := b.call("invoicer/invoices/show", object{"id": b.invoice("once", nil)["id"]}, nil)
	require.Equal(t, []any{}, show["payments"])
	require.Equal(t, "ACTIVE", show["invoiceStatus"])
	invoice, payment, _ := b.direct("once-2", CardReject, nil)
	b.status(invoice, payment, SystemRejected)
	pay := func(invoice string) string {
		return b.refused("invoicer/payments/create", object{"device": device}, b.payData(invoice, b.card(CardSuccess)))
	}
	require.Equal(t, CodeState, pay(invoice)) // a failed one-time invoice needs a new invoice
	reusable := b.invoice("many", object{"reusability": true}).text("id")
	for range 2 {
		made := b.call("invoicer/payments/create", object{"device": device}, b.payData(reusable, b.card(CardSuccess)))
		b.status(reusable, made.text("id"), SystemFinished)
	}
	require.Len(t, b.call("invoicer/invoices/show", object{"id": reusable}, nil)["payments"], 2)

	list := b.call("invoicer/invoices/show/list", object{"externalIds": []string{"once", "many", "none"}}, nil)["invoices"].([]any)
	require.Len(t, list, 2)
	require.Equal(t, "once", list[0].(map[string]any)["externalId"])
	require.Equal(t, CodeFormat, b.refused("invoicer/invoices/show/list", nil, nil))

	canceled := b.invoice("gone", nil).text("id")
	b.call("invoicer/invoices/update", object{"id": canceled}, object{"tag": "t", "extraInfo": `{"a":1}`})
	b.call("invoicer/invoices/cancel", object{"id": canceled}, nil)
	require.Equal(t, "INACTIVE", b.call("invoicer/invoices/show", object{"id": canceled}, nil)["invoiceStatus"])
	require.Equal(t, CodeState, pay(canceled))
	late := b.invoice("late", object{"payExpiresAt": "2020-01-01 00:00:00"}).text("id")
	require.Equal(t, CodeState, pay(late))

	require.Equal(t, CodeFormat, b.refused("invoicer/invoices/create", object{"systemType": "P2P"}, b.invoiceData("p2p", nil)))
	p2p := b.call("invoicer/invoices/create", object{"systemType": "P2P"}, b.invoiceData("p2p", object{"cardTo": object{"id": b.card(Card3DS)}}))
	require.NoError(t, b.simulator.Complete("p2p", "success"))
	paid := b.call("invoicer/invoices/show", object{"id": p2p["id"]}, nil)["payments"].([]any)[0].(map[string]any)
	require.Equal(t, "5454545454", paid["cardToMasked"])

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.CommissionPercents, s.CommissionFixed = 2, 100 }))
	open := b.invoice("open", object{"amount": nil}).text("id")
	commission := b.call("invoicer/payments/showCommission", object{"invoiceId": open}, object{"amount": 30000})
	require.Equal(t, json.Number("700"), commission["commissionAmount"])
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.TimeScale = 86_400_000 }) // a day in a millisecond
	require.Equal(t, CodeFormat, b.refused("invoicer/invoices/create", object{"systemType": "ECOM"}, b.invoiceData("sub", object{"type": "SUBSCRIBE"})))
	until := time.Now().AddDate(0, 0, 95).UnixMilli()
	id := b.invoice("sub", object{"type": "SUBSCRIBE", "recurringInterval": 30, "expiresAt": until}).text("id")
	require.NoError(t, b.simulator.Complete("sub", "success"))
	b.eventually(func() bool {
		o, _ := b.simulator.Order("sub")
		return strings.Contains(history(o), "subscription is over")
	})
	require.Len(t, b.callbacks(4), 4) // days 0, 30, 60 and 90
	updated := b.call("invoicer/subscriptions/update", object{"invoiceId": id}, object{"interval": 7, "expiresAt": time.Now().Add(-time.Hour).UnixMilli()})
	require.Equal(t, []any{json.Number("7"), "INACTIVE"}, []any{updated["interval"], updated["status"]})
	require.Equal(t, CodeNotFound, b.refused("invoicer/subscriptions/update", object{"id": b.invoice("plain", nil)["id"]}, nil))
}

// A time limit ends only the stage in which it was set.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.ConfirmTimeoutMS = 150 })
	invoice, payment, key := b.direct("kept", CardLookup, nil)
	b.status(invoice, payment, SystemConfirm)
	b.call("invoicer/payments/confirm", with(ids(invoice, payment), object{"code": "123456", "key": key}), nil)
	b.status(invoice, payment, SystemFinished)
	left, other, _ := b.direct("left", CardLookup, nil) // its limit ends after that of the first
	b.status(left, other, SystemCanceled)
	b.status(invoice, payment, SystemFinished)
	o, _ := b.simulator.Order("kept")
	require.Len(t, o.Callbacks, 1)
}

func TestCardsBelongToTheirClient(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	foreign := newCard("1", CardSuccess)
	b.simulator.mu.Lock()
	b.simulator.store.cards.put(foreign.ID, foreign)
	b.simulator.mu.Unlock()
	invoice := b.invoice("mine", nil).text("id")
	require.Equal(t, CodeNotFound, b.refused("invoicer/payments/create", object{"device": device}, b.payData(invoice, foreign.ID)))
}
