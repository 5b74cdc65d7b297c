package detect

import (
	"bytes"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoders return what a text says if it is decoded, nothing if it has no such encoding.
var decoders = []func(source) []source{unescaped, fromQuotedPrintable, fromBase64, fromBase32, fromHex, fromCodes, fromExponent}

// unescaped decodes percent signs, HTML entities and the \u, \U, \x and octal numbers of programming languages, all in one pass.
func unescaped(src source) []source {
	if !strings.ContainsAny(src.text, `%&\`) {
		return nil
	}
	return without(src, escape)
}

// without decodes a text in which escape knows the escapes.
func without(src source, escape func(text string) (decoded string, width int)) []source {
	var text strings.Builder
	var at []place
	found := false
	for i := 0; i < len(src.text); {
		decoded, width := escape(src.text[i:])
		if width == 0 {
			decoded, width = src.text[i:i+1], 1
		} else {
			found = true
		}
		where := src.where(i, i+width)
		for j := range len(decoded) {
			where.disguised = where.disguised || width > 1 && isDigit(rune(decoded[j]))
			at = append(at, where)
		}
		text.WriteString(decoded)
		i += width
	}
	if !found {
		return nil
	}
	return []source{{text: text.String(), at: at, encoded: src.encoded}}
}

var (
	percent   = regexp.MustCompile(`^%(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))`)
	backslash = regexp.MustCompile(`^\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[ux]\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|([01][0-7]{2}|[4-7][0-7]))`)
	entity    = regexp.MustCompile(`^&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z]{2,31};)`)
)

// escape decodes the escape that text begins with. Its width is 0 if there is none.
func escape(text string) (decoded string, width int) {
	switch text[0] {
	case '%':
		if m := percent.FindStringSubmatch(text); m != nil {
			if m[2] != "" {
				b, _ := strconv.ParseUint(m[2], 16, 8)
				return string([]byte{byte(b)}), len(m[0])
			}
			return fromCode(m[1]), len(m[0])
		}
	case '\\':
		if m := backslash.FindStringSubmatch(text); m != nil {
			if m[5] != "" {
				b, _ := strconv.ParseUint(m[5], 8, 8)
				return string([]byte{byte(b)}), len(m[0])
			}
			return fromCode(m[1] + m[2] + m[3] + m[4]), len(m[0])
		}
	case '&':
		if m := entity.FindString(text); m != "" {
			return html.UnescapeString(m), len(m)
		}
	}
	return "", 0
}

func fromCode(hexDigits string) string {
	n, err := strconv.ParseUint(hexDigits, 16, 32)
	if err != nil || n > utf8.MaxRune {
		return " "
	}
	return string(rune(n))
}

// shortestQuotedPrintable is how many digits must be escaped: one alone may be the beginning of a value, as in id=3712.
const shortestQuotedPrintable = 6

// fromQuotedPrintable decodes escapes such as =34, as in e-mails.
func fromQuotedPrintable(src source) []source {
	if strings.IndexByte(src.text, '=') < 0 || strings.Count(src.text, "=3") < shortestQuotedPrintable {
		return nil
	}
	return without(src, func(text string) (string, int) {
		if len(text) < 3 || text[0] != '=' || !hexAlphabet[text[1]] || !hexAlphabet[text[2]] {
			return "", 0
		}
		return string([]byte{hexValue(text[1])<<4 | hexValue(text[2])}), 3
	})
}

// The least lengths of words that are taken for an encoding.
const (
	shortestBase64 = 16
	shortestBase32 = 20
	shortestHex    = 24
)

// alphabet has the characters of an encoding.
type alphabet [256]bool

func newAlphabet(characters string) (a alphabet) {
	for _, c := range []byte(characters) {
		a[c] = true
	}
	return a
}

const base64Characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

var (
	base64Alphabet = newAlphabet(base64Characters + "-_")
	base32Alphabet = newAlphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567")
	hexAlphabet    = newAlphabet("0123456789abcdefABCDEF")
)

// base64Value has the value of each character of both alphabets.
var base64Value = func() (values [256]byte) {
	for i, c := range []byte(base64Characters) {
		values[c] = byte(i) //nolint:gosec // below 64
	}
	values['-'], values['_'] = values['+'], values['/']
	return values
}()

// fromBase64 decodes words of both alphabets. What stands before an encoding may be glued to it, so that each word is tried
// from its first four characters on.
func fromBase64(src source) []source {
	return words(src, &base64Alphabet, shortestBase64, 4, func(word string, found []byte) []byte {
		bits, have := uint32(0), 0
		for i := range len(word) {
			bits, have = bits<<6|uint32(base64Value[word[i]]), have+6
			if have >= 8 {
				have -= 8
				found = append(found, byte(bits>>have)) //nolint:gosec // the byte that is full
			}
		}
		return found
	})
}

// fromBase32 decodes words as fromBase64 does, in either case.
func fromBase32(src source) []source {
	return words(src, &base32Alphabet, shortestBase32, 8, func(word string, found []byte) []byte {
		bits, have := uint32(0), 0
		for i := range len(word) {
			value := word[i] - '2' + 26
			if isLetter(word[i]) {
				value = word[i]&0x1F - 1
			}
			bits, have = bits<<5|uint32(value), have+5
			if have >= 8 {
				have -= 8
				found = append(found, byte(bits>>have)) //nolint:gosec // the byte that is full
			}
		}
		return found
	})
}

func fromHex(src source) []source {
	return words(src, &hexAlphabet, shortestHex, 2, func(word string, found []byte) []byte {
		for i := 0; i+1 < len(word); i += 2 {
			found = append(found, hexValue(word[i])<<4|hexValue(word[i+1]))
		}
		return found
	})
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xF + 9
}

// words decodes each word of the given characters, from each of its first few characters on, and returns what can be read.
func words(src source, of *alphabet, shortest, phases int, decode func(word string, found []byte) []byte) (out []source) {
	var buffer [256]byte
	for from, to := nextWord(src.text, 0, of, shortest); to > 0; from, to = nextWord(src.text, to, of, shortest) {
		for phase := from; phase < from+phases && to-phase >= shortest; phase++ {
			decoded := withoutZeros(decode(src.text[phase:to], buffer[:0]))
			if !readable(decoded) {
				continue
			}
			at := make([]place, len(decoded))
			for i := range at {
				at[i] = src.where(phase, to)
			}
			out = append(out, source{text: string(decoded), at: at, encoded: true})
		}
	}
	return out
}

// nextWord returns the next word of the given characters that has at least so many; to is 0 if there is none. It looks at the last
// character first that the shortest word would have, so it reads few of a text without any.
func nextWord(text string, at int, of *alphabet, shortest int) (from, to int) {
	for from = at; from+shortest <= len(text); {
		last := from + shortest - 1
		for last >= from && of[text[last]] {
			last--
		}
		if last >= from {
			from = last + 1
			continue
		}
		to = from + shortest
		for to < len(text) && of[text[to]] {
			to++
		}
		return from, to
	}
	return 0, 0
}

// withoutZeros makes UTF-16 and UTF-32 of ASCII, in either order of bytes.
func withoutZeros(decoded []byte) []byte {
	if bytes.IndexByte(decoded, 0) < 0 {
		return decoded
	}
	out := decoded[:0]
	for _, b := range decoded {
		if b != 0 {
			out = append(out, b)
		}
	}
	return out
}

// readable reports whether as many ASCII characters as a card number has stand together.
func readable(decoded []byte) bool {
	run := 0
	for _, b := range decoded {
		if run++; b < ' ' || b > '~' {
			run = 0
		}
		if run == shortestReadable {
			return true
		}
	}
	return false
}

// shortestReadable is shorter than a card number: the first or last digits may be lost to what is glued to the word.
const shortestReadable = fewest - 1

// exponent is a number as spreadsheets write it.
var exponent = regexp.MustCompile(`\b[0-9][.,][0-9]+[eE]\+?1[2-8]\b`)

// mayBeExponent reports whether a digit of text may be followed by an exponent.
func mayBeExponent(text string) bool {
	for i := 1; i+1 < len(text); i++ {
		if text[i]|0x20 == 'e' && isDigit(rune(text[i-1])) && (text[i+1] == '+' || text[i+1] == '1') {
			return true
		}
	}
	return false
}

// fromExponent writes numbers such as 4.01200000000301E15 out.
func fromExponent(src source) (out []source) {
	if !mayBeExponent(src.text) {
		return nil
	}
	for _, at := range exponent.FindAllStringIndex(src.text, -1) {
		mantissa, power, _ := strings.Cut(strings.ToUpper(src.text[at[0]:at[1]]), "E")
		whole, fraction := mantissa[:1], mantissa[len("1."):]
		n, _ := strconv.Atoi(strings.TrimPrefix(power, "+"))
		if len(fraction) > n {
			continue // no whole number
		}
		digits := whole + fraction + strings.Repeat("0", n-len(fraction))
		where := make([]place, len(digits))
		for i := range where {
			where[i] = src.where(at[0], at[1])
		}
		out = append(out, source{text: digits, at: where, encoded: src.encoded})
	}
	return out
}
