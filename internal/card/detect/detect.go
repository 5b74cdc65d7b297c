package detect

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Verdict says how sure it is that a text holds a card number.
type Verdict int

// The verdicts, from the mildest on.
const (
	Clean Verdict = iota
	Ambiguous
	Evident
)

func (v Verdict) String() string { return [...]string{"clean", "ambiguous", "evident"}[v] }

// Finding is a part of a text that holds a card number, or may. It includes an expiry and a code behind the number.
type Finding struct {
	Start, End int // in bytes
	Verdict    Verdict
	masked     string
}

// hidden replaces what has no first six and last four digits to show. It is longer than what digits are joined over.
const hidden = "******"

// Place is where a text stands. The zero value is a place of which nothing is known.
type Place struct {
	Field string            // the name of the field, such as metadata.card
	Same  func(string) bool // reports whether digits are a card number that the same request has
}

// Scan finds card numbers in text, in their order. Findings do not overlap.
func Scan(text string) []Finding { return Place{}.Scan(text) }

// Judge returns the gravest verdict of a text.
func Judge(text string) Verdict { return Place{}.Judge(text) }

// Judge returns the gravest verdict of a text at a place.
func (p Place) Judge(text string) Verdict {
	worst := Clean
	for _, f := range p.Scan(text) {
		worst = max(worst, f.Verdict)
	}
	return worst
}

// Mask returns text without what Scan finds: of a number the first six and last four digits are left, of one that is encoded or
// part of a longer number nothing.
func Mask(text string) string {
	for round := 0; ; round++ {
		found := Scan(text)
		if len(found) == 0 {
			return text
		}
		var out strings.Builder
		from := 0
		for _, f := range found {
			out.WriteString(text[from:f.Start])
			if round == 0 {
				out.WriteString(f.masked)
			} else { // what is left of one number may look like another with what stands beside it
				out.WriteString(hidden)
			}
			from = f.End
		}
		text = out.String() + text[from:]
	}
}

// Scan finds card numbers in text, in their order. Findings do not overlap.
func (p Place) Scan(text string) []Finding {
	if cannotHold(text) {
		return nil
	}
	s := scanner{place: p}
	s.scan(plainSource(text), 0)
	return merge(s.found)
}

// maxNesting is how often a text is decoded.
const maxNesting = 2

type scanner struct {
	place Place
	found []Finding
}

// scan finds what src says as it is, and what it says decoded.
func (s *scanner) scan(src source, depth int) {
	s.candidates(src)
	if depth == maxNesting {
		return
	}
	for _, decode := range decoders {
		for _, decoded := range decode(src) {
			s.scan(decoded, depth+1)
		}
	}
}

// merge joins findings that overlap. What is more than one number shows nothing of either.
func merge(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	out := found[:0]
	for _, f := range found {
		if len(out) == 0 || f.Start >= out[len(out)-1].End {
			out = append(out, f)
			continue
		}
		last := &out[len(out)-1]
		if last.masked != f.masked {
			last.masked = hidden
		}
		last.End, last.Verdict = max(last.End, f.End), max(last.Verdict, f.Verdict)
	}
	return out
}

// cannotHold is true for most texts: they have no encoding, and too few digits together for a card number.
func cannotHold(text string) bool {
	if together(text) || strings.ContainsAny(text, `%&\`) || mayBeExponent(text) || mayBeCodes(text) {
		return false
	}
	_, word := nextWord(text, 0, &base64Alphabet, shortestBase64)
	return word == 0
}

// together reports whether text may have as many digits as a card number, with few characters between them.
func together(text string) bool {
	digits, others := 0, 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			return len(text) >= fewest
		case isDigit(rune(c)):
			digits, others = digits+1, 0
		default:
			if others++; isLetter(c) || others > furthest {
				digits = 0
			}
		}
		if digits >= fewest {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// fewest is how many digits a card number has at least. Twelve are a retrieval reference.
const fewest = 13
