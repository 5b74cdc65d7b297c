package uapay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
)

func (b *bundle) fault(f fault.Fault) {
	b.Helper()
	_, err := b.simulator.AddFault(f)
	require.NoError(b, err)
}

// Each fault of an answer looks like what it pretends to be, takes effect once, and
// the invoice exists exactly when the fault comes after processing.
func TestAnswerFaults(t *testing.T) {
	t.Parallel()
	broken := func(_ int, _ []byte, err error) bool { return err != nil }
	code := func(want int) func(int, []byte, error) bool {
		return func(got int, raw []byte, err error) bool { return err == nil && got == want && !json.Valid(raw) }
	}
	for _, c := range []struct {
		kind   fault.Kind
		seen   func(int, []byte, error) bool
		exists bool
	}{
		{fault.DropBefore, broken, false},
		{fault.DropAfter, broken, true},
		{fault.BadGatewayBefore, code(502), false},
		{fault.BadGatewayAfter, code(502), true},
		{fault.ServerErrorHTML, code(500), true},
		{fault.TooManyRequests, code(429), false},
		{fault.TruncatedJSON, code(200), true},
		{fault.CloseMidBody, broken, true},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, nil)
			const path = "invoicer/invoices/create"
			b.fault(fault.Fault{Kind: c.kind, Endpoint: path, OrderID: "hit", Count: 1})
			b.invoice("other", nil)
			body := signed(t, object{"sessionId": b.session, "systemType": "ECOM"}, b.invoiceData("hit", nil))
			status, answer, err := b.raw(http.MethodPost, "/api/"+path, body)
			require.True(t, c.seen(status, answer, err), "%d %q %v", status, answer, err)
			_, known := b.simulator.Order("hit")
			require.Equal(t, c.exists, known)
			require.Empty(t, b.simulator.Faults())
			seen := b.simulator.Requests("hit")
			require.Len(t, seen, 1)
			require.Equal(t, []string{string(c.kind)}, seen[0].Faults)
			b.invoice("hit", nil) // a repeated externalId makes a second invoice
			require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.UniqueExternalID = true }))
			require.Equal(t, CodeDuplicate, b.refused(path, object{"systemType": "ECOM"}, b.invoiceData("hit", nil)))
		})
	}
}

// Every method can be struck, and every method that exists answers.
func TestEveryEndpointCanFail(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, path := range Endpoints() {
		b.fault(fault.Fault{Kind: fault.BadGatewayBefore, Endpoint: path, Count: 1})
		params := object{"sessionId": b.session, "clientId": testClient}
		status, _, err := b.raw(http.MethodPost, "/api/"+path, signed(t, params, nil))
		require.NoError(t, err)
		require.Equal(t, 502, status, path)
		_, raw, err := b.raw(http.MethodPost, "/api/"+path, signed(t, params, nil))
		require.NoError(t, err)
		require.NotContains(t, string(raw), CodeMethodNotFound, path)
		require.True(t, json.Valid(raw), path)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, kind := range []fault.Kind{fault.DelayBefore, fault.DelayAfter} {
		b.fault(fault.Fault{Kind: kind, Count: 1, DelayMS: 60})
		start := time.Now()
		b.call("sessions/create", object{"clientId": testClient}, nil)
		require.GreaterOrEqual(t, time.Since(start), 60*time.Millisecond)
	}
}

func TestReadFaults(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, _ := b.direct("c", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	b.fault(fault.Fault{Kind: fault.CheckNotFound, OrderID: "c", Count: 2})
	b.invoice("unrelated", nil) // only reads count
	require.Equal(t, CodeNotFound, b.refused("invoicer/payments/checkStatus", ids(invoice, payment), nil))
	list := b.call("invoicer/invoices/show/list", object{"externalIds": []string{"c"}}, nil)
	require.Empty(t, list["invoices"])
	b.status(invoice, payment, SystemFinished)
	b.fault(fault.Fault{Kind: fault.CheckLie, OrderID: "c", Count: 2, Code: SystemRejected})
	lie := b.call("invoicer/payments/checkStatus", ids(invoice, payment), nil)
	require.Equal(t, []any{SystemRejected, InvoicerCanceled}, []any{lie["status"], lie["paymentStatus"]})
	lie = b.call("invoicer/payments/show", object{"paymentId": payment}, nil)
	require.Equal(t, []any{InvoicerCanceled, SystemRejected}, []any{lie["status"], lie["paymentStatus"]})
	b.status(invoice, payment, SystemFinished)
}

// The claims of a callback stand in the documented order, without iat.
func TestCallbackClaims(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.invoice("ord", nil)
	require.NoError(t, b.simulator.Complete("ord", "success"))
	b.callbacks(1)
	want, _ := parse(examples(t)["callback_finished"].Request)
	body, _ := parse([]byte(b.hook.Got()[0]))
	require.Len(t, body, 1)
	require.Equal(t, members(t, peek(want.text("token"))), members(t, peek(body.text("token"))))
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.CallbackIAT = true }))
	require.NoError(t, b.simulator.SendCallback("ord", CallbackRequest{}))
	require.Contains(t, b.callbacks(2)[1], "iat")
}

