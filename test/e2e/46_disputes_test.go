package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dispute is a dispute as the API shows it.
type dispute struct {
	ID, Kind, Status, Source  string
	OrderID                   string `json:"order_id"`
	Amount, Overdrawn         int64
	ReasonCode, DueAt, Closed *string
	RefundID                  *string `json:"refund_id"`
}

// disputesOf lists the disputes of a payment.
func (d *dev) disputesOf(o full) []dispute {
	d.t.Helper()
	var list struct{ Data []dispute }
	res := d.call(http.MethodGet, "/v1/disputes?order_id="+o.ID, "", &list)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return list.Data
}

// disputed waits for the one dispute of a payment.
func (d *dev) disputed(o full) dispute {
	d.t.Helper()
	var found []dispute
	eventually(d.t, func() bool { found = d.disputesOf(o); return len(found) == 1 })
	return found[0]
}

// resolves decides about a dispute, and returns it as it is then.
func (d *dev) resolves(of dispute, action string) (now dispute) {
	d.t.Helper()
	res := d.call(http.MethodPost, "/v1/disputes/"+of.ID+"/resolve", `{"action":"`+action+`"}`, &now)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return now
}

// A bank takes a part of a payment back. The operators write it down, the shop hears of it and accepts it, and can refund the rest.
func TestAChargeback(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := d.paid("charged-back", 1000, "")
	d.operator("dispute", "open", p.ID, "--kind", "chargeback", "--amount", "400", "--reason-code", "10.4", "--due", "2030-01-01T00:00:00Z", "--reason", "letter of the bank")
	c := d.disputed(p)
	require.Equal(t, []any{"chargeback", "open", "operator", int64(400), int64(0)}, []any{c.Kind, c.Status, c.Source, c.Amount, c.Overdrawn})
	said := d.refuses(refundsOf(p), refund("charged-back-r1", 100), http.StatusConflict, "payment_disputed")
	require.Contains(t, said.Detail, "open dispute")

	d.operator("dispute", "set", c.ID, "--status", "under_review", "--case", "CB-7", "--reason", "evidence handed in")
	require.Contains(t, d.operator("dispute", "list"), "under_review")
	require.Equal(t, "accepted", d.resolves(c, "accept").Status)
	require.NotContains(t, d.operator("dispute", "list"), c.ID)
	d.refuses(refundsOf(p), refund("charged-back-r2", 601), http.StatusConflict, "refund_exceeds_captured")
	d.refunded(p, "charged-back-r3", 600)

	now := d.full(p.ID)
	require.Equal(t, "succeeded", now.Status)
	require.EqualValues(t, 600, now.AmountRefunded)
	eventually(t, func() bool {
		list := d.notified(p.ID)
		return len(list) >= 4 && slices.Equal([]string{"dispute.opened", "dispute.updated", "dispute.closed"}, typesIn(list[len(list)-3:]))
	}, "%v", d.notified(p.ID))
	var inFeed []string
	for _, raw := range d.feed() {
		var n struct {
			Type    string
			Dispute *dispute
		}
		require.NoError(t, json.Unmarshal(raw, &n))
		if strings.HasPrefix(n.Type, "dispute.") {
			require.Equal(t, c.ID, n.Dispute.ID)
			inFeed = append(inFeed, n.Type)
		}
	}
	require.Equal(t, []string{"dispute.opened", "dispute.updated", "dispute.closed"}, inFeed)
}

// typesIn are the types of notifications, without their numbers.
func typesIn(list []string) (types []string) {
	for _, n := range list {
		_, typ, _ := strings.Cut(n, " ")
		types = append(types, typ)
	}
	return types
}

