package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// listed makes the provider's list of rows, each a cell for "id", "parent" and "note", and reads the statement.
func (b *reportFixture) listed(t *testing.T, rows ...[3]string) error {
	t.Helper()
	columns := []string{"id", "parent", "note"}
	b.ReadSheet = func(r io.Reader) ([]string, []map[string]string, error) {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return nil, nil, err
		}
		list := make([]map[string]string, len(rows))
		for i, row := range rows {
			list[i] = map[string]string{"id": row[0], "parent": row[1], "note": row[2]}
		}
		return columns, list, nil
	}
	b.started(t)
	return b.advance(t.Context())
}

// Whose a row is. "own" and "refund" are the statement's shop's; the others are not.
func TestStatementRowsAreThoseOfOwnOrders(t *testing.T) {
	t.Parallel()
	const own, ownRef, refundRef, theirs, theirsRef, elsewhere = "pr-own-order", "at-provider-own", "at-provider-refund", "pr-their-order", "at-provider-their", "pr-own-elsewhere"
	for name, c := range map[string]struct {
		row  [3]string
		want string // the order, "" if the row is not the shop's
	}{
		"by our id":                                  {[3]string{own, "", ""}, own},
		"by the provider's id":                       {[3]string{ownRef, "", ""}, own},
		"a payment by both":                          {[3]string{own, ownRef, ""}, own},
		"a refund that names its payment":            {[3]string{own, refundRef, ""}, "refund"},
		"a refund of which only the payment is ours": {[3]string{"made-at-the-provider", ownRef, ""}, own},
		"another shop's":                             {[3]string{theirs, "", ""}, ""},
		"another shop's by the provider's id":        {[3]string{theirsRef, "", ""}, ""},
		"another shop's that names ours":             {[3]string{theirs, "", own}, ""},
		"ours that another shop's customer named":    {[3]string{own, "", theirs}, ""},
		"the shop's on another account":              {[3]string{elsewhere, "", ""}, ""},
		"nobody's":                                   {[3]string{"pr-of-another-program", "made-elsewhere", "socks"}, ""},
		"a reference of the shop's":                  {[3]string{"shop-1015", "", "shop-1015"}, ""},
		"an id within a text":                        {[3]string{"of-another-program", "", "see " + own}, ""},
		"a number that is also an id":                {[3]string{"123456789012", "", ""}, ""},
		"nothing":                                    {[3]string{"", "", ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newReportFixture(t)
			payment, refund := b.order(own, ownRef), b.order("pr-own-refund", refundRef)
			refund.Parent = &payment.Key.Order
			foreign, moved, numbered := b.order(theirs, theirsRef), b.order(elsewhere, ""), b.order("pr-numbered", "123456789012")
			foreign.Key.Shop, moved.Account = uuid.New(), uuid.New()
			b.orders = []NamedOrder{payment, refund, foreign, moved, numbered}
			require.NoError(t, b.listed(t, c.row))
			require.Equal(t, TransactionReportReady, b.kept.State)
			if c.want == "" {
				require.Empty(t, b.rows)
				require.Zero(t, b.kept.Rows)
				return
			}
			order := map[string]uuid.UUID{own: payment.Key.Order, "refund": refund.Key.Order}[c.want]
			require.Equal(t, []TransactionReportRow{{Order: order, Fields: map[string]string{"id": c.row[0], "parent": c.row[1], "note": c.row[2]}}}, b.rows)
			require.Equal(t, 1, b.kept.Rows)
		})
	}
}

func TestStatementRowsHoldNoCardNumberAndWholeIDs(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	// The digits of both ids hold what could be a card number.
	const ours, theirs = "pr-0a4012000000003010bcdef012345678", "f04012000000003010abcdef"
	b.orders = []NamedOrder{b.order(ours, theirs)}
	require.NoError(t, b.listed(t, [3]string{ours, theirs, "4012000000003010"}))
	require.Equal(t, map[string]string{"id": ours, "parent": theirs, "note": "401200******3010"}, b.rows[0].Fields)
}

// The id of an imported payment is not ours: another merchant may have it, too, and its digits are nobody's word.
func TestStatementRowsOfImportedPayments(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	const shared, numbered = "their-sub-1", "sub4012000000003010"
	own, elsewhere, digits := b.order(shared, ""), b.order(shared, ""), b.order(numbered, "")
	own.Imported, elsewhere.Imported, digits.Imported = true, true, true
	elsewhere.Account, elsewhere.Key.Shop = uuid.New(), uuid.New()
	b.orders = []NamedOrder{elsewhere, own, digits}
	require.NoError(t, b.listed(t, [3]string{shared, "", ""}, [3]string{numbered, "", ""}))
	require.Len(t, b.rows, 2)
	require.Equal(t, own.Key.Order, b.rows[0].Order)
	require.NotContains(t, b.rows[1].Fields["id"], "4012000000003010")
	b = newReportFixture(t)
	b.orders = []NamedOrder{elsewhere}
	require.NoError(t, b.listed(t, [3]string{shared, "", ""}))
	require.Empty(t, b.rows)
}

