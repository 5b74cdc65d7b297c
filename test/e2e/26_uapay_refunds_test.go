package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefundsAtUAPAY(t *testing.T) {
	t.Parallel()
	const reverse = "invoicer/payments/reverse"
	d := startUAPAY(t)
	d.atOnce(t, scenarios{
		"all": func(t *testing.T, d uapayDev) {
			p := d.paid("all", "")
			r := d.makes(refundsOf(p), refund("all-r", 1000), http.StatusCreated)
			require.Equal(t, "processing", r.Status, "the provider acknowledges, and shows the outcome later")
			d.ends(r.ID, "succeeded")
			d.requireTimeline(r.ID, "created by request", "processing by answer", "succeeded by check")
			after := d.full(p.ID)
			require.EqualValues(t, 1000, after.AmountRefunded)
			require.Equal(t, "succeeded", after.Status)
			require.Equal(t, p.Sequence, after.Sequence, "the payment itself made no step")
			require.Equal(t, "REVERSED", d.simulator(p).Payments[0].System)
			d.refuses(refundsOf(p), refund("all-more", 1), http.StatusConflict, "refund_exceeds_captured")
			require.Equal(t, 1, d.sent(p, reverse))
		},
		"several until the rest": func(t *testing.T, d uapayDev) {
			p := d.paid("parts", "")
			d.refuses(refundsOf(p), refund("parts-x", 1001), http.StatusConflict, "refund_exceeds_captured")
			back := int64(0)
			for reference, amount := range map[string]int64{"parts-1": 300, "parts-2": 250} {
				r := d.makes(refundsOf(p), refund(reference, amount), http.StatusCreated)
				require.Equal(t, r.ID, d.makes(refundsOf(p), refund(reference, amount), http.StatusOK).ID)
				d.asks(r)
				d.ends(r.ID, "succeeded")
				d.requireTimeline(r.ID, "created by request", "processing by answer", "succeeded by check")
				back += amount
				require.Equal(t, back, d.full(p.ID).AmountRefunded)
				require.Equal(t, "FINISHED", d.simulator(p).Payments[0].System)
			}
			d.refuses(refundsOf(p), refund("parts-y", 451), http.StatusConflict, "refund_exceeds_captured")
			require.Equal(t, 2, d.sent(p, reverse), "what is too much never reaches the provider")
			r := d.makes(refundsOf(p), refund("parts-3", 450), http.StatusCreated)
			d.asks(r)
			d.ends(r.ID, "succeeded")
			require.EqualValues(t, 1000, d.full(p.ID).AmountRefunded)
			require.EqualValues(t, 1000, d.simulator(p).Payments[0].Refunded)
		},
		"of a payment that is not paid": func(_ *testing.T, d uapayDev) {
			o := d.opens("unpaid", "")
			d.refuses(refundsOf(o), refund("unpaid-r", 100), http.StatusConflict, "invalid_state")
		},
		"all, answer lost": func(t *testing.T, d uapayDev) {
			p := d.paid("lost-all", "")
			d.once("drop_after", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("lost-all-r", 1000), http.StatusAccepted)
			require.Equal(t, "unknown", r.Status)
			d.asks(r)
			d.ends(r.ID, "succeeded")
			d.requireTimeline(r.ID, "created by request", "unknown by answer", "succeeded by check")
			require.EqualValues(t, 1000, d.full(p.ID).AmountRefunded)
			require.Equal(t, 1, d.sent(p, reverse))
		},
		"a part, answer lost": func(t *testing.T, d uapayDev) {
			p := d.paid("lost-part", "")
			d.once("drop_after", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("lost-part-r", 400), http.StatusAccepted)
			require.Equal(t, "unknown", d.asks(r).Status, "the provider shows nothing of a partial refund")
			said := d.refuses(refundsOf(p), refund("lost-part-next", 100), http.StatusConflict, "refund_in_progress")
			require.Contains(t, said.Detail, "Another refund of this payment is not settled yet.")
			require.Equal(t, r.ID, d.makes(refundsOf(p), refund("lost-part-r", 400), http.StatusOK).ID)
			require.Equal(t, 1, d.sent(p, reverse), "it is never sent again on a guess")
			require.Zero(t, d.full(p.ID).AmountRefunded)
			d.operator("order", "resolve", r.ID, "--status", "succeeded", "--reason", "seen in the provider's cabinet")
			d.requireTimeline(r.ID, "created by request", "unknown by answer", "succeeded by operator")
			require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
		},
		"a part, answer lost, then all goes back": func(t *testing.T, d uapayDev) {
			p := d.paid("lost-then-all", "")
			d.once("drop_after", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("lost-then-all-r", 400), http.StatusAccepted)
			d.reverses(p, 0)
			require.Equal(t, "unknown", d.asks(r).Status, "what others gave back is not ours")
			require.Zero(t, d.full(p.ID).AmountRefunded)
		},
		"refused by the provider": func(t *testing.T, d uapayDev) {
			p := d.paid("cabinet-first", "")
			d.reverses(p, 700) // in the provider's cabinet: payrelay cannot see it, and lets a refund of 400 pass
			r := d.makes(refundsOf(p), refund("cabinet-first-r", 400), http.StatusCreated)
			require.Equal(t, "failed", r.Status)
			require.Equal(t, "AMOUNT_ERROR", r.Failure.Code)
			require.EqualValues(t, 700, d.simulator(p).Payments[0].Refunded)
			require.Equal(t, "succeeded", d.ends(d.makes(refundsOf(p), refund("cabinet-first-less", 300), http.StatusCreated).ID, "succeeded").Status, "nothing is held by a refund that failed")
		},
	})
}