// A refund that nobody asked us for: SmartCore calls about it, and names the payment and a sum.
func TestARefundInTheCabinet(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	target := d.callbackTarget("EUR-sandbox")
	p := d.paid("cabinet", 1000, "")
	d.signs(target, p, map[string]string{"type": "Refund", "amount": "300", "finalAmount": "300", "rrn": "400000000001"})
	c := d.disputed(p)
	require.Equal(t, []any{"external_refund", "open", "callback", int64(300)}, []any{c.Kind, c.Status, c.Source, c.Amount})
	d.refuses(refundsOf(p), refund("cabinet-r1", 100), http.StatusConflict, "payment_disputed")
	d.signs(target, p, map[string]string{"type": "Refund", "amount": "300", "finalAmount": "300", "rrn": "400000000001", "message": "again"})
	require.Len(t, d.disputesOf(p), 1, "the same refund is told of once")
	d.resolves(c, "accept")
	d.refunded(p, "cabinet-r2", 700)
	require.EqualValues(t, 700, d.full(p.ID).AmountRefunded)

	all := d.paid("overdrawn", 1000, "")
	d.refunded(all, "overdrawn-r1", 400)
	d.signs(target, all, map[string]string{"type": "Refund", "amount": "1000", "finalAmount": "1000", "rrn": "400000000002"})
	over := d.disputed(all)
	require.Equal(t, []int64{1000, 400}, []int64{over.Amount, over.Overdrawn}, "what was refunded already went back twice")
}

// later lets something happen to a payment at SmartCore that nobody asked for.
func (d *dev) later(o full, what string, amount int64) {
	d.t.Helper()
	d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": what, "amount": amount})
}

// What the simulator of a provider does by itself, as its cabinet or a bank would.
func TestMoneyThatMovesByItselfAtSmartCore(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	t.Run("a chargeback", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("sc-back", 1000, "")
		d.later(p, "chargeback", 600)
		c := d.disputed(p)
		require.Equal(t, []any{"external_refund", int64(600)}, []any{c.Kind, c.Amount}, "SmartCore does not say which it is")
		d.operator("dispute", "set", c.ID, "--kind", "chargeback", "--reason", "the cabinet says so")
		d.operator("dispute", "resolve", c.ID, "--outcome", "won", "--reason", "letter of the bank")
		require.Equal(t, "won", d.disputed(p).Status)
		d.refunded(p, "sc-back-r", 400) // the simulator still counts what the bank took
		d.refuses(refundsOf(p), refund("sc-back-more", 601), http.StatusConflict, "refund_exceeds_captured")
	})
	t.Run("charged twice", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("sc-twice", 1000, "")
		d.later(p, "charged_twice", 0)
		require.Equal(t, "duplicate_charge", d.disputed(p).Kind)
	})
}

// A shop that wants no late money has it given back within seconds.
func TestLateMoneyGoesBackAtOnce(t *testing.T) {
	t.Parallel()
	d := startDev(t, "VISIBILITY_DELAY=1s")
	d.operator("shop", "set", "demo", "--on-surplus", "refund", "--reason", "the shop wants it so")
	o := d.makes("/v1/payments", direct("late-back", 1000, cardMethod(cardOther), ""), http.StatusCreated)
	d.ends(o.ID, "failed")
	d.later(o, "late_success", 0)
	eventually(t, func() bool { return d.full(o.ID).SupersededBy != nil })
	late := d.full(*d.full(o.ID).SupersededBy)
	eventually(t, func() bool { return d.full(late.ID).AmountRefunded == 1000 })
	eventually(t, func() bool { return d.disputed(late).Status == "closed" })
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "refund"))
}

