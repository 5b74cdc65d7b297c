package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// browserInfo is what a shop's page learns about its customer's browser for 3-D Secure.
const browserInfo = `"browser":{"accept_header":"text/html","user_agent":"test","language":"uk-UA","java_enabled":false,"javascript_enabled":true,` +
	`"color_depth":24,"screen_height":844,"screen_width":390,"time_zone_offset":-120}`

func TestStoredCardsAtUAPAY(t *testing.T) {
	t.Parallel()
	const create, confirm = "invoicer/payments/create", "invoicer/payments/confirm"
	d := startUAPAY(t)

	// One after the other: the fault hits whichever order comes next.
	lost := func(endpoint, kind, reference, number string) full {
		d.once(kind, endpoint, "")
		o := d.charges(reference, number, http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		return o
	}
	lostPaid := lost(create, "drop_after", "lost", uahSuccess)
	lostBank := lost(create, "drop_after", "lost-bank", uahChallenge)
	lostCode := lost(create, "drop_after", "lost-code", uahLookup)
	envelope := lost("invoicer/invoices/create", "drop_after", "envelope", uahSuccess)

	d.atOnce(t, scenarios{
		"paid": func(t *testing.T, d uapayDev) {
			o := d.charges("frictionless", uahSuccess, http.StatusCreated)
			end := d.ends(o.ID, "succeeded")
			require.EqualValues(t, 1000, end.AmountCaptured)
			require.Equal(t, "411111******1111", end.PaymentMethod.Masked)
			d.requireTimeline(o.ID, "created by request", "succeeded by callback|answer|check")
			d.refuses("/v1/payments", uah("frictionless", 1000, storedCard("another", d.ShopPage)), http.StatusConflict, "reference_conflict")
			require.Equal(t, 1, d.sent(o, create))
		},
		"held": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/payments", uah("held", 1000, `"capture":"manual",`+storedCard(d.card(uahSuccess), d.ShopPage)), http.StatusCreated)
			d.ends(o.ID, "authorized")
			require.Equal(t, "succeeded", d.makes(captureOf(o), `{}`, http.StatusOK).Status)
			d.requireTimeline(o.ID, "created by request", "authorized by callback|answer|check", "processing by request", "succeeded by answer|check")
		},
		"refused": func(t *testing.T, d uapayDev) {
			o := d.charges("refused", uahReject, http.StatusCreated)
			require.Equal(t, "REJECTED", d.ends(o.ID, "failed").Failure.Code)
			d.requireTimeline(o.ID, "created by request", "failed by callback|answer|check")
		},
		"3-D Secure": func(t *testing.T, d uapayDev) {
			for button, status := range map[string]string{"success": "succeeded", "fail": "failed", "cancel": "canceled"} {
				o := d.charges("bank-"+button, uahChallenge, http.StatusCreated)
				d.challenged(o, button)
				d.ends(o.ID, status)
				require.Nil(t, d.full(o.ID).NextAction)
				d.requireTimeline(o.ID, "created by request", "requires_action by answer", status+" by callback|check")
			}
		},
		"3-D Secure, callback lost": func(_ *testing.T, d uapayDev) {
			o := d.charges("bank-silent", uahChallenge, http.StatusCreated)
			d.muteCallbacks(o)
			d.challenged(o, "success")
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by check")
		},
		"3-D Secure, answer lost": func(t *testing.T, d uapayDev) {
			o := d.ends(lostBank.ID, "requires_action")
			require.Equal(t, "post_form", o.NextAction.Type, "the provider tells the form again")
			d.challenged(o, "success")
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "unknown by answer", "requires_action by check", "succeeded by callback|check")
			require.Equal(t, 1, d.sent(o, create))
		},
		"code": func(t *testing.T, d uapayDev) {
			o := d.charges("code", uahLookup, http.StatusCreated)
			require.Equal(t, "requires_action", o.Status)
			require.Equal(t, 3, d.attempts(o))
			p := d.refuses(confirmOf(o), `{"code":"000000"}`, http.StatusUnprocessableEntity, "wrong_code")
			require.Contains(t, p.Detail, "2 attempts are left")
			require.Equal(t, 2, d.attempts(o))
			d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "processing by answer", "succeeded by callback|check")
			d.refuses(confirmOf(o), `{"code":"123456"}`, http.StatusConflict, "invalid_state")
		},
		"wrong codes until none is left": func(t *testing.T, d uapayDev) {
			o := d.charges("codes", uahLookup, http.StatusCreated)
			for left := 2; left > 0; left-- {
				p := d.refuses(confirmOf(o), `{"code":"000000"}`, http.StatusUnprocessableEntity, "wrong_code")
				require.Contains(t, p.Detail, map[int]string{2: "2 attempts are left.", 1: "1 attempt is left."}[left])
				require.Equal(t, left, d.attempts(o))
			}
			end := d.makes(confirmOf(o), `{"code":"000000"}`, http.StatusOK)
			require.Equal(t, "failed", end.Status)
			require.Equal(t, "authentication_failed", end.Failure.Category)
			require.Equal(t, "authentication_failed", d.full(o.ID).Failure.Category, "whether the callback or the answer came first")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "failed by callback|answer|check")
			require.Equal(t, 3, d.sent(o, confirm))
		},
		"code, its answer lost": func(t *testing.T, d uapayDev) {
			o := d.charges("code-lost", uahLookup, http.StatusCreated)
			d.once("drop_after", confirm, o.ProviderOrderID)
			said := d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			if said.Status != "succeeded" { // the callback may be first
				require.Equal(t, "processing", said.Status)
				require.Contains(t, *said.StatusReason, "Do not ask the customer again yet.")
			}
			d.ends(o.ID, "succeeded")
			require.Equal(t, 1, d.sent(o, confirm))
		},
		"a code that got lost": func(t *testing.T, d uapayDev) {
			o := d.charges("code-never", uahLookup, http.StatusCreated)
			d.once("drop_before", confirm, o.ProviderOrderID)
			said := d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			require.Equal(t, "processing", said.Status)
			require.Contains(t, *said.StatusReason, "Do not ask the customer again yet.")
			repeated := d.ends(o.ID, "requires_action")
			require.Nil(t, repeated.StatusReason)
			require.Equal(t, 3, d.attempts(repeated))
			d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			d.ends(o.ID, "succeeded")
		},
		"code, answer of the payment lost": func(t *testing.T, d uapayDev) {
			o := d.ends(lostCode.ID, "processing")
			require.Nil(t, o.NextAction, "the key that a code must go with was lost")
			require.Contains(t, *o.StatusReason, "was lost with an answer")
			d.refuses(confirmOf(o), `{"code":"123456"}`, http.StatusConflict, "invalid_state")
			require.Zero(t, d.sent(o, confirm))
		},
		"answer lost": func(t *testing.T, d uapayDev) {
			d.ends(lostPaid.ID, "succeeded")
			d.requireTimeline(lostPaid.ID, "created by request", "unknown by answer", "succeeded by callback|check")
			require.Equal(t, 1, d.sent(lostPaid, create))
		},
		"answer of the invoice lost": func(t *testing.T, d uapayDev) {
			require.Equal(t, "unknown", d.asks(envelope).Status, "no payment was made on it, but that proves nothing so early")
			require.Zero(t, d.sent(envelope, create))
		},
		"callback lost": func(_ *testing.T, d uapayDev) {
			o := d.charges("silent", uahLookup, http.StatusCreated)
			d.muteCallbacks(o)
			d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by answer|check")
		},
		"a card that is not there": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/payments", uah("no-card", 1000, storedCard("5b0f6c1e-7a5d-4c1b-9a55-0d1e2f3a4b5c", d.ShopPage)), http.StatusCreated)
			require.Equal(t, "failed", o.Status)
			require.Equal(t, "invalid_request", o.Failure.Category)
			require.Equal(t, "fix_request", o.Failure.Advice)
			_, text := d.raw(http.MethodGet, "/v1/payments/"+o.ID, "", nil)
			require.Contains(t, string(text), "The provider refused the request. payment_method.card_id is not known to the provider.")
		},
	})
	d.keepsSecrets()
}
