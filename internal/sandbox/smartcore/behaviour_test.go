package smartcore

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

func TestCredentialsAndContentType(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, who := range [][2]string{{"test", "wrong"}, {"nobody", "qwerty"}, {"", ""}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/gateway/check", strings.NewReader(`{"order_id":"x"}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if who[0] != "" {
			req.SetBasicAuth(who[0], who[1])
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/gateway/check", strings.NewReader("order_id=x"))
	require.NoError(t, err)
	req.SetBasicAuth("test", "qwerty")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnsupportedMediaType, resp.StatusCode)
}

// Every required field of every column is missed in turn.
func TestMissingFields(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	full := with(b.pay("miss", card(CardFrictionless)), object{
		"reason": "r", "purpose": "p", "parent_order_id": "x", "payment_method": "card", "customer_card_number": CardFrictionless,
	})
	wallet := func(kind, name string) object {
		return with(b.pay("miss", nil), object{"payment_method": kind + "PayDPan", name + "_pay_dpan": "e30=", name + "_pay_payment_method_network": "Visa"})
	}
	for _, c := range []struct {
		path     string
		body     object
		required []string
	}{
		{"/gateway/initPayment", b.pay("miss", nil), formFields},
		{"/pci/initPaymentHost2Host", full, cardFields},
		{"/pci/initPaymentHost2Host", wallet("apple", "apple"), applePayFields[1:]},
		{"/pci/initPaymentHost2Host", wallet("google", "google"), googlePayFields[1:]},
		{"/pci/authorize", full, authorizeFields},
		{"/gateway/refund", object{"order_id": "miss", "amount": 1, "reason": "r"}, refundFields},
		{"/gateway/recurrent", object{"order_id": "miss", "amount": 1, "purpose": "r", "parent_order_id": "p"}, recurrentFields},
		{"/gateway/withdrawal/tokenize-form", object{"account": "EUR-sandbox-payout", "order_id": "miss"}, tokenizeFields},
		{"/pci/withdrawal/init", with(full, object{"account": "EUR-sandbox-payout"}), append([]string{"customer_card_number"}, withdrawalFields...)},
		{"/gateway/check", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/capture", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/cancel", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/withdrawal/balance/get", object{"account": "x"}, []string{"account"}},
	} {
		for _, field := range c.required {
			body := with(c.body, nil)
			delete(body, field)
			got := b.call(c.path, body)
			require.EqualValues(t, -1, got["status"], "%s without %s", c.path, field)
			require.Equal(t, CodeValidation, got["err"])
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.Contains(t, string(text), field+" is required", c.path)
			require.Nil(t, got["form_url"])
		}
	}
	require.Empty(t, b.twin.Orders(0))
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.ValidationStatus = 400 }))
	status, _, err := b.raw(http.MethodPost, "/gateway/check", `{}`)
	require.NoError(t, err)
	require.Equal(t, 400, status)
}

func TestDuplicateOrderLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/gateway/initPayment", b.pay("dup", nil))
	payout := object{"account": "EUR-sandbox-payout", "order_id": "dup", "amount": 5, "payment_method": "card", "customer_card_number": CardFrictionless}
	for path, body := range map[string]object{
		"/gateway/initPayment":              b.pay("dup", object{"amount": 77}),
		"/pci/initPaymentHost2Host":         b.pay("dup", card(CardFrictionless)),
		"/pci/authorize":                    b.pay("dup", card(CardFrictionless)),
		"/gateway/withdrawal/tokenize-form": {"account": "EUR-sandbox-payout", "order_id": "dup"},
		"/pci/withdrawal/init":              payout,
	} {
		got := b.call(path, body)
		require.EqualValues(t, -1, got["status"], path)
		require.Equal(t, CodeDuplicate, got["err"], path)
	}
	got := b.check("dup")
	require.EqualValues(t, 0, got["status"])
	require.EqualValues(t, 1000, got["amount"])
	require.Len(t, b.twin.Orders(0), 1)
	require.EqualValues(t, 0, b.call("/gateway/withdrawal/balance/get", object{"account": "EUR-sandbox-payout"})["holdBalance"])
}

