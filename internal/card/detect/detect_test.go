package detect

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/card"
)

// spelling is a way to write a card number, and how sure it must be what it is.
type spelling struct {
	name    string
	write   func(number string) string
	verdict Verdict
}

func mapped(each func(int, rune) string) func(string) string {
	return func(number string) string {
		var out strings.Builder
		for i, r := range number {
			out.WriteString(each(i, r))
		}
		return out.String()
	}
}

// spaced writes something before the digits at which a group begins.
func spaced(separator string, every int) func(string) string {
	return mapped(func(i int, r rune) string {
		if i > 0 && i%every == 0 {
			return separator + string(r)
		}
		return string(r)
	})
}

func shifted(zero rune) func(string) string {
	return mapped(func(_ int, r rune) string { return string(r - '0' + zero) })
}

// encircled writes digits of which the zero stands apart from the others.
func encircled(zero, one rune) func(string) string {
	return mapped(func(_ int, r rune) string {
		if r == '0' {
			return string(zero)
		}
		return string(r - '1' + one)
	})
}

func around(before, after string) func(string) string {
	return func(number string) string { return before + number + after }
}

func twice(first, second func(string) string) func(string) string {
	return func(number string) string { return second(first(number)) }
}

func formatted(format string) func(string) string {
	return mapped(func(_ int, r rune) string { return fmt.Sprintf(format, r) })
}

func toBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
func toBase32(text string) string { return base32.StdEncoding.EncodeToString([]byte(text)) }
func toHex(text string) string    { return hex.EncodeToString([]byte(text)) }

// joinedBy writes each digit in a format, with something between them.
func joinedBy(separator, format string) func(string) string {
	return func(number string) string {
		return strings.TrimSuffix(mapped(func(_ int, r rune) string { return fmt.Sprintf(format, r) + separator })(number), separator)
	}
}

// wide writes each character with zeros before and behind it, as UTF-16 and UTF-32 do.
func wide(before, behind int) func(string) string {
	return mapped(func(_ int, r rune) string {
		return strings.Repeat("\x00", before) + string(r) + strings.Repeat("\x00", behind)
	})
}

