package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPayouts(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"withdrawal_ms": 200})
	before := d.balance()
	for name, c := range map[string]struct{ method, status, operation, category string }{
		"card":     {payoutTo(cardSuccess), "succeeded", "withdrawal_card", ""},
		"declined": {payoutTo(cardOther), "failed", "withdrawal_card", "declined_by_issuer"},
		"phone":    {`{"type":"phone","phone":"+79123456789"}`, "succeeded", "withdrawal_phone_balance", ""},
		"bank":     {`{"type":"bank_account","number":"DE89370400440532013000","holder":"John Doe"}`, "succeeded", "withdrawal_account", ""},
	} {
		o := d.makes("/v1/payouts", payout("payout-"+name, 700, c.method), http.StatusCreated)
		require.Equal(t, "payout", o.Kind)
		require.Equal(t, "EUR", *o.Currency)
		end := d.ends(o.ID, c.status)
		d.requireTimeline(o.ID, "created by request", "processing by answer", c.status+" by callback|check")
		require.Equal(t, c.operation, d.simulator(o.ProviderOrderID).Operation)
		require.Equal(t, 1, d.sent(o.ProviderOrderID, "withdrawal/init"))
		if c.category != "" {
			require.Equal(t, c.category, end.Failure.Category)
		}
	}
	require.Equal(t, before-3*700, d.balance(), "what failed came back")
	p := d.refuses("/v1/payouts", fmt.Sprintf(`{"reference":"wrong-account","amount":700,"account":"EUR-sandbox","method":%s}`, payoutTo(cardSuccess)), http.StatusUnprocessableEntity, "unknown_account")
	require.Equal(t, []string{"account"}, p.fields())
	d.refuses("/v1/payments", fmt.Sprintf(`{"reference":"wrong-account","amount":700,"currency":"EUR","account":"EUR-sandbox-payout",%s}`, customer), http.StatusUnprocessableEntity, "unknown_account")
	d.refuses("/v1/payouts", payout("no-holder", 700, `{"type":"bank_account","number":"DE89370400440532013000"}`), http.StatusUnprocessableEntity, "missing_fields")

	d.settings(map[string]any{"withdrawal_immediate": true})
	o := d.makes("/v1/payouts", payout("at-once", 700, payoutTo(cardSuccess)), http.StatusCreated)
	require.Equal(t, "succeeded", o.Status)
	require.Zero(t, d.textsHolding(cardSuccess)+d.textsHolding(cardOther), "no card number is stored")
	require.NotContains(t, d.log.String(), cardSuccess)
}

func TestPayoutsToAKeptCard(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"withdrawal_ms": 200})
	card := d.makes("/v1/payout-cards", `{"reference":"card-1","account":"EUR-sandbox-payout"}`, http.StatusCreated)
	require.Equal(t, "payout_card", card.Kind)
	require.Equal(t, "requires_action", card.Status)
	require.Nil(t, card.Currency)
	method := fmt.Sprintf(`{"type":"payout_card","payout_card_id":%q}`, card.ID)
	p := d.refuses("/v1/payouts", payout("too-early", 700, method), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"method.payout_card_id"}, p.fields())

	d.pay(card.NextAction.URL, cardSuccess, "")
	kept := d.ends(card.ID, "succeeded")
	require.Equal(t, "401200******3010", kept.PaymentMethod.Masked)
	d.requireTimeline(card.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	for range 2 {
		o := d.makes("/v1/payouts", payout("to-kept-"+time.Now().Format("150405.000000"), 700, method), http.StatusCreated)
		d.ends(o.ID, "succeeded")
		require.Equal(t, "withdrawal_token", d.simulator(o.ProviderOrderID).Operation)
	}
	other := d.makes("/v1/payouts", payout("not-a-card", 700, payoutTo(cardSuccess)), http.StatusCreated)
	d.refuses("/v1/payouts", payout("wrong-kind", 700, fmt.Sprintf(`{"type":"payout_card","payout_card_id":%q}`, other.ID)),
		http.StatusUnprocessableEntity, "invalid_request")
}