// A refund is refused, and the provider carries it out all the same. It stays failed, and its sum is gone of the payment.
func TestARefundThatIsCarriedOutLate(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := d.paid("refund-late", 1000, "")
	d.settings(map[string]any{"refund_fails": true})
	r := d.makes(refundsOf(p), refund("refund-late-1", 600), http.StatusCreated)
	d.ends(r.ID, "failed")
	d.settings(map[string]any{"refund_fails": false})
	d.later(p, "late_refund", 0)
	c := d.disputed(p)
	require.Equal(t, []any{"external_refund", "open", int64(600), int64(0), &r.ID}, []any{c.Kind, c.Status, c.Amount, c.Overdrawn, c.RefundID})
	now := d.full(r.ID)
	require.Equal(t, []any{"failed", "do_not_retry", &c.ID}, []any{now.Status, now.Failure.Advice, now.SupersededBy})
	d.refuses(refundsOf(p), refund("refund-late-2", 100), http.StatusConflict, "payment_disputed")
	require.Contains(t, d.operator("dispute", "show", c.ID), r.ID)
	d.resolves(c, "accept")
	d.refuses(refundsOf(p), refund("refund-late-3", 401), http.StatusConflict, "refund_exceeds_captured")
	d.refunded(p, "refund-late-4", 400)
	require.EqualValues(t, 1000, d.simulator(p.ProviderOrderID).Refunded, "what went back in all")
	require.NotContains(t, d.operator("order", "show", r.ID), "open conflicts")
	eventually(t, func() bool { return slices.Contains(typesIn(d.notified(r.ID)), "refund.late_success") })
	eventually(t, func() bool { return slices.Contains(typesIn(d.notified(p.ID)), "dispute.closed") })
	require.Subset(t, typesIn(d.notified(p.ID)), []string{"payment.succeeded", "dispute.opened", "dispute.closed"})
}

// A payout fails, and the provider carries it out after all. The payout stays failed, and an order of its own is in the sums.
func TestALateSuccessOfAPayout(t *testing.T) {
	t.Parallel()
	requireLate := func(d *dev, o full) {
		t.Helper()
		eventually(t, func() bool { return d.full(o.ID).SupersededBy != nil })
		old := d.full(o.ID)
		require.Equal(t, []any{"failed", "do_not_retry"}, []any{old.Status, old.Failure.Advice})
		late := d.full(*old.SupersededBy)
		require.Equal(t, []any{"payout", "succeeded", o.Reference + "~late", "late_success", &o.ID}, []any{late.Kind, late.Status, late.Reference, late.Origin, late.ParentID})
		require.EqualValues(t, 700, late.AmountCaptured)
		eventually(t, func() bool { return slices.Contains(typesIn(d.notified(o.ID)), "payout.late_success") })
		eventually(t, func() bool { return slices.Equal(typesIn(d.notified(late.ID)), []string{"payout.succeeded"}) })
		require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")
	}
	t.Run("SmartCore", func(t *testing.T) {
		t.Parallel()
		d := startDev(t, "VISIBILITY_DELAY=1s")
		d.settings(map[string]any{"withdrawal_ms": 200})
		before := d.balance()
		o := d.makes("/v1/payouts", payout("out-late", 700, payoutTo(cardOther)), http.StatusCreated)
		d.ends(o.ID, "failed")
		d.later(o, "late_success", 0)
		requireLate(d, o)
		require.Equal(t, before-700, d.balance())
		require.Equal(t, 1, d.sent(o.ProviderOrderID, "withdrawal/init"), "nothing is sent again")
		d.refuses("/v1/payouts", payout("taken~late", 700, payoutTo(cardSuccess)), http.StatusUnprocessableEntity, "invalid_request")
	})
	t.Run("UAPAY", func(t *testing.T) {
		t.Parallel()
		d := startUAPAY(t, "VISIBILITY_DELAY=3s") // its polls go on for as long: UAPAY sends no callback of a payout
		o := d.makes("/v1/payouts", payoutUAH("out-late", uahReject), http.StatusCreated)
		d.ends(o.ID, "failed")
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": "late_success"})
		requireLate(d.dev, o)
	})
}