func spellings() []spelling {
	return []spelling{
		{"plain", around("", ""), Ambiguous},
		{"in a sentence", around("paid with ", ", thanks"), Ambiguous},
		{"letters beside it", around("ref", "x"), Ambiguous},
		{"spaces", spaced(" ", 4), Evident},
		{"dashes", spaced("-", 4), Evident},
		{"dots", spaced(".", 4), Evident},
		{"slashes", spaced("/", 4), Evident},
		{"underscores", spaced("_", 4), Evident},
		{"no-break spaces", spaced("\u00a0", 4), Evident},
		{"thin spaces", spaced("\u2009", 4), Evident},
		{"en dashes", spaced("–", 4), Evident},
		{"tabs", spaced("\t", 4), Evident},
		{"lines", spaced("\n", 4), Evident},
		{"three characters", spaced(" - ", 4), Evident},
		{"groups after text", twice(spaced(" ", 4), around("order 12: ", " ok")), Evident},
		{"single digits", spaced(" ", 1), Evident},
		{"pairs", spaced(" ", 2), Ambiguous},
		{"zero width", spaced("\u200b", 1), Evident},
		{"soft hyphens", spaced("\u00ad", 4), Evident},
		{"combining marks", spaced("\u0301", 3), Evident},
		{"full width", shifted('０'), Evident},
		{"mathematical", shifted('𝟬'), Evident},
		{"circled", encircled('⓪', '①'), Evident},
		{"circled twice", encircled('0', '⓵'), Evident},
		{"circled in black", encircled('⓿', '❶'), Evident},
		{"circled without serifs", encircled('🄋', '➀'), Evident},
		{"circled in black without serifs", encircled('🄌', '➊'), Evident},
		{"Arabic digits", shifted('٠'), Ambiguous},
		{"Devanagari digits", shifted('०'), Ambiguous},
		{"keycaps", mapped(func(_ int, r rune) string { return string(r) + "\ufe0f\u20e3" }), Evident},
		{"percent", formatted("%%%02X"), Evident},
		{"percent twice", formatted("%%25%02X"), Evident},
		{"entities", formatted("&#%d;"), Evident},
		{"hex entities", formatted("&#x%x;"), Evident},
		{"entities in percent", formatted("%%26%%23%d%%3B"), Evident},
		{"no-break entities", spaced("&nbsp;", 4), Evident},
		{"unicode escapes", formatted(`\u%04x`), Evident},
		{"hex escapes", formatted(`\x%02x`), Evident},
		{"base64", toBase64, Evident},
		{"base64 in a word", twice(toBase64, around("tok-", "")), Ambiguous},
		{"base64 of more", twice(around(`{"n":"`, `"}`), toBase64), Ambiguous},
		{"base64 twice", twice(toBase64, toBase64), Evident},
		{"base64 of UTF-16LE", twice(wide(0, 1), toBase64), Evident},
		{"base64 of UTF-16BE", twice(wide(1, 0), toBase64), Evident},
		{"base64 of UTF-32", twice(wide(3, 0), toBase64), Evident},
		{"UTF-7", twice(wide(1, 0), twice(toBase64, around("+", "-"))), Evident},
		{"base32", toBase32, Evident},
		{"small base32", twice(toBase32, strings.ToLower), Evident},
		{"base32 of more", twice(around(`{"n":"`, `"}`), toBase32), Ambiguous},
		{"hex", toHex, Evident},
		{"hex of UTF-16", twice(wide(0, 1), toHex), Evident},
		{"hex with spaces", joinedBy(" ", "%02x"), Evident},
		{"hex with colons", joinedBy(":", "%02X"), Evident},
		{"hex with dashes", joinedBy("-", "%02x"), Evident},
		{"a row of hex numbers", joinedBy(", ", "0x%02X"), Evident},
		{"a row of decimal codes", joinedBy(",", "%d"), Evident},
		{"a row of octal codes", joinedBy(" ", "%03o"), Evident},
		{"a row of codes after text", twice(joinedBy(" ", "%02x"), around("bytes: ", " ok")), Evident},
		{"quoted printable", formatted("=%02X"), Evident},
		{"small quoted printable", formatted("=%02x"), Evident},
		{"octal escapes", formatted(`\%03o`), Evident},
		{"short octal escapes", formatted(`\%o`), Evident},
		{"hex of base64", twice(toBase64, toHex), Evident},
		{"percent of full width", twice(shifted('０'), url.QueryEscape), Evident},
		{"a word before", around("card: ", ""), Evident},
		{"a word behind", around("", " (VISA)"), Evident},
		{"a Ukrainian word", around("картка ", ""), Evident},
		{"a Hindi word", around("कार्ड ", ""), Evident},
		{"a query", around("https://shop.test/?cardNumber=", "&x=1"), Evident},
		{"an expiry", around("", " 12/30"), Evident},
		{"an expiry and a code", around("", " 1230 739"), Evident},
		{"a code", around("", "|739"), Evident},
		{"track 2", around(";", "=30121010000000000000?"), Evident},
		{"track 2 of a chip", around("", "D30121010000000000000F"), Evident},
		{"track 2 as long as a hash", func(n string) string { return n + "D301210100000000000000000"[:32-len(n)] }, Evident},
		{"track 1", around("%B", "^DOE/JOHN^30121010000000000000?"), Evident},
		{"as in a spreadsheet", func(n string) string { return n[:1] + "." + n[1:] + "E" + fmt.Sprint(len(n)-1) }, Ambiguous},
		{"zeros before", around("000", ""), Ambiguous},
		{"a code glued", func(n string) string { return n + "7391"[:longest-len(n)] }, Ambiguous},
		{"a longer number", around("12345678", "901234"), Ambiguous},
	}
}

// Numbers of the schemes, none with a zero at the end, which a spreadsheet would drop.
var examples = []string{"4012000000003010", "5555555555554444", "378282246310005", "6011111111111117", "3530111333300000", "6200000000000005", "9860010000000009"}

func TestEverySpellingIsFound(t *testing.T) {
	t.Parallel()
	for _, s := range spellings() {
		for _, number := range examples {
			text := s.write(number)
			got := Judge(text)
			require.GreaterOrEqual(t, got, Ambiguous, "%s: %q", s.name, text)
			if len(number) == 16 { // the others are not printed in groups of four
				require.Equal(t, s.verdict, got, "%s: %q", s.name, text)
			}
			masked := Mask(text)
			require.Equal(t, Clean, Judge(masked), "%s: %q", s.name, masked)
			require.NotContains(t, masked, number, s.name)
		}
	}
}

