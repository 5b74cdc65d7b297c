package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"payrelay/internal/card"
	"payrelay/internal/card/detect"
)

// bodyText is a text of a body, or a number as it is written, and where it stands.
type bodyText struct {
	path, text string
	number     bool
}

// ofShop reports whether a shop made up the name of a member.
func ofShop(path string) bool { return strings.HasPrefix(path, "metadata.") }

// isNumber reports whether a member is a card's number.
func isNumber(path string) bool { return strings.HasSuffix(path, ".card.number") && !ofShop(path) }

// isName reports whether a member is the name of a person, or a part of it.
func isName(path string) bool {
	return (strings.HasSuffix(path, "_name") || strings.HasSuffix(path, ".holder")) && !ofShop(path)
}

// mayHoldCard reports whether a member is meant for card data. It is sent on and never stored.
func mayHoldCard(path string) bool { return isNumber(path) || path == "payment_method.token" }

// judgeCards lists the members whose texts hold a card number, and those of metadata with a card's code. How the reference was judged is
// counted: it rests as it is.
func judgeCards(texts []bodyText) (wrong problems, reference string) {
	own := cardsIn(texts)
	same := func(digits string) bool {
		return slices.ContainsFunc(own, func(pan card.PAN) bool { return pan.Is(digits) })
	}
	var names []bodyText
	for _, t := range texts {
		if mayHoldCard(t.path) {
			continue
		}
		place := detect.Place{Field: t.path, Same: same}
		if strings.HasSuffix(t.path, "card_id") && !ofShop(t.path) { // the provider's id of a kept card
			place.Field = ""
		}
		verdict := place.Judge(t.text)
		switch fault := t.fault(verdict); {
		case fault != "":
			wrong.add(fieldName(t.path), fault)
		case isName(t.path):
			names = append(names, t)
		case ofShop(t.path) && detect.CardCode(t.path, t.text):
			wrong.add(fieldName(t.path), "holds a card's code, which must never be stored: leave it out")
		}
		if t.path == "reference" {
			reference = verdict.String()
		}
	}
	return append(wrong, splitOver(names)...), reference
}

// cardsIn returns the card numbers that stand where they belong.
func cardsIn(texts []bodyText) (cards []card.PAN) {
	for _, t := range texts {
		if !isNumber(t.path) {
			continue
		}
		if pan, err := card.ParsePAN(t.text); err == nil {
			cards = append(cards, pan)
		}
	}
	return cards
}

// fault says what is wrong with a text that was judged, "" for nothing. What only might be a card number is taken: of honest numbers of
// 16 digits one in thirty has the prefix and the check digit of a card. But no honest sum and no name looks so.
func (t bodyText) fault(verdict detect.Verdict) string {
	switch {
	case verdict == detect.Evident, verdict == detect.Ambiguous && isName(t.path):
		return "holds a card number, which must not be stored: leave it out"
	case verdict == detect.Ambiguous && t.number:
		return "has the form of a card number, which must not be stored: send another number"
	}
	return ""
}

// splitOver lists names of which two of one person make a card number together.
func splitOver(names []bodyText) (wrong problems) {
	for i, a := range names {
		for j, b := range names {
			if i != j && parent(a.path) == parent(b.path) && detect.Judge(a.text+" "+b.text) != detect.Clean {
				wrong.add(fieldName(a.path), "holds a card number together with "+fieldName(b.path)+", which must not be stored: leave it out")
			}
		}
	}
	return wrong
}

// parent is the path of the object that a member stands in.
func parent(path string) string { return path[:strings.LastIndexByte(path, '.')+1] }

// cardInText answers a request whose members cards hold a card number, and says where the operation takes one. wrong is what else is wrong.
func (o *operation) cardInText(cards, wrong problems) problem {
	var all problems
	for _, c := range cards {
		if len(o.cardNumbers) > 0 {
			c.Message += ". A card's number belongs in " + strings.Join(o.cardNumbers, " or ") + " and nowhere else"
		}
		all = append(all, c)
	}
	return problem{Status: http.StatusUnprocessableEntity, Code: codeCardInText, Detail: "A text holds a card number or a card's code.", Fields: append(all, wrong...).listed()}
}

// cardNumbersIn lists the members of a schema that take a card's number.
func cardNumbersIn(schema *openapi3.Schema, path string) []string {
	if isNumber("." + path) {
		return []string{path}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		found = append(found, cardNumbersIn(schema.Properties[name].Value, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return found
}

const codeCardInText = "card_number_in_text"
