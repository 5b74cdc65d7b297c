package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAHostedPaymentFromCurlToSucceeded(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.create("socks-1")
	require.Equal(t, "requires_action", o.Status)
	require.Equal(t, "redirect", o.NextAction.Type)

	page := d.pay(o.NextAction.URL, cardChallenge, "success")
	require.Contains(t, page, `data-status="success"`)
	paid := d.await(o.ID, "succeeded")
	require.EqualValues(t, 1000, paid.AmountCaptured)
	require.Equal(t, "400383******4018", paid.PaymentMethod.Masked)
	require.Nil(t, paid.NextAction)

	eventually(t, func() bool { return len(d.notified(o.ID)) == paid.Sequence-1 })
	list := d.notified(o.ID)
	require.Equal(t, "2 payment.requires_action", list[0])
	require.Equal(t, fmt.Sprintf("%d payment.succeeded", paid.Sequence), list[len(list)-1])
	history := d.history(o.ID)
	require.Len(t, history, paid.Sequence, "each step has its transition")
	require.Equal(t, []string{"created by request", "requires_action by answer"}, history[:2])
	require.Contains(t, []string{"succeeded by callback", "succeeded by status_poll"}, history[len(history)-1], "the provider said so, and nobody else")

	require.Len(t, d.feed(), paid.Sequence-1, "the feed tells what the notifications told, as soon as it is written")

	// the same request again is the same order
	var repeated order
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"currency":"EUR","reference":"socks-1","amount":1000,"description":"Socks",%s}`, customer), &repeated)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, o.ID, repeated.ID)
	res, text := d.raw(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"currency":"EUR","reference":"socks-1","amount":1001,%s}`, customer), nil)
	require.Equal(t, http.StatusConflict, res.StatusCode)
	require.Contains(t, string(text), "reference_conflict")

	d.noSecretsInLogs()
	// the callback's line names the order, like every other line of the flow
	require.Regexp(t, `"request_id":"[^"]+","method":"POST","route":"/callbacks/\{provider\}/\{token\}","status":200,.*"order_id":"`+o.ID+`","provider":"smartcore","verdict":"succeeded"`, d.log.String())
}

func TestEveryEndOfTheForm(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for name, c := range map[string]struct{ card, acs, status, category string }{
		"frictionless":   {cardSuccess, "", "succeeded", ""},
		"challenge":      {cardChallenge, "success", "succeeded", ""},
		"challenge fail": {cardChallenge, "fail", "failed", "authentication_failed"},
		"canceled":       {cardChallenge, "cancel", "failed", "abandoned"},
		"declined":       {cardOther, "", "failed", "declined_by_issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := d.with(t)
			o := d.create("form-" + strings.ReplaceAll(name, " ", "-"))
			d.pay(o.NextAction.URL, c.card, c.acs)
			end := d.await(o.ID, c.status)
			if c.category == "" {
				require.Nil(t, end.Failure)
				return
			}
			require.Equal(t, c.category, end.Failure.Category)
			require.Zero(t, end.AmountCaptured)
		})
	}
}