func TestEvidenceOfAPlace(t *testing.T) {
	t.Parallel()
	const number = "4012000000003010"
	for _, field := range []string{"metadata.card", "metadata.cardNumber", "metadata.payment_card", "metadata.номер картки"} {
		require.Equal(t, Evident, Place{Field: field}.Judge(number), field)
	}
	for _, field := range []string{"", "reference", "metadata.postcard", "metadata.cardigan", "metadata.discard"} {
		require.Equal(t, Ambiguous, Place{Field: field}.Judge(number), field)
	}
	pan, err := card.ParsePAN(number)
	require.NoError(t, err)
	place := Place{Same: pan.Is}
	require.Equal(t, Evident, place.Judge("order "+number))
	require.Equal(t, Evident, place.Judge("0000000"+number+"1234"))
	require.Equal(t, Ambiguous, place.Judge("order 5555555555554444"))
}

func TestWhatHasTheFormOfSomethingElse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "order 1015", "rrn 318513456789", "401288888886", "1795219200000", "2026-11-29 12:30:00", "30.11.2026 12:30:00 card",
		"pr-0a4012000000003010bcdef012345678", "order pr-4012000000003010000000000000000f, paid",
		"01a1fd0c-4012-4000-8000-003010bc0000", "a4012000-0000-3010-9c39-80becf791395", "A4012000000003010F123456",
		"GB33BUKB20201555555555", "UA21 3223 1300 0002 6007 2335 6600 1", "UA213223130000026007233566001",
		"192.168.100.200:54321 10.0.0.12:5432", "4012000000003011", "9312000000003013", "+442079460612", "1Z999AA10123456784",
		"amount 1000, fee 25, net 975", "card of 2026-11-29 12:30:45.123456",
	} {
		require.Equal(t, Clean, Judge(text), text)
		require.Equal(t, text, Mask(text))
	}
	require.Equal(t, Clean, Place{Field: "customer.phone"}.Judge("+378282246310005"))
	require.Equal(t, Ambiguous, Place{Field: "reference"}.Judge("+378282246310005"))
	require.Equal(t, Ambiguous, Place{Field: "customer.phone"}.Judge("+4012000000003010"), "no phone number has 16 digits")
	for _, text := range []string{"40120000-0000-3010-0000-000000000000", "GB34BUKB4012000000003010"} {
		require.NotEqual(t, Clean, Judge(text), text)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"card 4012000000003010 refused":        "card 401200******3010 refused",
		"card 4012 0000 0000 3010":             "card 401200******3010",
		"4012000000003010 12/30 739 x":         "401200******3010 x",
		"4012-0000-0000-3010 739":              "401200******3010",
		"x40120000000030101234567890123456y":   "x******y",
		"x NDAxMjAwMDAwMDAwMzAxMA== y":         "x ******== y",
		"pr-4012000000003010":                  "pr-401200******3010",
		"pr-0a4012000000003010bcdef0123456789": "pr-0a401200******3010bcdef0123456789",
		"４０１２００００００００３０１０":                     "401200******3010",
		"1 4012000000003010 2":                 "1 401200******3010 2",
	} {
		require.Equal(t, want, Mask(text), text)
	}
}

func randomBytes(random *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.IntN(256))
	}
	return out
}

// pairs writes bytes as numbers with a separator.
func pairs(separator string, all []byte, format string) string {
	out := make([]string, len(all))
	for i, b := range all {
		out[i] = fmt.Sprintf(format, b)
	}
	return strings.Join(out, separator)
}