func TestAPayoutIsNeverSentTwice(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"withdrawal_ms": 200})
	before := d.balance()
	body := payout("lost", 700, payoutTo(cardSuccess))
	d.fault("drop_after", "withdrawal/init", "", map[string]any{"count": 1})
	d.fault("callback_off", "", "", nil)
	o := d.makes("/v1/payouts", body, http.StatusAccepted)
	require.Equal(t, "unknown", o.Status)
	require.Equal(t, o.ID, d.makes("/v1/payouts", body, http.StatusOK).ID)
	d.ends(o.ID, "succeeded")
	d.requireTimeline(o.ID, "created by request", "unknown by answer", "succeeded by check")
	require.Equal(t, o.ID, d.makes("/v1/payouts", body, http.StatusOK).ID)
	require.Equal(t, before-700, d.balance())

	// this one never arrives, and "no such order" proves nothing so early
	d.fault("drop_before", "withdrawal/init", "", map[string]any{"count": 1})
	gone := d.makes("/v1/payouts", payout("gone", 700, payoutTo(cardSuccess)), http.StatusAccepted)
	d.asked(gone.ID, 3)
	require.Equal(t, "unknown", d.get(gone.ID).Status)
	require.Equal(t, gone.ID, d.makes("/v1/payouts", payout("gone", 700, payoutTo(cardSuccess)), http.StatusOK).ID)

	var all struct {
		Orders []json.RawMessage `json:"orders"`
	}
	require.NoError(t, json.Unmarshal(d.control(http.MethodGet, "/orders", nil), &all))
	require.Len(t, all.Orders, 1, "the provider got one payout")
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "withdrawal/init"))
	require.Equal(t, 1, d.sent(gone.ProviderOrderID, "withdrawal/init"))
}

func TestRecurringCharges(t *testing.T) {
	t.Parallel()
	d := startDev(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	charge := func(of full) string { return "/v1/payments/" + of.ID + "/charges" }
	body := func(reference string) string {
		return fmt.Sprintf(`{"reference":%q,"amount":500,"description":"Socks every month","period":"monthly"}`, reference)
	}
	once := d.paid("once", 1000, "")
	p := d.refuses(charge(once), body("once-c"), http.StatusConflict, "invalid_state")
	require.Contains(t, p.Detail, "recurring.enabled")

	first := d.makes("/v1/payments", direct("first", 1000, cardMethod(cardChallenge), `"recurring":{"enabled":true,"frequency_days":1}`), http.StatusCreated)
	d.refuses(charge(first), body("early"), http.StatusConflict, "mandate_not_active")
	d.visits(first.NextAction.URL, "success")
	d.ends(first.ID, "succeeded")
	o := d.makes(charge(first), body("second"), http.StatusCreated)
	require.Equal(t, "payment", o.Kind)
	require.Equal(t, first.ID, *o.ParentID)
	require.EqualValues(t, 500, d.ends(o.ID, "succeeded").AmountCaptured)
	d.requireTimeline(o.ID, "created by request", "processing by answer", "succeeded by callback|check")
	require.Equal(t, o.ID, d.makes(charge(first), body("second"), http.StatusOK).ID)
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "recurrent"))
	d.refunded(o, "second-r", 500)

	d.settings(map[string]any{"recurrent_success": false}) // no refusal: the outcome is open (smartcore.md A12)
	o = d.makes(charge(first), body("third"), http.StatusCreated)
	d.ends(o.ID, "succeeded")

	d.settings(map[string]any{"recurrent_err": "LIMIT_PROCESSING_ERROR"}) // refused with status -1, and no order of it is made
	o = d.makes(charge(first), body("refused"), http.StatusCreated)
	require.Equal(t, []any{"failed", "limit_exceeded"}, []any{o.Status, o.Failure.Category})
	d.settings(map[string]any{"recurrent_err": "PLATFORM_ERROR_GATE_NOT_FOUND"}) // no plain refusal: polls prove that there is no charge
	o = d.makes(charge(first), body("no-gate"), http.StatusAccepted)
	d.refuses(charge(first), body("meanwhile"), http.StatusConflict, "mandate_charge_open")
	require.Equal(t, "not_found", d.ends(o.ID, "failed").Failure.Code)
	d.settings(map[string]any{"recurrent_err": ""})

	d.fault("drop_after", "recurrent", "", map[string]any{"count": 1})
	o = d.makes(charge(first), body("lost"), http.StatusAccepted)
	d.ends(o.ID, "succeeded")
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "recurrent"))

	d.settings(map[string]any{"recurrent_form": true})
	o = d.makes(charge(first), body("fourth"), http.StatusCreated)
	require.Equal(t, "requires_action", o.Status, "the customer must come back")
	require.Equal(t, "redirect", o.NextAction.Type)
	d.visits(o.NextAction.URL, "success")
	d.ends(o.ID, "succeeded")
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
}
