package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func payoutUAH(reference, number string) string {
	return fmt.Sprintf(`{"reference":%q,"amount":700,"account":%q,"description":"Winnings","method":%s}`, reference, p2p, payoutTo(number))
}

func TestPayoutsAtUAPAY(t *testing.T) {
	t.Parallel()
	const initiate, complete = "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete"
	d := startUAPAY(t)
	d.settings(map[string]any{"auto_cancel_ms": 1500}) // documented as an hour
	// One after the other: the fault hits whichever order comes next.
	lost := func(kind, endpoint, reference string) full {
		d.once(kind, endpoint, "")
		o := d.makes("/v1/payouts", payoutUAH(reference, uahSuccess), http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		return o
	}
	// What was only initiated moves nothing, and is never completed.
	gone := func(kind, reference string) full {
		d.once(kind, initiate, "")
		o := d.makes("/v1/payouts", payoutUAH(reference, uahSuccess), http.StatusCreated)
		require.Equal(t, "failed", o.Status)
		require.Equal(t, "initiate_unanswered", o.Failure.Code)
		require.Equal(t, "retry_later", o.Failure.Advice)
		return o
	}
	lostInitiate, neverInitiated := gone("drop_after", "lost-initiate"), gone("drop_before", "never-initiated")
	lostComplete, neverCompleted := lost("drop_after", complete, "lost-complete"), lost("drop_before", complete, "never-completed")
	repeated := func(t *testing.T, d uapayDev, o full, initiated, completed int) {
		require.Equal(t, o.ID, d.makes("/v1/payouts", payoutUAH(o.Reference, uahSuccess), http.StatusOK).ID)
		require.Equal(t, initiated, d.sent(o, initiate))
		require.Equal(t, completed, d.sent(o, complete))
	}
	d.atOnce(t, scenarios{
		"paid": func(t *testing.T, d uapayDev) {
			for reference, number := range map[string]string{"out": uahSuccess, "out-3ds": uahChallenge} {
				o := d.makes("/v1/payouts", payoutUAH(reference, number), http.StatusCreated)
				require.Equal(t, "payout", o.Kind)
				require.Equal(t, "UAH", *o.Currency)
				d.ends(o.ID, "succeeded")
				d.requireTimeline(o.ID, "created by request", "processing by answer", "succeeded by check")
				require.Equal(t, "A2C", d.simulator(o).Kind)
			}
		},
		"refused": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/payouts", payoutUAH("refused", uahReject), http.StatusCreated)
			require.Equal(t, "REJECTED", d.ends(o.ID, "failed").Failure.Code)
			d.requireTimeline(o.ID, "created by request", "processing by answer", "failed by check")
		},
		"callback lost": func(_ *testing.T, d uapayDev) {
			o := d.makes("/v1/payouts", payoutUAH("silent", uahSuccess), http.StatusCreated)
			d.muteCallbacks(o)
			d.ends(o.ID, "succeeded")
		},
		"answer of the first call lost": func(t *testing.T, d uapayDev) {
			d.requireTimeline(lostInitiate.ID, "created by request", "failed by answer")
			require.Equal(t, []string{"RECEIVE CANCELED"}, d.operations(lostInitiate.ProviderOrderID), "what was initiated does not wait out its hour")
			repeated(t, d, lostInitiate, 1, 0)
		},
		"first call lost on its way": func(t *testing.T, d uapayDev) {
			d.requireTimeline(neverInitiated.ID, "created by request", "failed by answer")
			repeated(t, d, neverInitiated, 1, 0)
		},
		"answer of the second call lost": func(t *testing.T, d uapayDev) {
			d.ends(lostComplete.ID, "succeeded")
			d.requireTimeline(lostComplete.ID, "created by request", "unknown by answer", "succeeded by check")
			repeated(t, d, lostComplete, 1, 1)
		},
		"second call lost on its way": func(t *testing.T, d uapayDev) {
			d.ends(neverCompleted.ID, "canceled")
			repeated(t, d, neverCompleted, 1, 1)
		},
		"what UAPAY cannot do": func(t *testing.T, d uapayDev) {
			p := d.refuses("/v1/payouts", `{"reference":"phone","amount":700,"account":"`+p2p+`","method":{"type":"phone","phone":"+380000000000"}}`,
				http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"method"}, p.fields())
			d.refuses("/v1/payout-cards", `{"reference":"card","account":"`+p2p+`"}`, http.StatusUnprocessableEntity, "not_supported_by_provider")
			res, text := d.raw(http.MethodGet, "/v1/accounts/"+p2p+"/balance", "", nil)
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "%s", text)
		},
	})
	d.keepsSecrets()
}

