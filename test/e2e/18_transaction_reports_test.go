package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

func TestAStatementFromCurlToItsFile(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.control(http.MethodPost, "/settings", map[string]any{"export_pending_polls": 1})
	var paid []string
	for i := range 3 {
		o := d.create(fmt.Sprintf("statement-%d", i))
		d.pay(o.NextAction.URL, cardSuccess, "")
		paid = append(paid, d.await(o.ID, "succeeded").ProviderOrderID)
	}
	declined := d.create("statement-declined")
	d.pay(declined.NextAction.URL, cardOther, "")
	d.await(declined.ID, "failed")

	st := d.newTransactionReport("succeeded")
	file := "/v1/statements/" + st.ID + "/file"
	d.problem(http.MethodGet, file, "", nil, http.StatusConflict, "invalid_state")
	st = d.awaitTransactionReport(st.ID, "ready")
	require.Equal(t, len(paid), st.Rows)
	require.Nil(t, st.Failure)

	res, text := d.raw(http.MethodGet, file, "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", text)
	require.Equal(t, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", res.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="statement.xlsx"`, res.Header.Get("Content-Disposition"))
	ids := orderIDs(t, text)
	slices.Sort(paid)
	require.Equal(t, paid, ids)
	require.Equal(t, paid, d.storedOrderIDs(st.ID))

	other := d.otherShop()
	res, _ = d.raw(http.MethodGet, "/v1/orders", "", other)
	require.Equal(t, http.StatusOK, res.StatusCode, "the other shop's key works")
	d.problem(http.MethodGet, "/v1/statements/"+st.ID, "", other, http.StatusNotFound, "not_found")
	d.problem(http.MethodGet, file, "", other, http.StatusNotFound, "not_found")
	d.problem(http.MethodPost, "/v1/statements", transactionReportBody("succeeded"), other, http.StatusUnprocessableEntity, "unknown_account")
	d.noSecretsInLogs()
}

func TestAStatementThatTheProviderDoesNotMakeFails(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.control(http.MethodPost, "/settings", map[string]any{"export_fails": true, "export_pending_polls": 0})
	st := d.awaitTransactionReport(d.newTransactionReport("succeeded").ID, "failed")
	require.NotNil(t, st.Failure)
	require.Contains(t, *st.Failure, "did not make the list")
	require.Zero(t, st.Rows)
	d.problem(http.MethodGet, "/v1/statements/"+st.ID+"/file", "", nil, http.StatusConflict, "invalid_state")
}

func TestAStatementOutlivesAFaultOfTheProvider(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.control(http.MethodPost, "/settings", map[string]any{"export_pending_polls": 0})
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "bad_gateway_after", "endpoint": "aggregation-service/public/transaction/excel/result", "count": 1})
	st := d.awaitTransactionReport(d.newTransactionReport("failed").ID, "ready")
	require.Zero(t, st.Rows, "a list of nothing is a list")
	require.Equal(t, 1, strings.Count(d.log.String(), "a step of a transaction report failed"))
}

// Two shops share an account, and a third account has the same merchant key: the provider lists all of it to each.
func TestAStatementHoldsTheShopsOwnOrdersOnly(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"export_pending_polls": 0, "withdrawal_ms": 100})
	other := d.of("other", "EUR-sandbox")
	mine := d.paid("same-reference", 1000, "")
	theirs := other.paid("same-reference", 1200, "")
	refund := d.refunded(mine, "my-refund", 300)
	other.refunded(theirs, "their-refund", 400)
	payout := d.makes("/v1/payouts", payout("my-payout", 700, payoutTo(cardSuccess)), http.StatusCreated)
	d.ends(payout.ID, "succeeded")
	// What another program does with the merchant key is nobody's.
	d.foreign()

	references, ids := d.listed("EUR-sandbox", "payment", "succeeded")
	require.Equal(t, []string{"same-reference"}, references)
	require.Equal(t, []string{mine.ProviderOrderID}, ids)
	references, ids = other.listed("EUR-sandbox", "payment", "succeeded")
	require.Equal(t, []string{"same-reference"}, references)
	require.Equal(t, []string{theirs.ProviderOrderID}, ids)
	references, _ = d.listed("EUR-sandbox", "refund", "succeeded")
	require.Equal(t, []string{refund.Reference}, references)
	references, _ = d.listed("EUR-sandbox", "payout", "succeeded")
	require.Empty(t, references, "it is on another account of the same merchant key")
	references, _ = d.listed("EUR-sandbox-payout", "payout", "succeeded")
	require.Equal(t, []string{"my-payout"}, references)
	other.problem(http.MethodPost, "/v1/statements", strings.ReplaceAll(transactionReportBody("succeeded"), "EUR-sandbox", "EUR-sandbox-payout"), nil, http.StatusUnprocessableEntity, "unknown_account")
}

// A shop that an account was taken from still has its own orders, and nothing else.
func TestAStatementOfAnAccountThatAShopNoLongerHas(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"export_pending_polls": 0})
	other := d.of("other", "EUR-sandbox")
	theirs := other.paid("theirs", 1200, "")
	d.paid("mine", 1000, "")
	st := other.awaitTransactionReport(other.newTransactionReport("succeeded").ID, "ready")
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "DELETE FROM account_shops WHERE shop_id = (SELECT id FROM shops WHERE name = 'other')")
	require.NoError(t, err)
	d.heard()
	require.Equal(t, 1, other.getTransactionReport(st.ID).Rows)
	_, text := other.raw(http.MethodGet, "/v1/statements/"+st.ID+"/file", "", nil)
	require.Equal(t, []string{theirs.ProviderOrderID}, orderIDs(t, text))
	other.problem(http.MethodPost, "/v1/statements", transactionReportBody("succeeded"), nil, http.StatusUnprocessableEntity, "unknown_account")
}

func TestAnOperatorFetchesTheProvidersFile(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"export_pending_polls": 0})
	require.Contains(t, d.operator("statement", "list"), "No shop has asked")
	other := d.of("other", "EUR-sandbox")
	want := []string{d.paid("mine", 1000, "").ProviderOrderID, other.paid("theirs", 1200, "").ProviderOrderID}
	slices.Sort(want)
	st := d.awaitTransactionReport(d.newTransactionReport("succeeded").ID, "ready")
	require.Regexp(t, st.ID+` +demo +EUR-sandbox +payment +succeeded .* ready +1 `, d.operator("statement", "list"))
	require.Contains(t, d.operator("statement", "list", "--json"), `"shop":"demo"`)

	path := filepath.Join(t.TempDir(), "all.xlsx")
	require.Contains(t, d.operator("statement", "file", st.ID, "--output", path), path)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, orderIDs(t, text))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	d.settings(map[string]any{"export_pending_polls": 1000})
	open := d.newTransactionReport("succeeded").ID
	for want, args := range map[string][]string{
		"file exists":                         {st.ID, "--output", path},
		"There is no such transaction report": {uuid.NewString(), "--output", path + ".none"},
		"can be read once it is":              {open, "--output", path + ".none"},
	} {
		code, _, text := command(environ, append([]string{"statement", "file"}, args...)...)
		require.Equal(t, 1, code, text)
		require.Contains(t, text, want)
	}
	require.NoFileExists(t, path+".none")
}