// Honest references are never refused, and few of them are ambiguous. The seeds are fixed.
func TestRandomReferences(t *testing.T) {
	t.Parallel()
	var random *rand.Rand
	digits := func(n int) string {
		return mapped(func(int, rune) string { return string(rune('0' + random.IntN(10))) })(strings.Repeat("0", n))
	}
	makers := map[string]struct {
		make func() string
		most float64 // percent that may be ambiguous
	}{
		"UUIDs": {func() string {
			var id uuid.UUID
			for i := range id {
				id[i] = byte(random.IntN(256))
			}
			return id.String()
		}, 0},
		"hashes":        {func() string { return fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()) }, 0},
		"USPS":          {func() string { return spaced(" ", 4)("94" + digits(20)) }, 8},
		"UPS":           {func() string { return "1Z" + digits(16) }, 4.5},
		"FedEx":         {func() string { return digits(15) }, 1.5},
		"dates":         {func() string { return "20261129" + digits(8) }, 0},
		"with prefix":   {func() string { return "ORD-" + digits(16) }, 4.5},
		"base64 tokens": {func() string { return toBase64("Order:" + digits(16)) }, 5},
		"random base64": {func() string {
			return toBase64(string([]byte{byte(random.IntN(256)), byte(random.IntN(256))}) + fmt.Sprintf("%x", random.Uint64()))
		}, 0.5},
		"random base32": {func() string { return toBase32(string(randomBytes(random, 20))) }, 0.5},
		"fingerprints":  {func() string { return pairs(":", randomBytes(random, 20), "%02X") }, 1},
		"rows of bytes": {func() string { return pairs(" ", randomBytes(random, 16), "%02x") }, 2},
		"queries": {func() string {
			return "?a=3" + digits(2) + "&id=3" + digits(15) + "&b=3" + digits(2) + "&c=3" + digits(2)
		}, 5},
		"with a suffix":  {func() string { return digits(13) + "-" + digits(3) }, 6},
		"with a counter": {func() string { return digits(16) + "-001" }, 7},
	}
	for n := 13; n <= 19; n++ {
		makers[fmt.Sprint(n, " digits")] = struct {
			make func() string
			most float64
		}{func() string { return digits(n) }, 7.5} // the most for 19 digits, which may be 16 and a code
	}
	total, all := 0, 0
	for name, m := range makers {
		const tried = 6_000
		random = rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data
		ambiguous := 0
		for range tried {
			text := m.make()
			for _, place := range []Place{{Field: "reference"}, {Field: "metadata.order"}} {
				require.NotEqual(t, Evident, place.Judge(text), "%s: %s", name, text)
			}
			if Judge(text) == Ambiguous {
				ambiguous++
			}
		}
		total, all = total+ambiguous, all+tried
		share := 100 * float64(ambiguous) / tried
		t.Logf("%-14s %5.2f %% ambiguous", name, share)
		require.LessOrEqual(t, share, m.most, name)
	}
	require.GreaterOrEqual(t, all, 100_000)
	require.LessOrEqual(t, 100*float64(total)/float64(all), 4.5)
}

// Whatever stands around a number, it is found, and nothing of it is left.
func TestNumbersInAnyText(t *testing.T) {
	t.Parallel()
	all := spellings()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "spelling")
		number := rapid.SampledFrom(examples).Draw(t, "number")
		text := rapid.StringMatching(`[a-z ,.]{0,30}[ ,]`).Draw(t, "before") + s.write(number) + rapid.StringMatching(`[ ,][a-z ,.]{0,30}`).Draw(t, "after")
		if Judge(text) == Clean {
			t.Fatalf("not found: %q", text)
		}
		if masked := Mask(text); Judge(masked) != Clean {
			t.Fatalf("%q was masked as %q", text, masked)
		}
	})
}

func FuzzMask(f *testing.F) {
	for _, s := range spellings() {
		f.Add(s.write(examples[0]))
	}
	f.Add("4012000000003010 4012000000003010")
	f.Add("%&\\\xff\xfe４&#x110000;%u0034")
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, found := range Scan(text) {
			if found.Start < end || found.End <= found.Start || found.End > len(text) {
				t.Fatalf("%q: %+v", text, found)
			}
			end = found.End
		}
		if masked := Mask(text); len(Scan(masked)) > 0 {
			t.Fatalf("%q was masked as %q", text, masked)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	long := strings.Repeat("Blue socks, two pairs, size 42. ", 300)
	for name, text := range map[string]string{
		"reference": "shop-1015", "uuid": "01a1fd0c-4b12-7310-8000-9c3980becf79", "number": "4012000000003011", "card": "4012 0000 0000 3010", "10 kB": long,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Scan(text)
			}
		})
		b.Run(name+" copied", func(b *testing.B) {
			for b.Loop() {
				_ = strings.Clone(text)
			}
		})
	}
}
