package contract

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	guidesDir    = "../../docs/guides"
	endpointPage = "notifications" // its code is an endpoint, which runs while the other guides make notifications
	endpointPort = "listen(3000, "
	waitTimeout  = 5 * time.Minute
)

var typeScript = regexp.MustCompile("(?ms)^```ts\n(.*?)^```$")

// TestGuides compiles the TypeScript code of every guide in strict mode, and runs it against a real `dev`.
func TestGuides(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	dev := startDev(t, "--notify", "http://"+address+"/")
	names := writeGuides(t, dev, address)
	run(t, node(t), "node_modules/typescript/bin/tsc", "--project", "clients/guides.tsconfig.json")

	awaitVerified := startEndpoint(t, dev, address, "out/guides/js/"+endpointPage+".js")
	t.Run("at once", func(t *testing.T) { //nolint:paralleltest // waits for its parts
		for _, name := range names {
			if name != endpointPage {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					run(t, node(t), "out/guides/js/"+name+".js")
				})
			}
		}
	})
	awaitVerified()
}

// TestFirstPage compiles the two TypeScript programs of docs/README.md in strict mode, and does with them what the page says: a payment, and
// its notification verified.
func TestFirstPage(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	dev := startDev(t, "--notify", "http://"+address+"/")
	page, err := os.ReadFile("../../docs/README.md")
	require.NoError(t, err)
	programs := typeScript.FindAllSubmatch(page, -1)
	require.Len(t, programs, 2, "an endpoint and a payment")
	require.NoError(t, os.RemoveAll("out/first"))
	require.NoError(t, os.MkdirAll("out/first", 0o755))
	for i, name := range []string{"receiver", "pay"} {
		code := dev.addressed(string(programs[i][1]), port)
		require.NoError(t, os.WriteFile("out/first/"+name+".ts", []byte(code), 0o600))
	}
	run(t, node(t), "node_modules/typescript/bin/tsc", "--project", "clients/first.tsconfig.json")

	awaitVerified := startEndpoint(t, dev, address, "out/first/js/receiver.js")
	out, err := exec.CommandContext(t.Context(), node(t), "out/first/js/pay.js").CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := strings.Fields(string(out))
	require.Len(t, lines, 3, "id, status and address: %s", out)
	require.Equal(t, "requires_action", lines[1])
	res, err := http.PostForm(lines[2], url.Values{"card_number": {"4012000000003010"}, "card_expiry": {"12/30"}, "card_cvc": {"123"}, "card_holder": {"John Doe"}}) //nolint:gosec,noctx // the simulator's
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	awaitVerified()
}

// startEndpoint runs a page's endpoint until the test ends, and waits until it refuses a notification without a signature. What it returns waits
// for the first that is verified.
func startEndpoint(t *testing.T, dev ready, address, program string) (awaitVerified func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	t.Cleanup(cancel)
	endpoint := exec.CommandContext(ctx, node(t), program)
	endpoint.Env = append(os.Environ(), "WEBHOOK_SECRET="+dev.WebhookSecret)
	endpoint.Stderr, endpoint.WaitDelay = os.Stderr, time.Second
	out, err := endpoint.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, endpoint.Start())
	t.Cleanup(func() { _ = endpoint.Wait() }) // its context has ended it by then
	require.Eventually(t, func() bool {
		res, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{"type":"payment.succeeded"}`)) //nolint:noctx // ends with the test
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusUnauthorized
	}, waitTimeout, 100*time.Millisecond)
	verified := regexp.MustCompile(`^verified \S+: .*"type":"payment.succeeded"`)
	return func() {
		t.Helper()
		for lines := bufio.NewScanner(out); ; {
			require.True(t, lines.Scan(), "no notification was verified")
			if verified.MatchString(lines.Text()) {
				return
			}
		}
	}
}

// writeGuides writes a module for each guide, beside the tools, with dev's addresses.
func writeGuides(t *testing.T, dev ready, endpoint string) (names []string) {
	t.Helper()
	require.NoError(t, os.RemoveAll("out/guides"))
	require.NoError(t, os.MkdirAll("out/guides", 0o755))
	files, err := filepath.Glob(guidesDir + "/*.md")
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	_, port, err := net.SplitHostPort(endpoint)
	require.NoError(t, err)
	for _, file := range files {
		if file == guidesDir+"/clients.md" {
			continue // TestShopPages runs it
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		code := ""
		for _, m := range typeScript.FindAllSubmatch(text, -1) {
			code += string(m[1])
		}
		require.NotEmpty(t, code, "%s has no code in TypeScript", file)
		code = dev.addressed(code, port)
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		if name == "README" {
			name = "payrelay"
		} else {
			names = append(names, name)
		}
		require.NoError(t, os.WriteFile("out/guides/"+name+".ts", []byte(code), 0o600))
	}
	return names
}

// addressed is code with dev's addresses, and a port for the shop's endpoint.
func (dev ready) addressed(code, port string) string {
	return strings.NewReplacer(
		"http://127.0.0.1:8080", dev.API, "http://127.0.0.1:8090", dev.Sandbox, "http://127.0.0.1:8070/", dev.ShopPage, "prk_test_demo", dev.ShopKey,
		endpointPort, "listen("+port+", ",
	).Replace(code)
}
