package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestTheFirstPaymentInABrowser(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	ctx := newBrowser(t)

	pay := func(reference, button string) order {
		o := d.create(reference)
		require.NoError(t, chromedp.Do(ctx,
			chromedp.EmulateViewport(390, 844),
			chromedp.Navigate(o.NextAction.URL),
			chromedp.WaitVisible(css("#card-form")),
			chromedp.SendKeys(css("#card-number"), cardChallenge),
			chromedp.SendKeys(css("#card-expiry"), "1230"),
			chromedp.SendKeys(css("#card-cvc"), "739"),
			chromedp.SendKeys(css("#card-holder"), "John Doe"),
		))
		shoot(t, ctx, "form-"+reference)
		require.NoError(t, chromedp.Do(ctx, chromedp.Click(css("#pay")), chromedp.WaitVisible(css("#acs-form"))))
		shoot(t, ctx, "acs-"+reference)
		require.NoError(t, chromedp.Do(ctx, chromedp.Click(css(button)), chromedp.WaitVisible(css("#result"))))
		shoot(t, ctx, "result-"+reference)
		return o
	}

	paid := pay("browser-paid", "#acs-success")
	d.await(paid.ID, "succeeded")
	refused := pay("browser-refused", "#acs-fail")
	require.Equal(t, "authentication_failed", d.await(refused.ID, "failed").Failure.Category)

	// the demo shop shows what it was told
	eventually(t, func() bool { return len(d.notified(refused.ID)) >= 2 })
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(d.ShopPage), chromedp.WaitVisible(css("main"))))
	text, err := chromedp.Run(ctx, chromedp.Text(css("body")))
	require.NoError(t, err)
	require.Contains(t, text, "payment.succeeded")
	require.Contains(t, text, "payment.failed")
	shoot(t, ctx, "shop")

	// the documentation renders without any request to the outside
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(d.API+"/docs")))
	eventually(t, func() bool {
		text, err := chromedp.Run(ctx, chromedp.Text(css("body")))
		return err == nil && len(text) > 2000
	})
	shoot(t, ctx, "docs")
}

func TestBuyingInTheDemoShop(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	ctx := newBrowser(t)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.EmulateViewport(390, 844),
		chromedp.Navigate(d.ShopPage),
		chromedp.Click(css("form[action$='/buy'] button")),
		chromedp.WaitVisible(css("#card-form")),
		chromedp.SendKeys(css("#card-number"), cardSuccess),
		chromedp.SendKeys(css("#card-expiry"), "1230"),
		chromedp.SendKeys(css("#card-cvc"), "739"),
		chromedp.SendKeys(css("#card-holder"), "John Doe"),
		chromedp.Click(css("#pay")),
	))
	eventually(t, func() bool { // an error is a page that the browser is leaving
		at, atErr := chromedp.Run(ctx, chromedp.Location())
		text, textErr := chromedp.Run(ctx, chromedp.Text(css("body")))
		return atErr == nil && textErr == nil && strings.HasPrefix(at, d.ShopPage) && strings.Contains(strings.ToLower(text), "succeeded")
	}, "the shop's page does not show the verified outcome")
	shoot(t, ctx, "return")
}
