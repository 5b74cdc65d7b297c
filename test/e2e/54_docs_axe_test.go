//go:build npm

package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every page of the documentation and of the demo shop is accessible as far as axe can tell, in light and dark colours. One browser reads
// them all.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	axe := read(t, "test", "contract", "node_modules", "axe-core", "axe.min.js")
	p := openPage(t, 1280, 900)
	// Colours are all that differs in the dark.
	rules := map[string]string{"light": "{}", "dark": "{runOnly: ['color-contrast']}"}
	const violations = `axe.run(%s).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)).join("\n"))`
	addresses := []string{d.API + "/docs/nowhere"}
	for _, page := range d.docs(t) {
		addresses = append(addresses, d.API+page)
	}
	paid := d.paid("accessible-1", 1000, "")
	for _, page := range []string{"?", "orders/" + paid.ID + "?", "return?reference=accessible-1&outcome=success&"} {
		addresses = append(addresses, d.ShopPage+page+"locale=en", d.ShopPage+page+"locale=uk")
	}
	for _, address := range addresses {
		p.do(chromedp.Navigate(address))
		_, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](axe+"; 0"))
		require.NoError(t, err)
		for _, scheme := range []string{"light", "dark"} {
			_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			require.NoError(t, err)
			found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(violations, rules[scheme]), chromedp.EvalAwaitPromise))
			require.NoError(t, err)
			assert.Empty(t, found, "%s in %s colours", address, scheme)
		}
	}
}