func TestHostsAreSeparate(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	status, _, err := b.raw(http.MethodPost, "/gateway/initPaymentHost2Host", `{}`)
	require.NoError(t, err)
	require.Equal(t, 404, status)
	status, _, err = b.raw(http.MethodPost, "/pci/check", `{}`)
	require.NoError(t, err)
	require.Equal(t, 404, status)

	got := b.call("/gateway/initPayment", b.pay("host-1", card(CardFrictionless)))
	require.Equal(t, CodeValidation, got["err"])
	require.Contains(t, got["description"], "pci host only")
	base := object{"account": "EUR-sandbox-payout", "order_id": "host-2", "amount": 5}
	for _, c := range []struct {
		path, method, field, value string
		ok                         bool
	}{
		{"/gateway", "card", "customer_card_number", CardFrictionless, false},
		{"/pci", "phoneBalance", "phone_withdrawal", "79123456789", false},
		{"/pci", "token", "tokenize_transaction_order_id", "tok", false},
		{"/gateway", "account", "account_withdrawal", "DE89370400440532013000", false},
		{"/pci", "account", "account_withdrawal", "DE89370400440532013000", true},
	} {
		got := b.call(c.path+"/withdrawal/init", with(base, object{"payment_method": c.method, c.field: c.value}))
		require.Equal(t, c.ok, got["err"] == nil, "%s %v", c.method, got)
	}
}

func TestAWithdrawalMayNameItsProvider(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	got := b.call("/pci/withdrawal/init", object{
		"account": "EUR-sandbox-payout", "order_id": "route-1", "amount": 5, "payment_method": "account",
		"account_withdrawal": "DE89370400440532013000", "provider_id": "17",
	})
	require.Nil(t, got["err"])
	_, raw, err := b.raw(http.MethodGet, "/control/orders/route-1", "")
	require.NoError(t, err)
	require.Contains(t, string(raw), `"provider_id": "17"`)
}

func TestExpiredCardsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for id, c := range map[string]struct {
		number, month, year string
		status              int
	}{
		"old":        {CardFrictionless, "01", "20", -1},
		"old-acs":    {CardChallenge, "01", "20", -1},
		"documented": {CardFrictionless, "02", "25", 2},
		"this-month": {CardFrictionless, time.Now().UTC().Format("01"), time.Now().UTC().Format("06"), 2},
		"far":        {CardFrictionless, "12", "99", 2},
	} {
		for _, path := range []string{"/pci/initPaymentHost2Host", "/pci/authorize"} {
			id := id + strings.ReplaceAll(path, "/", "-")
			b.call(path, b.pay(id, with(card(c.number), object{"card_exp_month": c.month, "card_exp_year": c.year, "payment_method": "card"})))
			checked := b.status(id, c.status)
			if c.status == -1 {
				require.Equal(t, CodeEmitterDenial, checked["errorMessage"], id)
			}
		}
		out := object{"account": "EUR-sandbox-payout", "order_id": "out-" + id, "amount": 5, "payment_method": "card", "customer_card_number": c.number}
		b.call("/pci/withdrawal/init", with(out, object{"customer_card_exp_month": c.month, "customer_card_exp_year": c.year}))
		b.status("out-"+id, c.status)
	}
}

