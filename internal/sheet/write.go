package sheet

import (
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/xuri/excelize/v2"
)

// Write writes a workbook of one sheet to w: a row of columns, then the rows by column name. Every cell is text, so that
// nothing in it is a formula. An error of rows is returned, and nothing is written then.
func Write(w io.Writer, columns []string, rows iter.Seq2[map[string]string, error]) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	sheet, err := f.NewStreamWriter(f.GetSheetName(0))
	if err != nil {
		return fmt.Errorf("make a spreadsheet: %w", err)
	}
	number := 0
	add := func(value func(column string) string) error {
		number++
		cells := make([]any, len(columns))
		for i, c := range columns {
			cells[i] = value(c)
		}
		return sheet.SetRow("A"+strconv.Itoa(number), cells)
	}
	if err := add(func(column string) string { return column }); err != nil {
		return fmt.Errorf("write the columns: %w", err)
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := add(func(column string) string { return row[column] }); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
	}
	if err := sheet.Flush(); err != nil {
		return fmt.Errorf("write the spreadsheet: %w", err)
	}
	if err := f.Write(w); err != nil {
		return fmt.Errorf("write the spreadsheet: %w", err)
	}
	return nil
}
