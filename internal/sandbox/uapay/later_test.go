package uapay

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// later lets something happen to an order by the control API and returns the HTTP status.
func (b *bundle) later(id string, what object) int {
	b.Helper()
	body, err := json.Marshal(what)
	require.NoError(b, err)
	status, _, err := b.raw(http.MethodPost, "/control/orders/"+id+"/later", string(body))
	require.NoError(b, err)
	return status
}

// What an order's merchant did not ask for: each row is a payment, what happens to it, and what checkStatus and the callbacks say.
func TestWhatHappensLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		card     string
		happens  []object
		calls    []any // paymentStatus of all callbacks, in any order
		status   string
		refunded int64
		payments int
	}{
		"refunded in the cabinet":     {CardSuccess, []object{{"what": "refund"}}, []any{"FINISHED", "REVERSED"}, SystemReversed, 25000, 1},
		"refunded in part":            {CardSuccess, []object{{"what": "refund", "amount": 500}}, []any{"FINISHED"}, SystemFinished, 500, 1},
		"refunded, and nothing tells": {CardSuccess, []object{{"what": "refund", "no_callback": true}}, []any{"FINISHED"}, SystemReversed, 25000, 1},
		"charged back":                {CardSuccess, []object{{"what": "chargeback"}}, []any{"FINISHED", "REVERSED"}, SystemReversed, 25000, 1},
		"charged back after a refund": {
			CardSuccess,
			[]object{{"what": "refund", "amount": 20000}, {"what": "chargeback"}},
			[]any{"FINISHED", "REVERSED"},
			SystemReversed, 45000, 1,
		},
		"charged back a second time": {
			CardSuccess,
			[]object{{"what": "chargeback"}, {"what": "chargeback"}},
			[]any{"FINISHED", "REVERSED", "REVERSED"},
			SystemReversed, 50000, 1,
		},
		"success after a refusal":                    {CardReject, []object{{"what": "late_success"}}, []any{"REJECTED", "FINISHED"}, SystemFinished, 0, 1},
		"success after a refusal, and nothing tells": {CardReject, []object{{"what": "late_success", "no_callback": true}}, []any{"REJECTED"}, SystemFinished, 0, 1},
		"charged twice":                              {CardSuccess, []object{{"what": "charged_twice"}}, []any{"FINISHED", "FINISHED"}, SystemFinished, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, nil)
			invoice, payment, _ := b.direct("a", c.card, nil)
			b.callbacks(1)
			for _, what := range c.happens {
				require.Equal(t, http.StatusOK, b.later("a", what))
			}
			var said []any
			for _, claims := range b.callbacks(len(c.calls)) {
				said = append(said, claims["paymentStatus"])
			}
			require.ElementsMatch(t, c.calls, said)
			b.status(invoice, payment, c.status)
			o, _ := b.simulator.Order("a")
			require.Equal(t, c.refunded, o.Payments[0].Refunded)
			require.Len(t, o.Payments, c.payments)
		})
	}
}

// The subscription's clock: the next charge comes when it is told to, and its rule may refuse it.
func TestASubscriptionIsChargedNow(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	until := time.Now().AddDate(0, 0, 95).UnixMilli()
	b.invoice("sub", object{"type": "SUBSCRIBE", "recurringInterval": 30, "expiresAt": until})
	require.Equal(t, http.StatusConflict, b.later("sub", object{"what": "subscription_charge"}), "nobody has paid it")
	require.NoError(t, b.simulator.Complete("sub", "success"))
	first, _ := b.simulator.Order("sub")
	require.Equal(t, http.StatusOK, b.later("sub", object{"what": "subscription_charge"}))
	charged, _ := b.simulator.Order("sub")
	require.Len(t, charged.Payments, 2)
	require.Equal(t, SystemFinished, charged.Payments[1].System)
	require.Equal(t, first.PlannedAt.AddDate(0, 0, 30), *charged.PlannedAt, "dates follow the plan and not the clock")
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.Rules = []Rule{{ExternalPrefix: "sub", Outcome: "fail"}} }))
	require.Equal(t, http.StatusOK, b.later("sub", object{"what": "subscription_charge"}))
	refused, _ := b.simulator.Order("sub")
	require.Equal(t, SystemRejected, refused.Payments[2].System)
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.Rules = nil }))
	b.call("invoicer/subscriptions/update", object{"invoiceId": refused.ID}, object{"interval": 30, "expiresAt": time.Now().UnixMilli()})
	require.Equal(t, http.StatusOK, b.later("sub", object{"what": "subscription_charge"}), "the provider goes on although the schedule was ended")
	charged, _ = b.simulator.Order("sub")
	require.Equal(t, []any{4, SystemFinished}, []any{len(charged.Payments), charged.Payments[3].System})
	require.Nil(t, charged.PlannedAt)
	b.callbacks(4)
}

func TestWhatCannotHappenLater(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.invoice("new", nil)
	invoice, payment, _ := b.direct("paid", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	failed, payment, _ := b.direct("failed", CardReject, nil)
	b.status(failed, payment, SystemRejected)
	for _, c := range []struct {
		id     string
		what   object
		status int
	}{
		{"none", object{"what": "refund"}, 404},
		{"new", object{"what": "refund"}, 409},
		{"paid", object{"what": "odd"}, 400},
		{"paid", object{"what": "refund", "amount": 25001}, 400},
		{"paid", object{"what": "chargeback", "amount": 25001}, 400},
		{"paid", object{"what": "late_success"}, 409},
		{"paid", object{"what": "subscription_charge"}, 409},
		{"failed", object{"what": "refund"}, 409},
		{"failed", object{"what": "chargeback"}, 409},
		{"failed", object{"what": "charged_twice"}, 409},
	} {
		require.Equal(t, c.status, b.later(c.id, c.what), "%s %v", c.id, c.what)
	}
	o, _ := b.simulator.Order("paid")
	require.Zero(t, o.Payment().Refunded)
}

// After a chargeback beyond what was left, a refund of the rest is refused, and not one of a sum below zero.
func TestNothingIsLeftAfterAChargeback(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, _ := b.direct("a", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	b.later("a", object{"what": "refund", "amount": 20000})
	b.later("a", object{"what": "chargeback"})
	require.Equal(t, CodeState, b.refused("invoicer/payments/reverse", ids(invoice, payment), nil))
	require.Equal(t, http.StatusConflict, b.later("a", object{"what": "refund"}))
}

func TestThePageLetsThingsHappen(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	invoice, payment, _ := b.direct("a", CardSuccess, nil)
	b.status(invoice, payment, SystemFinished)
	_, _, shown := b.visit(http.MethodGet, b.base+"/orders/a", nil)
	require.Contains(t, shown, "What happens later")
	status, to, _ := b.visit(http.MethodPost, b.base+"/console/later", url.Values{"id": {"a"}, "back": {"a"}, "what": {"refund"}, "amount": {"250"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, to, "message=Done.")
	o, _ := b.simulator.Order("a")
	require.EqualValues(t, 250, o.Payment().Refunded)
}
