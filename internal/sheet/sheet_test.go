package sheet

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

func book(t *testing.T, rows ...[]any) *bytes.Buffer {
	f := excelize.NewFile()
	for i, r := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		require.NoError(t, err)
		require.NoError(t, f.SetSheetRow("Sheet1", cell, &r))
	}
	var b bytes.Buffer
	require.NoError(t, f.Write(&b))
	return &b
}

func TestReadByHeaderRow(t *testing.T) {
	t.Parallel()
	columns, rows, err := Read(book(t,
		[]any{"Transactions"}, []any{"Since", "2026-11-20"}, []any{},
		[]any{"Order ID", "Amount", "", "Amount", "Card", "of 4012000000003010"},
		[]any{"pr-1", 1000, "x", 900, "4012000000003010"},
		[]any{},
		[]any{"pr-2", "1 000", nil, nil, " paid with 4012 0000 0000 3010 ", "", "beyond"},
	))
	require.NoError(t, err)
	require.Equal(t, []string{"Order ID", "Amount", "column 3", "Amount 4", "Card", "of 401200******3010", "column 7"}, columns)
	require.Equal(t, []map[string]string{
		{"Order ID": "pr-1", "Amount": "1000", "column 3": "x", "Amount 4": "900", "Card": "4012000000003010"},
		{
			"Order ID": "pr-2", "Amount": "1 000", "column 3": "", "Amount 4": "", "Card": "paid with 4012 0000 0000 3010", "of 401200******3010": "",
			"column 7": "beyond",
		},
	}, rows)
}

// A row of data is no header, or what it says would be shown as the names of columns.
func TestRowsWithoutAHeaderAreRefused(t *testing.T) {
	t.Parallel()
	_, _, err := Read(book(t, []any{"pr-1", 1000, "EUR"}, []any{"pr-2", "2000", "EUR"}))
	require.ErrorIs(t, err, ErrNoHeader)
}

func TestEmptyAndBroken(t *testing.T) {
	t.Parallel()
	columns, rows, err := Read(book(t))
	require.NoError(t, err)
	require.Empty(t, columns)
	require.Empty(t, rows)
	_, _, err = Read(strings.NewReader("this is no spreadsheet"))
	require.Error(t, err)
	_, _, err = Read(&endless{})
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	columns := []string{"Order ID", "Amount", "Note"}
	want := []map[string]string{
		{"Order ID": "pr-1", "Amount": "007", "Note": "=1+1"},
		{"Order ID": "pr-2", "Amount": "", "Note": "Хрещатик <1> & \"2\""},
	}
	var out bytes.Buffer
	require.NoError(t, Write(&out, columns, func(yield func(map[string]string, error) bool) {
		_ = yield(want[0], nil) && yield(map[string]string{"Order ID": "pr-2", "Note": want[1]["Note"]}, nil)
	}))
	f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	formula, err := f.GetCellFormula("Sheet1", "C2")
	require.NoError(t, err)
	require.Empty(t, formula, "a text of the provider's is no formula")
	require.NoError(t, f.Close())
	gotColumns, got, err := Read(&out)
	require.NoError(t, err)
	require.Equal(t, columns, gotColumns)
	require.Equal(t, want, got)
}

func TestAFileWhoseRowsCannotBeReadIsNotBegun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	gone := errors.New("no database")
	require.ErrorIs(t, Write(&out, []string{"a", "b"}, func(yield func(map[string]string, error) bool) {
		_ = yield(map[string]string{"a": "1"}, nil) && yield(nil, gone)
	}), gone)
	require.Zero(t, out.Len())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