// cardEnd is where a transfer comes from: a card that was typed somewhere else.
func cardEnd(number string) string {
	return fmt.Sprintf(`{"card":{"number":%q,"exp_month":3,"exp_year":2031,"cvc":"739"}}`, number)
}

func transferUAH(reference, from, to string) string {
	return fmt.Sprintf(`{"reference":%q,"account":%q,"amount":10000,"currency":"UAH","description":"Dinner","from":%s,"to":%s,"customer":{"phone":"+380000000000"}}`,
		reference, p2p, from, to)
}

func TestTransfersAtUAPAY(t *testing.T) {
	t.Parallel()
	const create, confirm = "payments/p2p/direct/create", "payments/p2p/confirm"
	d := startUAPAY(t)
	to := fmt.Sprintf(`{"card":{"number":%q}}`, uahSuccess)
	lost := func(kind, reference, number string) full {
		d.once(kind, create, "")
		return d.makes("/v1/transfers", transferUAH(reference, cardEnd(number), to), http.StatusAccepted)
	}
	lostPaid, lostCode, never := lost("drop_after", "lost", uahSuccess), lost("drop_after", "lost-code", uahLookup), lost("drop_before", "never", uahSuccess)
	confirmOf := func(o full) string { return "/v1/transfers/" + o.ID + "/confirm" }
	d.atOnce(t, scenarios{
		"between kept cards": func(t *testing.T, d uapayDev) {
			from, to := d.card(uahSuccess), d.card(uahChallenge)
			o := d.makes("/v1/transfers", transferUAH("kept", fmt.Sprintf(`{"card_id":%q,"cvc":"739"}`, from), fmt.Sprintf(`{"card_id":%q}`, to)), http.StatusCreated)
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "succeeded by answer|check")
			require.Equal(t, []string{"SEND FINISHED", "RECEIVE FINISHED"}, d.operations(d.simulator(o).Payments[0].ID))
		},
		"refused": func(_ *testing.T, d uapayDev) {
			o := d.makes("/v1/transfers", transferUAH("refused", cardEnd(uahReject), to), http.StatusCreated)
			d.ends(o.ID, "failed")
			d.requireTimeline(o.ID, "created by request", "failed by answer|check")
		},
		"3-D Secure": func(t *testing.T, d uapayDev) {
			for button, status := range map[string]string{"success": "succeeded", "fail": "failed"} {
				o := d.makes("/v1/transfers", transferUAH("bank-"+button, cardEnd(uahChallenge), to), http.StatusCreated)
				require.Contains(t, d.bank(o, button), `data-status="`)
				d.ends(o.ID, status)
				d.requireTimeline(o.ID, "created by request", "requires_action by answer", status+" by check")
			}
		},
		"code": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/transfers", transferUAH("code", cardEnd(uahLookup), to), http.StatusCreated)
			p := d.refuses(confirmOf(o), `{"code":"000000"}`, http.StatusUnprocessableEntity, "wrong_code")
			require.Contains(t, p.Detail, "2 attempts are left")
			d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			d.ends(o.ID, "succeeded")
			require.Equal(t, 2, d.sent(o, confirm))
		},
		"wrong codes until none is left": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/transfers", transferUAH("codes", cardEnd(uahLookup), to), http.StatusCreated)
			for range 2 {
				d.refuses(confirmOf(o), `{"code":"000000"}`, http.StatusUnprocessableEntity, "wrong_code")
			}
			require.Equal(t, "failed", d.makes(confirmOf(o), `{"code":"000000"}`, http.StatusOK).Status)
		},
		"answer lost": func(t *testing.T, d uapayDev) {
			d.ends(lostPaid.ID, "succeeded")
			d.requireTimeline(lostPaid.ID, "created by request", "unknown by answer", "succeeded by check")
			require.Equal(t, lostPaid.ID, d.makes("/v1/transfers", transferUAH("lost", cardEnd(uahSuccess), to), http.StatusOK).ID)
			require.Equal(t, 1, d.sent(lostPaid, create))
		},
		"answer lost, code": func(_ *testing.T, d uapayDev) {
			o := d.ends(lostCode.ID, "requires_action")
			d.makes(confirmOf(o), `{"code":"123456"}`, http.StatusOK)
			d.ends(o.ID, "succeeded")
		},
		"never arrived": func(t *testing.T, d uapayDev) {
			for range 4 {
				require.Equal(t, "unknown", d.asks(never).Status)
			}
			require.Equal(t, 1, d.sent(never, create))
		},
		"the money came back": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/transfers", transferUAH("back", cardEnd(uahSuccess), to), http.StatusCreated)
			d.ends(o.ID, "succeeded")
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": "refund"})
			eventually(t, func() bool { return d.full(o.ID).AmountRefunded == 10000 })
			require.Equal(t, "succeeded", d.full(o.ID).Status)
			eventually(t, func() bool {
				return slices.Contains(d.arrivals(o.ID), fmt.Sprint(d.full(o.ID).Sequence)+" transfer.returned")
			})
		},
		"what is missing": func(t *testing.T, d uapayDev) {
			body := strings.Replace(transferUAH("bare", cardEnd(uahSuccess), to), `"customer":{"phone":"+380000000000"}`, `"customer":{}`, 1)
			p := d.refuses("/v1/transfers", body, http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"customer.phone"}, p.fields())
		},
	})
	d.keepsSecrets()
}

