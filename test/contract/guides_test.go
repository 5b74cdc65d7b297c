package contract

import (
	"bufio"
	"net"
	"net/http"
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
	guidesDir       = "../../docs/guides"
	endpointPage    = "notifications" // its code is an endpoint, which runs while the other guides make notifications
	endpointAddress = "listen(3000, "
	waitTimeout     = 5 * time.Minute
)

var typeScript = regexp.MustCompile("(?ms)^```ts\n(.*?)^```$")

// TestGuides compiles the TypeScript code of every guide in strict mode, and runs it against a real `dev`.
func TestGuides(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	dev := startDev(t, "--notify", "http://"+address+"/")
	names := writeGuides(t, dev, address)
	run(t, node(t), "node_modules/typescript/bin/tsc", "--project", "clients/guides.tsconfig.json")

	endpoint := exec.CommandContext(t.Context(), node(t), "out/guides/js/"+endpointPage+".js")
	endpoint.Env = append(os.Environ(), "WEBHOOK_SECRET="+dev.WebhookSecret)
	endpoint.Stderr, endpoint.WaitDelay = os.Stderr, time.Second
	out, err := endpoint.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, endpoint.Start())
	t.Cleanup(func() { _ = endpoint.Wait() }) // the test's context has ended it by then
	require.Eventually(t, func() bool {
		res, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{"type":"payment.succeeded"}`)) //nolint:noctx // ends with the test
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusUnauthorized
	}, waitTimeout, 100*time.Millisecond)

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
	verified := regexp.MustCompile(`^verified \S+: .*"type":"payment.succeeded"`)
	for lines := bufio.NewScanner(out); ; {
		require.True(t, lines.Scan(), "no notification was verified")
		if verified.MatchString(lines.Text()) {
			return
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
		code = strings.NewReplacer(
			"http://127.0.0.1:8080", dev.API, "http://127.0.0.1:8090", dev.Sandbox, "http://127.0.0.1:8070/", dev.ShopPage, "prk_test_demo", dev.ShopKey,
			endpointAddress, "listen("+port+", ",
		).Replace(code)
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
