package detect

import (
	"math/big"
	"regexp"
	"strings"
)

// Texts of a known form have digits that are no card's.
var (
	uuidForm  = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	hashForm  = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b`) // ids of ours and of providers
	printForm = regexp.MustCompile(`(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){15,31}\b`)                      // fingerprints of keys and certificates
	ibanForm  = regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b`)
	chip      = regexp.MustCompile(`^[0-9]{13,19}D[0-9]{7,}F?$`) // track 2 as a card's chip has it
	phone     = regexp.MustCompile(`^\s*\+[0-9 ()./-]{6,25}$`)
)

// structured takes the digits of texts of a known form out of chars, and reports whether there were any.
func structured(text, field string, chars []char) bool {
	var forms [][]int
	for _, form := range []*regexp.Regexp{uuidForm, hashForm, printForm} {
		for _, at := range form.FindAllStringIndex(text, -1) {
			word := text[at[0]:at[1]]
			if strings.ContainsAny(word, "abcdefABCDEF") && !chip.MatchString(word) { // digits alone are anything
				forms = append(forms, at)
			}
		}
	}
	for _, at := range ibanForm.FindAllStringIndex(text, -1) {
		if validIBAN(text[at[0]:at[1]]) {
			forms = append(forms, at)
		}
	}
	if strings.HasSuffix(strings.ToLower(field), "phone") && phone.MatchString(text) && countDigits(text) <= 15 { // E.164
		forms = append(forms, []int{0, len(text)})
	}
	for i := range chars {
		for _, at := range forms {
			if at[0] <= chars[i].byte && chars[i].byte < at[1] {
				chars[i].r = 'x'
			}
		}
	}
	return len(forms) > 0
}

func countDigits(text string) (n int) {
	for i := range len(text) {
		if isDigit(rune(text[i])) {
			n++
		}
	}
	return n
}

// validIBAN checks the two digits behind the country (ISO 13616).
func validIBAN(text string) bool {
	text = strings.ReplaceAll(text, " ", "")
	var digits strings.Builder
	for _, c := range text[4:] + text[:4] {
		if isDigit(c) {
			digits.WriteRune(c)
		} else {
			digits.WriteString(big.NewInt(int64(c-'A') + 10).String())
		}
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}
