package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
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
	eventually(d.t, func() bool {
		st = d.getTransactionReport(id)
		return st.State == "ready" || st.State == "failed"
	}, "the report did not end")
	require.Equal(d.t, state, st.State, "%+v\n%s", st, d.log)
	return st
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
