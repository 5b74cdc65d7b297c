package card

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed ranges.tsv
var rangesFile string

// leadingDigits is how many digits at most tell whose number it is.
const leadingDigits = 8

// span is a stretch of numbers, by their first eight digits, that one row of ranges.tsv says everything about.
type span struct {
	from, to int
	lengths  lengths
	brands   []string // none where the scheme is not certain
}

// lengths has the bit n set if a number may have n digits.
type lengths uint32

func (l lengths) has(n int) bool { return n < 32 && l&(1<<n) != 0 }

// spans are sorted and do not overlap. What lies between two is in no range.
var spans = sync.OnceValue(func() []span {
	out, err := readRanges(rangesFile)
	if err != nil {
		panic("ranges.tsv: " + err.Error()) // a test reads the same file
	}
	return out
})

// find returns the span that the eight digits are in.
func find(eight int) (span, bool) {
	all := spans()
	i, _ := slices.BinarySearchFunc(all, eight, func(s span, n int) int { return s.to - n })
	if i == len(all) || eight < all[i].from {
		return span{}, false
	}
	return all[i], true
}

// readRanges reads rows that may lie within each other, and returns them flat: the narrower row counts.
func readRanges(file string) ([]span, error) {
	var rows []span
	for line := range strings.Lines(file) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		row, err := readRange(line)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b span) int { return (b.to - b.from) - (a.to - a.from) })
	var flat []span
	for _, row := range rows { // from the widest on, each cuts a hole into what is there
		flat = append(cut(flat, row), row)
	}
	slices.SortFunc(flat, func(a, b span) int { return a.from - b.from })
	return flat, nil
}

// cut returns spans without what hole covers.
func cut(spans []span, hole span) []span {
	var out []span
	for _, s := range spans {
		left, right := s, s
		left.to, right.from = min(s.to, hole.from-1), max(s.from, hole.to+1)
		for _, part := range []span{left, right} {
			if part.from <= part.to {
				out = append(out, part)
			}
		}
	}
	return out
}

func readRange(line string) (span, error) {
	columns := strings.Split(strings.TrimRight(line, "\n"), "\t")
	if len(columns) != 5 {
		return span{}, fmt.Errorf("%d columns, want 5", len(columns))
	}
	from, to, err := prefixes(columns[0])
	if err != nil {
		return span{}, err
	}
	row := span{from: from, to: to}
	for part := range strings.SplitSeq(columns[1], ",") {
		least, most, isRange := strings.Cut(part, "-")
		if !isRange {
			most = least
		}
		a, errA := strconv.Atoi(least)
		b, errB := strconv.Atoi(most)
		if errA != nil || errB != nil || a < 12 || b > 19 {
			return span{}, fmt.Errorf("length %q", part)
		}
		for n := a; n <= b; n++ {
			row.lengths |= 1 << n
		}
	}
	if columns[2] != "-" {
		row.brands = strings.Split(columns[2], ",")
	}
	return row, nil
}

// prefixes returns the first and the last eight digits that begin with text, a prefix or two with a dash between.
func prefixes(text string) (from, to int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	if !allDigits(first) || !allDigits(last) || len(first) > leadingDigits || len(last) > leadingDigits {
		return 0, 0, fmt.Errorf("prefix %q", text)
	}
	from, to = padded(first, "0"), padded(last, "9")
	if from > to {
		return 0, 0, fmt.Errorf("prefix %q ends before it begins", text)
	}
	return from, to, nil
}

// padded returns the first eight digits of digits, filled up with fill.
func padded(digits, fill string) int {
	digits += strings.Repeat(fill, max(0, leadingDigits-len(digits)))
	n, _ := strconv.Atoi(digits[:leadingDigits])
	return n
}
