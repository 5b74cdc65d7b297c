package page

import (
	"net/http"

	"golang.org/x/text/language"
)

// Customers' pages are in English and Ukrainian: by ?locale=uk in the address, which a cookie keeps for the pages that follow; or else by
// the language that the merchant named for the payment; or else by the browser's Accept-Language.

const localeKey = "locale"

var languages = language.NewMatcher([]language.Tag{language.English, language.Ukrainian})

// speaksUkrainian reports in which of the two languages a customer reads the page.
func speaksUkrainian(w http.ResponseWriter, r *http.Request, named string) bool {
	asked := r.URL.Query().Get(localeKey)
	if asked != "" {
		http.SetCookie(w, &http.Cookie{Name: localeKey, Value: asked, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // plain HTTP
	} else if kept, err := r.Cookie(localeKey); err == nil {
		asked = kept.Value
	}
	_, which := language.MatchStrings(languages, asked, named, r.Header.Get("Accept-Language"))
	return which == 1
}

// english leaves a text as it is.
func english(text string) string { return text }

// translated is the Ukrainian text, or what it was given if that is no text of ours.
func translated(text string) string {
	if uk, ok := ukrainian[text]; ok {
		return uk
	}
	return text
}