// Money of ended orders moves after all, and no callback tells. A shop's or an operator's question finds it. What the provider does not show,
// an operator settles who knows better.
func TestALateSuccessThatNoCallbackTells(t *testing.T) {
	t.Parallel()
	d := startDev(t, "VISIBILITY_DELAY=1s")
	d.settings(map[string]any{"withdrawal_ms": 200})
	silently := func(o full) {
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": "late_success", "no_callback": true})
	}
	carried := func(o full) full {
		eventually(t, func() bool { return d.full(o.ID).SupersededBy != nil })
		late := d.full(*d.full(o.ID).SupersededBy)
		require.Equal(t, []any{"succeeded", o.Amount, "late_success"}, []any{late.Status, late.AmountCaptured, late.Origin})
		return late
	}
	payoutOf := func(reference string) full {
		o := d.makes("/v1/payouts", payout(reference, 700, payoutTo(cardOther)), http.StatusCreated)
		d.ends(o.ID, "failed")
		eventually(t, func() bool { return !strings.Contains(d.operator("order", "show", o.ID), "next check") })
		return o
	}
	asked := payoutOf("silent-shop")
	silently(asked)
	require.Equal(t, http.StatusOK, d.call(http.MethodPost, "/v1/orders/"+asked.ID+"/refresh", "", nil).StatusCode)
	carried(asked)

	found := payoutOf("silent-operator")
	silently(found)
	require.Contains(t, d.operator("order", "refresh", found.ID, "--reason", "the payee has the money"), "The provider is asked")
	carried(found)
	require.Contains(t, d.operator("audit", "list"), "order refresh")

	nothing := payoutOf("silent-nothing")
	d.operator("order", "refresh", nothing.ID, "--reason", "a look")
	eventually(t, func() bool { return !strings.Contains(d.operator("order", "show", nothing.ID), "next check") })
	require.Nil(t, d.full(nothing.ID).SupersededBy)
	require.Contains(t, d.fails("order", "resolve", nothing.ID, "--status", "succeeded", "--reason", "the bank's letter"), "--force")
	d.operator("order", "resolve", nothing.ID, "--status", "succeeded", "--force", "--reason", "the bank's letter")
	carried(nothing)

	held := d.makes("/v1/payments", direct("silent-held", 1000, cardMethod(cardOther), `"capture":"manual"`), http.StatusCreated)
	d.ends(held.ID, "failed")
	d.operator("order", "resolve", held.ID, "--status", "succeeded", "--force", "--reason", "taken, says the cabinet")
	require.Equal(t, "late_success", d.disputed(carried(held)).Kind)
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}

// A payment fails, and the money moves after all. The shop gives one back, and keeps another.
func TestALateSuccess(t *testing.T) {
	t.Parallel()
	d := startDev(t, "VISIBILITY_DELAY=1s")
	for _, action := range []string{"refund", "accept"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			d := d.with(t)
			o := d.makes("/v1/payments", direct("late-"+action, 1000, cardMethod(cardOther), ""), http.StatusCreated)
			d.ends(o.ID, "failed")
			d.later(o, "late_success", 0)
			eventually(t, func() bool { return d.full(o.ID).SupersededBy != nil })
			old := d.full(o.ID)
			require.Equal(t, []any{"failed", "do_not_retry"}, []any{old.Status, old.Failure.Advice})
			late := d.full(*old.SupersededBy)
			require.Equal(t, []any{"succeeded", "late-" + action + "~late", "late_success", int64(1000), &o.ID}, []any{late.Status, late.Reference, late.Origin, late.AmountCaptured, late.ParentID})
			c := d.disputed(late)
			require.Equal(t, "late_success", c.Kind)
			d.refuses(refundsOf(late), refund("late-too-early", 100), http.StatusConflict, "payment_disputed")
			now := d.resolves(c, action)
			if action == "accept" {
				require.Equal(t, "accepted", now.Status)
				d.refunded(late, "late-refund", 1000)
			}
			eventually(t, func() bool { return d.full(late.ID).AmountRefunded == 1000 })
			eventually(t, func() bool { return slices.Contains(typesIn(d.notified(o.ID)), "payment.late_success") })
			eventually(t, func() bool { return slices.Contains(typesIn(d.notified(late.ID)), "dispute.closed") })
			want := []string{"payment.succeeded", "dispute.opened", "dispute.updated", "dispute.closed"}
			if action == "accept" {
				want = slices.Delete(want, 2, 3)
			}
			require.Equal(t, want, typesIn(d.notified(late.ID)))
			require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")
		})
	}
}
