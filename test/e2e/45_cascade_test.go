package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// declinesAt has a merchant of the simulator decline its payments with a code. The other one takes them.
func (d *dev) declinesAt(merchant, code string) {
	d.t.Helper()
	rules := []map[string]any{}
	if code != "" {
		rules = append(rules, map[string]any{"merchant": merchant, "code": code})
	}
	d.settings(map[string]any{"rules": rules})
}

// cascades is what a request says of its declines.
func cascades(value string) string { return fmt.Sprintf(`"attempts":{"cascade":%q}`, value) }

// A card that is declined at one account for the provider's own trouble is paid at the next one, in the same request, where the shop
// asks for that. Every other decline, and every other payment, stays where it is.
func TestADeclinedCardIsPaidElsewhere(t *testing.T) {
	t.Parallel()
	d := startDevWith(t, storetest.URL(t), nil, twoHosts...)
	d.secondAccount(t.TempDir())
	d.settings(map[string]any{"processing_ms": 100})
	d.declinesAt("test", "TECHNICAL_PROCESSING_ERROR")

	asked := direct("asked", 1000, cardMethod(cardSuccess), cascades("provider"))
	o := d.makes("/v1/payments", asked, http.StatusCreated)
	require.Equal(t, "EUR-second", o.Account)
	o = d.ends(o.ID, "succeeded")
	list := d.attempts(o.ID)
	require.Len(t, list, 2)
	require.Equal(t, attemptView{1, "EUR-sandbox", list[0].ProviderOrderID, "failed", "declined_by_provider", "TECHNICAL_PROCESSING_ERROR"}, list[0])
	require.Equal(t, attemptView{2, "EUR-second", o.ProviderOrderID, "succeeded", "", ""}, list[1])
	require.Equal(t, [2]string{"test", "second"}, [2]string{d.merchantOf(list[0].ProviderOrderID), d.merchantOf(list[1].ProviderOrderID)})
	require.Equal(t, 2, len(d.simulatorOrders()))
	require.Equal(t, o.ID, d.makes("/v1/payments", asked, http.StatusOK).ID, "a repeat is the same order")
	require.Equal(t, list, d.attempts(o.ID))
	eventually(t, func() bool { return slices.Contains(typesIn(d.notified(o.ID)), "payment.succeeded") })
	require.NotContains(t, typesIn(d.notified(o.ID)), "payment.failed")
	require.Contains(t, d.operator("order", "show", o.ID), "1: account EUR-sandbox, declined_by_provider (TECHNICAL_PROCESSING_ERROR); the order went to the next account")
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_failovers_total{from="EUR-sandbox",reason="declined_by_provider",to="EUR-second"} 1`)
	require.Regexp(t, `payrelay_orders_final_total\{account="EUR-sandbox",category="provider_unavailable",kind="payment",method="",outcome="declined",provider="smartcore"\} 1\n`, metrics)

	stays := func(reference, code, more string) {
		t.Helper()
		d.declinesAt("test", code)
		o := d.makes("/v1/payments", direct(reference, 1000, cardMethod(cardSuccess), more), http.StatusCreated)
		require.Equal(t, "EUR-sandbox", o.Account, reference)
		o = d.ends(o.ID, "failed")
		require.Equal(t, code, o.Failure.Code, reference)
		require.Len(t, d.attempts(o.ID), 1, reference)
	}
	stays("not-asked", "TECHNICAL_PROCESSING_ERROR", "")
	stays("none", "TECHNICAL_PROCESSING_ERROR", cascades("none"))
	stays("named", "TECHNICAL_PROCESSING_ERROR", `"account":"EUR-sandbox"`)
	stays("issuer", "EMITTER_DENIAL_PROCESSING_ERROR", cascades("provider"))
	stays("fraud", "DO_NOT_HONOUR_PROCESSING_ERROR", cascades("issuer"))
	stays("poor", "INSUFFICIENT_FUNDS_PROCESSING_ERROR", cascades("issuer"))
	stays("unlisted", "SOMETHING_NEW", cascades("issuer"))

	d.declinesAt("test", "EMITTER_DENIAL_PROCESSING_ERROR")
	o = d.makes("/v1/payments", direct("issuer-asked", 1000, cardMethod(cardSuccess), cascades("issuer")), http.StatusCreated)
	require.Equal(t, "declined_by_issuer", d.attempts(o.ID)[0].Reason)
	d.ends(o.ID, "succeeded")

	d.operator("shop", "set", "demo", "--cascade", "issuer")
	eventually(t, func() bool {
		o = d.makes("/v1/payments", direct(fmt.Sprintf("default-%d", time.Now().UnixNano()), 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
		return o.Account == "EUR-second"
	}, "the shop's default")
	stays("default-off", "EMITTER_DENIAL_PROCESSING_ERROR", cascades("none"))
	d.refuses("/v1/payments", direct("named-asked", 1000, cardMethod(cardSuccess), `"account":"EUR-sandbox",`+cascades("provider")), http.StatusUnprocessableEntity, "invalid_request")
	d.refuses("/v1/payments", direct("held-asked", 1000, cardMethod(cardSuccess), `"capture":"manual",`+cascades("provider")), http.StatusUnprocessableEntity, "invalid_request")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}

// A decline that the provider had shown turns out to be paid after all. The order is paid once at the next account and stays so. The
// money of the first attempt is an order of its own, whose dispute asks the shop what is to become of it.
func TestADeclineThatIsPaidAfterAllIsADispute(t *testing.T) {
	t.Parallel()
	d := startDevWith(t, storetest.URL(t), []string{"VISIBILITY_DELAY=1s"}, twoHosts...)
	d.secondAccount(t.TempDir())
	d.declinesAt("test", "TECHNICAL_PROCESSING_ERROR")
	o := d.makes("/v1/payments", direct("twice", 1000, cardMethod(cardSuccess), cascades("provider")), http.StatusCreated)
	o = d.ends(o.ID, "succeeded")
	first := d.attempts(o.ID)[0]
	require.Equal(t, "declined_by_provider", first.Reason)

	d.control(http.MethodPost, "/orders/"+first.ProviderOrderID+"/later", map[string]any{"what": "late_success", "no_callback": true})
	d.operator("order", "refresh", o.ID, "--attempt", "1", "--reason", "the customer paid twice")
	require.Contains(t, d.fails("order", "refresh", o.ID, "--attempt", "1", "--reason", "once more"), "shows what became of attempt 1")
	var late full
	eventually(t, func() bool {
		var list struct{ Data []full }
		d.call(http.MethodGet, "/v1/orders?reference=twice~late1", "", &list)
		if len(list.Data) == 1 {
			late = list.Data[0]
		}
		return late.Status == "succeeded"
	})
	require.Equal(t, []any{"EUR-sandbox", first.ProviderOrderID, "late_success", int64(1000), &o.ID}, []any{late.Account, late.ProviderOrderID, late.Origin, late.AmountCaptured, late.ParentID})
	c := d.disputed(late)
	require.Equal(t, "late_success", c.Kind)
	d.resolves(c, "refund")
	eventually(t, func() bool { return d.full(late.ID).AmountRefunded == 1000 })
	now := d.full(o.ID)
	require.Equal(t, []any{"succeeded", "EUR-second", int64(1000), int64(0)}, []any{now.Status, now.Account, now.AmountCaptured, now.AmountRefunded})
	require.Empty(t, d.disputesOf(o))
	require.NotContains(t, d.operator("order", "show", o.ID), "open conflicts")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}

// Two accounts decline, and the first attempt is paid after all: the failed order tells the shop not to charge the customer again.
func TestAFailedOrderOfAPaidAttemptIsNotToBeRetried(t *testing.T) {
	t.Parallel()
	d := startDevWith(t, storetest.URL(t), []string{"VISIBILITY_DELAY=1s"}, twoHosts...)
	d.secondAccount(t.TempDir())
	d.settings(map[string]any{"rules": []map[string]any{{"amount": 1000, "code": "TECHNICAL_PROCESSING_ERROR"}}})
	o := d.makes("/v1/payments", direct("advice", 1000, cardMethod(cardSuccess), cascades("provider")), http.StatusCreated)
	o = d.ends(o.ID, "failed")
	require.NotEqual(t, "do_not_retry", o.Failure.Advice)
	var there full
	there.ProviderOrderID = d.attempts(o.ID)[0].ProviderOrderID
	d.later(there, "late_success", 0)
	eventually(t, func() bool { return d.full(o.ID).Failure.Advice == "do_not_retry" })
	require.Contains(t, *d.full(o.ID).StatusReason, "Attempt 1 is reported as succeeded.")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}
