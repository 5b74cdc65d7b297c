package httpapi

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"payrelay/internal/card"
)

// stored reports whether a member's text is kept or passed on as it is, so that a card number in it would be too.
func stored(path string) bool {
	switch path {
	case "reference", "description", "reason", "site_url":
		return true
	}
	return strings.HasPrefix(path, "metadata.") || strings.HasPrefix(path, "customer.") || strings.HasPrefix(path, "browser.")
}

// digitGroups are groups of digits with one space or dash between them.
var digitGroups = regexp.MustCompile(`[0-9]+(?:[ -][0-9]+)*`)

// holdsCardNumber reports whether text holds digits that look like a card number in use: prefix, length and check digit.
// What letters stand against is a part of something else, such as an IBAN or a UUID, and what follows a plus is a phone
// number.
func holdsCardNumber(text string) bool {
	for _, at := range digitGroups.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		after, _ := utf8.DecodeRuneInString(text[at[1]:])
		if before == '+' || unicode.IsLetter(before) || unicode.IsLetter(after) {
			continue
		}
		groups := strings.FieldsFunc(text[at[0]:at[1]], func(r rune) bool { return r == ' ' || r == '-' })
		for first := range groups { // an expiry may stand beside the number
			digits := ""
			for _, group := range groups[first:] {
				if digits += group; len(digits) > longestCard {
					break
				}
				if card.Plausible(digits) {
					return true
				}
			}
		}
	}
	return false
}

const longestCard = 19