// REVERSED is what a payment may show after any refund of a part (uapay.md 1.3), so it proves none whose request may never have arrived.
func TestReversedIsNotEveryRefund(t *testing.T) {
	t.Parallel()
	const reverse = "invoicer/payments/reverse"
	d := startUAPAY(t)
	d.settings(map[string]any{"partial_reverse": "reversed"})
	d.atOnce(t, scenarios{
		"a second part never arrived": func(t *testing.T, d uapayDev) {
			p := d.paid("second", "")
			d.ends(d.makes(refundsOf(p), refund("second-1", 400), http.StatusCreated).ID, "succeeded")
			require.Equal(t, "REVERSED", d.simulator(p).Payments[0].System)
			d.once("drop_before", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("second-2", 500), http.StatusAccepted)
			require.Equal(t, "unknown", d.asks(r).Status)
			require.EqualValues(t, 400, d.simulator(p).Payments[0].Refunded)
			require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
		},
		"the rest never arrived": func(t *testing.T, d uapayDev) {
			p := d.paid("rest", "")
			d.ends(d.makes(refundsOf(p), refund("rest-1", 400), http.StatusCreated).ID, "succeeded")
			d.once("drop_before", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("rest-2", 600), http.StatusAccepted)
			require.Equal(t, "unknown", d.asks(r).Status)
		},
		"the cabinet was first": func(t *testing.T, d uapayDev) {
			p := d.paid("cabinet", "")
			d.muteCallbacks(p)
			d.reverses(p, 100)
			d.once("drop_before", reverse, p.ProviderOrderID)
			r := d.makes(refundsOf(p), refund("cabinet-r", 1000), http.StatusAccepted)
			require.Equal(t, "unknown", d.asks(r).Status)
			require.Zero(t, d.full(p.ID).AmountRefunded)
		},
		"acknowledged": func(t *testing.T, d uapayDev) {
			p := d.paid("both", "")
			d.ends(d.makes(refundsOf(p), refund("both-1", 400), http.StatusCreated).ID, "succeeded")
			d.ends(d.makes(refundsOf(p), refund("both-2", 600), http.StatusCreated).ID, "succeeded")
			require.EqualValues(t, 1000, d.simulator(p).Payments[0].Refunded)
		},
	})

	// The provider refuses a second part.
	d.settings(map[string]any{"partial_reverse_once": true})
	p := d.paid("once", "")
	d.ends(d.makes(refundsOf(p), refund("once-1", 400), http.StatusCreated).ID, "succeeded")
	r := d.makes(refundsOf(p), refund("once-2", 500), http.StatusCreated)
	require.Equal(t, "failed", r.Status)
	require.Equal(t, "STATE_ERROR", r.Failure.Code)
	require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
}

