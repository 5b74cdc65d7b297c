package bintable

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"payrelay/internal/country"
)

// What a list may hold.
const (
	MostBytes = 64 << 20
	mostLines = 1_000_000
	// mostProblems is how many wrong lines are named.
	mostProblems = 50
)

// The columns that are read, and how else public lists call them. All others are left out.
const (
	columnBIN     = "bin"
	columnFirst   = "iin_start"
	columnLast    = "iin_end"
	columnCountry = "country"
	columnAlpha2  = "isocode2"
)

// List is what was read of a list.
type List struct {
	Table *Table `json:"-"`
	// Lines are those with a country, and NoCountry those without one, which say nothing.
	Lines     int `json:"lines"`
	NoCountry int `json:"lines_without_country"`
	// Ignored are the columns that say nothing here.
	Ignored []string `json:"ignored_columns"`
}

// Problems are what is wrong with a list, each with its line.
type Problems []string

func (p Problems) Error() string {
	more := ""
	if len(p) > mostProblems {
		more = fmt.Sprintf("\n  and %d more", len(p)-mostProblems)
		p = p[:mostProblems]
	}
	return "The list of BINs cannot be used. Nothing was changed.\n  " + strings.Join(p, "\n  ") + more
}

// entry is a line of a list.
type entry struct {
	first, last uint32
	country     uint8
	line        int
}

// Read makes a table of a list of BINs in CSV. What is wrong with it are Problems.
func Read(content []byte) (*List, error) {
	if len(content) > MostBytes {
		return nil, Problems{fmt.Sprintf("the file is larger than %d MiB", MostBytes>>20)}
	}
	r := reader{csv: csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))}
	r.csv.ReuseRecord, r.csv.TrimLeadingSpace = true, true
	if err := r.header(); err != nil {
		return nil, err
	}
	r.lines()
	list := &List{Lines: len(r.entries), NoCountry: r.noCountry, Ignored: r.ignored}
	if len(r.entries) == 0 && len(r.problems) == 0 {
		return nil, Problems{"no line has a BIN and a country"}
	}
	list.Table = r.table()
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return list, nil
}

// reader gathers the lines of a list, and what is wrong with them.
type reader struct {
	csv                  *csv.Reader
	first, last, country int // columns; last is -1 where the first has the whole BIN or range
	ignored              []string
	entries              []entry
	noCountry            int
	problems             Problems
}

func (r *reader) add(line int, format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

// header finds the columns by their names, regardless of case.
func (r *reader) header() error {
	names, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return Problems{"the file is empty"}
	}
	if err != nil {
		return Problems{err.Error()}
	}
	at := map[string]int{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice && name != "" {
			return Problems{fmt.Sprintf("line 1: the column %.40q is there twice", name)}
		}
		at[name] = i
	}
	if !r.columns(at) {
		return Problems{"line 1 must name the columns, separated by commas: bin and country, or iin_start, iin_end and country"}
	}
	for i, name := range names {
		if i != r.first && i != r.last && i != r.country {
			r.ignored = append(r.ignored, fmt.Sprintf("%.40s", name))
		}
	}
	return nil
}

// columns finds the columns that are read, and reports whether they are there.
func (r *reader) columns(at map[string]int) bool {
	var hasBIN, hasFirst, hasLast, hasCountry bool
	if r.country, hasCountry = at[columnAlpha2]; !hasCountry {
		r.country, hasCountry = at[columnCountry]
	}
	if r.first, hasBIN = at[columnBIN]; hasBIN {
		r.last = -1
		return hasCountry
	}
	r.first, hasFirst = at[columnFirst]
	r.last, hasLast = at[columnLast]
	return hasFirst && hasLast && hasCountry
}

// lines reads all lines behind the header.
func (r *reader) lines() {
	for read := 1; ; read++ {
		record, err := r.csv.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if read > mostLines {
			r.problems = append(r.problems, fmt.Sprintf("the file has more than %d lines", mostLines))
			return
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			r.add(broken.Line, "%s", broken.Err)
			if !errors.Is(err, csv.ErrFieldCount) { // where the next line begins is not known
				return
			}
			continue
		}
		line, _ := r.csv.FieldPos(0)
		r.line(line, record)
	}
}

// line reads one. A BIN that is wrong is not repeated: it may be a card number.
func (r *reader) line(line int, record []string) {
	first, last := strings.TrimSpace(record[r.first]), ""
	if r.last >= 0 {
		last = strings.TrimSpace(record[r.last])
	} else if from, to, isRange := strings.Cut(first, "-"); isRange {
		first, last = strings.TrimSpace(from), strings.TrimSpace(to)
	}
	last = cmp.Or(last, first)
	from, _, goodFirst := span(first)
	_, to, goodLast := span(last)
	code := strings.TrimSpace(record[r.country])
	number := country.Number(code)
	switch {
	case !goodFirst || !goodLast:
		r.add(line, "a BIN has 6 to 8 digits, and a range two of them, such as 401200-401299")
	case from > to:
		r.add(line, "the range ends before it begins")
	case code == "":
		r.noCountry++
	case number == 0:
		r.add(line, "%s", country.Problem(code))
	default:
		r.entries = append(r.entries, entry{from, to, uint8(number), line}) //nolint:gosec // there are 249 countries
	}
}

// table makes the table of the lines. Of ranges that hold a BIN the shortest counts, which lies within the others.
func (r *reader) table() *Table {
	slices.SortFunc(r.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last), cmp.Compare(a.line, b.line))
	})
	t := &Table{}
	t.add(0, 0)
	var open []entry // each lies within the one before
	end := func(before uint32) {
		for len(open) > 0 && open[len(open)-1].last < before {
			last := open[len(open)-1].last
			if open = open[:len(open)-1]; len(open) > 0 {
				t.add(last+1, open[len(open)-1].country)
			} else {
				t.add(last+1, 0)
			}
		}
	}
	for _, e := range r.entries {
		end(e.first)
		if len(open) > 0 {
			if within := open[len(open)-1]; r.clash(within, e) {
				continue
			}
		}
		t.add(e.first, e.country)
		open = append(open, e)
	}
	end(endOfBINs)
	if n := len(t.starts) - 1; t.starts[n] == endOfBINs {
		t.starts, t.countries = t.starts[:n], t.countries[:n]
	}
	return t.indexed()
}

// clash reports whether a line says of BINs of another one something else, and neither range lies within the other.
func (r *reader) clash(other, e entry) bool {
	switch {
	case e.last > other.last:
		r.add(e.line, "its range crosses that of line %d: one may lie within another, or beside it", other.line)
	case e.first == other.first && e.last == other.last && e.country != other.country:
		r.add(e.line, "line %d gives the same BINs to %s, and this one to %s", other.line, country.Code(int(other.country)), country.Code(int(e.country)))
	default:
		return false
	}
	return true
}
