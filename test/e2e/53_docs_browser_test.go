package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The type of a problem leads to the explanation of its code, which stays in sight while the rest of the page is drawn.
func TestAProblemLeadsToItsExplanation(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	var problem struct{ Type, Code string }
	d.call(http.MethodPost, "/v1/payments", `{"reference":"r","amount":1000,"currency":"ZZZ"}`, &problem)
	require.Equal(t, "/docs#"+problem.Code, problem.Type)

	ctx := newBrowser(t)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(d.API+problem.Type),
		chromedp.WaitVisible(css("#"+problem.Code)), chromedp.WaitVisible(css("#app h1")),
	))
	const inSight = `(() => { const r = document.querySelector("article:target").getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })()`
	require.Eventually(t, func() bool {
		seen, err := chromedp.Run(ctx, chromedp.Evaluate[bool](inSight))
		return err == nil && seen
	}, waitTimeout, 100*time.Millisecond)
	text, err := chromedp.Run(ctx, chromedp.Text(css("#codes")))
	require.NoError(t, err)
	require.Contains(t, text, "What to do:")
	require.NotContains(t, text, "wrong_code", "one code at a time")
}
