package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	applePayload = `{"applicationPrimaryAccountNumber":"4012000000003010","applicationExpirationDate":"301231","currencyCode":"978",` +
		`"transactionAmount":1000,"deviceManufacturerIdentifier":"040010030273","paymentDataType":"3DSecure",` +
		`"paymentData":{"onlinePaymentCryptogram":"AAAA","eciIndicator":"5"}}`
	googlePayload = `{"signature":"MEUCIQ","protocolVersion":"ECv2","signedMessage":"{}"}`
)

func TestDirectPaymentsWithoutTheCustomer(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for name, c := range map[string]struct{ method, status, category, operation string }{
		"card":       {cardMethod(cardSuccess), "succeeded", "", "direct_card"},
		"declined":   {cardMethod(cardOther), "failed", "declined_by_issuer", "direct_card"},
		"apple_pay":  {wallet("apple_pay", applePayload), "succeeded", "", "direct_apple_pay"},
		"google_pay": {wallet("google_pay", googlePayload), "succeeded", "", "direct_google_pay"},
	} {
		o := d.makes("/v1/payments", direct("direct-"+name, 1000, c.method, ""), http.StatusCreated)
		require.Equal(t, "requires_action", o.Status, "the provider gives every direct payment a page; nobody has to open this one")
		end := d.ends(o.ID, c.status)
		d.requireTimeline(o.ID, "created by request", "requires_action by answer", c.status+" by callback|check")
		require.Equal(t, c.operation, d.simulator(o.ProviderOrderID).Operation)
		require.Equal(t, 1, d.sent(o.ProviderOrderID, "initPaymentHost2Host"))
		if c.category != "" {
			require.Equal(t, c.category, end.Failure.Category)
			require.Zero(t, end.AmountCaptured)
			continue
		}
		require.EqualValues(t, 1000, end.AmountCaptured)
		require.Nil(t, end.Failure)
	}
	d.noSecretsInLogs()
}

func TestDirectChallengeByRedirect(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for acs, c := range map[string]struct{ status, category string }{
		"success": {"succeeded", ""}, "fail": {"failed", "authentication_failed"}, "cancel": {"failed", "abandoned"},
	} {
		o := d.makes("/v1/payments", direct("challenge-"+acs, 1000, cardMethod(cardChallenge), ""), http.StatusCreated)
		require.Equal(t, "requires_action", o.Status)
		require.Equal(t, "redirect", o.NextAction.Type)
		d.visits(o.NextAction.URL, acs)
		end := d.ends(o.ID, c.status)
		if c.category != "" {
			require.Equal(t, c.category, end.Failure.Category)
		}
		require.Nil(t, end.NextAction)
		d.requireTimeline(o.ID, "created by request", "requires_action by answer", c.status+" by callback|check")
	}
	d.settings(map[string]any{"google_pay": "pan_only"}) // always with a challenge (smartcore.md 3)
	o := d.makes("/v1/payments", direct("pan-only", 1000, wallet("google_pay", googlePayload), ""), http.StatusCreated)
	require.Equal(t, "requires_action", o.Status)
	d.visits(o.NextAction.URL, "success")
	require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
}

func TestDirectChallengeByPostedForm(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for version, names := range map[string][]string{"3ds1": {"MD", "PaReq", "TermUrl"}, "3ds2": {"creq"}} {
		d.settings(map[string]any{"three_ds": version})
		for button, status := range map[string]string{"success": "succeeded", "fail": "failed"} {
			o := d.makes("/v1/payments", direct(version+"-"+button, 1000, cardMethod(cardChallenge), ""), http.StatusCreated)
			require.Equal(t, "requires_action", o.Status)
			require.Equal(t, "post_form", o.NextAction.Type)
			form := url.Values{}
			for name, value := range o.NextAction.Fields {
				require.NotEmpty(t, value)
				form.Set(name, value)
			}
			require.Len(t, form, len(names))
			for _, name := range names {
				require.True(t, form.Has(name), name)
			}
			page := d.submit(http.DefaultClient, o.NextAction.URL, form)
			pressed := false
			for _, m := range bankAnswer.FindAllStringSubmatch(page.page, -1) {
				if m[1] == button {
					d.submit(http.DefaultClient, page.form, url.Values{m[2]: {m[3]}})
					pressed = true
				}
			}
			require.True(t, pressed, "%s", page.page)
			d.ends(o.ID, status)
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", status+" by callback|check")
		}
	}
}

