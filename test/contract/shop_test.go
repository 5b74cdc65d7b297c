package contract

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestShops runs each example shop against a real `dev`: a browser buys and pays, the notification is verified, and the
// refund ends. A notification that somebody else made is not believed.
func TestShops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source  string
		prepare func(t *testing.T)
		command []string
	}{
		"go": {
			source: "../../examples/shop-go/main.go",
			prepare: func(t *testing.T) {
				program, err := filepath.Abs("out/bin/shop-go")
				require.NoError(t, err)
				run(t, "go", "-C", "../../examples/shop-go", "build", "-o", program, ".")
			},
			command: []string{"out/bin/shop-go"},
		},
		"express": {
			source: "../../examples/shop-express/shop.js",
			prepare: func(t *testing.T) {
				run(t, "node", "../../client/typescript/node_modules/typescript/bin/tsc", "--project", "../../examples/shop-express/jsconfig.json")
			},
			command: []string{"node", "../../examples/shop-express/shop.js"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(c.source)
			require.NoError(t, err)
			require.LessOrEqual(t, bytes.Count(source, []byte("\n")), 80, "an example is read in a minute")
			c.prepare(t)
			address := freeAddress(t)
			shop := "http://" + address + "/"
			dev := startDev(t, "--notify", shop+"notifications")
			said := serve(t, address, dev, c.command...)

			res, err := http.Post(shop+"notifications", "application/json", strings.NewReader(`{"type":"payment.succeeded","order":{}}`)) //nolint:noctx // ends with the test
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)

			page := newBrowser(t)
			page.do(chromedp.Navigate(shop), chromedp.Click(css("#buy")), chromedp.WaitVisible(css("#card-form")),
				chromedp.SendKeys(css("#card-number"), "4012000000003010"), chromedp.SendKeys(css("#card-expiry"), "1230"),
				chromedp.SendKeys(css("#card-cvc"), "739"), chromedp.SendKeys(css("#card-holder"), "John Doe"), chromedp.Click(css("#pay")))
			page.shows("#payment", "succeeded")
			require.Contains(t, said(), "verified: ")
			page.do(chromedp.Click(css("#give-back")))
			page.shows("#refund", "succeeded")
		})
	}
}

// TestShopPages follows README.md and the guide of the clients in empty folders: it installs as they say, and runs their code.
func TestShopPages(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dev := startDev(t)
	for _, name := range []string{"README.md", "docs/guides/clients.md"} {
		raw, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		text := strings.NewReplacer("../payrelay/", root+"/", "http://127.0.0.1:8080", dev.API, "prk_test_demo", dev.ShopKey).Replace(string(raw))
		code := func(block *regexp.Regexp) (all string) {
			for _, m := range block.FindAllStringSubmatch(text, -1) {
				all += m[1]
			}
			require.NotEmpty(t, all, name)
			return all
		}
		for language, c := range map[string]struct {
			file, content string
			before        []string
			install       *regexp.Regexp
			after         string
		}{
			"go": {
				file: "main.go",
				content: "package main\n\nimport (\n\"context\"\n\"errors\"\n\"fmt\"\n\"log\"\n\"time\"\n\npayrelay \"payrelay/client/go\"\n)\n\n" +
					"var _ = []any{context.Background, errors.New, fmt.Sprint, log.Print, time.Now}\n\nfunc main() {\n" + code(goBlock) + "}\n",
				before:  []string{"go mod init shop"},
				install: regexp.MustCompile(`(?m)^go (?:mod edit|get) .*$`),
				after:   "go run .",
			},
			"typescript": {
				file:    "shop.ts",
				content: code(typeScript),
				before:  []string{"npm init -y", "npm pkg set type=module"},
				install: regexp.MustCompile(`(?m)^npm install .*$`),
				after: "node " + root + "/client/typescript/node_modules/typescript/bin/tsc --strict --target es2022 --module nodenext --types node --typeRoots " +
					root + "/client/typescript/node_modules/@types shop.ts && node shop.js",
			},
		} {
			t.Run(name+" "+language, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600))
				install := c.install.FindAllString(text, -1)
				require.NotEmpty(t, install, name)
				steps := strings.Join(slices.Concat(c.before, install, []string{c.after}), " && ")
				run(t, "sh", "-c", "cd '"+dir+"' && "+steps)
			})
		}
	}
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// serve runs a shop until the test ends, and returns what it has printed.
func serve(t *testing.T, address string, dev ready, command ...string) func() string {
	t.Helper()
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Env = append(os.Environ(), "LISTEN="+address, "PAYRELAY_URL="+dev.API, "PAYRELAY_KEY="+dev.ShopKey, "WEBHOOK_SECRET="+dev.WebhookSecret)
	c.Stdout, c.Stderr = output, output
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Wait() }) // the test's context has ended it by then
	said := func() string {
		text, err := os.ReadFile(output.Name())
		require.NoError(t, err)
		return string(text)
	}
	require.Eventually(t, func() bool { return strings.Contains(said(), "the shop is at") }, waitTimeout, 20*time.Millisecond)
	return said
}

// css selects elements; a plain string would be a search.
type css = chromedp.CSS

// page is a tab of a headless Chromium.
type page struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) page {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(t.TempDir())}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return page{t, ctx}
}

func (p page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, actions...))
}

// shows waits until an element of the page has a text.
func (p page) shows(selector, text string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		var found string
		found, _ = chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector("`+selector+`")?.textContent ?? ""`))
		return found == text
	}, waitTimeout, 50*time.Millisecond, "%s does not become %s", selector, text)
}
