package bintable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"payrelay/internal/country"
)

// A BIN is 6 to 8 digits. One of fewer than 8 stands for all of 8 digits that begin with it.
const (
	leastDigits = 6
	mostDigits  = 8
	endOfBINs   = 100_000_000
)

// Table says for every BIN of 8 digits in which country its cards were issued. It is never changed. Nil is a table without BINs.
type Table struct {
	// A section begins with the BIN in starts and ends before the next. Its country is that of the same place, by number; 0 is not known.
	// Neighbours differ, and the first section begins with BIN 0.
	starts    []uint32
	countries []uint8
	// first is the section of the first BIN of each block. It makes searches short.
	first []uint32
}

// block is how many BINs a block has: those with the same first five digits.
const block = 1000

// indexed completes a table that has all of its sections.
func (t *Table) indexed() *Table {
	t.first = make([]uint32, endOfBINs/block)
	at := uint32(0)
	for i := range t.first {
		for int(at)+1 < len(t.starts) && t.starts[at+1] <= uint32(i)*block { //nolint:gosec // less than endOfBINs
			at++
		}
		t.first[i] = at
	}
	return t
}

// add begins a section, unless the one before is of the same country.
func (t *Table) add(start uint32, of uint8) {
	if last := len(t.starts) - 1; last >= 0 {
		if t.starts[last] == start { // the section before is empty
			t.starts, t.countries = t.starts[:last], t.countries[:last]
			last--
		}
		if last >= 0 && t.countries[last] == of {
			return
		}
	}
	t.starts, t.countries = append(t.starts, start), append(t.countries, of)
}

// section is the place of the section that holds a BIN of 8 digits. Both ways of a step cost the same: which one it takes cannot be guessed.
func (t *Table) section(bin uint32) int {
	i := bin / block
	at, end := int(t.first[i]), len(t.starts)
	if int(i)+1 < len(t.first) {
		end = int(t.first[i+1]) + 1
	}
	for left := end - at; left > 1; {
		half := left / 2
		if next := at + half; t.starts[next] <= bin {
			at = next
		}
		left -= half
	}
	return at
}

// Country returns the country of the cards with a BIN of 6 to 8 digits. It is "" for a BIN that is not in the table, or that cards of
// several countries have.
func (t *Table) Country(bin string) string {
	first, last, ok := span(bin)
	if t == nil || !ok {
		return ""
	}
	i := t.section(first)
	if i+1 < len(t.starts) && t.starts[i+1] <= last {
		return ""
	}
	return country.Code(int(t.countries[i]))
}

// Countries are the countries of the cards with a BIN of 6 to 8 digits, and "" among them if some are not known.
func (t *Table) Countries(bin string) (codes []string) {
	first, last, ok := span(bin)
	if t == nil || !ok {
		return nil
	}
	seen := map[uint8]bool{}
	for i := t.section(first); i < len(t.starts) && t.starts[i] <= last; i++ {
		if of := t.countries[i]; !seen[of] {
			seen[of] = true
			codes = append(codes, country.Code(int(of)))
		}
	}
	return codes
}

// span are the first and last BIN of 8 digits that begin with a text. It is not ok for a text that is no BIN.
func span(text string) (first, last uint32, ok bool) {
	if len(text) < leastDigits || len(text) > mostDigits {
		return 0, 0, false
	}
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, 0, false
		}
		first = first*10 + uint32(digit)
	}
	each := uint32(1)
	for range mostDigits - len(text) {
		each *= 10
	}
	first *= each
	return first, first + each - 1, true
}

// Valid reports whether a text is a BIN.
func Valid(text string) bool {
	_, _, ok := span(text)
	return ok
}

// Size is how much a table holds.
type Size struct {
	// Ranges are of BINs one after the other with one country, and BINs how many of 8 digits these are.
	Ranges    int `json:"ranges"`
	BINs      int `json:"bins"`
	Countries int `json:"countries"`
}

// Size counts what the table holds.
func (t *Table) Size() (size Size) {
	if t == nil {
		return size
	}
	seen := map[uint8]bool{}
	for i, of := range t.countries {
		if of == 0 {
			continue
		}
		seen[of] = true
		size.Ranges++
		size.BINs += int(t.end(i) - t.starts[i])
	}
	size.Countries = len(seen)
	return size
}

// end is the BIN behind a section.
func (t *Table) end(section int) uint32 {
	if section+1 < len(t.starts) {
		return t.starts[section+1]
	}
	return endOfBINs
}

// Change is how a table differs from the one before, in BINs of 8 digits.
type Change struct {
	Added   int `json:"added"`   // were not known
	Removed int `json:"removed"` // are not known any more
	Moved   int `json:"moved"`   // have another country
}

// ChangeFrom compares the table with the one before.
func (t *Table) ChangeFrom(before *Table) (change Change) {
	empty := &Table{starts: []uint32{0}, countries: []uint8{0}}
	if before == nil {
		before = empty
	}
	if t == nil {
		t = empty
	}
	for i, j, at := 0, 0, uint32(0); at < endOfBINs; {
		end := min(t.end(i), before.end(j))
		switch is, was := t.countries[i], before.countries[j]; {
		case is == was:
		case was == 0:
			change.Added += int(end - at)
		case is == 0:
			change.Removed += int(end - at)
		default:
			change.Moved += int(end - at)
		}
		at = end
		if t.end(i) == at {
			i++
		}
		if before.end(j) == at {
			j++
		}
	}
	return change
}

// format begins what Encode returns.
const format = "bins1\n"

// Encode returns the table as it is stored: for each section how many BINs behind the one before it begins, and its two letters, or two
// spaces. One table is always the same bytes.
func (t *Table) Encode() []byte {
	out, before := []byte(format), uint32(0)
	for i, start := range t.starts {
		out = binary.AppendUvarint(out, uint64(start-before))
		code := country.Code(int(t.countries[i]))
		if code == "" {
			code = unknownCountry
		}
		out, before = append(out, code...), start
	}
	return out
}

const unknownCountry = "  "

// errDamaged is of bytes that Encode has not made.
var errDamaged = errors.New("the BIN table is damaged")

// Decode reads what Encode has made.
func Decode(content []byte) (*Table, error) {
	text, ok := strings.CutPrefix(string(content), format)
	if !ok {
		return nil, fmt.Errorf("%w: it has another format", errDamaged)
	}
	rest, t, start := []byte(text), &Table{}, uint64(0)
	for len(rest) > 0 {
		further, n := binary.Uvarint(rest)
		if n <= 0 || len(rest) < n+len(unknownCountry) || further >= endOfBINs {
			return nil, errDamaged
		}
		code := string(rest[n : n+len(unknownCountry)])
		of := country.Number(code)
		if start += further; of == 0 && code != unknownCountry || start >= endOfBINs || further == 0 && len(t.starts) > 0 {
			return nil, errDamaged
		}
		t.add(uint32(start), uint8(of)) //nolint:gosec // both were compared
		rest = rest[n+len(unknownCountry):]
	}
	if len(t.starts) == 0 || t.starts[0] != 0 {
		return nil, errDamaged
	}
	return t.indexed(), nil
}
