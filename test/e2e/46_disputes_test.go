package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dispute is a dispute as the API shows it.
type dispute struct {
	ID, Kind, Status, Source  string
	OrderID                   string `json:"order_id"`
	Amount, Overdrawn         int64
	ReasonCode, DueAt, Closed *string
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
	require.Eventually(d.t, func() bool { found = d.disputesOf(o); return len(found) == 1 }, waitTimeout, 25*time.Millisecond)
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
	require.Eventually(t, func() bool {
		list := d.notified(p.ID)
		return len(list) >= 4 && slices.Equal([]string{"dispute.opened", "dispute.updated", "dispute.closed"}, typesIn(list[len(list)-3:]))
	}, waitTimeout, 25*time.Millisecond, "%v", d.notified(p.ID))
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
