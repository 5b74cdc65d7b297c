// Package sheet reads a provider's spreadsheet into rows by column name, and writes one.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/xuri/excelize/v2"

	"payrelay/internal/card/detect"
)

// Bounds that no honest transaction report reaches. A file beyond them is an error, not a memory problem.
const (
	MaxBytes   = 64 << 20
	MaxRows    = 1_000_000
	maxColumns = 200
	maxUnzip   = 512 << 20
)

// ErrNoHeader says that a spreadsheet has rows and none that names its columns.
var ErrNoHeader = errors.New("the spreadsheet has no row of column names")

// ErrTooLarge says that a spreadsheet is beyond the bounds of this package.
var ErrTooLarge = errors.New("the spreadsheet is too large")

// Read returns the columns and rows of the first sheet that has a header: the first row with at least two cells, each with a
// letter in it. Rows are text by column name. A column without a name is called "column N"; a name that stands twice gets its
// number behind it. Empty rows are left out. Cells may hold card numbers, names of columns do not.
func Read(r io.Reader) (columns []string, rows []map[string]string, err error) {
	f, err := excelize.OpenReader(&bounded{r: r, left: MaxBytes}, excelize.Options{UnzipSizeLimit: maxUnzip, UnzipXMLSizeLimit: 64 << 20, RawCellValue: true})
	if err != nil {
		return nil, nil, fmt.Errorf("read the spreadsheet: %w", err)
	}
	defer func() { _ = f.Close() }()
	headless := false
	for _, name := range f.GetSheetList() {
		t := &table{}
		if err := t.read(f, name); err != nil {
			return nil, nil, err
		}
		if t.header != nil {
			return t.columns, t.rows, nil
		}
		headless = headless || t.headless
	}
	if headless {
		return nil, nil, ErrNoHeader
	}
	return nil, nil, nil
}

// table is a sheet as it is read.
type table struct {
	header   []string
	columns  []string // header, and the columns beyond it that a row has
	rows     []map[string]string
	headless bool // there are rows with several cells, and none was the header
}

func (t *table) read(f *excelize.File, name string) (err error) {
	rows, err := f.Rows(name)
	if err != nil {
		return fmt.Errorf("read the sheet: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		cells, err := rows.Columns()
		if err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		if len(cells) > maxColumns || len(t.rows) >= MaxRows {
			return ErrTooLarge
		}
		t.add(cells)
	}
	return rows.Error()
}

func (t *table) add(cells []string) {
	several := filled(cells) >= 2
	switch {
	case t.header == nil && several && areNames(cells):
		t.header = columnNames(cells)
		t.columns = slices.Clone(t.header)
	case t.header == nil:
		t.headless = t.headless || several
	case filled(cells) > 0:
		t.rows = append(t.rows, t.record(cells))
	}
}

func (t *table) record(cells []string) map[string]string {
	row := make(map[string]string, len(cells))
	for i, c := range cells {
		if i == len(t.columns) {
			t.columns = append(t.columns, fmt.Sprintf("column %d", i+1))
		}
		row[t.columns[i]] = strings.TrimSpace(c)
	}
	return row
}

// areNames reports whether cells can be names: a row of data has a cell without a letter, such as a sum.
func areNames(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool {
		return strings.TrimSpace(c) != "" && !strings.ContainsFunc(c, unicode.IsLetter)
	})
}

func columnNames(cells []string) []string {
	seen := map[string]bool{}
	names := make([]string, len(cells))
	for i, c := range cells {
		name := detect.Mask(strings.TrimSpace(c))
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
