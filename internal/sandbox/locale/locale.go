package locale

import (
	"cmp"
	"fmt"
	"net/http"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"payrelay/internal/money"
)

// Locale is a language that customers read.
type Locale struct {
	tag         language.Tag
	decimalMark string
	gap         string // between a sum and its currency
	texts       map[string]string
}

// The two languages.
var (
	English   = &Locale{tag: language.English, decimalMark: ".", gap: " "}
	Ukrainian = &Locale{tag: language.Ukrainian, decimalMark: ",", gap: noBreakSpace, texts: ukrainian}
)

const (
	noBreakSpace = "\u00a0"
	// key is the name in the address, and of the cookie.
	key = "locale"
)

var known = language.NewMatcher([]language.Tag{English.tag, Ukrainian.tag})

// Of is the language of whoever asks: by ?locale=uk in the address, which a cookie keeps for the pages that follow; or else the one that the
// merchant named for the payment; or else by the browser's Accept-Language.
func Of(w http.ResponseWriter, r *http.Request, named string) *Locale {
	asked := r.URL.Query().Get(key)
	if asked != "" {
		http.SetCookie(w, &http.Cookie{Name: key, Value: asked, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // plain HTTP
	} else if kept, err := r.Cookie(key); err == nil {
		asked = kept.Value
	}
	if _, which := language.MatchStrings(known, asked, named, r.Header.Get("Accept-Language")); which == 1 {
		return Ukrainian
	}
	return English
}

// Lang is the language's code for HTML: "uk".
func (l *Locale) Lang() string { return l.tag.String() }

// Text is the translation of an English text, or what it was given if that is no text of ours.
func (l *Locale) Text(english string) string { return cmp.Or(l.texts[english], english) }

// Sum is an amount in minor units of a currency.
type Sum struct {
	Minor    int64
	Currency string
}

// Sum writes a sum as the language does: "1,000.00 EUR" or "1 000,00 EUR", the latter with no-break spaces. A currency that ISO 4217 does not
// know counts in hundredths, as the providers count.
func (l *Locale) Sum(s Sum) string {
	decimals, ok := money.Currency(s.Currency).Exponent()
	if !ok {
		decimals = 2
	}
	sign, minor, unit := "", uint64(s.Minor), uint64(1) //nolint:gosec // a negative sum is negated below
	if s.Minor < 0 {
		sign, minor = "-", -minor
	}
	for range decimals {
		unit *= 10
	}
	text := sign + message.NewPrinter(l.tag).Sprint(minor/unit)
	if decimals > 0 {
		text += fmt.Sprintf("%s%0*d", l.decimalMark, decimals, minor%unit)
	}
	return text + l.gap + s.Currency
}
