package locale

import (
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLanguageOfACustomer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address, accept, cookie, named string
		want                           *Locale
	}{
		"nothing said":        {"/", "", "", "", English},
		"the browser":         {"/", "uk-UA,uk;q=0.9,en;q=0.5", "", "", Ukrainian},
		"an English browser":  {"/", "en-GB,uk;q=0.3", "", "", English},
		"another language":    {"/", "de", "", "", English},
		"the address":         {"/?locale=uk", "en", "", "", Ukrainian},
		"an English address":  {"/?locale=en", "uk", "", "uk", English},
		"an earlier page":     {"/", "en", "uk", "", Ukrainian},
		"the merchant":        {"/", "en", "", "uk", Ukrainian},
		"what the shop wrote": {"/?locale=<script>", "uk", "", "", Ukrainian},
	} {
		r := httptest.NewRequest(http.MethodGet, c.address, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "locale", Value: c.cookie})
		}
		w := httptest.NewRecorder()
		require.Equal(t, c.want.Lang(), Of(w, r, c.named).Lang(), name)
		require.Equal(t, strings.Contains(c.address, "locale"), w.Header().Get("Set-Cookie") != "", name)
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sum                Sum
		english, ukrainian string
	}{
		{Sum{1000, "UAH"}, "10.00 UAH", "10,00\u00a0UAH"},
		{Sum{5, "EUR"}, "0.05 EUR", "0,05\u00a0EUR"},
		{Sum{100000, "EUR"}, "1,000.00 EUR", "1\u00a0000,00\u00a0EUR"},
		{Sum{123456789, "UAH"}, "1,234,567.89 UAH", "1\u00a0234\u00a0567,89\u00a0UAH"},
		{Sum{1500, "JPY"}, "1,500 JPY", "1\u00a0500\u00a0JPY"},
		{Sum{1500, "KWD"}, "1.500 KWD", "1,500\u00a0KWD"},
		{Sum{-5, "EUR"}, "-0.05 EUR", "-0,05\u00a0EUR"},
		{Sum{math.MaxInt64, "EUR"}, "92,233,720,368,547,758.07 EUR", "92\u00a0233\u00a0720\u00a0368\u00a0547\u00a0758,07\u00a0EUR"},
		{Sum{math.MinInt64, "EUR"}, "-92,233,720,368,547,758.08 EUR", "-92\u00a0233\u00a0720\u00a0368\u00a0547\u00a0758,08\u00a0EUR"},
		{Sum{1000, "QQQ"}, "10.00 QQQ", "10,00\u00a0QQQ"},
	} {
		require.Equal(t, c.english, English.Sum(c.sum))
		require.Equal(t, c.ukrainian, Ukrainian.Sum(c.sum))
	}
}

var (
	inTemplate = regexp.MustCompile(`\{\{t "([^"]*)"\}\}`)
	inCode     = regexp.MustCompile(`(?:wrong\("\w+", |Errors\["\w+"\], v\.Focus = |Errors\["\w+"\] = |[tT]itle = |\n\t"[a-z_]+": +|Title: |Problem: |Code\w+: +|_ERROR": +)"([^"]+)"`)
)

// TestEveryTextIsTranslated reads the templates, and the code that puts texts into them.
func TestEveryTextIsTranslated(t *testing.T) {
	t.Parallel()
	missing, found := []string{}, 0
	for _, pattern := range []string{"../smartcore/templates/*.html", "../uapay/templates/*.html", "../page/page.go", "../page/form.go", "../smartcore/pages.go", "../uapay/pages.go", "../uapay/acs.go", "../uapay/frame.go", "../../demoshop/assets/*.html", "../../demoshop/buy.go", "../../demoshop/pages.go"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
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
	require.Greater(t, found, 150)
}
