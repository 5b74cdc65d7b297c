package e2e

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// framePage is the page for card entry that the documentation for shops shows.
func framePage(t *testing.T) string {
	t.Helper()
	_, page, found := strings.Cut(read(t, "docs", "guides", "saved-cards.md"), "```html\n<iframe")
	require.True(t, found)
	page, _, found = strings.Cut(page, "```")
	require.True(t, found)
	require.Equal(t, 1, strings.Count(page, "'FRAME_URL'"))
	return "<iframe" + strings.Replace(page, "'FRAME_URL'", "{{.}}", 1)
}

// shopPages is what a shop's own site has beside the API: a page that makes the browser post a form, and one that embeds
// the provider's card frame and takes what it says, all that is written of it.
func shopPages(t *testing.T, frame string) *httptest.Server {
	pages := template.Must(template.New("").Parse(`
{{define "post"}}<!doctype html><title>Shop</title><h1>To your bank</h1><form id="go" method="post" action="{{.URL}}">
{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}<button id="to-bank">Continue</button></form>{{end}}
{{define "card"}}<!doctype html><title>Shop</title><meta name="viewport" content="width=device-width"><h1>Your card</h1>
<pre id="said"></pre><script>const save = card => { document.getElementById('said').textContent += JSON.stringify(card) }
const failed = code => { document.getElementById('said').textContent += code }</script>` + framePage(t) + `{{end}}`))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/card":
			_ = pages.ExecuteTemplate(w, "card", frame)
		case "/post":
			var form struct {
				URL    string
				Fields map[string]string
			}
			_ = json.Unmarshal([]byte(r.URL.Query().Get("form")), &form)
			_ = pages.ExecuteTemplate(w, "post", form)
		default:
			_, _ = w.Write([]byte(`<!doctype html><title>Shop</title><h1 id="thanks">Thanks</h1>`))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestUAPAYInABrowser(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	shop := shopPages(t, d.cardFrame("UAH-sandbox", `{"for":"payments"}`))
	p := openPage(t, 390, 844)

	// the form, and the bank's page behind it
	o := d.opens("form", `"return_urls":{"status":"`+shop.URL+`/back"}`)
	p.do(chromedp.Navigate(o.NextAction.URL))
	p.types("1")
	p.do(chromedp.Click(css("#pay")), chromedp.WaitVisible(css("#card-number-error")))
	require.Contains(t, p.text("#card-number-error"), "Check the card number")
	p.shot("form-wrong")
	p.do(chromedp.Navigate(o.NextAction.URL))
	p.types(uahChallenge)
	p.shot("form")
	p.do(chromedp.Click(css("#pay")), chromedp.WaitVisible(css("#acs-form")))
	require.Contains(t, p.text("#amount"), "10.00")
	p.shot("bank")
	p.do(chromedp.Click(css("#acs-success")))
	p.at(shop.URL + "/back")
	d.ends(o.ID, "succeeded")
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")

	// a refusal, on the provider's own last page
	o = d.opens("refused", "")
	p.do(chromedp.Navigate(o.NextAction.URL), chromedp.Click(css("#fill-decline")), chromedp.WaitVisible(css("#pay")), chromedp.Click(css("#pay")),
		chromedp.WaitVisible(css("#result[data-status=failed]")))
	p.shot("refused")
	d.ends(o.ID, "failed")

	// the code, typed on the provider's page
	o = d.opens("code", "")
	p.do(chromedp.Navigate(o.NextAction.URL))
	p.types(uahLookup)
	p.do(chromedp.Click(css("#pay")), chromedp.WaitVisible(css("#lookup-form")), chromedp.SendKeys(css("#lookup-code"), "000000"),
		chromedp.Click(css("#lookup-submit")), chromedp.WaitVisible(css("#errors .alert")))
	require.Equal(t, "2", p.text("#attempts-left"))
	p.shot("code-wrong")
	p.do(chromedp.SendKeys(css("#lookup-code"), "123456"), chromedp.Click(css("#lookup-submit")), chromedp.WaitVisible(css("#result[data-status=success]")))
	p.shot("paid")
	d.ends(o.ID, "succeeded")

	// a held sum
	o = d.opens("held", `"capture":"manual"`)
	p.do(chromedp.Navigate(o.NextAction.URL))
	p.types(uahSuccess)
	p.do(chromedp.Click(css("#pay")), chromedp.WaitVisible(css("#result[data-status=authorized]")))
	p.shot("held")
	d.ends(o.ID, "authorized")

	// the card frame inside the shop's page; the card that it keeps then pays, by way of the bank
	p.do(chromedp.Navigate(shop.URL + "/card"))
	var said framedCard
	// somebody else's message, which another listener behind the page's own has seen as well, is not believed
	p.do(chromedp.WaitVisible(css("#frame")))
	forged, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`new Promise(seen => {
		addEventListener('message', () => seen(true), {once: true}); postMessage({name: 'Error', code: 'forged'}, '*') })`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.True(t, forged)
	p.saves(uahChallenge)
	eventually(t, func() bool {
		text, err := chromedp.Run(p.ctx, chromedp.Text(css("#said")))
		return err == nil && json.Unmarshal([]byte(text), &said) == nil && said.ID != ""
	}, "%s", where(p.ctx))
	require.Equal(t, "545454*5454", said.PANMasked)
	shoot(t, p.ctx, "uapay-frame-done")
	paid := d.makes("/v1/payments", uah("framed", 1000, storedCard(said.ID, shop.URL+"/back")), http.StatusCreated)
	require.Equal(t, "post_form", paid.NextAction.Type)
	form, err := json.Marshal(paid.NextAction)
	require.NoError(t, err)
	p.do(chromedp.Navigate(shop.URL+"/post?form="+template.URLQueryEscaper(string(form))), chromedp.Click(css("#to-bank")), chromedp.WaitVisible(css("#acs-form")))
	p.shot("bank-direct")
	p.do(chromedp.Click(css("#acs-success")))
	p.at(shop.URL + "/back")
	d.ends(paid.ID, "succeeded")
	d.requireTimeline(paid.ID, "created by request", "requires_action by answer", "succeeded by callback|check")

	// the developer's pages
	p.do(chromedp.Navigate(d.Sandbox+"/uapay/"), chromedp.WaitVisible(css("#assumptions")))
	text := p.text("#assumptions")
	for _, part := range []string{"Documented", "Clock window of 20 seconds", "Assumed by this simulator", "The test cards and their outcomes", "A partial refund leaves FINISHED"} {
		require.Contains(t, text, part)
	}
	p.shot("console-phone")
	p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(d.Sandbox+"/uapay/"), chromedp.WaitVisible(css("#orders")))
	p.shot("console")
	p.do(chromedp.Navigate(d.Sandbox+"/uapay/orders/"+paid.ProviderOrderID), chromedp.WaitVisible(css("main")))
	require.Contains(t, p.text("main"), "FINISHED")
	p.shot("order")
	p.do(chromedp.Navigate(fmt.Sprintf("%s/uapay/payment/nobody", d.Sandbox)), chromedp.WaitVisible(css("main")))
	p.shot("missing")
}