func TestFormPaysDeclinesAndChecksTyping(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	form := b.call("/gateway/initPayment", b.pay("form-1", object{"purpose": "Two <b>tickets</b>"}))["form_url"].(string)
	status, _, html := b.visit(http.MethodGet, form, nil)
	require.Equal(t, 200, status)
	for _, part := range []string{`id="card-form"`, `id="card-number"`, `autocomplete="cc-number"`, "10.00 EUR", "Two &lt;b&gt;tickets", "no real money"} {
		require.Contains(t, html, part)
	}
	for field, value := range map[string]string{"card_number": "4012000000003011", "card_expiry": "01/20", "card_cvc": "1", "card_holder": " "} {
		bad := typed(CardFrictionless)
		bad.Set(field, value)
		status, _, html = b.visit(http.MethodPost, form, bad)
		require.Equal(t, http.StatusUnprocessableEntity, status, field)
		require.Contains(t, html, `aria-invalid="true"`)
		require.NotContains(t, html, `value="4012000000003010"`)
	}
	require.EqualValues(t, 0, b.check("form-1")["status"])
	status, to, _ := b.visit(http.MethodPost, form, typed("4012 0000 0000 3010"))
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "https://shop.example/ok", to)
	require.EqualValues(t, 2, b.check("form-1")["status"])
	_, _, html = b.visit(http.MethodGet, form, nil)
	require.Contains(t, html, `data-status="success"`)

	form = b.call("/gateway/initPayment", b.pay("form-2", object{"fail_url": ""}))["form_url"].(string)
	_, to, _ = b.visit(http.MethodPost, form, typed("4111111111111111"))
	require.Contains(t, to, "/result")
	require.Equal(t, CodeEmitterDenial, b.check("form-2")["errorMessage"])
	cb := b.callbacks(2)
	first := slices.IndexFunc(cb, func(c url.Values) bool { return c.Get("orderId") == "form-1" }) // two orders' callbacks come in any order
	require.GreaterOrEqual(t, first, 0)
	cb = cb[first:]
	for _, key := range strings.Fields(coreKeys + " card_holder card_number card_exp_month card_exp_year sign") {
		require.True(t, cb[0].Has(key), key)
	}
	require.Equal(t, "401200******3010", cb[0].Get("card_number"))
	require.Equal(t, cb[0].Get("sign"), Sign("qwerty", pairsOf(t, b.hook.bodies[first])))
}

func TestThreeDSecurePages(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"redirect", "3ds1", "3ds2"} {
		for outcome, code := range map[string]any{"success": nil, "fail": CodeAuthentication, "cancel": Code3DSCancel} {
			t.Run(mode+" "+outcome, func(t *testing.T) {
				t.Parallel()
				b := newBundle(t, func(s *Settings) { s.ThreeDS = mode })
				got := b.call("/pci/initPaymentHost2Host", b.pay("acs", card(CardChallenge)))
				require.EqualValues(t, 0, b.check("acs")["status"])
				var html, to string
				answer, at := url.Values{"outcome": {outcome}}, ""
				switch mode {
				case "redirect":
					_, at, _ = b.visit(http.MethodGet, got["form_url"].(string), nil)
					at = b.base + strings.TrimPrefix(at, "/smartcore")
					_, _, html = b.visit(http.MethodGet, at, nil)
				default:
					require.Nil(t, got["form_url"])
					sent := url.Values{}
					if mode == "3ds1" {
						sent = url.Values{"PaReq": {got["paReq"].(string)}, "MD": {got["md"].(string)}, "TermUrl": {got["termUrl"].(string)}}
					} else {
						sent.Set("creq", got["creq"].(string))
					}
					_, _, html = b.visit(http.MethodPost, got["acsurl"].(string), sent)
					at = strings.Replace(got["acsurl"].(string), "/acs/", "/payment/", 1) + "/term"
					require.Contains(t, html, at[strings.Index(at, "/smartcore"):])
					button := html[strings.Index(html, `id="acs-`+outcome+`"`):]
					_, button, _ = strings.Cut(button, `value="`)
					button, _, _ = strings.Cut(button, `"`)
					answer = url.Values{"PaRes": {strings.ReplaceAll(button, "&#43;", "+")}}
				}
				require.Contains(t, html, `id="acs-success"`)
				require.EqualValues(t, 1, b.check("acs")["status"])
				_, to, _ = b.visit(http.MethodPost, at, answer)
				want := "https://shop.example/no"
				if outcome == "success" {
					want = "https://shop.example/ok"
				}
				require.Equal(t, want, to)
				require.Equal(t, code, b.check("acs")["errorMessage"])
			})
		}
	}
}

