package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A callback is signed and names a sum that cannot have moved. Nothing changes, and the provider is asked.
func TestASignedCallbackWithASumThatCannotBe(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	target := d.callbackTarget("EUR-sandbox")
	for _, final := range []string{"999999", "1001", "0"} {
		o := d.opened("odd-" + final)
		before := d.sent(o.ProviderOrderID, "check")
		d.signs(target, o, map[string]string{"finalAmount": final})
		d.asked(o.ID, before+1)
		require.Equal(t, "requires_action", d.full(o.ID).Status, final)
		require.Zero(t, d.full(o.ID).AmountCaptured)
		require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")

		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "success"})
		require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
		d.signs(target, o, map[string]string{"finalAmount": final, "message": "later"})
		d.asked(o.ID, before+2)
		require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts", "the provider says 1000")
	}
}

// A poll names a sum that cannot have moved: the order's own is booked, and an operator is told.
func TestAPollThatNamesAnotherSum(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for final, booked := range map[int64]int64{1200: 1000, 0: 1000, 900: 900} {
		o := d.opened(fmt.Sprint("poll-", final))
		d.fault("callback_off", "", o.ProviderOrderID, nil)
		d.fault("check_lie", "check", o.ProviderOrderID, map[string]any{"final_amount": final})
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "success"})
		d.makes("/v1/orders/"+o.ID+"/refresh", ``, http.StatusOK)
		require.Equal(t, booked, d.ends(o.ID, "succeeded").AmountCaptured, final)
		d.contradicted(o, "1")
	}
}

// An installation of the older text takes all of a hold whatever it is asked for, and its checks name no settled sum. Nobody
// says what moved, so nothing is booked until somebody does.
func TestAPartIsCapturedWhereNobodyNamesTheSum(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	target := d.callbackTarget("EUR-sandbox")
	d.settings(map[string]any{"capture_ignores_amount": true, "check_final_amount": false, "capture_answer": "full"})
	capture := func(reference string) full {
		o := d.held(reference, 1000)
		d.fault("callback_off", "", o.ProviderOrderID, nil)
		o = d.makes(captureOf(o), `{"amount":900}`, http.StatusOK)
		require.Equal(t, "processing", o.Status)
		require.Zero(t, o.AmountCaptured)
		require.NotNil(t, o.StatusReason)
		require.Contains(t, *o.StatusReason, "names no sum")
		require.Equal(t, "processing", d.makes("/v1/orders/"+o.ID+"/refresh", ``, http.StatusOK).Status)
		require.NotContains(t, d.operator("order", "show", o.ID), "settled=900")
		return o
	}

	o := capture("silent")
	d.operator("order", "resolve", o.ID, "--status", "succeeded", "--amount", "1000", "--reason", "the cabinet says so")
	require.EqualValues(t, 1000, d.full(o.ID).AmountCaptured)

	o = capture("told all")
	d.signs(target, o, map[string]string{"finalAmount": "1000"})
	d.contradicted(o, "1")
	require.Equal(t, "processing", d.full(o.ID).Status)

	o = capture("told the part")
	d.signs(target, o, map[string]string{"finalAmount": "900"})
	require.EqualValues(t, 900, d.ends(o.ID, "succeeded").AmountCaptured)
	require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")
	d.signs(target, o, map[string]string{"finalAmount": "1000", "message": "later"})
	d.contradicted(o, "1")
	require.EqualValues(t, 900, d.full(o.ID).AmountCaptured)

	o = d.held("whole", 1000)
	require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured, "all that was held needs no sum")
}

func TestAnAccountThatCapturesNoParts(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	require.Contains(t, d.operator("account", "set", "EUR-sandbox", "partial_capture=no"), "is changed")
	o := d.held("whole", 1000)
	p := d.refuses(captureOf(o), `{"amount":900}`, http.StatusUnprocessableEntity, "not_supported_by_provider")
	require.Equal(t, []string{"amount"}, p.fields())
	require.Contains(t, p.Detail, "amount must be left out")
	require.Equal(t, "authorized", d.full(o.ID).Status)
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "authorized by callback|check")
	require.Zero(t, d.sent(o.ProviderOrderID, "capture"))
	require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured)
	d.operator("account", "set", "EUR-sandbox", "partial_capture=yes")
	o = d.held("part", 1000)
	require.EqualValues(t, 900, d.makes(captureOf(o), `{"amount":900}`, http.StatusOK).AmountCaptured)
}

// A second signed success of one order under another RRN may be a second charge.
func TestASecondSuccessUnderAnotherRRN(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	target := d.callbackTarget("EUR-sandbox")
	o := d.opened("twice")
	d.signs(target, o, map[string]string{"rrn": "318513456789"})
	d.ends(o.ID, "succeeded")
	d.signs(target, o, map[string]string{"rrn": "318513456789", "message": "again"})
	require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")
	d.signs(target, o, map[string]string{"rrn": "318513456790"})
	c := d.disputed(o)
	require.Equal(t, []any{"duplicate_charge", "open", int64(1000)}, []any{c.Kind, c.Status, c.Amount})
	require.Contains(t, d.operator("order", "show", o.ID), "reported succeeded as 318513456789 and 318513456790: it may be a second charge")

	d.settings(map[string]any{"capture_new_rrn": true, "check_table_fields": true})
	o = d.held("hold", 1000)
	require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured)
	eventually(t, func() bool { return len(d.simulatorCallbacks(o.ProviderOrderID)) == 2 })
	require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts", "a hold and its capture may carry different ones")
}

// A genuine callback whose form is not the documented one is settled by one question, or believed.
func TestGenuineCallbacksOfAnotherForm(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	target := d.callbackTarget("EUR-sandbox")
	o := d.opened("phone")
	d.signs(target, o, map[string]string{"paymentPhoneNumber": "null"})
	require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
	require.Zero(t, d.sent(o.ProviderOrderID, "check"), "believed without asking")

	for name, more := range map[string]map[string]string{
		"brackets": {"cascadeErrors[0][gatePriority]": "1", "cascadeErrors[0][errorCategory]": "X"},
		"unknown":  {"MID": "77"},
	} {
		o := d.opened(name)
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "success"})
		d.signs(target, o, more)
		d.ends(o.ID, "succeeded")
	}
	o = d.opened("false")
	d.signs(target, o, map[string]string{"cascadeErrors[0][gatePriority]": "1"})
	d.asked(o.ID, 1)
	require.Equal(t, "requires_action", d.full(o.ID).Status, "what needs verification changes nothing")
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_callback_verifications_total{account="EUR-sandbox",provider="smartcore",rule="C2"} 3`)
}

// A hold that nobody captured was let go by the provider.
func TestAHoldThatTheProviderLetsGo(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for name, noCallback := range map[string]bool{"told": false, "asked": true} {
		o := d.held("expired-"+name, 1000)
		if noCallback {
			d.fault("callback_off", "", o.ProviderOrderID, nil)
		}
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "hold_expired"})
		if noCallback {
			d.makes("/v1/orders/"+o.ID+"/refresh", ``, http.StatusOK)
		}
		o = d.ends(o.ID, "canceled")
		require.Zero(t, o.AmountCaptured)
		require.NotNil(t, o.StatusReason)
		require.Contains(t, *o.StatusReason, "released the hold")
	}
}
