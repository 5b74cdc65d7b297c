package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// transactionReport stores a new statement that is due.
func (b *fixture) transactionReport(t *testing.T) *payment.TransactionReport {
	t.Helper()
	now := b.clock.Now()
	st := &payment.TransactionReport{
		ID: uuid.New(), Shop: b.shop.ID, AccountID: b.account.ID, AccountName: b.account.Name, Type: gateway.KindPayment, Status: gateway.StatusSucceeded,
		From: now.Add(-time.Hour), To: now, State: payment.TransactionReportCreated, CreatedAt: now, UpdatedAt: now, NextPollAt: &now, Columns: []string{},
	}
	require.NoError(t, b.CreateTransactionReport(t.Context(), st))
	return st
}

// saved moves a statement on and stores it.
func (b *fixture) saved(t *testing.T, st *payment.TransactionReport, state payment.TransactionReportState) {
	t.Helper()
	st.State, st.Polls, st.NextPollAt = state, st.Polls+1, nil
	require.NoError(t, b.SaveTransactionReport(t.Context(), st))
}

// rows reads a column of the statement's rows.
func (b *fixture) rows(t *testing.T, st *payment.TransactionReport, column string) []string {
	t.Helper()
	var values []string
	for cursor := ""; ; {
		page, err := b.TransactionReportRows(t.Context(), st.Shop, st.ID, cursor, 500)
		require.NoError(t, err)
		for _, row := range page.Items {
			values = append(values, row.Fields[column])
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return values
}

// rowsOf are rows about an order of the bench's shop.
func (b *fixture) rowsOf(t *testing.T, fields ...map[string]string) []payment.TransactionReportRow {
	t.Helper()
	if b.listed == nil {
		b.listed = b.create(t, "listed", 1000)
	}
	rows := make([]payment.TransactionReportRow, len(fields))
	for i, f := range fields {
		rows[i] = payment.TransactionReportRow{Order: b.listed.ID, Reference: b.listed.Reference, Fields: f}
	}
	return rows
}

func TestStatementIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	got, err := b.TransactionReport(t.Context(), st.Shop, st.ID)
	require.NoError(t, err)
	require.Equal(t, st, got)

	b.clock.Add(time.Minute)
	next := b.clock.Now().Add(time.Second)
	st.State, st.Task, st.Polls, st.UpdatedAt, st.NextPollAt = payment.TransactionReportProcessing, "task-1", 1, b.clock.Now(), &next
	require.NoError(t, b.SaveTransactionReport(t.Context(), st))
	got, err = b.TransactionReport(t.Context(), st.Shop, st.ID)
	require.NoError(t, err)
	require.Equal(t, st, got)

	st.State, st.Failure, st.Rows, st.Polls, st.NextPollAt = payment.TransactionReportFailed, "Ask again.", 7, 2, nil
	st.Columns = []string{"Order ID", "Amount"}
	require.NoError(t, b.SaveTransactionReport(t.Context(), st))
	got, err = b.TransactionReport(t.Context(), st.Shop, st.ID)
	require.NoError(t, err)
	require.Equal(t, st, got)
}

func TestStatementIsItsShopsAlone(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	other, _, _ := b.newShop(t, "other", "")
	_, err := b.TransactionReport(t.Context(), other.ID, st.ID)
	require.ErrorIs(t, err, payment.ErrTransactionReportNotFound)
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
	_, err = b.TransactionReport(t.Context(), st.Shop, uuid.New())
	require.ErrorIs(t, err, payment.ErrTransactionReportNotFound)

	theirs := *st
	theirs.Shop, theirs.Polls, theirs.State = other.ID, 1, payment.TransactionReportFailed
	require.Error(t, b.SaveTransactionReport(t.Context(), &theirs))
	require.Error(t, b.SaveTransactionReportRows(t.Context(), &theirs, b.rowsOf(t, map[string]string{"a": "b"})))
	got, err := b.TransactionReport(t.Context(), st.Shop, st.ID)
	require.NoError(t, err)
	require.Equal(t, st, got)
	require.Zero(t, b.count(t, "SELECT count(*) FROM transaction_report_rows"))
}

func TestStatementRowsReplaceThoseBefore(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st, neighbour := b.transactionReport(t), b.transactionReport(t)
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), neighbour, b.rowsOf(t, map[string]string{"id": "theirs"})))
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, b.rowsOf(t, map[string]string{"id": "1"}, map[string]string{"id": "2"}, map[string]string{"id": "3"})))
	require.Equal(t, []string{"1", "2", "3"}, b.rows(t, st, "id"))

	var many []map[string]string
	var want []string
	for i := range 5000 {
		want = append(want, fmt.Sprint(i))
		many = append(many, map[string]string{"id": want[i]})
	}
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, b.rowsOf(t, many...)))
	require.Equal(t, want, b.rows(t, st, "id"))
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, b.rowsOf(t, map[string]string{"id": "nul \x00", "empty": ""}, map[string]string{})))
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM transaction_report_rows WHERE report_id = $1", st.ID))
	require.Equal(t, []string{"nul \ufffd", ""}, b.rows(t, st, "id"))
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, nil))
	require.Empty(t, b.rows(t, st, "id"))
	require.Equal(t, []string{"theirs"}, b.rows(t, neighbour, "id"))
}

