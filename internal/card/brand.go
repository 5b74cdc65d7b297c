package card

import "slices"

// BrandsOf returns the schemes of a number, masked number or BIN by its leading digits. A co-badged card has two: the first
// works everywhere. None means that the scheme is not certain; no name is better than a wrong one.
func BrandsOf(text string) []string {
	digits := text[:len(text)-len(trimDigits(text))]
	if len(digits) < 6 {
		return nil
	}
	from, to := padded(digits, "0"), padded(digits, "9")
	first, ok := find(from)
	if !ok || digits == text && len(digits) >= shortest && !first.lengths.has(len(digits)) {
		return nil
	}
	for s := first; s.to < to; { // six digits may lie in several ranges: those must agree
		if s, ok = find(s.to + 1); !ok || !slices.Equal(s.brands, first.brands) {
			return nil
		}
	}
	return first.brands
}

// BrandOf names the scheme as BrandsOf does: of two the first, "" for none.
func BrandOf(text string) string {
	if brands := BrandsOf(text); len(brands) > 0 {
		return brands[0]
	}
	return ""
}

// shortest is how many digits card numbers have at least.
const shortest = 12

// Plausible reports whether digits look like a card number in use: by their beginning, length and check digit.
// Twelve digits never do: they are retrieval references.
func Plausible(digits string) bool {
	if len(digits) <= shortest || len(digits) > 19 || !Luhn(digits) {
		return false
	}
	s, ok := find(padded(digits, "0"))
	return ok && s.lengths.has(len(digits))
}

// trimDigits returns what follows the leading digits of text.
func trimDigits(text string) string {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return text[i:]
		}
	}
	return ""
}
