package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

const importHeader = "reference,provider_order_id,amount,currency,max_amount,min_days,last_charged_at\n"

// imports gives the operator's command a file of agreements.
func (d *dev) imports(account, lines string, more ...string) (code int, out string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "agreements.csv")
	require.NoError(d.t, os.WriteFile(file, []byte(importHeader+lines), 0o600))
	args := append([]string{"mandate", "import", file, "--shop", "demo", "--account", account, "--reason", "we move to payrelay"}, more...)
	code, out, text := command([]string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}, args...)
	return code, out + text
}

// A team brings the agreements that its customers made before: they are charged by the stored terms, and the payments can be refunded.
func TestATeamBringsItsAgreements(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.paidElsewhere("their-sub-1", 1000, `"recurrent":true,`)
	d.paidElsewhere("their-sub-2", 900, "")
	tenDaysAgo := time.Now().AddDate(0, 0, -10).UTC().Format(time.RFC3339)
	good := "sub-1,their-sub-1,1000,EUR,700,,\nsub-2,their-sub-2,900,EUR,,30," + tenDaysAgo + "\n"
	count := func() int {
		list, _ := d.page("/v1/orders?limit=100")
		return len(list)
	}

	code, out := d.imports("EUR-sandbox", good+"sub-3,their-sub-3,1000,EUR,,,\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "line 4 (sub-3): provider_order_id: the provider knows no such payment")
	code, out = d.imports("EUR-sandbox", good+"sub-3,of-sandbox,10,USD,,,\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "currency: the account holds EUR")
	code, out = d.imports("UAH-sandbox", "sub-1,their-sub-1,1000,UAH,700,,\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "charges by its own schedule")
	code, out = d.imports("EUR-sandbox", good, "--dry-run")
	require.Zero(t, code, out)
	require.Contains(t, out, "0 imported, 2 new and not imported")
	require.Zero(t, count(), "nothing was written down")

	code, out = d.imports("EUR-sandbox", good)
	require.Zero(t, code, out)
	require.Contains(t, out, "2 imported, 0 new")
	code, out = d.imports("EUR-sandbox", good)
	require.Zero(t, code, out)
	require.Contains(t, out, "0 imported, 0 new and not imported, 2 imported before")
	code, out = d.imports("EUR-sandbox", "sub-1,their-sub-2,900,EUR,,,\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "it is that of the parent their-sub-1")
	require.Equal(t, 2, count())

	var found struct{ Data []full }
	require.Equal(t, http.StatusOK, d.call(http.MethodGet, "/v1/orders?provider_order_id=their-sub-1", "", &found).StatusCode)
	require.Len(t, found.Data, 1)
	o := found.Data[0]
	require.Equal(t, []any{"imported", "succeeded", "sub-1", "their-sub-1", int64(1000), true}, []any{o.Origin, o.Status, o.Reference, o.ProviderOrderID, o.AmountCaptured, o.Recurring})
	require.Contains(t, d.operator("order", "show", "their-sub-1"), o.ID)
	eventually(t, func() bool { return len(d.notified(o.ID)) == 1 })
	require.Equal(t, []string{"payment.imported"}, typesIn(d.notified(o.ID)), "nobody delivers anything for it")
	require.Equal(t, "active", d.mandate(o.ID).Status)
	d.importedIsCharged(o)
	d.importedIsRefunded(o)

	require.Equal(t, http.StatusOK, d.call(http.MethodGet, "/v1/orders?provider_order_id=their-sub-2", "", &found).StatusCode)
	second := found.Data[0]
	p := d.refuses("/v1/mandates/"+second.ID+"/charges", `{"reference":"soon","amount":900,"description":"December"}`, http.StatusConflict, "mandate_too_soon")
	require.Equal(t, []string{"mandate.min_days"}, p.fields())
	next, err := time.Parse(time.RFC3339, *d.mandate(second.ID).NextFrom)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 19), next, time.Hour, "days count from the last charge before")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0.")
}

// importedIsCharged charges an imported mandate within its terms.
func (d *dev) importedIsCharged(o full) {
	d.t.Helper()
	charges := "/v1/mandates/" + o.ID + "/charges"
	d.refuses(charges, `{"reference":"much","amount":701,"description":"December"}`, http.StatusConflict, "mandate_limit")
	c := d.ends(d.makes(charges, `{"reference":"c-1","amount":700,"description":"December"}`, http.StatusCreated).ID, "succeeded")
	require.Equal(d.t, []any{"request", &o.ID, int64(700)}, []any{c.Origin, c.ParentID, c.AmountCaptured})
	require.Equal(d.t, 1, d.mandate(o.ID).Charges)
	d.refunded(c, "c-1-back", 700)
}

// importedIsRefunded has callbacks about the first payment of an imported mandate taken, and gives it back.
func (d *dev) importedIsRefunded(o full) {
	d.t.Helper()
	target := d.callbackTarget("EUR-sandbox")
	d.signs(target, o, nil)
	eventually(d.t, func() bool { return len(d.verdicts(o.ID)) == 1 })
	require.Equal(d.t, []string{"repeat"}, d.verdicts(o.ID))
	d.refunded(o, "r-1", 400)
	d.signs(target, o, map[string]string{"type": "Refund", "amount": "600", "finalAmount": "600", "rrn": "318513456700"})
	require.Equal(d.t, []any{"external_refund", int64(600)}, []any{d.disputed(o).Kind, d.disputed(o).Amount}, "the rest went back in the provider's cabinet")
	require.Equal(d.t, "paused", d.mandate(o.ID).Status)
	d.refuses(refundsOf(o), refund("r-2", 1), http.StatusConflict, "payment_disputed")
}