func TestALongListIsReadWhole(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	var rows [][3]string
	var want []uuid.UUID
	b.orders = nil
	for i := range 2*lookupBatch + 7 {
		rows = append(rows, [3]string{fmt.Sprintf("pr-order-%d", i), "", ""})
		if i%3 == 0 {
			o := b.order(rows[i][0], "")
			b.orders, want = append(b.orders, o), append(want, o.Key.Order)
		}
	}
	require.NoError(t, b.listed(t, rows...))
	var got []uuid.UUID
	for _, r := range b.rows {
		got = append(got, r.Order)
	}
	require.Equal(t, want, got, "in the order of the list")
}

// A list whose first row is data would show that row as the names of columns.
func TestAListWithoutAHeaderFails(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.ReadSheet = func(r io.Reader) ([]string, []map[string]string, error) {
		_, err := io.Copy(io.Discard, r)
		return []string{"order-one", "paid"}, nil, err
	}
	b.started(t)
	require.ErrorIs(t, b.advance(t.Context()), errUnreadable)
	require.Equal(t, TransactionReportFailed, b.kept.State)
	require.Equal(t, transactionReportUnreadable, b.kept.Failure)
	require.Empty(t, b.kept.Columns)
}

func TestAStatementIsNotReadWhileOrdersCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.TransactionReports = noLookup{b}
	require.ErrorContains(t, b.advance(t.Context()), "no database")
	b.stillOpen(t)
	b.TransactionReports = b
	b.recovers(t)
}

type noLookup struct{ *reportFixture }

func (noLookup) OrdersNamed(context.Context, []string) ([]NamedOrder, error) {
	return nil, errors.New("no database")
}

// The shop's file is made of its rows: the provider's, with the rows of others, is not asked for.
func TestStatementFileHoldsTheRows(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.kept.State, b.kept.Columns, b.kept.Rows = TransactionReportReady, []string{"b", "a"}, 5
	var want []map[string]string
	for i := range 5 {
		want = append(want, map[string]string{"a": fmt.Sprint(i)})
		b.rows = append(b.rows, TransactionReportRow{Order: uuid.New(), Fields: want[i]})
	}
	b.fake.DownloadTransactionReportFunc = func(context.Context, string, io.Writer) error { return errors.New("nobody may ask") }
	b.WriteSheet = func(_ io.Writer, columns []string, rows iter.Seq2[map[string]string, error]) error {
		require.Equal(t, []string{"b", "a"}, columns)
		var got []map[string]string
		for row, err := range rows {
			require.NoError(t, err)
			got = append(got, maps.Clone(row))
		}
		require.Equal(t, want, got)
		return nil
	}
	require.NoError(t, b.TransactionReportFile(t.Context(), b.kept.Shop, b.kept.ID, io.Discard))
	page, err := b.Service.TransactionReportRows(t.Context(), b.kept.Shop, b.kept.ID, "4", 50)
	require.NoError(t, err)
	require.Equal(t, b.rows[4:], page.Items)

	b.kept.State = TransactionReportProcessing
	_, err = b.Service.TransactionReportRows(t.Context(), b.kept.Shop, b.kept.ID, "", 50)
	require.Equal(t, CodeInvalidState, CodeOf(err))
	require.Equal(t, CodeInvalidState, CodeOf(b.TransactionReportFile(t.Context(), b.kept.Shop, b.kept.ID, io.Discard)))
	require.Equal(t, CodeInvalidState, CodeOf(b.ProviderFile(t.Context(), &b.kept, io.Discard)))
}

// An id is 8 to 128 visible ASCII characters with a letter among them: a number may as well be a sum or a day.
func TestWhatMayNameAnOrder(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]bool{
		"1234567a": true, "1234567z": true, "1234567A": true, "1234567Z": true, "!234567~a": true, strings.Repeat("a", 128): true,
		"": false, "123456a": false, strings.Repeat("a", 129): false, "12345678": false, "2026-11-21": false,
		"1234567@": false, "1234567[": false, "1234567`": false, "1234567{": false, "abcd efgh": false, " abcdefgh": false, "abcdefgh\x7f": false, "abcdefghé": false,
	} {
		require.Equal(t, want, mayNameOrder(cell), "%q", cell)
	}
}