// UAPAY acknowledges a refund, and does nothing.
func TestRefundsThatAreAcknowledgedOnly(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	d.settings(map[string]any{"reverse_ignored": true})
	all := d.paid("ignored-all", "")
	r := d.makes(refundsOf(all), refund("ignored-all-r", 1000), http.StatusCreated)
	require.Equal(t, "processing", d.asks(r).Status, "all that is left must read REVERSED")
	p := d.paid("ignored", "")
	part := d.makes(refundsOf(p), refund("ignored-1", 400), http.StatusCreated)
	d.ends(part.ID, "succeeded") // the acknowledgement is all that there is of a part
	rest := d.makes(refundsOf(p), refund("ignored-2", 600), http.StatusCreated)
	require.Equal(t, "processing", d.asks(rest).Status)
	require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
}

// UAPAY acknowledges a refund, does nothing, and carries it out when an operator has given it up. Its word is about the payment.
func TestARefundThatUAPAYCarriesOutLate(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	d.settings(map[string]any{"reverse_ignored": true})
	p := d.paid("given-up", "")
	r := d.makes(refundsOf(p), refund("given-up-r", 1000), http.StatusCreated)
	d.operator("order", "resolve", r.ID, "--status", "failed", "--reason", "UAPAY says that it is lost")
	d.control(http.MethodPost, "/orders/"+p.ProviderOrderID+"/later", map[string]any{"what": "late_refund"})
	c := d.disputed(p)
	require.Equal(t, []any{"reversal", int64(1000), int64(0)}, []any{c.Kind, c.Amount, c.Overdrawn})
	require.Equal(t, "failed", d.full(r.ID).Status)
	d.resolves(c, "accept")
	d.refuses(refundsOf(p), refund("given-up-2", 1), http.StatusConflict, "refund_exceeds_captured")
}

// The payer pays, and the provider gives the money back before payrelay hears of either.
func TestMoneyThatWentBackBeforeItWasSeen(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	gone := func(reference string, amount int64) full {
		o := d.opens(reference, "")
		d.muteCallbacks(o)
		d.pays(o, uahSuccess, "")
		d.reverses(o, amount)
		d.asks(o)
		return d.ends(o.ID, "succeeded")
	}
	all := gone("back-all", 0)
	require.EqualValues(t, 1000, all.AmountCaptured)
	require.EqualValues(t, 1000, all.AmountRefunded, "nobody may ship for money that went back")
	d.requireTimeline(all.ID, "created by request", "requires_action by answer", "succeeded by check")
	d.refuses(refundsOf(all), refund("back-all-r", 1), http.StatusConflict, "refund_exceeds_captured")

	part := gone("back-part", 400) // FINISHED all the same: UAPAY is not known to show a part
	require.Zero(t, part.AmountRefunded)
	d.settings(map[string]any{"partial_reverse": "reversed"})
	shown := gone("back-shown", 400) // or it shows REVERSED, and no sum: all counts as gone
	require.EqualValues(t, 1000, shown.AmountRefunded)

	// Money that goes back after it was seen contradicts nothing that the shop was told: it is a dispute, once a poll confirms it.
	late := d.paid("back-late", "")
	d.reverses(late, 0)
	eventually(t, func() bool { return len(d.verdicts(late.ID)) == 2 })
	require.Equal(t, []string{"apply", "verify"}, d.verdicts(late.ID))
	require.Equal(t, "reversal", d.disputed(late).Kind)
	require.Equal(t, "succeeded", d.full(late.ID).Status)
}

func TestSubscriptionsAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	until := time.Now().AddDate(0, 0, 75)
	recurring := `"recurring":{"enabled":true,"frequency_days":30,"expires_at":"` + until.UTC().Format(time.RFC3339) + `"}`
	o := d.opens("sub", recurring)
	require.True(t, o.Recurring)
	require.Equal(t, "SUBSCRIBE", d.simulator(o).Type)
	require.Contains(t, d.pays(o, uahSuccess, ""), `data-status="success"`)
	end := d.ends(o.ID, "succeeded")
	require.EqualValues(t, 1000, end.AmountCaptured)
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by check")

	// Let time pass. The provider charges by its own schedule, under the first order's id: that never counts as this order's money again.
	d.settings(map[string]any{"time_scale": 86_400_000}) // a day in a millisecond
	session := d.provider("sessions/create", map[string]any{"clientId": "90001"}, nil)["id"]
	d.provider("invoicer/subscriptions/update", map[string]any{"sessionId": session, "invoiceId": d.simulator(o).ID},
		map[string]any{"expiresAt": until.UnixMilli()})
	eventually(t, func() bool { return len(d.simulator(o).Payments) == 3 && len(d.verdicts(o.ID)) == 3 })
	require.Equal(t, []string{"verify", "verify", "verify"}, d.verdicts(o.ID))
	after := d.full(o.ID)
	require.EqualValues(t, 1000, after.AmountCaptured)
	require.Equal(t, end.Sequence, after.Sequence)
	d.refuses("/v1/payments/"+o.ID+"/charges", `{"reference":"sub-2","amount":500,"description":"Socks every month"}`,
		http.StatusUnprocessableEntity, "not_supported_by_provider")
	d.refuses("/v1/payments", uah("sub-held", 1000, `"capture":"manual",`+recurring), http.StatusUnprocessableEntity, "not_supported_by_provider")

	// The charges that nobody asked for do not stand in the way of a refund of the first.
	r := d.makes(refundsOf(o), refund("sub-r", 1000), http.StatusCreated)
	d.ends(r.ID, "succeeded")
	require.EqualValues(t, 1000, d.full(o.ID).AmountRefunded)
	require.Equal(t, "REVERSED", d.simulator(o).Payments[0].System, "the first payment went back, and not a later one")

	// Also when payrelay hears of the first payment only after the provider has charged again.
	o = d.opens("sub-late", recurring)
	d.muteCallbacks(o)
	d.pays(o, uahSuccess, "")
	eventually(t, func() bool { return len(d.simulator(o).Payments) == 3 })
	d.asks(o)
	require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
	r = d.makes(refundsOf(o), refund("sub-late-r", 1000), http.StatusCreated)
	d.ends(r.ID, "succeeded")
	require.Equal(t, "REVERSED", d.simulator(o).Payments[0].System)
	require.Equal(t, "FINISHED", d.simulator(o).Payments[2].System)
}

func TestUAPAYOrdersThatNobodyEnds(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	d.settings(map[string]any{"invoice_ttl_ms": 1})
	form := d.opens("abandoned-form", "")
	d.settings(map[string]any{"invoice_ttl_ms": 0, "confirm_timeout_ms": 400, "hold_ttl_ms": 400})
	begin := []string{"created by request", "requires_action by answer"}
	d.atOnce(t, scenarios{
		"the form is never opened": func(t *testing.T, d uapayDev) {
			end := d.ends(form.ID, "canceled")
			require.Nil(t, end.NextAction)
			d.requireTimeline(form.ID, append(begin, "canceled by check")...)
			d.refuses(refundsOf(form), refund("abandoned-r", 1), http.StatusConflict, "invalid_state")
		},
		"the bank's page is left": func(_ *testing.T, d uapayDev) {
			o := d.opens("abandoned-bank", "")
			require.Contains(d.t, d.pays(o, uahChallenge, ""), "acs-success")
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(begin, "canceled by callback|check")...)
		},
		"the shop never posts the form": func(_ *testing.T, d uapayDev) {
			o := d.charges("abandoned-challenge", uahChallenge, http.StatusCreated)
			d.ends(o.ID, "canceled")
		},
		"nobody types the code": func(_ *testing.T, d uapayDev) {
			o := d.charges("abandoned-code", uahLookup, http.StatusCreated)
			d.ends(o.ID, "canceled")
		},
		"nobody captures": func(t *testing.T, d uapayDev) {
			o := d.opens("abandoned-hold", `"capture":"manual"`)
			d.pays(o, uahSuccess, "")
			require.Zero(t, d.ends(o.ID, "canceled").AmountCaptured)
			d.requireTimeline(o.ID, append(begin, "authorized by callback|check", "canceled by callback|check")...)
		},
	})
}