// members are the members of a JSON object in their order.
func members(t *testing.T, raw []byte) []string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	var out []string
	for i := 0; dec.More() || i == 0; i++ {
		tok, err := dec.Token()
		require.NoError(t, err)
		if i%2 == 1 {
			out = append(out, fmt.Sprint(tok))
		}
	}
	return out
}

func TestCallbackFaults(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	finish := func(id string) {
		b.invoice(id, nil)
		require.NoError(t, b.simulator.Complete(id, "success"))
	}
	b.fault(fault.Fault{Kind: fault.CallbackOff, OrderID: "off"})
	finish("off")
	b.fault(fault.Fault{Kind: fault.CallbackDuplicate, OrderID: "dup", Times: 5})
	finish("dup")
	b.callbacks(5)
	for _, body := range b.hook.Got() {
		require.Equal(t, b.hook.Got()[0], body)
	}
	o, _ := b.simulator.Order("off")
	require.NotEmpty(t, o.Callbacks[0].Suppressed)
	b.fault(fault.Fault{Kind: fault.CallbackLate, OrderID: "late", DelayMS: 80})
	start := time.Now()
	finish("late")
	b.callbacks(6)
	require.GreaterOrEqual(t, time.Since(start), 80*time.Millisecond)
	b.fault(fault.Fault{Kind: fault.CallbackForged, OrderID: "forged", Variant: VariantOtherAmount})
	finish("forged")
	require.Equal(t, json.Number("1"), b.callbacks(7)[6]["amount"])
	_, err := b.simulator.AddFault(fault.Fault{Kind: fault.CallbackForged, Variant: "nonsense"})
	require.Error(t, err)

	b.fault(fault.Fault{Kind: fault.CallbackReordered, OrderID: "re", Count: 1, DelayMS: 5000})
	invoice, payment, _ := b.direct("re", CardSuccess, object{"type": "HOLD"})
	b.status(invoice, payment, SystemHolded)
	b.call("invoicer/payments/complete", ids(invoice, payment), nil)
	got := b.callbacks(9)
	require.Equal(t, []any{SystemFinished, SystemHolded}, []any{got[7]["paymentStatus"], got[8]["paymentStatus"]})
}

func TestCallbackBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.fault(fault.Fault{Kind: fault.CallbackBeforeAnswer, Endpoint: "invoicer/invoices/create", Count: 1, Outcome: "success"})
	b.invoice("early", nil)
	require.Len(t, b.hook.Got(), 1)
	b.fault(fault.Fault{Kind: fault.CallbackBeforeAnswer, Endpoint: "invoicer/payments/create", Count: 1})
	b.direct("early-2", CardReject, nil)
	require.Len(t, b.hook.Got(), 2)
	require.Equal(t, SystemRejected, b.callbacks(2)[1]["paymentStatus"])
	b.fault(fault.Fault{Kind: fault.CallbackOff, OrderID: "muted"})
	b.fault(fault.Fault{Kind: fault.CallbackBeforeAnswer, OrderID: "muted", Count: 1, Outcome: "success"})
	b.invoice("muted", nil)
	b.invoice("calm", nil)
	require.Len(t, b.hook.Got(), 2)
}

