package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What a provider says after an order's end is never passed over, even where its word alone proves nothing.
func TestAFinalOrderInVerificationIsAskedAboutAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t, "VISIBILITY_DELAY=1s")
	d.atOnce(t, scenarios{
		"money goes back in the cabinet": func(t *testing.T, d uapayDev) {
			p := d.paid("cabinet-back", "")
			d.reverses(p, 1000)
			c := d.disputed(p)
			require.Equal(t, []any{"reversal", "check", int64(1000)}, []any{c.Kind, c.Source, c.Amount})
			require.Equal(t, "succeeded", d.get(p.ID).Status, "a final status is never changed")
		},
		"a transfer is said to have failed, and has not": func(t *testing.T, d uapayDev) {
			o := d.makes("/v1/payouts", fmt.Sprintf(`{"reference":"verified-payout","amount":700,"account":"UAH-sandbox-p2p","method":%s}`, payoutTo(uahSuccess)), http.StatusCreated)
			d.ends(o.ID, "succeeded")
			d.asked(o.ID, 1)
			asked := d.askedSoFar(o.ID)
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback", map[string]any{"status": "REJECTED"})
			d.asked(o.ID, asked+1)
			require.Equal(t, "succeeded", d.get(o.ID).Status)
			require.NotContains(t, d.operator("order", "show", o.ID), " conflict ")
			conn, err := pgx.Connect(context.Background(), d.DatabaseURL)
			require.NoError(t, err)
			defer func() { _ = conn.Close(context.Background()) }()
			eventually(t, func() bool {
				var waits bool
				return conn.QueryRow(context.Background(), "SELECT next_poll_at IS NOT NULL FROM orders WHERE id = $1", o.ID).Scan(&waits) == nil && !waits
			}, "an answer past the provider's delay settles it")
			require.NotContains(t, d.operator("order", "show", o.ID), " conflict ")
		},
	})
}

func TestAnUnpaidPaymentIsGivenUpAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	d.atOnce(t, scenarios{
		"given up": func(t *testing.T, d uapayDev) {
			o := d.opens("give-up", "")
			require.Equal(t, "canceled", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			require.True(t, d.simulator(o).Inactive, "nobody can pay it any more")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "processing by request", "canceled by answer")
		},
		"the answer is lost": func(t *testing.T, d uapayDev) {
			o := d.opens("give-up-lost", "")
			d.once("drop_after", "invoicer/invoices/cancel", o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			d.ends(o.ID, "canceled")
		},
		"it never arrives": func(t *testing.T, d uapayDev) {
			o := d.opens("give-up-never", "")
			d.once("drop_before", "invoicer/invoices/cancel", o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			d.ends(o.ID, "requires_action")
			d.pays(o, uahSuccess, "")
			d.ends(o.ID, "succeeded")
		},
		"the customer was quicker": func(t *testing.T, d uapayDev) {
			o := d.opens("give-up-late", "")
			d.muteCallbacks(o)
			d.pays(o, uahSuccess, "")
			res, text := d.raw(http.MethodPost, cancelOf(o), "", nil)
			require.Contains(t, []int{http.StatusOK, http.StatusBadGateway, http.StatusConflict}, res.StatusCode, "%s", text)
			require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
		},
	})
	d.once("drop_after", "invoicer/invoices/create", "") // of whichever order comes next
	o := d.makes("/v1/payments", uah("give-up-page", 1000, ""), http.StatusAccepted)
	d.ends(o.ID, "processing") // its page's address is lost
	require.Equal(t, "canceled", d.makes(cancelOf(o), ``, http.StatusOK).Status)
	p := d.refuses("/v1/payments/"+d.create("sc-unpaid").ID+"/cancel", ``, http.StatusUnprocessableEntity, "not_supported_by_provider")
	require.Contains(t, p.Detail, "ends by itself")
}

// A capture that UAPAY acknowledges and carries out late is never taken for one that did not happen.
func TestALateCaptureAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	d.settings(map[string]any{"follow_up_ms": 14000})
	o := d.holds("late-capture")
	require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":300}`, http.StatusOK).Status)
	require.EqualValues(t, 300, d.ends(o.ID, "succeeded").AmountCaptured)
	history := d.history(o.ID)
	require.Equal(t, []string{"processing by request", "succeeded by check"}, history[len(history)-2:])
}
