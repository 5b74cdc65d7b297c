package detect

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// source is a text and where each of its bytes stands in the text that was given to Scan.
type source struct {
	text    string
	at      []place // nil: as it was given
	encoded bool    // the whole text was one word before it was decoded
}

// place is where something stands in the given text. disguised means that it was written so as not to be seen.
type place struct {
	from, to  int32
	disguised bool
}

func plainSource(text string) source { return source{text: text} }

func (s source) where(from, to int) place {
	if s.at == nil {
		return place{from: int32(from), to: int32(to)} //nolint:gosec // texts are short of 2 GiB
	}
	p := place{from: s.at[from].from, to: s.at[to-1].to}
	for _, at := range s.at[from:to] {
		p.disguised = p.disguised || at.disguised
	}
	return p
}

// char is a character of a normalized text. Its digits are ASCII.
type char struct {
	r    rune
	byte int // where it stands in the text of the source
	place
}

// normalize returns the characters of a text in their compatible form (NFKC), without those that have no width.
func normalize(src source) []char {
	out := make([]char, 0, len(src.text))
	dropped := false
	for i, width := 0, 0; i < len(src.text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(src.text[i:])
		at := src.where(i, i+width)
		if r >= utf8.RuneSelf && unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) {
			dropped = true
			if n := len(out); n > 0 { // it goes with what it stands behind
				out[n-1].to = at.to
			}
			continue
		}
		split := dropped && len(out) > 0 && isDigit(out[len(out)-1].r)
		dropped = false
		if r < utf8.RuneSelf {
			at.disguised = isDigit(r) && (at.disguised || split)
			out = append(out, char{r: r, byte: i, place: at})
			continue
		}
		for _, c := range compatible(r) {
			c.place, c.byte, c.disguised = at, i, isDigit(c.r) && (c.disguised || at.disguised || split)
			out = append(out, c)
		}
	}
	return out
}

// compatible returns the compatible form of a character beyond ASCII. A script's own digits are no disguise; digits that are made to
// look different are.
func compatible(r rune) []char {
	form := []rune(norm.NFKC.String(string(r)))
	out := make([]char, len(form))
	for i, c := range form {
		out[i].r = c
		if digit, ok := decimal(c); ok {
			out[i].r, out[i].disguised = digit, c != r
		} else if digit, ok := circled(c); ok {
			out[i].r, out[i].disguised = digit, true
		}
	}
	return out
}

// decimal returns the ASCII digit of a decimal digit of any script.
func decimal(r rune) (rune, bool) {
	if r < utf8.RuneSelf {
		return r, isDigit(r)
	}
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) { //nolint:gosec // code points fit
			return '0' + (r-rune(t.Lo))%10, true //nolint:gosec // code points fit
		}
	}
	return 0, false
}

// circled returns the ASCII digit of a circled one that has no compatible form.
func circled(r rune) (rune, bool) {
	switch r {
	case '⓿', '🄋', '🄌':
		return '0', true
	}
	for _, one := range []rune{'⓵', '❶', '➀', '➊'} {
		if one <= r && r < one+9 {
			return '1' + r - one, true
		}
	}
	return 0, false
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
