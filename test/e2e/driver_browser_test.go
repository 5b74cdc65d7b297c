package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// css selects elements; a plain string would be a search.
type css = chromedp.CSS

// newBrowser starts a headless Chromium, or says what to install.
func newBrowser(t *testing.T) context.Context {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	require.NotEmpty(t, path, "this test needs Chromium: install it (Debian: apt-get install chromium)")
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.UserDataDir(t.TempDir()),
	}
	for _, off := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(off, true))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*waitTimeout)
	t.Cleanup(cancel)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(cancelBrowser)
	return ctx
}

// shoot keeps a picture of the page when SCREENSHOTS names a folder, for people to look at.
func shoot(t *testing.T, ctx context.Context, name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// where says what the browser shows, for a failing test.
func where(ctx context.Context) string {
	at, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Text(css("body")))
	return " (at " + at + ": " + text + ")"
}

// page is a tab that shows one page after another.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage starts a browser whose window has a size.
func openPage(t *testing.T, width, height int64, options ...chromedp.EmulateViewportOption) page {
	t.Helper()
	p := page{t, newBrowser(t)}
	require.NoError(t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, height, options...))) // the first action starts the browser, for as long as its context
	return p
}

func (p page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, waitTimeout)
	defer cancel()
	for _, action := range actions {
		err := chromedp.Do(ctx, action)
		for err != nil && strings.Contains(err.Error(), "Could not find node") && ctx.Err() == nil {
			err = chromedp.Do(ctx, action) // the page was replaced between finding an element and touching it
		}
		require.NoError(p.t, err, "%s", where(p.ctx))
	}
}

func (p page) text(selector string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Text(css(selector)))
	require.NoError(p.t, err)
	return text
}

// at waits until the address begins with what is wanted.
func (p page) at(prefix string) {
	p.t.Helper()
	eventually(p.t, func() bool {
		at, err := chromedp.Run(p.ctx, chromedp.Location())
		return err == nil && strings.HasPrefix(at, prefix)
	}, "%s", where(p.ctx))
}

// is evaluates a condition on the page.
func (p page) is(condition string) bool {
	p.t.Helper()
	is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](condition))
	require.NoError(p.t, err, "%s", where(p.ctx))
	return is
}

// fits requires that nothing on the page is wider than a phone's screen.
func (p page) fits() {
	p.t.Helper()
	require.True(p.t, p.is(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`), "the page must be scrolled sideways%s", where(p.ctx))
}

// shot keeps a picture when somebody wants one.
func (p page) shot(name string) { p.fits(); shoot(p.t, p.ctx, "uapay-"+name) }

func (p page) types(number string) {
	p.t.Helper()
	p.do(
		chromedp.WaitVisible(css("#card-form")), chromedp.SendKeys(css("#card-number"), number),
		chromedp.SendKeys(css("#card-expiry"), "1230"), chromedp.SendKeys(css("#card-cvc"), "739"),
	)
}

// saves types a card into the frame on the page.
func (p page) saves(number string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(css("#frame")))
	frames, err := chromedp.Run(p.ctx, chromedp.Nodes(css("#frame")))
	require.NoError(p.t, err)
	in := chromedp.FromNode(frames[0])
	p.do(
		chromedp.WaitVisible(css("#card-form"), in), chromedp.SendKeys(css("#card-number"), number, in),
		chromedp.SendKeys(css("#card-expiry"), "1230", in), chromedp.SendKeys(css("#card-cvc"), "739", in),
	)
	p.shot("frame")
	p.do(chromedp.WaitNotPresent(css("#pay"), in), chromedp.Click(css("#save"))) // the form has no button, the page has
}
