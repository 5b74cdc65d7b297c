package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/xuri/excelize/v2"
	"payrelay/internal/app"
)

// statement is the part of a statement that tests look at.
type statement struct {
	ID      string  `json:"id"`
	Account string  `json:"account"`
	State   string  `json:"state"`
	Failure *string `json:"failure"`
	Rows    int     `json:"rows"`
}

func statementBody(status string) string {
	now := time.Now().UTC()
	return fmt.Sprintf(`{"account":"EUR-sandbox","type":"payment","status":%q,"from":%q,"to":%q}`,
		status, now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
}

// newStatement asks for the payments of a status in the hours around now.
func (d *dev) newStatement(status string) statement {
	d.t.Helper()
	var st statement
	res := d.call(http.MethodPost, "/v1/statements", statementBody(status), &st)
	require.Equal(d.t, http.StatusCreated, res.StatusCode)
	require.Equal(d.t, "/v1/statements/"+st.ID, res.Header.Get("Location"))
	require.Equal(d.t, "created", st.State)
	require.Equal(d.t, "EUR-sandbox", st.Account)
	return st
}

func (d *dev) getStatement(id string) statement {
	d.t.Helper()
	var st statement
	res := d.call(http.MethodGet, "/v1/statements/"+id, "", &st)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return st
}

// awaitStatement waits until the statement has come to an end, and wants it to be state.
func (d *dev) awaitStatement(id, state string) statement {
	d.t.Helper()
	var st statement
	require.Eventually(d.t, func() bool {
		st = d.getStatement(id)
		return st.State == "ready" || st.State == "failed"
	}, patience, 50*time.Millisecond, "the statement did not end")
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

	st := d.newStatement("succeeded")
	file := "/v1/statements/" + st.ID + "/file"
	d.problem(http.MethodGet, file, "", nil, http.StatusConflict, "invalid_state")
	st = d.awaitStatement(st.ID, "ready")
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
	d.problem(http.MethodPost, "/v1/statements", statementBody("succeeded"), other, http.StatusUnprocessableEntity, "unknown_account")
	d.noSecretsInLogs()
}

// orderIDs reads the sorted order ids out of the provider's workbook.
func orderIDs(t *testing.T, workbook []byte) []string {
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
	rows, err := conn.Query(ctx, "SELECT fields ->> 'Order ID' FROM statement_rows WHERE statement_id = $1", id)
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
	st := d.awaitStatement(d.newStatement("succeeded").ID, "failed")
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
	st := d.awaitStatement(d.newStatement("failed").ID, "ready")
	require.Zero(t, st.Rows, "a list of nothing is a list")
	require.Equal(t, 1, strings.Count(d.log.String(), "a step of a statement failed"))
}
