package sheet

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"payrelay/internal/card"
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
	rows, err := Read(book(t,
		[]any{"Transactions"}, []any{},
		[]any{"Order ID", "Amount", "", "Amount", "Card"},
		[]any{"pr-1", 1000, "x", 900, "4012000000003010"},
		[]any{},
		[]any{"pr-2", "1 000", nil, nil, "paid with 4012 0000 0000 3010, thanks"},
	))
	require.NoError(t, err)
	require.Equal(t, []map[string]string{
		{"Order ID": "pr-1", "Amount": "1000", "column 3": "x", "Amount 4": "900", "Card": "401200******3010"},
		{"Order ID": "pr-2", "Amount": "1 000", "column 3": "", "Amount 4": "", "Card": "paid with 401200******3010, thanks"},
	}, rows)
}

func TestEmptyAndBroken(t *testing.T) {
	t.Parallel()
	rows, err := Read(book(t))
	require.NoError(t, err)
	require.Empty(t, rows)
	_, err = Read(strings.NewReader("this is no spreadsheet"))
	require.Error(t, err)
	_, err = Read(&endless{})
	require.ErrorIs(t, err, ErrTooLarge)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestMaskLeavesOtherNumbersAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1795219200000", "pr-64a7e106d46c5db10d082b13", "+442079460612", "401288888886", ""} {
		require.Equal(t, text, card.MaskText(text))
	}
}
