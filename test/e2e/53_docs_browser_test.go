package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var linked = regexp.MustCompile(`href="(/docs[^"#?]*)`)

// docs lists the addresses of the documentation's pages, as far as links lead.
func (d *dev) docs(t *testing.T) []string {
	t.Helper()
	found := []string{"/docs"}
	for i := 0; i < len(found); i++ {
		res, page := d.raw(http.MethodGet, found[i], "", nil)
		require.Equal(t, http.StatusOK, res.StatusCode, found[i])
		for _, m := range linked.FindAllStringSubmatch(string(page), -1) {
			if !slices.Contains(found, m[1]) && !strings.HasSuffix(m[1], ".css") && m[1] != "/docs/search" {
				found = append(found, m[1])
			}
		}
	}
	require.Greater(t, len(found), 60)
	return append(found, "/docs/search?q=refund", "/docs/search?q=xyzzy")
}

// The type of a problem leads to the explanation of its code.
func TestAProblemLeadsToItsExplanation(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	var problem struct{ Type, Code string }
	d.call(http.MethodPost, "/v1/payments", `{"reference":"r","amount":1000,"currency":"ZZZ"}`, &problem)
	require.Equal(t, "/docs/errors#"+problem.Code, problem.Type)

	p := openPage(t, 1280, 900)
	p.do(chromedp.Navigate(d.API + problem.Type))
	require.Equal(t, problem.Code+"#", p.text("h2:target"))
	require.True(t, p.is(`(() => { const r = document.querySelector("h2:target").getBoundingClientRect(); return r.top >= document.querySelector("header").offsetHeight && r.bottom <= innerHeight })()`), "in sight")
}

// A reader without JavaScript, on a phone, has all of it.
func TestTheDocumentationWithoutJavaScriptOnAPhone(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := openPage(t, 390, 844, chromedp.EmulateMobile)
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	for _, address := range d.docs(t) {
		p.do(chromedp.Navigate(d.API+address), chromedp.WaitVisible(css("h1")))
		p.fits()
	}

	p.do(chromedp.Navigate(d.API+"/docs"), chromedp.WaitVisible(css("h1")))
	require.True(t, p.is(`document.body.innerText.includes("curl -sS `+d.API+`/v1/payments")`), "the examples have the address of the page")
	require.False(t, p.is(`document.body.innerText.includes("console.log(order.id")`), "one language at a time")
	p.do(chromedp.Click(css(`[id="3-create-a-payment"] ~ .tabs label[for$="-ts"]`)))
	require.True(t, p.is(`document.body.innerText.includes("console.log(order.id")`))

	p.do(chromedp.Click(css("header .menu")), chromedp.WaitVisible(css("#pages")), chromedp.Click(css(`#pages a[href="/docs/guides/refunds"]`)))
	p.at(d.API + "/docs/guides/refunds")
	p.do(chromedp.SendKeys(css("#q"), "holds\r"))
	p.at(d.API + "/docs/search?q=holds")
	require.Contains(t, p.text(".results"), "Holds")
}

// With JavaScript a language that was chosen stays, and code can be copied. Nothing is blocked by the page's policy.
func TestComfortsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := openPage(t, 1280, 900)
	messages := chromedp.Console(p.ctx)
	p.do(chromedp.Navigate(d.API+"/docs"), chromedp.Click(css(`.tabs label[for$="-go"]`)))
	require.True(t, p.is(`document.body.innerText.includes("json.Unmarshal(answer, &order)")`), "every example is in Go")
	p.do(chromedp.Navigate(d.API+"/docs/guides/refunds"), chromedp.Navigate(d.API+"/docs"))
	require.True(t, p.is(`document.body.innerText.includes("json.Unmarshal(answer, &order)")`), "on the next page too")
	p.do(chromedp.Click(css(`[id="1-start-payrelay"] ~ .code .copy`)))
	require.Eventually(t, func() bool { return slices.Contains([]string{"Copied", "Selected"}, p.text("#said")) }, waitTimeout, 10*time.Millisecond)
	require.True(t, p.is(`console.log("the end"), true`))
	for m, err := range messages {
		require.NoError(t, err)
		if strings.Contains(m.Text, "the end") {
			return
		}
		require.Fail(t, "the page's policy blocked something", "%s", m)
	}
}
