package smartcore

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
	require.Equal(t, cb[0].Get("sign"), Sign("qwerty", pairsOf(t, b.hook.Got()[first])))
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
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.RedirectTimeoutMS = 60_000 }))
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

// Every page renders in every state of its order.
func TestPagesRenderInEveryState(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.ProcessingMS = 60_000 })
	for id, body := range map[string]object{"open": card(CardChallenge), "wait": card(CardFrictionless)} {
		b.call("/pci/initPaymentHost2Host", b.pay(id, with(body, object{"success_url": "", "fail_url": ""})))
	}
	page := func(id, want string) {
		t.Helper()
		o, _ := b.simulator.Order(id)
		status, _, html := b.visit(http.MethodGet, o.FormURL+"/result", nil)
		require.Equal(t, http.StatusOK, status, html)
		require.Contains(t, html, `data-status="`+want+`"`)
		status, _, html = b.visit(http.MethodGet, b.base+"/orders/"+id, nil)
		require.Equal(t, http.StatusOK, status, html)
		require.Contains(t, html, ">"+want+"</span>")
	}
	page("open", "waiting")
	page("wait", "processing")
	_, _, html := b.visit(http.MethodGet, func() string { o, _ := b.simulator.Order("wait"); return o.FormURL }(), nil)
	require.Contains(t, html, `http-equiv="refresh"`)
	require.NoError(t, b.simulator.Complete("open", "cancel"))
	require.NoError(t, b.simulator.Complete("wait", "success"))
	page("open", "failed")
	page("wait", "success")
	b.call("/pci/authorize", b.pay("auth", card(CardFrictionless)))
	require.NoError(t, b.simulator.Complete("auth", "success"))
	page("auth", "authorized")
	b.call("/gateway/cancel", object{"order_id": "auth"})
	page("auth", "canceled")
	form := b.call("/gateway/withdrawal/tokenize-form", object{"account": "EUR-sandbox-payout", "order_id": "tok"})["form_url"].(string)
	_, _, html = b.visit(http.MethodGet, form+"?test=decline", nil)
	require.Contains(t, html, "Save your card")
	b.visit(http.MethodPost, form, typed("4111111111111111"))
	page("tok", "success")
	status, _, _ := b.visit(http.MethodGet, b.base+"/payment/000000000000000000000000", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// A customer reads why a payment failed in the page's language.
func TestAFailedPaymentIsExplainedToTheCustomer(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for number, want := range map[string][2]string{
		"4111111111111111": {"Your bank declined. Try another card, or ask your bank.", "Ваш банк відмовив."},
		"4000000000001018": {"There is too little money for this sum.", "Для цієї суми замало грошей."},
		"4000000000001067": {"Something went wrong at the provider. Try again later.", "У провайдера стався збій."},
	} {
		b.call("/pci/initPaymentHost2Host", b.pay(number, with(card(number), object{"payment_method": "card", "fail_url": ""})))
		b.status(number, StatusFailed)
		o, _ := b.simulator.Order(number)
		for i, locale := range []string{"en", "uk"} {
			_, _, html := b.visit(http.MethodGet, b.base+"/payment/"+o.ProcessingID+"/result?locale="+locale, nil)
			require.Contains(t, html, want[i], number)
			require.Contains(t, html, `<code id="error-code">`+o.Error+"<", "for developers")
		}
	}
}