func TestCallbacksOffDuplicatedLateAndForged(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		o := d.create("off-1")
		d.fault("callback_off", "", o.ProviderOrderID, nil)
		d.pay(o.NextAction.URL, cardSuccess, "")
		d.await(o.ID, "succeeded")
		require.Contains(t, d.history(o.ID), "succeeded by check")
	})
	t.Run("fifty at once", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		o := d.create("dup-1")
		d.fault("callback_duplicate", "", o.ProviderOrderID, map[string]any{"times": 50})
		d.pay(o.NextAction.URL, cardSuccess, "")
		end := d.await(o.ID, "succeeded")
		answers := func() (ok, all int) {
			for _, c := range d.simulatorCallbacks(o.ProviderOrderID) {
				all++
				if c == http.StatusOK {
					ok++
				}
			}
			return ok, all
		}
		eventually(t, func() bool { ok, _ := answers(); return ok >= 50 })
		ok, all := answers()
		require.Equal(t, all, ok, "every delivery is acknowledged")
		require.Equal(t, end.Sequence, d.get(o.ID).Sequence, "one effect")
		eventually(t, func() bool { return len(d.notified(o.ID)) == end.Sequence-1 })
		succeeded := 0
		for _, n := range d.notified(o.ID) {
			if strings.HasSuffix(n, "payment.succeeded") {
				succeeded++
			}
		}
		require.Equal(t, 1, succeeded, "one notification")
	})
	t.Run("late, after the check", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		o := d.create("late-1")
		d.fault("callback_late", "", o.ProviderOrderID, map[string]any{"delay_ms": 6000})
		d.pay(o.NextAction.URL, cardSuccess, "")
		end := d.await(o.ID, "succeeded")
		eventually(t, func() bool { return len(d.simulatorCallbacks(o.ProviderOrderID)) > 0 })
		require.Equal(t, []int{200}, d.simulatorCallbacks(o.ProviderOrderID))
		require.Equal(t, end.Sequence, d.get(o.ID).Sequence)
	})
	t.Run("before the answer", func(t *testing.T) { // not beside the others: the fault hits whichever order comes next
		d := d.with(t)
		d.fault("callback_before_answer", "initPayment", "", map[string]any{"count": 1, "outcome": "success"})
		var o order
		res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"early-1","amount":1234,"currency":"EUR",%s}`, customer), &o)
		require.Equal(t, http.StatusCreated, res.StatusCode)
		d.await(o.ID, "succeeded")
	})
	t.Run("address unknown", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		res, text := d.raw(http.MethodPost, "/callbacks/smartcore/AAAAAAAAAAAAAAAAAAAAAAAA", "", nil)
		require.Equal(t, http.StatusNotFound, res.StatusCode, "%s", text)
	})
	t.Run("forged", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		o, victim := d.create("forged-1"), d.create("victim-1")
		for _, variant := range []string{"wrong_signature", "wrong_secret", "unsigned", "tampered", "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09"} {
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback", map[string]any{"variant": variant, "victim": victim.ProviderOrderID})
			require.Zero(t, d.get(o.ID).AmountCaptured+d.get(victim.ID).AmountCaptured, "%s: %s", variant, d.control(http.MethodGet, "/orders/"+o.ProviderOrderID, nil))
		}
		eventually(t, func() bool { return len(d.simulatorCallbacks(o.ProviderOrderID)) >= 13 })
		for _, id := range []string{o.ID, victim.ID} {
			if d.get(id).AmountCaptured > 0 {
				_, ev := d.raw(http.MethodGet, "/v1/orders/"+id+"/transitions", "", nil)
				t.Logf("%s victim=%v %s %s", id, id == victim.ID, ev, d.control(http.MethodGet, "/orders/"+o.ProviderOrderID, nil))
			}
			require.Zero(t, d.get(id).AmountCaptured)
			for _, step := range d.history(id) {
				require.NotContains(t, step, "callback", "no forged reading has an effect")
			}
		}
		d.pay(o.NextAction.URL, cardOther, "")
		require.Zero(t, d.await(o.ID, "failed").AmountCaptured)
	})
}

func TestAnAnswerThatIsLostIsUnknownUntilTheProviderTells(t *testing.T) {
	t.Parallel()
	d := startDev(t, "PROVIDER_TIMEOUT=2s")
	for name, kind := range map[string]string{"dropped": "drop_after", "half": "close_mid_body", "502": "bad_gateway_after", "garbage": "truncated_json", "slow": "delay_after"} {
		t.Run(name, func(t *testing.T) { // one after the other: the fault hits whichever call comes next
			d := d.with(t)
			amount := 2000 + len(name)*17 + int(name[0])
			d.fault(kind, "initPayment", "", map[string]any{"count": 1, "delay_ms": 4000})
			var o order
			res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"lost-%s","amount":%d,"currency":"EUR",%s}`, name, amount, customer), &o)
			require.Equal(t, http.StatusAccepted, res.StatusCode)
			require.Equal(t, "unknown", o.Status)
			d.await(o.ID, "processing") // the provider has it; its form's address is lost
			require.Contains(t, *d.full(o.ID).StatusReason, "the address of its form was lost")
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": "success"})
			d.await(o.ID, "succeeded")
			require.Equal(t, "unknown by answer", d.history(o.ID)[1])
		})
	}
}

func TestTheSameKeyFromTwoHundredRequestsMakesOneOrder(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	body := fmt.Sprintf(`{"reference":"many-1","amount":1000,"currency":"EUR",%s}`, customer)
	var mu sync.Mutex
	ids := map[string]int{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			res, text := d.raw(http.MethodPost, "/v1/payments", body, nil)
			var o order
			if res.StatusCode < 300 && json.Unmarshal(text, &o) == nil {
				mu.Lock()
				ids[o.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, ids, 1)
	for _, n := range ids {
		require.Equal(t, 50, n, "everybody gets the order")
	}
}
