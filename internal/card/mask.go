package card

import (
	"regexp"
	"strings"
)

// digitRun is what could hold a card number. Those have 13 digits or more in practice; twelve are a retrieval reference.
var digitRun = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,}`)

// MaskText returns text without anything that could be a card number: one that stands alone keeps its first six and last
// four digits, and a longer run of digits that holds one becomes three stars.
func MaskText(text string) string {
	return digitRun.ReplaceAllStringFunc(text, func(run string) string {
		if pan, err := ParsePAN(run); err == nil {
			return pan.Masked()
		}
		digits := strings.NewReplacer(" ", "", "-", "").Replace(run)
		for from := range len(digits) {
			for length := 13; length <= 19 && from+length <= len(digits); length++ {
				if part := digits[from : from+length]; brand(part) != "" && Luhn(part) {
					return hidden
				}
			}
		}
		return run
	})
}