func TestMobileCommerceForm(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for phone, c := range map[string]struct{ status, category string }{
		"+70000000001": {"succeeded", ""}, "+70000010000": {"failed", "insufficient_funds"},
	} {
		o := d.makes("/v1/payments", fmt.Sprintf(`{"reference":"mobile-%s","amount":1000,"currency":"EUR","payment_method":{"type":"mobile","phone":%q},%s}`,
			phone[1:], phone, customer), http.StatusCreated)
		require.Equal(t, "redirect", o.NextAction.Type)
		require.Equal(t, phone[1:], d.simulator(o.ProviderOrderID).Phone, "the form has the phone filled in")
		d.submit(http.DefaultClient, o.NextAction.URL, url.Values{"phone": {phone}})
		end := d.ends(o.ID, c.status)
		d.requireTimeline(o.ID, "created by request", "requires_action by answer", c.status+" by callback|check")
		if c.category != "" {
			require.Equal(t, c.category, end.Failure.Category)
		}
	}
}

func TestWhatIsMissingIsListedAtOnceAndNothingIsStored(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	const unprocessable = http.StatusUnprocessableEntity
	bare := `{"reference":"missing-1","amount":1000,"currency":"EUR"`
	p := d.refuses("/v1/payments", bare+`}`, unprocessable, "missing_fields")
	hosted := []string{
		"customer.address.city", "customer.address.country", "customer.address.line", "customer.address.postal_code",
		"customer.email", "customer.first_name", "customer.ip", "customer.last_name", "customer.phone",
	}
	require.Equal(t, hosted, p.fields())
	p = d.refuses("/v1/payments", bare+`,"flow":"direct","payment_method":{"type":"card","card":{"number":"`+cardSuccess+`"}}}`, unprocessable, "missing_fields")
	require.Equal(t, append(hosted, "payment_method.card.cvc", "payment_method.card.exp_month", "payment_method.card.exp_year",
		"payment_method.card.holder", "site_url"), p.fields())
	p = d.refuses("/v1/payments", `{"reference":"hosted-hold","amount":1000,"currency":"EUR","capture":"manual",`+customer+`}`, unprocessable, "not_supported_by_provider")
	require.Equal(t, []string{"capture"}, p.fields())
	require.Contains(t, p.Errors[0].Message, "use flow direct with a card, or capture automatic")
	p = d.refuses("/v1/payments", `{"reference":"yen","amount":1000,"currency":"JPY",`+customer+`}`, unprocessable, "currency_not_supported")
	require.Equal(t, []string{"currency"}, p.fields())

	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	d.call(http.MethodGet, "/v1/orders", "", &list)
	require.Empty(t, list.Data, "nothing was stored")
	require.NotContains(t, string(d.control(http.MethodGet, "/orders", nil)), "order_id", "nothing was sent")
}