func TestPagesTimeOut(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.FormTimeoutMS, s.RedirectTimeoutMS, s.ThreeDSTimeoutMS = 10, 10, 10 })
	b.call("/gateway/initPayment", b.pay("t1", nil))
	b.call("/pci/initPaymentHost2Host", b.pay("t2", card(CardChallenge)))
	require.Equal(t, CodeFormTimeout, b.status("t1", -1)["errorMessage"])
	require.Equal(t, CodeRedirectTimeout, b.status("t2", -1)["errorMessage"])
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.RedirectTimeoutMS = 60_000 }))
	form := b.call("/pci/initPaymentHost2Host", b.pay("t3", card(CardChallenge)))["form_url"].(string)
	b.visit(http.MethodGet, strings.Replace(form, "/payment/", "/acs/", 1), nil)
	require.Equal(t, Code3DSTimeout, b.status("t3", -1)["errorMessage"])
}

// The timeout of the form does not end an order that has moved on to 3-D Secure.
func TestTimeoutOfAnEarlierStageIsHarmless(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.FormTimeoutMS, s.ThreeDSTimeoutMS = 300, 600 })
	form := b.call("/gateway/initPayment", b.pay("moved", nil))["form_url"].(string)
	b.visit(http.MethodPost, form, typed(CardChallenge))
	require.Equal(t, Code3DSTimeout, b.status("moved", -1)["errorMessage"])
}

func TestCaptureAndCancel(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, id := range []string{"a1", "a2", "a3"} {
		b.call("/pci/authorize", b.pay(id, card(CardFrictionless)))
		b.status(id, 2)
	}
	require.Equal(t, CodeValidation, b.call("/gateway/refund", object{"order_id": "a1", "amount": 1, "reason": "r"})["err"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a1", "amount": "1001"})["err"])
	got := b.call("/gateway/capture", object{"order_id": "a1", "amount": "900"})
	require.EqualValues(t, 2, got["status"])
	require.Len(t, got, 2)
	require.EqualValues(t, 900, b.check("a1")["finalAmount"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a1"})["err"])
	require.Equal(t, CodeValidation, b.call("/gateway/cancel", object{"order_id": "a1"})["err"])
	require.EqualValues(t, 2, b.check("a1")["status"])

	require.EqualValues(t, -1, b.call("/gateway/cancel", object{"order_id": "a2"})["status"])
	require.Nil(t, b.check("a2")["errorMessage"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a2"})["err"])

	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.CapturePendingMS = 20 }))
	require.EqualValues(t, 1, b.call("/gateway/capture", object{"order_id": "a3", "amount": 500})["status"])
	require.Equal(t, CodeValidation, b.call("/gateway/cancel", object{"order_id": "a3"})["err"])
	require.EqualValues(t, 500, b.status("a3", 2)["finalAmount"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "none"})["err"])
}

func TestRefundsNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("r", card(CardFrictionless)))
	b.status("r", 2)
	refund := func(amount int) object {
		return b.call("/gateway/refund", object{"order_id": "r", "amount": amount, "reason": "x", "callback_url": b.hook.server.URL})
	}
	first := refund(400)
	require.Equal(t, false, first["success"])
	got := b.status(first["refund_id"].(string), 2)
	require.Equal(t, "Refund", got["type"])
	require.Equal(t, first["refund_id"], got["order_id"])
	require.Equal(t, first["parentTransaction"], got["parentTransaction"])
	refused := refund(601)
	require.Equal(t, CodeValidation, refused["err"])
	require.Nil(t, refused["refund_id"])
	require.NotNil(t, refund(600)["refund_id"])
	require.Nil(t, refund(1)["refund_id"])
	cb := b.callbacks(3)
	require.Equal(t, "Refund", cb[2].Get("type"))
	require.Equal(t, "r", cb[2].Get("orderId"))

	b.call("/pci/initPaymentHost2Host", b.pay("r2", card(CardFrictionless)))
	b.status("r2", 2)
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.RefundFails = true }))
	failed := b.call("/gateway/refund", object{"order_id": "r2", "amount": 1000, "reason": "x"})
	b.status(failed["refund_id"].(string), -1)
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.RefundFails = false }))
	require.NotNil(t, b.call("/gateway/refund", object{"order_id": "r2", "amount": 1000, "reason": "x"})["refund_id"])
}

