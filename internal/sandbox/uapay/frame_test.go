package uapay

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A frame's card can pay, the short form wants no expiry, and only a signed
// request opens a frame.
func TestFrame(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	open := func(key string, data object) string {
		raw, err := json.Marshal(object{"params": object{"sessionId": b.session}, "data": data, "iat": time.Now().Unix()})
		require.NoError(t, err)
		return b.base + "/api/iframe/" + Sign(key, raw)
	}
	code, _, _ := b.visit(http.MethodGet, open("wrong", nil), nil)
	require.Equal(t, http.StatusForbidden, code)

	frame := open(testKey, object{"method": "createCard"})
	resp, err := http.Get(frame) //nolint:noctx // a plain page
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "frame-ancestors *")
	code, _, _ = b.visit(http.MethodPost, frame, url.Values{"card_number": {CardSuccess}})
	require.Equal(t, 422, code)
	_, _, html := b.visit(http.MethodGet, frame, nil)
	require.Contains(t, html, "ev.data==='Submit'", "what the page's button says")
	code, _, html = b.visit(http.MethodPost, frame, typed(CardSuccess))
	require.Equal(t, 200, code)
	require.Contains(t, html, "{name:'Success',payload:")
	require.Contains(t, html, "411111*1111")
	id := between(t, html, `id="card-id">`, "<")
	invoice := b.invoice("framed", nil).text("id")
	made := b.call("invoicer/payments/create", object{"device": device}, b.payData(invoice, id))
	b.status(invoice, made.text("id"), SystemFinished)

	short := open(testKey, object{"method": "createShortCard", "enableRedirectResponse": true})
	_, _, html = b.visit(http.MethodGet, short, nil)
	require.NotContains(t, html, "card-expiry\"")
	code, where, _ := b.visit(http.MethodPost, short, url.Values{"card_number": {CardSuccess}})
	require.Equal(t, 303, code)
	require.Contains(t, where, "/api/addcards/success?payload=")
	code, _, html = b.visit(http.MethodGet, where, nil)
	require.Equal(t, 200, code)
	require.Contains(t, html, `data-status="success"`)
}

func TestBase58(t *testing.T) {
	t.Parallel()
	require.Equal(t, "JxF12TrwUP45BMd", base58([]byte("Hello World")))
	require.False(t, strings.ContainsAny(base58([]byte(`{"id":"0OIl"}`)), "0OIl"))
}

func TestOpenAmountPage(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	page := b.invoice("open", object{"amount": nil, "redirectUrl": nil}).text("paymentPageUrl")
	_, _, html := b.visit(http.MethodGet, page, nil)
	require.Contains(t, html, `id="pay-amount"`)
	form := typed(CardSuccess)
	form.Set("amount", "nothing")
	code, _, _ := b.visit(http.MethodPost, page, form)
	require.Equal(t, 422, code)
	form.Set("amount", "12,5")
	code, _, _ = b.visit(http.MethodPost, page, form)
	require.Equal(t, 303, code)
	o, _ := b.simulator.Order("open")
	require.EqualValues(t, 1250, o.Payment().Amount)
}