// Transfers that somebody else started are read by their operations (uapay.md 9.2, 9.3 and 15.2).
func TestImportedTransfersAtUAPAY(t *testing.T) {
	t.Parallel()
	const api = "p2p/payments/"
	d := startUAPAY(t)
	session := map[string]any{"sessionId": d.provider("sessions/create", map[string]any{"clientId": "90001"}, nil)["id"]}
	call := func(d uapayDev, method string, params, data map[string]any) map[string]any {
		params["sessionId"] = session["sessionId"]
		return d.provider(api+method, params, data)
	}
	initiate := func(d uapayDev, kind, external string) string {
		made := call(d, kind+"/initiate", map[string]any{"externalId": external, "amount": 10000, "currency": "980", "description": "Dinner"}, map[string]any{})
		return made["paymentId"].(string)
	}
	charged := func(d uapayDev, id, number string) {
		call(d, "c2a/complete", map[string]any{"paymentId": id, "device": map[string]any{"ip": "192.0.2.1"}},
			map[string]any{"cardFrom": map[string]any{"pan": number, "expiresAt": "2031-03", "securityCode": "739"}})
	}
	imports := func(d uapayDev, id string) full {
		return d.makes("/v1/transfers/import", fmt.Sprintf(`{"account":%q,"provider_id":%q}`, p2p, id), http.StatusCreated)
	}
	finished := func(d uapayDev, external string) string {
		id := initiate(d, "c2a", external)
		charged(d, id, uahSuccess)
		eventually(d.t, func() bool { return d.operations(id)[0] == "SEND FINISHED" })
		return id
	}
	d.atOnce(t, scenarios{
		"card to account, followed to its end": func(t *testing.T, d uapayDev) {
			id := initiate(d, "c2a", "ext-follow")
			o := imports(d, id)
			require.Equal(t, "processing", o.Status)
			require.EqualValues(t, 10000, o.Amount)
			charged(d, id, uahSuccess)
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "processing by answer", "succeeded by check")
			require.Equal(t, o.ID, d.makes("/v1/transfers/import", fmt.Sprintf(`{"account":%q,"provider_id":%q}`, p2p, id), http.StatusOK).ID)
		},
		"by its receipt": func(t *testing.T, d uapayDev) {
			id := finished(d, "ext-receipt")
			var known uapayOrder
			require.NoError(t, json.Unmarshal(d.control(http.MethodGet, "/orders/"+id, nil), &known))
			o := d.makes("/v1/transfers/import", fmt.Sprintf(`{"account":%q,"receipt_id":%q}`, p2p, known.Payments[0].ReceiptID), http.StatusCreated)
			require.Equal(t, "succeeded", o.Status)
			require.Equal(t, o.ID, d.makes("/v1/transfers/import", fmt.Sprintf(`{"account":%q,"provider_id":%q}`, p2p, id), http.StatusOK).ID)
		},
		"refused": func(_ *testing.T, d uapayDev) {
			id := initiate(d, "c2a", "ext-refused")
			o := imports(d, id)
			charged(d, id, uahReject)
			d.ends(o.ID, "failed")
			d.requireTimeline(o.ID, "created by request", "processing by answer", "failed by check")
		},
		"waiting for the bank, then given up": func(t *testing.T, d uapayDev) {
			id := initiate(d, "c2a", "ext-bank")
			charged(d, id, uahChallenge)
			eventually(t, func() bool { return d.operations(id)[0] == "SEND NEEDS_CONFIRMATION" })
			o := imports(d, id)
			require.Equal(t, "processing", o.Status, "somebody must act, and payrelay cannot say where")
			d.control(http.MethodPost, "/orders/"+id+"/complete", map[string]any{"outcome": "cancel"})
			d.asks(o)
			d.ends(o.ID, "canceled")
		},
		"canceled": func(t *testing.T, d uapayDev) {
			for _, kind := range []string{"c2a", "a2c"} {
				id := initiate(d, kind, "ext-canceled-"+kind)
				call(d, kind+"/cancel", map[string]any{"paymentId": id}, map[string]any{})
				require.Equal(t, "canceled", imports(d, id).Status, "OPEN alone would say nothing")
			}
		},
		"account to card": func(t *testing.T, d uapayDev) {
			id := initiate(d, "a2c", "ext-a2c")
			call(d, "a2c/complete", map[string]any{"paymentId": id}, map[string]any{"cardTo": map[string]any{"pan": uahSuccess}})
			eventually(t, func() bool { return d.operations(id)[0] == "RECEIVE FINISHED" })
			require.Equal(t, "succeeded", imports(d, id).Status)
		},
		"a refund is under way": func(t *testing.T, d uapayDev) {
			id := finished(d, "ext-return")
			call(d, "c2a/reverse/initiate", map[string]any{"paymentId": id, "reverseExternalId": "back-1"}, map[string]any{})
			require.Equal(t, []string{"SEND FINISHED", "RETURN NEEDS_COMPLETE"}, d.operations(id))
			require.Equal(t, "succeeded", imports(d, id).Status)
		},
		"a refund was given up": func(t *testing.T, d uapayDev) {
			id := finished(d, "ext-kept")
			call(d, "c2a/reverse/initiate", map[string]any{"paymentId": id, "reverseExternalId": "back-2"}, map[string]any{})
			call(d, "c2a/reverse/cancel", map[string]any{"paymentId": id}, map[string]any{})
			require.Equal(t, []string{"SEND FINISHED", "RETURN CANCELED"}, d.operations(id))
			require.Equal(t, "succeeded", imports(d, id).Status)
		},
		"the money went back": func(t *testing.T, d uapayDev) {
			id := finished(d, "ext-back")
			call(d, "c2a/reverse/initiate", map[string]any{"paymentId": id, "reverseExternalId": "back-3"}, map[string]any{})
			call(d, "c2a/reverse/complete", map[string]any{"paymentId": id}, map[string]any{})
			require.Equal(t, []string{"SEND FINISHED", "RETURN FINISHED"}, d.operations(id))
			o := imports(d, id)
			require.Equal(t, "succeeded", o.Status)
			require.EqualValues(t, []int64{10000, 10000}, []int64{o.AmountCaptured, o.AmountRefunded})
		},
		"the money went back, and no operation says so": func(t *testing.T, d uapayDev) {
			for amount, captured := range map[int64]string{2500: "part", 10000: "all"} {
				id := finished(d, "ext-quiet-"+captured)
				d.control(http.MethodPost, "/orders/"+id+"/later", map[string]any{"what": "refund", "amount": amount})
				require.Equal(t, []string{"SEND FINISHED"}, d.operations(id))
				o := imports(d, id)
				require.Equal(t, "succeeded", o.Status)
				require.EqualValues(t, []int64{10000, amount}, []int64{o.AmountCaptured, o.AmountRefunded})
			}
		},
		"the money went back after the import": func(t *testing.T, d uapayDev) {
			id := finished(d, "ext-late")
			o := imports(d, id)
			require.Zero(t, o.AmountRefunded)
			d.control(http.MethodPost, "/orders/"+id+"/later", map[string]any{"what": "refund", "amount": 2500})
			repeated := d.makes("/v1/transfers/import", fmt.Sprintf(`{"account":%q,"provider_id":%q}`, p2p, id), http.StatusOK)
			require.EqualValues(t, 2500, repeated.AmountRefunded)
			d.control(http.MethodPost, "/orders/"+id+"/later", map[string]any{"what": "refund"})
			eventually(t, func() bool { return d.full(o.ID).AmountRefunded == 10000 }) // by itself
			require.Equal(t, "succeeded", d.full(o.ID).Status)
			eventually(t, func() bool { return len(d.arrivals(o.ID)) == 3 })
			require.Equal(t, []string{"2 transfer.succeeded", "3 transfer.returned", "4 transfer.returned"}, d.arrivals(o.ID))
		},
		"nothing to find": func(_ *testing.T, d uapayDev) {
			d.refuses("/v1/transfers/import", `{"account":"`+p2p+`","receipt_id":"AAAAAAAAAAAA"}`, http.StatusNotFound, "not_found")
			d.refuses("/v1/transfers/import", `{"account":"`+p2p+`"}`, http.StatusUnprocessableEntity, "invalid_request")
		},
	})
}
