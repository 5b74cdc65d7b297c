package smartcore

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// later lets something happen to an order by the control API and returns the HTTP status and the answer.
func (b *bundle) later(id string, what object) (int, object) {
	b.Helper()
	body, err := json.Marshal(what)
	require.NoError(b, err)
	status, raw, err := b.raw(http.MethodPost, "/control/orders/"+id+"/later", string(body))
	require.NoError(b, err)
	var out object
	require.NoError(b, json.Unmarshal(raw, &out), string(raw))
	return status, out
}

// What a payment's merchant did not ask for: each row is a payment, what happens to it, and what check and the last callback say.
func TestWhatHappensLater(t *testing.T) {
	t.Parallel()
	paid, failed := CardFrictionless, "4111111111111111"
	for name, c := range map[string]struct {
		card     string
		happens  []object
		callback url.Values // the last one's fields
		calls    int        // callbacks in all
		status   int
		refunded int64
	}{
		"refunded in the cabinet": {
			paid,
			[]object{{"what": "refund"}},
			url.Values{"type": {"Refund"}, "amount": {"1000"}, "status": {"2"}},
			2, 2, 1000,
		},
		"refunded in part, twice": {
			paid,
			[]object{{"what": "refund", "amount": 300}, {"what": "refund", "amount": 200}},
			url.Values{"type": {"Refund"}, "status": {"2"}},
			3, 2, 500,
		},
		"refunded, and nothing tells": {paid, []object{{"what": "refund", "no_callback": true}}, url.Values{"type": {"Payment"}}, 1, 2, 1000},
		"charged back": {
			paid,
			[]object{{"what": "chargeback", "amount": 400}},
			url.Values{"type": {"Refund"}, "amount": {"400"}, "status": {"2"}},
			2, 2, 400,
		},
		"charged back after a refund, beyond what is left": {
			paid,
			[]object{{"what": "refund", "amount": 900}, {"what": "chargeback"}},
			url.Values{"type": {"Refund"}, "status": {"2"}},
			3, 2, 1000,
		},
		"charged back a second time": {
			paid,
			[]object{{"what": "chargeback"}, {"what": "chargeback"}},
			url.Values{"type": {"Refund"}, "amount": {"1000"}},
			3, 2, 1000,
		},
		"success after a refusal": {
			failed,
			[]object{{"what": "late_success"}},
			url.Values{"type": {"Payment"}, "status": {"2"}, "errorCategory": nil},
			2, 2, 0,
		},
		"success after a refusal, and nothing tells": {
			failed,
			[]object{{"what": "late_success", "no_callback": true}},
			url.Values{"type": {"Payment"}, "status": {"-1"}},
			1, 2, 0,
		},
		"charged twice": {paid, []object{{"what": "charged_twice"}}, url.Values{"type": {"Payment"}, "status": {"2"}}, 2, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, nil)
			b.call("/pci/initPaymentHost2Host", b.pay("a", with(card(c.card), object{"payment_method": "card"})))
			first := b.callbacks(1)[0]
			for i, what := range c.happens {
				status, answer := b.later("a", what)
				require.Equal(t, http.StatusOK, status, answer)
				if what["no_callback"] == nil {
					b.callbacks(i + 2)
				}
			}
			b.eventually(func() bool {
				o, _ := b.simulator.Order("a")
				refunds := b.simulator.Refunds("a")
				for _, r := range refunds {
					if !r.Terminal() {
						return false
					}
				}
				return o.Refunded == c.refunded && len(b.got()) == c.calls
			})
			require.EqualValues(t, c.status, b.check("a")["status"])
			last := b.got()[c.calls-1]
			for field, want := range c.callback {
				require.Equal(t, want, last[field], field)
			}
			if name == "charged twice" {
				o, _ := b.simulator.Order("a")
				require.Equal(t, []string{first.Get("rrn")}, o.EarlierRRNs)
				require.Equal(t, o.RRN, last.Get("rrn"))
				require.NotEqual(t, first.Get("rrn"), last.Get("rrn"))
				require.Equal(t, first.Get("amount"), last.Get("amount"))
			}
		})
	}
}