func TestRecurrentNeedsAMarkedParent(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("p1", card(CardFrictionless)))
	b.call("/pci/initPaymentHost2Host", b.pay("p2", with(card(CardFrictionless), object{"recurrent": true})))
	b.status("p1", 2)
	b.status("p2", 2)
	charge := func(id, parent string) object {
		return b.call("/gateway/recurrent", object{"order_id": id, "parent_order_id": parent, "amount": 300, "purpose": "x"})
	}
	require.Equal(t, CodeValidation, charge("c0", "p1")["err"])
	require.Equal(t, "ORDER_NOT_FOUND", b.check("c0")["err"])
	require.Equal(t, true, charge("c1", "p2")["success"])
	require.EqualValues(t, 300, b.status("c1", 2)["amount"])
	require.Equal(t, CodeDuplicate, charge("c1", "p2")["err"])
}

func TestWithdrawalsMoveTheBalance(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.WithdrawalMS = 60_000 })
	balance := func() (float64, float64) {
		got := b.call("/gateway/withdrawal/balance/get", object{"account": "EUR-sandbox-payout"})
		return got["balance"].(float64), got["holdBalance"].(float64)
	}
	out := func(id string, amount int, number string) object {
		return b.call("/pci/withdrawal/init", object{
			"account": "EUR-sandbox-payout", "order_id": id, "amount": amount, "payment_method": "card", "customer_card_number": number,
		})
	}
	start, _ := balance()
	require.EqualValues(t, 1, out("w1", 100, CardFrictionless)["status"])
	left, hold := balance()
	require.Equal(t, []float64{start - 100, 100}, []float64{left, hold})
	require.NoError(t, b.twin.Complete("w1", "success"))
	left, hold = balance()
	require.Equal(t, []float64{start - 100, 0}, []float64{left, hold})
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.WithdrawalMS = 1 }))
	got := out("w2", 100, "4123540003981114")
	require.Equal(t, "412354******1114", got["card"].(object)["number"])
	require.Equal(t, CodeEmitterDenial, b.status("w2", -1)["errorMessage"])
	out("w3", int(start), CardFrictionless)
	require.Equal(t, CodeInsufficientFunds, b.status("w3", -1)["errorMessage"])
	left, hold = balance()
	require.Equal(t, []float64{start - 100, 0}, []float64{left, hold})
	require.NoError(t, b.twin.UpdateSettings(func(s *Settings) { s.WithdrawalImmediate = true }))
	require.EqualValues(t, 2, out("w4", 1, CardFrictionless)["status"])
}

func TestMobileCommerceCallback(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	form := b.call("/gateway/initPayment", b.pay("m", object{"form_prefilled_phone": "7122321576"}))["form_url"].(string)
	_, _, html := b.visit(http.MethodGet, form, nil)
	require.Contains(t, html, `value="7122321576"`)
	b.visit(http.MethodPost, form, url.Values{"phone": {"7122321576"}})
	cb := b.callbacks(1)[0]
	require.Equal(t, []string{"7122321576", "N/A", "2"}, []string{cb.Get("paymentPhoneNumber"), cb.Get("card_number"), cb.Get("status")})
}

func TestExportWaitsThenListsOrders(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.ExportPendingPolls = 2 })
	b.call("/pci/initPaymentHost2Host", b.pay("x1", card(CardFrictionless)))
	b.status("x1", 2)
	const path = "/reporting/aggregation-service/public/transaction/excel"
	id := b.call(path, object{"type": "Payment", "status": 2, "dateFrom": 0, "dateTo": "99999999999999"})["id"].(string)
	for _, want := range []string{`"status":1`, `"status":1`, `"status":2`} {
		_, raw, err := b.raw(http.MethodGet, path+"/task/"+id, "")
		require.NoError(t, err)
		require.Contains(t, string(raw), want)
	}
	_, raw, err := b.raw(http.MethodGet, path+"/task/"+id+"/result", "")
	require.NoError(t, err)
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	require.NoError(t, err)
	rows, err := f.GetRows("Sheet1")
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "x1", rows[1][1])
}

