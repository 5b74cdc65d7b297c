package page

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/locale"
)

func TestAPageIsInTheLanguageOfItsReader(t *testing.T) {
	t.Parallel()
	p, err := Parse(fstest.MapFS{
		"x/pay.html":  {Data: []byte(`{{define "content"}}{{t "Card number"}}{{t "Somebody's shop"}}{{sum .Data}}<script>say({{t "This code is wrong."}})</script>{{end}}`)},
		"x/desk.html": {Data: []byte(`{{define "content"}}Orders {{sum .Data}}{{end}}`)},
	}, "x", nil, zerolog.Nop())
	require.NoError(t, err)
	amount := &locale.Sum{Minor: 123400, Currency: "EUR"}
	for lang, want := range map[string][]string{
		"en": {"Card number", "<title>Pay 1,234.00 EUR</title>", "Somebody&#39;s shop1,234.00 EUR", `"This code is wrong."`},
		"uk": {"Номер картки", "<title>Сплатити 1\u00a0234,00\u00a0EUR</title>", "Somebody&#39;s shop1\u00a0234,00\u00a0EUR", `"Код хибний."`},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?locale="+lang, nil)
		w := httptest.NewRecorder()
		require.NoError(t, p.Render(w, r, Page{Name: "pay", Title: "Pay", Amount: amount, Data: amount}))
		for _, text := range append(want, `<html lang="`+lang+`">`) {
			require.Contains(t, w.Body.String(), text)
		}
		w = httptest.NewRecorder()
		require.NoError(t, p.Render(w, r, Page{Name: "desk", Title: "Orders", Data: amount}))
		require.Contains(t, w.Body.String(), `<html lang="en">`, "a developer's page")
		require.Contains(t, w.Body.String(), "Orders 1,234.00 EUR", "a developer's page")
	}
}
