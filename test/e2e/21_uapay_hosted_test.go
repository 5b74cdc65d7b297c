package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A shop that charges in hryvnia uses the same request as one that charges in euro; the currency decides.
func TestHostedPaymentsAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	begin := []string{"created by request", "requires_action by answer"}

	// The answer to the call that makes the order is lost. One after the other: the fault hits whichever order comes next.
	lost := func(reference string) full {
		d.once("drop_after", "invoicer/invoices/create", "")
		o := d.makes("/v1/payments", uah(reference, 1000, ""), http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		return o
	}
	lostPaid, lostMuted, lostLeft := lost("lost-paid"), lost("lost-silent"), lost("lost-left")
	d.once("drop_before", "invoicer/invoices/create", "")
	never := d.makes("/v1/payments", uah("never", 1000, ""), http.StatusAccepted)

	d.atOnce(t, scenarios{
		"paid": func(t *testing.T, d uapayDev) {
			o := d.opens("paid", `"return_urls":{"status":"`+d.ShopPage+`"}`)
			require.Contains(t, d.pays(o, uahSuccess, ""), "<main", "the payer is back at the shop")
			end := d.ends(o.ID, "succeeded")
			require.EqualValues(t, 1000, end.AmountCaptured)
			require.Equal(t, "411111******1111", end.PaymentMethod.Masked)
			require.Nil(t, end.NextAction)
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
			require.Equal(t, []int{http.StatusOK}, d.answers(o))
		},
		"paid after 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge", "")
			d.pays(o, uahChallenge, "success")
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
		},
		"refused": func(t *testing.T, d uapayDev) {
			o := d.opens("refused", "")
			require.Contains(t, d.pays(o, uahReject, ""), `data-status="failed"`)
			end := d.ends(o.ID, "failed")
			require.Equal(t, "REJECTED", end.Failure.Code)
			require.Equal(t, "unknown", end.Failure.Category, "the provider does not say why")
			require.Equal(t, "customer_may_retry", end.Failure.Advice)
			require.Zero(t, end.AmountCaptured)
			d.requireTimeline(o.ID, append(begin, "failed by callback|check")...)
		},
		"refused by 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge-fail", "")
			d.pays(o, uahChallenge, "fail")
			d.ends(o.ID, "failed")
			d.requireTimeline(o.ID, append(begin, "failed by callback|check")...)
		},
		"given up at 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge-cancel", "")
			d.pays(o, uahChallenge, "cancel")
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(begin, "canceled by callback|check")...)
		},
		"callback lost": func(t *testing.T, d uapayDev) {
			o := d.opens("silent", "")
			d.muteCallbacks(o)
			d.pays(o, uahSuccess, "")
			d.asks(o)
			require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
			d.requireTimeline(o.ID, append(begin, "succeeded by check")...)
			require.Empty(t, d.answers(o))
		},
		"callback sent twenty times": func(t *testing.T, d uapayDev) {
			o := d.opens("twenty", "")
			d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_duplicate", "order_id": o.ProviderOrderID, "times": 20})
			d.pays(o, uahSuccess, "")
			d.ends(o.ID, "succeeded")
			eventually(t, func() bool { return len(d.answers(o)) == 20 })
			for _, status := range d.answers(o) {
				require.Equal(t, http.StatusOK, status)
			}
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
		},
		"answer lost, paid": func(t *testing.T, d uapayDev) {
			d.completes(lostPaid, "success")
			d.ends(lostPaid.ID, "succeeded")
			d.requireTimeline(lostPaid.ID, "created by request", "unknown by answer", "succeeded by callback|check")
			require.Equal(t, lostPaid.ID, d.makes("/v1/payments", uah("lost-paid", 1000, ""), http.StatusOK).ID, "the shop asks again")
			require.Equal(t, 1, d.sent(lostPaid, "invoicer/invoices/create"), "and no second invoice is made")
		},
		"answer and callback lost, paid": func(_ *testing.T, d uapayDev) {
			d.muteCallbacks(lostMuted)
			d.completes(lostMuted, "success")
			d.asks(lostMuted)
			d.ends(lostMuted.ID, "succeeded")
			d.requireTimeline(lostMuted.ID, "created by request", "unknown by answer", "succeeded by check")
		},
		"answer lost, not paid": func(t *testing.T, d uapayDev) {
			repeated := d.makes("/v1/payments", uah("lost-left", 1000, ""), http.StatusOK)
			require.Equal(t, lostLeft.ID, repeated.ID)
			require.Equal(t, "processing", d.ends(lostLeft.ID, "processing").Status, "the provider has it; its page's address is lost")
			require.Nil(t, d.full(lostLeft.ID).NextAction)
			d.refuses("/v1/payments", uah("lost-left", 1001, ""), http.StatusConflict, "reference_conflict")
			require.Equal(t, 1, d.sent(lostLeft, "invoicer/invoices/create"))
			d.requireTimeline(lostLeft.ID, "created by request", "unknown by answer", "processing by check")
		},
		"never arrived": func(t *testing.T, d uapayDev) {
			for range 4 {
				require.Equal(t, "unknown", d.asks(never).Status, "that the provider does not have it proves nothing so early")
			}
			require.Equal(t, never.ID, d.makes("/v1/payments", uah("never", 1000, ""), http.StatusOK).ID)
			require.Equal(t, 1, d.sent(never, "invoicer/invoices/create"))
			d.requireTimeline(never.ID, "created by request", "unknown by answer")
		},
		"forged callbacks": func(t *testing.T, d uapayDev) {
			o, victim := d.opens("forged", ""), d.opens("victim", "")
			variants := []string{
				"wrong_key", "decoded_key", "alg_none", "alg_hs512", "unsigned", "malformed", "tampered", "other_amount", "future_iat",
			}
			for _, variant := range variants {
				send := map[string]any{"variant": variant}
				if variant != "tampered" { // it claims that by itself, under the signature of the truth
					send["status"] = "FINISHED"
				}
				d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback", send)
			}
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback",
				map[string]any{"variant": "other_order", "victim": victim.ProviderOrderID, "status": "FINISHED"})
			eventually(t, func() bool { return len(d.answers(o)) >= len(variants)+1 })
			for _, id := range []string{o.ID, victim.ID} {
				require.Zero(t, d.get(id).AmountCaptured, "%v", id == victim.ID)
				for _, step := range d.history(id) {
					require.NotContains(t, step, "callback")
				}
			}
			d.pays(o, uahReject, "")
			d.ends(o.ID, "failed")
		},
		"what is missing": func(t *testing.T, d uapayDev) {
			p := d.refuses("/v1/payments", `{"reference":"bare","amount":1000,"currency":"UAH"}`, http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"description"}, p.fields())
			p = d.refuses("/v1/payments", `{"reference":"bare","amount":1000,"currency":"UAH","flow":"direct","payment_method":{"type":"stored_card","card_id":"c"}}`,
				http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"browser", "description", "payment_method.cvc"}, p.fields())
			p = d.refuses("/v1/payments", uah("bare", 1000, `"recurring":{"enabled":true}`), http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"recurring.expires_at", "recurring.frequency_days"}, p.fields())
		},
	})
	d.keepsSecrets()
}
