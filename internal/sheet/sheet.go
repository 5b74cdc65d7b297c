// Package sheet reads a provider's spreadsheet into rows by column name. What it returns is safe to store: everything
// that looks like a card number is masked.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"payrelay/internal/card"
)

// Bounds that no honest statement reaches. A file beyond them is an error, not a memory problem.
const (
	MaxBytes   = 64 << 20
	MaxRows    = 1_000_000
	maxColumns = 200
	maxUnzip   = 512 << 20
)

// ErrTooLarge says that a spreadsheet is beyond the bounds of this package.
var ErrTooLarge = errors.New("the spreadsheet is too large")

// Read returns the rows of the first sheet that has any, as text by the names in its first row that has at least two
// columns. A column without a name is called "column N"; a name that stands twice gets its number behind it. Empty
// rows are left out.
func Read(r io.Reader) ([]map[string]string, error) {
	f, err := excelize.OpenReader(&bounded{r: r, left: MaxBytes}, excelize.Options{UnzipSizeLimit: maxUnzip, UnzipXMLSizeLimit: 64 << 20, RawCellValue: true})
	if err != nil {
		return nil, fmt.Errorf("read the spreadsheet: %w", err)
	}
	defer func() { _ = f.Close() }()
	for _, name := range f.GetSheetList() {
		rows, err := readSheet(f, name)
		if err != nil {
			return nil, err
		}
		if rows != nil {
			return rows, nil
		}
	}
	return nil, nil
}

func readSheet(f *excelize.File, name string) (out []map[string]string, err error) {
	rows, err := f.Rows(name)
	if err != nil {
		return nil, fmt.Errorf("read the sheet: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var header []string
	for rows.Next() {
		cells, err := rows.Columns()
		if err != nil {
			return nil, fmt.Errorf("read a row: %w", err)
		}
		switch {
		case len(cells) > maxColumns || len(out) >= MaxRows:
			return nil, ErrTooLarge
		case header == nil && filled(cells) >= 2:
			header = columnNames(cells)
			out = []map[string]string{}
		case header != nil && filled(cells) > 0:
			out = append(out, record(header, cells))
		}
	}
	return out, rows.Error()
}

func record(header, cells []string) map[string]string {
	row := make(map[string]string, len(cells))
	for i, c := range cells {
		name := fmt.Sprintf("column %d", i+1)
		if i < len(header) {
			name = header[i]
		}
		row[name] = card.MaskText(strings.TrimSpace(c))
	}
	return row
}

func columnNames(cells []string) []string {
	seen := map[string]bool{}
	names := make([]string, len(cells))
	for i, c := range cells {
		name := strings.TrimSpace(c)
		if name == "" {
			name = "column"
		}
		if seen[name] || name == "column" {
			name = fmt.Sprintf("%s %d", name, i+1)
		}
		seen[name], names[i] = true, name
	}
	return names
}

func filled(cells []string) (n int) {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			n++
		}
	}
	return n
}

// bounded fails once more than left bytes were read.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
