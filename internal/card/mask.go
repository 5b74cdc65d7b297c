package card

import (
	"regexp"
	"strings"
)

// digitRun is what could hold a card number. Those have 13 digits or more in practice; twelve are a retrieval reference.
var digitRun = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,}`)

// ownID is an id that payrelay makes: of an order towards a provider, or a UUID. Its digits are random, and some of them look
// like a card number.
var ownID = regexp.MustCompile(`\b(?:pr-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b`)

// MaskText returns text without anything that could be a card number: one that stands alone keeps its first six and last
// four digits, and a longer run of digits that holds one becomes three stars. Ids of payrelay's own stay as they are.
func MaskText(text string) string {
	var out strings.Builder
	from := 0
	for _, id := range ownID.FindAllStringIndex(text, -1) {
		if !strings.ContainsAny(text[id[0]+len("pr-"):id[1]], "abcdef") {
			continue // no id of ours has digits alone
		}
		out.WriteString(digitRun.ReplaceAllStringFunc(text[from:id[0]], maskRun))
		out.WriteString(text[id[0]:id[1]])
		from = id[1]
	}
	out.WriteString(digitRun.ReplaceAllStringFunc(text[from:], maskRun))
	return out.String()
}

func maskRun(run string) string {
	if pan, err := ParsePAN(run); err == nil {
		return pan.Masked()
	}
	digits := strings.NewReplacer(" ", "", "-", "").Replace(run)
	for from := range len(digits) {
		for length := 13; length <= 19 && from+length <= len(digits); length++ {
			if part := digits[from : from+length]; Plausible(part) {
				return hidden
			}
		}
	}
	return run
}
