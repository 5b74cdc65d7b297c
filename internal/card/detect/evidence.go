package detect

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// judge says how sure it is that a candidate is a card number, and what of the text goes with it.
func (s *scanner) judge(src source, chars []char, c candidate) Finding {
	end := c.to + behind(chars[c.to:])
	at := place{from: chars[c.from].from, to: chars[c.from].to}
	for _, ch := range chars[c.from:end] {
		at.from, at.to = min(at.from, ch.from), max(at.to, ch.to)
	}
	f := Finding{Start: int(at.from), End: int(at.to), Verdict: Ambiguous, masked: hidden}
	if src.at == nil && c.groups != nil {
		f.masked = c.digits[:6] + hidden + c.digits[len(c.digits)-4:]
	}
	if s.place.Same != nil && s.place.Same(c.digits) || c.groups != nil && s.evident(src, chars, c, end) {
		f.Verdict = Evident
	}
	return f
}

func (s *scanner) evident(src source, chars []char, c candidate, end int) bool {
	if !uniform(chars, c.groups) {
		return false
	}
	disguised := slices.ContainsFunc(chars[c.from:c.to], func(ch char) bool { return ch.disguised })
	alone := src.encoded && c.from == 0 && c.to == len(chars)
	return disguised || alone || end > c.to || printed(chars, c) || track(chars, c) ||
		cardWord(s.place.Field) || cardWord(text(chars[max(0, c.from-near):c.from])) || cardWord(text(chars[c.to:min(len(chars), c.to+near)]))
}

// near is how far from a number a word may stand that says what it is, in characters.
const near = 24

func text(chars []char) string {
	var out strings.Builder
	for _, c := range chars {
		out.WriteRune(c.r)
	}
	return out.String()
}

// uniform reports whether the same stands between all groups.
func uniform(chars []char, groups []group) bool {
	for i := 2; i < len(groups); i++ {
		if between(chars, groups[i-1], groups[i]) != between(chars, groups[0], groups[1]) {
			return false
		}
	}
	return true
}

func between(chars []char, a, b group) string { return text(chars[a.to:b.from]) }

// printedForms are the lengths of groups that stand on cards.
var printedForms = [][]int{{4, 4, 4, 4}, {4, 4, 4, 4, 1}, {4, 4, 4, 4, 2}, {4, 4, 4, 4, 3}, {4, 6, 5}, {4, 6, 4}, {4, 4, 4, 1}, {4, 3, 3, 3}}

// printed reports whether a number is grouped as on a card, or into single digits. A part of a longer number in such groups,
// as tracking numbers are, is not.
func printed(chars []char, c candidate) bool {
	lengths := make([]int, len(c.groups))
	for i, g := range c.groups {
		lengths[i] = g.len()
	}
	spelled := len(lengths) == len(c.digits)
	if !spelled && !slices.ContainsFunc(printedForms, func(form []int) bool { return slices.Equal(form, lengths) }) {
		return false
	}
	separator := between(chars, c.groups[0], c.groups[1])
	last := c.groups[len(c.groups)-1]
	goesOn := c.after != nil && between(chars, last, *c.after) == separator && c.after.len() <= 4
	began := c.before != nil && between(chars, *c.before, c.groups[0]) == separator && c.before.len() == c.groups[0].len()
	return !goesOn && !began
}

// What stands behind the number on a form: an expiry, a verification code. A code without an expiry must end the text, as
// three digits may be anything.
var (
	expiryBehind = regexp.MustCompile(`^(?:[^\pL\d]{1,3}(?:0[1-9]|1[0-2]) ?[/.-] ?|[ ,;:|/\t]{1,3}(?:0[1-9]|1[0-2]) ?)(?:20)?[2-4]\d(?:[ ,;:|/\t]{1,3}\d{3,4})?(?:\D|$)`)
	codeBehind   = regexp.MustCompile(`^[ ,;:|/\t]{1,3}\d{3}\s*(?:$|[^\pL\d\s.,])`)
)

// behind returns how many of the characters that follow a number are an expiry or a verification code.
func behind(chars []char) int {
	following := text(chars[:min(len(chars), 24)])
	for _, form := range []*regexp.Regexp{expiryBehind, codeBehind} {
		if found := form.FindString(following); found != "" {
			return len([]rune(strings.TrimRightFunc(found, func(r rune) bool { return !isDigit(r) })))
		}
	}
	return 0
}

// track reports whether a number stands as on a magnetic stripe: behind a B and before a caret, or before an equals sign and
// what follows there.
func track(chars []char, c candidate) bool {
	after := text(chars[c.to:min(len(chars), c.to+8)])
	if strings.HasPrefix(after, "^") {
		return c.from > 0 && (chars[c.from-1].r == 'B' || chars[c.from-1].r == 'b')
	}
	return stripe.MatchString(after)
}

var stripe = regexp.MustCompile(`^[=D]\d{7}`)

// cardWords say that a number is a card's, in the languages of the shops.
var cardWords = withoutMarks(`card cards cardno cardnr cardnum cardnumber creditcard debitcard bankcard cc ccno ccnum ccnumber pan pans
	visa mastercard maestro amex unionpay
	carte cartes karte karten kartennummer kreditkarte tarjeta tarjetas carta cartao cartão cartões
	karta karty kartę kartu kart kartı kartı kaart kort kortnummer kortti luottokortti kártya κάρτα
	карта карты карту картой карте картка картки картку карткою картці пан कार्ड بطاقة البطاقة כרטיס`)

// withoutMarks returns the words of a text as normalize leaves them.
func withoutMarks(text string) []string {
	return strings.Fields(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text))
}

// cardParts say it within a word: those languages do not part words.
var cardParts = []string{"卡", "カード", "카드", "บัตร"}

// cardWord reports whether one of the words of a text is a card word.
func cardWord(text string) bool {
	for _, part := range cardParts {
		if strings.Contains(text, part) {
			return true
		}
	}
	word := make([]rune, 0, near)
	previous := ' '
	for _, r := range text + " " {
		letter := unicode.IsLetter(r) || unicode.IsMark(r)
		if (!letter || unicode.IsUpper(r) && unicode.IsLower(previous)) && len(word) > 0 {
			if slices.Contains(cardWords, string(word)) {
				return true
			}
			word = word[:0]
		}
		if letter {
			word = append(word, unicode.ToLower(r))
		}
		previous = r
	}
	return false
}

// codeNames are what a card's code is called, in small letters.
var codeNames = map[string]bool{"cvc": true, "cvv": true, "cvc2": true, "cvv2": true, "cvccode": true, "cvvcode": true, "cardcode": true, "securitycode": true, "cardsecuritycode": true}

// CardCode reports whether a field is named after a card's code, and its text may be one: three or four digits.
func CardCode(field, text string) bool {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, field[strings.LastIndexByte(field, '.')+1:])
	text = strings.TrimSpace(text)
	return codeNames[name] && (len(text) == 3 || len(text) == 4) && strings.Trim(text, "0123456789") == ""
}