func TestStatementRowsAreOneWritersWhole(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	order := b.create(t, "listed", 1000)
	errs := race(8, func(i int) error {
		rows := make([]payment.TransactionReportRow, 50+i)
		for j := range rows {
			rows[j] = payment.TransactionReportRow{Order: order.ID, Fields: map[string]string{"writer": fmt.Sprint(i)}}
		}
		return b.SaveTransactionReportRows(context.Background(), st, rows)
	})
	require.NoError(t, errors.Join(errs...))
	writers := b.rows(t, st, "writer")
	for _, w := range writers {
		require.Equal(t, writers[0], w)
	}
	require.Equal(t, fmt.Sprint(len(writers)-50), writers[0])
}

func TestStatementRowsAreReadInPages(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st, neighbour := b.transactionReport(t), b.transactionReport(t)
	var fields []map[string]string
	for i := range 7 {
		fields = append(fields, map[string]string{"id": fmt.Sprint(i)})
	}
	want := b.rowsOf(t, fields...)
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, want))
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), neighbour, b.rowsOf(t, map[string]string{"id": "theirs"})))
	var got []payment.TransactionReportRow
	pages := 0
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		page, err := b.TransactionReportRows(t.Context(), st.Shop, st.ID, cursor, 3)
		require.NoError(t, err)
		got, cursor = append(got, page.Items...), page.Next
	}
	require.Equal(t, want, got)
	require.Equal(t, 3, pages)
	other, _, _ := b.newShop(t, "other", "")
	page, err := b.TransactionReportRows(t.Context(), other.ID, st.ID, "", 3)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	for _, cursor := range []string{"?", "eA", "LTE5OTk5OTk5OTk5OTk5OTk5OTk"} {
		_, err = b.TransactionReportRows(t.Context(), st.Shop, st.ID, cursor, 3)
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), cursor)
	}
}

// The database itself keeps a row about another shop's order out.
func TestStatementRowOfAnotherShopIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, _, _ := b.newShop(t, "other", "")
	b.newAccount(t, "EUR-2", "other")
	theirs, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, "theirs", 1000))
	require.NoError(t, err)
	st := b.transactionReport(t)
	require.Error(t, b.SaveTransactionReportRows(t.Context(), st, []payment.TransactionReportRow{{Order: theirs.ID, Fields: map[string]string{"id": "1"}}}))
	require.Zero(t, b.count(t, "SELECT count(*) FROM transaction_report_rows"))
}

func TestOrdersAreFoundByTheIDsOfAList(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, _, _ := b.newShop(t, "other", "")
	b.newAccount(t, "EUR-2", "other")
	theirs, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, "theirs", 1000))
	require.NoError(t, err)
	mine, unlisted := b.create(t, "mine", 1000), b.create(t, "unlisted", 1000)
	b.exec(t, "UPDATE orders SET provider_reference = 'at-provider-mine' WHERE id = $1", mine.ID)
	found, err := b.OrdersNamed(t.Context(), []string{mine.ProviderOrderID, "at-provider-mine", theirs.ProviderOrderID, "nobody's", ""})
	require.NoError(t, err)
	require.ElementsMatch(t, []payment.NamedOrder{
		{Key: mine.Key(), Account: mine.AccountID, ProviderOrderID: mine.ProviderOrderID, ProviderReference: "at-provider-mine"},
		{Key: theirs.Key(), Account: theirs.AccountID, ProviderOrderID: theirs.ProviderOrderID},
	}, found, unlisted.ID)
	found, err = b.OrdersNamed(t.Context(), []string{"at-provider-mine"})
	require.NoError(t, err)
	require.Len(t, found, 1)
}

func TestOperatorsFindAStatementOfAnyShop(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	got, err := b.FindTransactionReport(t.Context(), st.ID)
	require.NoError(t, err)
	require.Equal(t, st, got)
	b.clock.Add(time.Second)
	newer := b.transactionReport(t)
	list, err := b.LatestTransactionReports(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []store.ListedTransactionReport{{TransactionReport: newer, ShopName: "first"}}, list)
	_, err = b.FindTransactionReport(t.Context(), uuid.New())
	require.ErrorIs(t, err, payment.ErrTransactionReportNotFound)
}

func TestStepOfAStatementIsWrittenOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	errs := race(20, func(i int) error {
		mine := *st
		mine.State, mine.Task, mine.Polls = payment.TransactionReportProcessing, fmt.Sprint("task-", i), 1
		return b.SaveTransactionReport(context.Background(), &mine)
	})
	written := 0
	for i, err := range errs {
		if err == nil {
			written++
			got, err := b.TransactionReport(t.Context(), st.Shop, st.ID)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("task-", i), got.Task)
		}
	}
	require.Equal(t, 1, written)
}

