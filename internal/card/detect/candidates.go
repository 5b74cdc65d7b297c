package detect

import (
	"unicode"

	"payrelay/internal/card"
)

// longest is how many digits a card number has at most.
const longest = 19

// furthest is how many characters may stand between two digits of a number.
const furthest = 3

// group is a stretch of digits, by the characters of a normalized text.
type group struct{ from, to int }

func (g group) len() int { return g.to - g.from }

// candidate is a stretch of characters with the digits of what may be a card number.
type candidate struct {
	digits   string
	from, to int     // characters
	groups   []group // those it is made of; none if it is a part of one
	before   *group  // what it might be joined with
	after    *group
}

// candidates judges each number of a text that may be a card's.
func (s *scanner) candidates(src source) {
	if !together(src.text) {
		return
	}
	chars := normalize(src)
	all := numbers(chars)
	if len(all) == 0 {
		return
	}
	if structured(src.text, s.place.Field, chars) {
		all = numbers(chars)
	}
	for _, c := range all {
		s.found = append(s.found, s.judge(src, chars, c))
	}
}

// numbers returns all candidates of a text.
func numbers(chars []char) (out []candidate) {
	for from := 0; from < len(chars); {
		run, next := digitRun(chars, from)
		out = append(out, joined(chars, run)...)
		for _, g := range run {
			out = append(out, within(chars, g)...)
		}
		from = next
	}
	return out
}

// digitRun returns the next groups of digits that have no letter and few other characters between them, and where to go on.
func digitRun(chars []char, from int) (run []group, next int) {
	i := from
	for i < len(chars) {
		switch {
		case isDigit(chars[i].r):
			g := group{from: i}
			for i < len(chars) && isDigit(chars[i].r) {
				i++
			}
			g.to = i
			run = append(run, g)
		case len(run) > 0 && (unicode.IsLetter(chars[i].r) || i-run[len(run)-1].to >= furthest):
			return run, i
		default:
			i++
		}
	}
	return run, i
}

// joined returns the candidates that are made of whole groups.
func joined(chars []char, run []group) (out []candidate) {
	var digits []byte
	starts := make([]int, len(run))
	for i, g := range run {
		starts[i] = len(digits)
		digits = append(digits, text(chars[g.from:g.to])...)
	}
	starts = append(starts, len(digits))
	for first := range run {
		for last := first; last < len(run) && starts[last+1]-starts[first] <= longest; last++ {
			number := string(digits[starts[first]:starts[last+1]])
			if !card.Plausible(number) {
				continue
			}
			c := candidate{digits: number, from: run[first].from, to: run[last].to, groups: run[first : last+1]}
			if first > 0 {
				c.before = &run[first-1]
			}
			if last+1 < len(run) {
				c.after = &run[last+1]
			}
			out = append(out, c)
		}
	}
	return out
}

// within returns the candidates that are a part of one group: a number filled up with zeros, one with a code or an expiry
// glued to it, and any in a group that is too long for a number.
func within(chars []char, g group) (out []candidate) {
	if g.len() <= fewest {
		return nil
	}
	digits := text(chars[g.from:g.to])
	zeros := 0
	for zeros < len(digits) && digits[zeros] == '0' {
		zeros++
	}
	for from := 0; from+fewest <= len(digits); from++ {
		for n := fewest; n <= longest && from+n <= len(digits); n++ {
			if len(digits) <= longest && (from != zeros || !aloneOrWithCode(n, len(digits)-from)) || n == len(digits) {
				continue
			}
			if part := digits[from : from+n]; card.Plausible(part) {
				out = append(out, candidate{digits: part, from: g.from, to: g.to})
			}
		}
	}
	return out
}

// aloneOrWithCode reports whether a number of n digits leaves nothing of so many, or the code of its card: three digits
// behind 16, four behind 15.
func aloneOrWithCode(n, of int) bool {
	return n == of || of == longest && (n == 16 || n == 15)
}