func TestWhatCannotHappenLater(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("paid", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.call("/pci/initPaymentHost2Host", b.pay("failed", with(card("4111111111111111"), object{"payment_method": "card"})))
	b.call("/gateway/withdrawal/tokenize-form", object{"account": "EUR-sandbox-payout", "order_id": "card", "callback_url": b.hook.URL})
	b.status("paid", 2)
	b.status("failed", -1)
	for _, c := range []struct {
		id     string
		what   object
		status int
	}{
		{"none", object{"what": "refund"}, 404},
		{"paid", object{"what": "odd"}, 400},
		{"paid", object{"what": "refund", "amount": 1001}, 400},
		{"paid", object{"what": "refund", "amount": -1}, 400},
		{"paid", object{"what": "chargeback", "amount": 1001}, 400},
		{"paid", object{"what": "late_success"}, 409},
		{"failed", object{"what": "refund"}, 409},
		{"failed", object{"what": "chargeback"}, 409},
		{"failed", object{"what": "charged_twice"}, 409},
		{"card", object{"what": "refund"}, 409},
	} {
		status, answer := b.later(c.id, c.what)
		require.Equal(t, c.status, status, "%s %v: %v", c.id, c.what, answer)
	}
	require.Empty(t, b.simulator.Refunds("paid"))
	o, _ := b.simulator.Order("paid")
	require.Zero(t, o.Refunded)
}

// A refund that was refused is carried out later: its own check and a callback say so.
func TestARefundIsCarriedOutLate(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.RefundFails = true })
	b.call("/pci/initPaymentHost2Host", b.pay("a", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.status("a", 2)
	status, answer := b.later("a", object{"what": "late_refund"})
	require.Equal(t, http.StatusConflict, status, answer)
	id, _ := b.call("/gateway/refund", object{"order_id": "a", "amount": 400, "reason": "r", "callback_url": b.hook.URL})["refund_id"].(string)
	b.status(id, -1)
	b.callbacks(2)
	o, _ := b.simulator.Order("a")
	require.Zero(t, o.Refunded)
	status, answer = b.later("a", object{"what": "late_refund"})
	require.Equal(t, http.StatusOK, status, answer)
	b.status(id, 2)
	last := b.callbacks(3)[2]
	require.Equal(t, []string{"Refund", "400", "2"}, []string{last.Get("type"), last.Get("amount"), last.Get("status")})
	o, _ = b.simulator.Order("a")
	require.EqualValues(t, 400, o.Refunded)
	status, answer = b.later("a", object{"what": "late_refund"})
	require.Equal(t, http.StatusConflict, status, answer)
}

// The merchant can refund what a chargeback has left, and no more.
func TestAChargebackLeavesLess(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("a", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.status("a", 2)
	b.later("a", object{"what": "chargeback", "amount": 400})
	require.Equal(t, CodeValidation, b.call("/gateway/refund", object{"order_id": "a", "amount": 601, "reason": "r"})["err"])
	require.NotEmpty(t, b.call("/gateway/refund", object{"order_id": "a", "amount": 600, "reason": "r"})["refund_id"])
}

func TestThePageLetsThingsHappen(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("a", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.status("a", 2)
	_, _, shown := b.visit(http.MethodGet, b.base+"/orders/a", nil)
	require.Contains(t, shown, "What happens later")
	status, to, _ := b.visit(http.MethodPost, b.base+"/console/later", url.Values{"id": {"a"}, "back": {"a"}, "what": {"chargeback"}, "amount": {"250"}, "no_callback": {"1"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, to, "message=Done.")
	refunds := b.simulator.Refunds("a")
	require.Len(t, refunds, 1)
	require.EqualValues(t, 250, refunds[0].Amount)
	require.Equal(t, OpBack, refunds[0].Operation)
	require.Empty(t, refunds[0].Callbacks)
}