func TestEveryErrorOfTheDictionary(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	type meaning struct{ code, category, advice string }
	cases := []meaning{
		{"PROCESSING_ERROR", "unknown", "retry_later"},
		{"AUTHENTICATION_PROCESSING_ERROR", "authentication_failed", "customer_may_retry"},
		{"DO_NOT_HONOUR_PROCESSING_ERROR", "fraud_suspected", "do_not_retry"},
		{"EMITTER_DENIAL_PROCESSING_ERROR", "declined_by_issuer", "customer_may_retry"},
		{"FORM_TIMEOUT_PROCESSING_ERROR", "abandoned", "customer_may_retry"},
		{"INSUFFICIENT_FUNDS_PROCESSING_ERROR", "insufficient_funds", "customer_may_retry"},
		{"LIMIT_PROCESSING_ERROR", "limit_exceeded", "customer_may_retry"},
		{"PROCESSOR_DENIAL_PROCESSING_ERROR", "provider_unavailable", "retry_later"},
		{"3DS_REDIRECT_TIMEOUT_PROCESSING_ERROR", "abandoned", "customer_may_retry"},
		{"3DS_TIMEOUT_PROCESSING_ERROR", "authentication_timeout", "customer_may_retry"},
		{"TECHNICAL_PROCESSING_ERROR", "provider_unavailable", "retry_later"},
		{"VALIDATION_PROCESSING_ERROR", "invalid_request", "fix_request"},
		{"PLATFORM_ERROR_DUPLICATED_ORDER_ID", "duplicate_order", "do_not_retry"},
		{"PLATFORM_ERROR_ERROR_GATE_EXCHANGE_NOT_ALLOWED", "provider_unavailable", "contact_provider"},
		{"PLATFORM_ERROR_GATE_NOT_FOUND", "fraud_suspected", "do_not_retry"}, // by its cascade
		{"PLATFORM_ORDER_BILLING_ERROR", "unknown", "retry_later"},
		{"CARD_TIME_LIMIT_PROCESSING_ERROR", "limit_exceeded", "retry_later"},
		{"3DS Redirect Timeout", "authentication_timeout", "customer_may_retry"},
		{"3DS_CANCEL_PROCESSING_ERROR", "abandoned", "customer_may_retry"},
		{"SOMETHING_NEW_ERROR", "unknown", "contact_provider"},
	}
	rules, ids := []any{}, []string{}
	for i, c := range cases {
		rule := map[string]any{"amount": 5000 + i, "code": c.code}
		if c.code == "PLATFORM_ERROR_GATE_NOT_FOUND" {
			rule["cascade"] = []any{
				map[string]any{"gatePriority": 1, "errorCategory": "PLATFORM_ERROR_GATE_SKIPPED"},
				map[string]any{"gatePriority": 2, "errorCategory": "PLATFORM_ERROR_ANTIFRAUD_RULES"},
			}
		}
		rules = append(rules, rule)
	}
	d.settings(map[string]any{"rules": rules})
	for i := range cases {
		ids = append(ids, d.makes("/v1/payments", direct(fmt.Sprintf("code-%d", i), int64(5000+i), cardMethod(cardSuccess), ""), http.StatusCreated).ID)
	}
	for i, c := range cases {
		end := d.ends(ids[i], "failed")
		require.Equal(t, c, meaning{end.Failure.Code, end.Failure.Category, end.Failure.Advice})
		if c.code == "PLATFORM_ERROR_GATE_NOT_FOUND" {
			_, text := d.raw(http.MethodGet, "/v1/payments/"+ids[i], "", nil)
			require.Contains(t, string(text), `"PLATFORM_ERROR_ANTIFRAUD_RULES","priority":2}`)
		}
	}
}

func TestAFormThatNobodyCompletes(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"form_timeout_ms": 300, "redirect_timeout_ms": 300})
	o := d.create("abandoned-form")
	end := d.ends(o.ID, "failed")
	require.Equal(t, "abandoned", end.Failure.Category)
	require.Nil(t, end.NextAction)
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "failed by callback|check")
	page := d.makes("/v1/payments", direct("abandoned-page", 1000, cardMethod(cardChallenge), ""), http.StatusCreated)
	require.Equal(t, "abandoned", d.ends(page.ID, "failed").Failure.Category)
}

func TestADirectPaymentWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for name, number := range map[string]string{"frictionless": cardSuccess, "challenge": cardChallenge} {
		d.fault("drop_after", "initPaymentHost2Host", "", map[string]any{"count": 1})
		o := d.makes("/v1/payments", direct("lost-direct-"+name, 1000, cardMethod(number), ""), http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		if number == cardChallenge {
			d.await(o.ID, "processing") // the page's address went with the answer
			require.Nil(t, d.get(o.ID).NextAction)
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "success"})
		}
		d.ends(o.ID, "succeeded")
		d.requireTimeline(o.ID, "created by request", "unknown by answer", "succeeded by callback|check")
		require.Equal(t, 1, d.sent(o.ProviderOrderID, "initPaymentHost2Host"))
		repeated := d.makes("/v1/payments", direct("lost-direct-"+name, 1000, cardMethod(number), ""), http.StatusOK)
		require.Equal(t, o.ID, repeated.ID)
	}
}