func TestEndOfAStatementIsFinal(t *testing.T) {
	t.Parallel()
	for _, end := range []payment.TransactionReportState{payment.TransactionReportReady, payment.TransactionReportFailed} {
		t.Run(string(end), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			st := b.transactionReport(t)
			require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, b.rowsOf(t, map[string]string{"id": "1"})))
			b.saved(t, st, end)
			st.State, st.Polls = payment.TransactionReportProcessing, st.Polls+1
			require.Error(t, b.SaveTransactionReport(t.Context(), st))
			require.Error(t, b.SaveTransactionReportRows(t.Context(), st, nil))
			got, err := b.TransactionReport(t.Context(), st.Shop, st.ID)
			require.NoError(t, err)
			require.Equal(t, end, got.State)
			require.Equal(t, []string{"1"}, b.rows(t, st, "id"))
		})
	}
}

// Of each account one is leased, however many processes ask, and none of a busy account.
func TestDueStatementsAreLeasedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const accounts, each = 6, 3
	for n := range accounts {
		account := b.account
		if n > 0 {
			var err error
			account, err = b.CreateAccount(t.Context(), store.NewAccount{Name: fmt.Sprintf("EUR-report-%d", n), Provider: "fake", Currency: "EUR", Shops: []string{b.shop.Name}})
			require.NoError(t, err)
		}
		for range each {
			st := b.transactionReport(t)
			b.exec(t, "UPDATE transaction_reports SET account_id = $1 WHERE id = $2", account.ID, st.ID)
		}
	}
	b.saved(t, b.transactionReport(t), payment.TransactionReportReady)
	later := b.transactionReport(t)
	at := b.clock.Now().Add(time.Second)
	later.Polls, later.NextPollAt = 1, &at
	require.NoError(t, b.SaveTransactionReport(t.Context(), later))

	first, err := b.LeaseDueTransactionReports(t.Context(), nil, 4, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, first, 4)
	var busy []uuid.UUID
	for _, due := range first {
		require.NotContains(t, busy, due.Account, "of each account one")
		busy = append(busy, due.Account)
	}
	second, err := b.LeaseDueTransactionReports(t.Context(), busy, 4, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, second, accounts-4, "of busy accounts none")

	leased := make([][]payment.DueTransactionReport, 8)
	errs := race(len(leased), func(i int) (err error) {
		leased[i], err = b.LeaseDueTransactionReports(context.Background(), nil, 7, 20*time.Second)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	all := slices.Concat(append(leased, first, second)...)
	for len(all) < accounts*each { // whoever came while others held everything has skipped it
		due, err := b.LeaseDueTransactionReports(t.Context(), nil, 7, 20*time.Second)
		require.NoError(t, err)
		require.NotEmpty(t, due)
		all = append(all, due...)
	}
	different := map[payment.TransactionReportKey]bool{}
	for _, due := range all {
		different[due.TransactionReportKey] = true
	}
	require.Len(t, all, accounts*each)
	require.Len(t, different, accounts*each)
	require.False(t, different[payment.TransactionReportKey{Shop: later.Shop, TransactionReport: later.ID}])
	due, err := b.LeaseDueTransactionReports(t.Context(), nil, 100, 20*time.Second)
	require.NoError(t, err)
	require.Empty(t, due)
	b.clock.Add(20 * time.Second)
	due, err = b.LeaseDueTransactionReports(t.Context(), nil, 100, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, due, accounts, "a lease that nobody ended runs out")
}

func TestTheLeaseOfAStatementIsRenewed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := b.transactionReport(t)
	key := payment.TransactionReportKey{Shop: st.Shop, TransactionReport: st.ID}
	due := func() int {
		keys, err := b.LeaseDueTransactionReports(t.Context(), nil, 10, 20*time.Second)
		require.NoError(t, err)
		return len(keys)
	}
	require.Equal(t, 1, due())
	for range 3 {
		b.clock.Add(15 * time.Second)
		require.NoError(t, b.RenewTransactionReport(t.Context(), key, 20*time.Second))
		require.Zero(t, due())
	}
	require.NoError(t, b.RenewTransactionReport(t.Context(), key, time.Second))
	b.clock.Add(15 * time.Second)
	require.Zero(t, due(), "a lease does not become shorter")
	b.clock.Add(5 * time.Second)
	require.Equal(t, 1, due())
	b.saved(t, st, payment.TransactionReportReady)
	require.NoError(t, b.RenewTransactionReport(t.Context(), key, 20*time.Second))
	b.clock.Add(time.Hour)
	require.Zero(t, due(), "one that is ready is not made due again")
}

func TestStatementsOfADatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := store.New(pool, store.Options{})
	_, err = s.TransactionReport(t.Context(), uuid.New(), uuid.New())
	requireUnavailable(t, err)
	requireUnavailable(t, s.SaveTransactionReport(t.Context(), &payment.TransactionReport{}))
	_, err = s.LeaseDueTransactionReports(t.Context(), nil, 1, time.Second)
	requireUnavailable(t, err)
}