func TestRedeliveryUntil200(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) {
		s.CallbackRetryMS, s.TimeScale = DefaultSettings().CallbackRetryMS, 3_600_000 // an hour in a millisecond
	})
	b.hook.Answer(func(n int) int {
		if n < 3 {
			return 500
		}
		return 200
	})
	b.invoice("again", nil)
	require.NoError(t, b.simulator.Complete("again", "success"))
	attempts := func(i int) []callback.Attempt {
		o, _ := b.simulator.Order("again")
		return o.Callbacks[i].Attempts
	}
	b.eventually(func() bool { return len(attempts(0)) == 3 })
	require.Equal(t, []int{500, 500, 200}, []int{attempts(0)[0].Status, attempts(0)[1].Status, attempts(0)[2].Status})
	b.hook.Answer(func(int) int { return 204 }) // not 200
	require.NoError(t, b.simulator.SendCallback("again", CallbackRequest{}))
	b.eventually(func() bool { return len(attempts(1)) == 6 }) // the first and five more
}

// Of all variants only the properly signed ones verify.
func TestCallbackVariants(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.simulator.SetCallbackKey("v", "another key")
	b.invoice("v", nil)
	require.NoError(t, b.simulator.Complete("v", "fail"))
	b.callbacks(1)
	invalid := map[string]bool{
		VariantWrongKey: true, VariantDecodedKey: true, VariantAlgNone: true, VariantAlgHS512: true, VariantUnsigned: true,
		VariantMalformed: true, VariantTampered: true,
	}
	for i, name := range Variants() {
		require.NoError(t, b.simulator.SendCallback("v", CallbackRequest{Variant: name, Victim: "victim-1"}))
		b.callbacks(i + 2)
		body, ok := parse([]byte(b.hook.Got()[i+1]))
		require.True(t, ok, name)
		claims, err := verify("another key", body.text("token"))
		require.Equal(t, !invalid[name], err == nil, name)
		got, _ := parse(claims)
		switch name {
		case VariantReplay:
			require.Equal(t, b.hook.Got()[0], b.hook.Got()[i+1])
		case VariantEarlySuccess:
			require.Equal(t, SystemFinished, got["paymentStatus"])
		case VariantOtherOrder:
			require.Equal(t, "victim-1", got["externalId"])
		case VariantExpiredIAT:
			iat, _ := got.integer("iat")
			require.Less(t, iat, time.Now().Add(-50*time.Minute).Unix())
		case VariantLegacy:
			require.Contains(t, got, "extarnalId")
		}
	}
}