// Every page renders in every state of its order.
func TestPagesRenderInEveryState(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.ProcessingMS = 60_000 })
	for id, body := range map[string]object{"open": card(CardChallenge), "wait": card(CardFrictionless)} {
		b.call("/pci/initPaymentHost2Host", b.pay(id, with(body, object{"success_url": "", "fail_url": ""})))
	}
	look := func(id, want string) {
		t.Helper()
		o, _ := b.twin.Order(id)
		status, _, html := b.visit(http.MethodGet, o.FormURL+"/result", nil)
		require.Equal(t, http.StatusOK, status, html)
		require.Contains(t, html, `data-status="`+want+`"`)
		status, _, html = b.visit(http.MethodGet, b.base+"/orders/"+id, nil)
		require.Equal(t, http.StatusOK, status, html)
		require.Contains(t, html, ">"+want+"</span>")
	}
	look("open", "waiting")
	look("wait", "processing")
	_, _, html := b.visit(http.MethodGet, func() string { o, _ := b.twin.Order("wait"); return o.FormURL }(), nil)
	require.Contains(t, html, `http-equiv="refresh"`)
	require.NoError(t, b.twin.Complete("open", "cancel"))
	require.NoError(t, b.twin.Complete("wait", "success"))
	look("open", "failed")
	look("wait", "success")
	b.call("/pci/authorize", b.pay("auth", card(CardFrictionless)))
	require.NoError(t, b.twin.Complete("auth", "success"))
	look("auth", "authorized")
	b.call("/gateway/cancel", object{"order_id": "auth"})
	look("auth", "canceled")
	form := b.call("/gateway/withdrawal/tokenize-form", object{"account": "EUR-sandbox-payout", "order_id": "tok"})["form_url"].(string)
	_, _, html = b.visit(http.MethodGet, form+"?test=decline", nil)
	require.Contains(t, html, "Save your card")
	b.visit(http.MethodPost, form, typed("4111111111111111"))
	look("tok", "success")
	status, _, _ := b.visit(http.MethodGet, b.base+"/payment/000000000000000000000000", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// A card number sent or typed anywhere never reaches the log, a record or the control API.
func TestNoCardDataIsKept(t *testing.T) {
	t.Parallel()
	var log lines
	b := newLoggedBundle(t, nil, &log)
	b.call("/pci/initPaymentHost2Host", b.pay("leak", with(card(CardFrictionless), object{"card_cvv": "987", "purpose": "my card 4012 0000 0000 3010"})))
	b.call("/gateway/initPayment", b.pay("leak2", object{"customer_first_name": CardChallenge, "card_number": CardChallenge}))
	b.status("leak", 2)
	b.callbacks(1)
	for _, path := range []string{"/control/orders", "/control/orders/leak", "/control/requests", "/", "/orders/leak"} {
		status, raw, err := b.raw(http.MethodGet, path, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, path)
		for _, secret := range []string{CardFrictionless, CardChallenge, "4012 0000", `"987"`, "qwerty"} {
			require.NotContains(t, string(raw), secret, path)
		}
		if path == "/control/requests" {
			require.Contains(t, string(raw), "401200******3010")
		}
	}
	for _, secret := range []string{CardFrictionless, CardChallenge, "leak", "qwerty"} {
		require.NotContains(t, log.String(), secret)
	}
	require.NotEmpty(t, log.String())
}

func TestOldOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.twin.mu.Lock()
	b.twin.orders.max = 3
	b.twin.mu.Unlock()
	for _, id := range []string{"1", "2", "3", "4"} {
		b.call("/gateway/initPayment", b.pay(id, nil))
	}
	require.Equal(t, "ORDER_NOT_FOUND", b.check("1")["err"])
	require.Len(t, b.twin.Orders(0), 3)
	require.Len(t, b.twin.orders.byProcessing, 3)
}
