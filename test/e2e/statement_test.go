package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/xuri/excelize/v2"

	"payrelay/internal/app"
	"payrelay/internal/secrets"
)

// transactionReport is the part of a statement that tests look at.
type transactionReport struct {
	ID      string  `json:"id"`
	Account string  `json:"account"`
	State   string  `json:"state"`
	Failure *string `json:"failure"`
	Rows    int     `json:"rows"`
}

func transactionReportBody(status string) string {
	now := time.Now().UTC()
	return fmt.Sprintf(`{"account":"EUR-sandbox","type":"payment","status":%q,"from":%q,"to":%q}`,
		status, now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
}

// newTransactionReport asks for the payments of a status in the hours around now.
func (d *dev) newTransactionReport(status string) transactionReport {
	d.t.Helper()
	var st transactionReport
	res := d.call(http.MethodPost, "/v1/statements", transactionReportBody(status), &st)
	require.Equal(d.t, http.StatusCreated, res.StatusCode)
	require.Equal(d.t, "/v1/statements/"+st.ID, res.Header.Get("Location"))
	require.Equal(d.t, "created", st.State)
	require.Equal(d.t, "EUR-sandbox", st.Account)
	return st
}

func (d *dev) getTransactionReport(id string) transactionReport {
	d.t.Helper()
	var st transactionReport
	res := d.call(http.MethodGet, "/v1/statements/"+id, "", &st)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return st
}

// awaitTransactionReport waits until the statement has come to an end, and wants it to be state.
func (d *dev) awaitTransactionReport(id, state string) transactionReport {
	d.t.Helper()
	var st transactionReport
	require.Eventually(d.t, func() bool {
		st = d.getTransactionReport(id)
		return st.State == "ready" || st.State == "failed"
	}, waitTimeout, 50*time.Millisecond, "the statement did not end")
	require.Equal(d.t, state, st.State, "%+v\n%s", st, d.log)
	return st
}

func (d *dev) problem(method, path, body string, header http.Header, status int, code string) {
	d.t.Helper()
	res, text := d.raw(method, path, body, header)
	require.Equal(d.t, status, res.StatusCode, "%s", text)
	require.Contains(d.t, res.Header.Get("Content-Type"), "application/problem+json")
	require.Contains(d.t, string(text), fmt.Sprintf("%q", code))
}

// otherShop makes a second shop and returns the header of its key.
func (d *dev) otherShop() http.Header {
	d.t.Helper()
	var out bytes.Buffer
	code := app.Execute(context.Background(), []string{"shop", "create", "other", "--json"},
		&app.Streams{Out: &out, Err: d.log, Environ: []string{"DATABASE_URL=" + d.DatabaseURL}})
	require.Zero(d.t, code, "%s", d.log)
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(d.t, json.Unmarshal(out.Bytes(), &made))
	return http.Header{"Authorization": {"Bearer " + made.Key}}
}

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

// orderIDs reads the sorted order ids out of the provider's workbook.
func orderIDs(t testing.TB, workbook []byte) []string {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(workbook))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	rows, err := f.GetRows(f.GetSheetList()[0])
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	column := slices.Index(rows[0], "Order ID")
	require.GreaterOrEqual(t, column, 0)
	var ids []string
	for _, row := range rows[1:] {
		ids = append(ids, row[column])
	}
	slices.Sort(ids)
	return ids
}

// storedOrderIDs reads the sorted order ids of the rows that were kept.
func (d *dev) storedOrderIDs(id string) []string {
	d.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.DatabaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "SELECT fields ->> 'Order ID' FROM transaction_report_rows WHERE report_id = $1", id)
	require.NoError(d.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	slices.Sort(ids)
	return ids
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
	require.Equal(t, 1, strings.Count(d.log.String(), "a step of a statement failed"))
}

// of returns the dev as another shop uses it, which may use the accounts.
func (d *dev) of(shop string, accounts ...string) *dev {
	d.t.Helper()
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(d.t, json.Unmarshal([]byte(d.operator("shop", "create", shop, "--json")), &made))
	for _, account := range accounts {
		d.operator("account", "set", account, "--shop", shop)
	}
	other := *d
	other.ShopKey = made.Key
	return &other
}

// listed reads a statement of a type in a status: the references in its rows, and the orders' ids in its file.
func (d *dev) listed(account, kind, status string) (references, ids []string) {
	d.t.Helper()
	var st transactionReport
	body := strings.NewReplacer("EUR-sandbox", account, `"payment"`, strconv.Quote(kind)).Replace(transactionReportBody(status))
	res := d.call(http.MethodPost, "/v1/statements", body, &st)
	require.Equal(d.t, http.StatusCreated, res.StatusCode)
	st = d.awaitTransactionReport(st.ID, "ready")
	for next := ""; ; {
		var page struct {
			Data []struct {
				OrderID   string            `json:"order_id"`
				Reference string            `json:"reference"`
				Fields    map[string]string `json:"fields"`
			} `json:"data"`
			NextCursor *string `json:"next_cursor"`
		}
		res := d.call(http.MethodGet, "/v1/statements/"+st.ID+"/rows?limit=1"+next, "", &page)
		require.Equal(d.t, http.StatusOK, res.StatusCode)
		for _, row := range page.Data {
			require.Equal(d.t, row.Reference, d.full(row.OrderID).Reference)
			require.NotContains(d.t, row.Fields["Card number"], cardSuccess[6:12])
			references = append(references, row.Reference)
		}
		if page.NextCursor == nil {
			break
		}
		next = "&cursor=" + *page.NextCursor
	}
	slices.Sort(references)
	require.Len(d.t, references, st.Rows)
	res, text := d.raw(http.MethodGet, "/v1/statements/"+st.ID+"/file", "", nil)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	require.NotContains(d.t, string(text), cardSuccess)
	return references, orderIDs(d.t, text)
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
		"file exists":                {st.ID, "--output", path},
		"There is no such statement": {open[:35] + "0", "--output", path + ".none"},
		"can be read once it is":     {open, "--output", path + ".none"},
	} {
		code, _, text := command(environ, append([]string{"statement", "file"}, args...)...)
		require.Equal(t, 1, code, text)
		require.Contains(t, text, want)
	}
	require.NoFileExists(t, path+".none")
}

// foreign makes a paid payment of another program with the same merchant key.
func (d *dev) foreign() {
	d.t.Helper()
	body := `{"order_id":"of-another-program","amount":900,"account":"EUR-sandbox","currency":"EUR","customer_ip_address":"127.0.0.1",
		"customer_first_name":"J","customer_last_name":"D","customer_address":"x","customer_city":"London","customer_zip_code":"SW1A 2AA",
		"customer_country":"GBR","customer_phone":"+442079460612","customer_email":"j@example.com","merchant_site":"https://x.example",
		"card_holder":"J D","card_number":"` + cardSuccess + `","card_exp_month":"12","card_exp_year":"30","card_cvv":"123"}`
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.Sandbox+"/smartcore/pci/initPaymentHost2Host", strings.NewReader(body))
	require.NoError(d.t, err)
	req.SetBasicAuth("test", "qwerty")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, http.StatusOK, res.StatusCode, "%s", text)
	require.Eventually(d.t, func() bool { return d.simulator("of-another-program").Status == 2 }, waitTimeout, 25*time.Millisecond)
}