func TestControlAPI(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.invoice("ctl", nil)
	send := func(method, path, body string, want int) string {
		t.Helper()
		status, raw, err := b.raw(method, "/control"+path, body)
		require.NoError(t, err)
		require.Equal(t, want, status, string(raw))
		return string(raw)
	}
	require.Contains(t, send("POST", "/faults", `{"kind":"drop_after","endpoint":"cards/create"}`, 201), `"1"`)
	send("POST", "/faults", `{"kind":"nonsense"}`, 400)
	send("POST", "/faults", `{"knd":"drop_after"}`, 400)
	require.Contains(t, send("GET", "/faults", "", 200), "drop_after")
	send("DELETE", "/faults/1", "", 204)
	send("DELETE", "/faults/1", "", 404)
	send("DELETE", "/faults", "", 200)
	require.Contains(t, send("POST", "/settings", `{"redirect_back":"button"}`, 200), `"redirect_back": "button"`)
	require.Equal(t, []int{5, 10, 20}, b.simulator.Settings().CallbackRetryMS)
	for _, bad := range []string{`{"redirect_back":"odd"}`, `{"no_such":1}`, `{"time_scale":0}`, `{"error_status":500}`, `{"rules":[{"outcome":"fail"}]}`} {
		send("POST", "/settings", bad, 400)
	}
	require.Contains(t, send("POST", "/orders/ctl/complete", `{"outcome":"closed"}`, 200), `"state": "failed"`)
	send("POST", "/orders/ctl/complete", `{"outcome":"success"}`, 409)
	send("POST", "/orders/ctl/complete", `{"outcome":"odd"}`, 400)
	send("POST", "/orders/none/complete", `{"outcome":"success"}`, 404)
	send("POST", "/orders/ctl/callback", `{"variant":"wrong_key"}`, 202)
	b.callbacks(2)
	require.Contains(t, send("GET", "/orders/ctl", "", 200), `"endpoint": "invoicer/invoices/create"`)
	require.Contains(t, send("GET", "/requests?order_id=ctl", "", 200), `"description": "Order ctl"`)
	require.Contains(t, send("GET", "/orders", "", 200), `"external_id": "ctl"`)
	send("POST", "/callback-secrets", `{"order_id":"x","secret":"y"}`, 204)
	send("POST", "/sessions/expire", "", 204)
	send("DELETE", "/settings", "", 200)
	for _, path := range []string{"/", "/orders/ctl"} {
		status, _, html := b.visit(http.MethodGet, b.base+path, nil)
		require.Equal(t, 200, status)
		require.Contains(t, html, "ctl")
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/console/faults", strings.NewReader("kind=drop_after"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Empty(t, b.simulator.Faults())
}

func TestRules(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) {
		s.Rules = []Rule{{ExternalPrefix: "no-", Outcome: "fail"}, {Amount: 777, Outcome: "pending"}}
	})
	invoice, payment, _ := b.direct("no-1", CardSuccess, nil)
	b.status(invoice, payment, SystemRejected)
	page := b.invoice("p-1", object{"amount": 777, "redirectUrl": nil}).text("paymentPageUrl")
	b.visit(http.MethodPost, page, typed(CardSuccess))
	o, _ := b.simulator.Order("p-1")
	require.Equal(t, SystemPending, o.Payment().System)
}

// Twenty browsers and twenty callers at once pay an invoice once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	page := b.invoice("race", nil).text("paymentPageUrl")
	invoice := b.invoice("api", nil).text("id")
	card := b.card(CardSuccess)
	var all sync.WaitGroup
	won := make([]bool, 20)
	for i := range 20 {
		all.Go(func() { b.visit(http.MethodPost, page, typed(CardSuccess)) })
		all.Go(func() {
			won[i] = b.send("invoicer/payments/create", object{"device": device}, b.payData(invoice, card))["error"] == nil
			b.simulator.Orders(0)
			b.call("invoicer/invoices/show", object{"id": invoice}, nil)
		})
	}
	all.Wait()
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	require.Equal(t, 1, winners)
	b.callbacks(2)
	o, _ := b.simulator.Order("race")
	require.Len(t, o.Payments, 1)
	require.Len(t, o.Callbacks, 1)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore(3)
	for i := range 10 {
		o := &Order{ID: fmt.Sprint("o", i), ExternalID: "same", ClientID: "1", Kind: KindInvoice}
		s.add(o)
		p := &Payment{ID: fmt.Sprint("p", i), ReceiptID: fmt.Sprint("r", i)}
		o.Payments = append(o.Payments, p)
		s.index(o, p)
		s.cards.put(fmt.Sprint(i), &Card{})
	}
	require.Len(t, s.orders, 6)
	require.Len(t, s.receipts, 3)
	require.Len(t, s.external, 1)
	require.Len(t, s.cards.all, 3)
	require.Equal(t, "o9", s.any("same").ID)
}

func TestRecipesActOnlyWhereTheyAreOn(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		b := newBundle(t, nil)
		b.simulator.cfg.Recipes = on
		b.invoice("r", object{"amount": 777708})
		require.NoError(t, b.simulator.Complete("r", "success"))
		o, _ := b.simulator.Order("r")
		require.Len(t, o.Callbacks, 1)
		require.Equal(t, on, o.Callbacks[0].Suppressed != "", "%v", on)
		require.Equal(t, on, len(b.simulator.Faults()) == 1)
	}
}
