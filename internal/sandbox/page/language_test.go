package page

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

func TestTheLanguageOfACustomer(t *testing.T) {
	t.Parallel()
	p, err := Parse(fstest.MapFS{
		"x/pay.html":  {Data: []byte(`{{define "content"}}{{t "Card number"}}{{t "Somebody's shop"}}<script>say({{t "This code is wrong."}})</script>{{end}}`)},
		"x/desk.html": {Data: []byte(`{{define "content"}}Orders{{end}}`)},
	}, "x", nil, zerolog.Nop())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		address, accept, cookie, named string
		ukrainian                      bool
	}{
		"nothing said":        {"/", "", "", "", false},
		"the browser":         {"/", "uk-UA,uk;q=0.9,en;q=0.5", "", "", true},
		"an English browser":  {"/", "en-GB,uk;q=0.3", "", "", false},
		"another language":    {"/", "de", "", "", false},
		"the address":         {"/?locale=uk", "en", "", "", true},
		"an English address":  {"/?locale=en", "uk", "", "uk", false},
		"an earlier page":     {"/", "en", "uk", "", true},
		"the merchant":        {"/", "en", "", "uk", true},
		"what the shop wrote": {"/?locale=<script>", "uk", "", "", true},
	} {
		r := httptest.NewRequest(http.MethodGet, c.address, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "locale", Value: c.cookie})
		}
		w := httptest.NewRecorder()
		require.NoError(t, p.Render(w, r, Page{Name: "pay", Title: "Pay", Amount: "1.00 EUR", Locale: c.named}))
		lang, number, title, wrong := "en", "Card number", "Pay 1.00 EUR", `"This code is wrong."`
		if c.ukrainian {
			lang, number, title, wrong = "uk", "Номер картки", "Сплатити 1.00 EUR", `"Код хибний."`
		}
		for _, want := range []string{`<html lang="` + lang + `">`, number, "<title>" + title + "</title>", "Somebody&#39;s shop", wrong} {
			require.Contains(t, w.Body.String(), want, name)
		}
		require.Equal(t, strings.Contains(c.address, "locale"), w.Header().Get("Set-Cookie") != "", name)
		w = httptest.NewRecorder()
		require.NoError(t, p.Render(w, r, Page{Name: "desk", Title: "Orders"}))
		require.Contains(t, w.Body.String(), `<html lang="en">`, "a developer's page")
	}
}

var (
	inTemplate = regexp.MustCompile(`\{\{t "([^"]*)"\}\}`)
	inCode     = regexp.MustCompile(`(?:wrong\("\w+", |Errors\["\w+"\], v\.Focus = |Errors\["\w+"\] = |Title: |title = |Code\w+: +|_ERROR": +)"([^"]+)"`)
)

// TestEveryTextIsTranslated reads the templates, and the code that puts texts into them.
func TestEveryTextIsTranslated(t *testing.T) {
	t.Parallel()
	missing, found := []string{}, 0
	for _, pattern := range []string{"../smartcore/templates/*.html", "../uapay/templates/*.html", "page.go", "form.go", "../smartcore/pages.go", "../uapay/pages.go", "../uapay/acs.go", "../uapay/frame.go"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, m := range append(inTemplate.FindAllStringSubmatch(string(raw), -1), inCode.FindAllStringSubmatch(string(raw), -1)...) {
				found++
				if ukrainian[m[1]] == "" {
					missing = append(missing, name+": "+m[1])
				}
			}
		}
	}
	require.Empty(t, missing)
	require.Greater(t, found, 100)
}
