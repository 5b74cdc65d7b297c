package e2e

import (
	"bytes"
	"context"
	"fmt"
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

	"payrelay/internal/store/storetest"
)

// importable are the packages that the Go code of the guides uses. The guides leave the imports to the reader's editor.
var importable = map[string]string{
	"base64": "encoding/base64", "bytes": "bytes", "errors": "errors", "fmt": "fmt", "http": "net/http", "io": "io", "json": "encoding/json",
	"log": "log", "os": "os", "regexp": "regexp", "time": "time", "url": "net/url",
	"standardwebhooks": "github.com/standard-webhooks/standard-webhooks/libraries/go",
}

// endpointPage shows a shop's endpoint: it runs while the other guides make notifications.
const (
	endpointPage    = "notifications"
	endpointAddress = "127.0.0.1:3000"
)

// TestEveryGoBlockOfTheGuidesWorks compiles the Go code of all guides to one program and runs each guide's part of it.
func TestEveryGoBlockOfTheGuidesWorks(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	d := startDevWith(t, storetest.URL(t), nil, "--notify", "http://"+address+"/")
	d.swift()
	program := d.compileGuides(t, address)

	endpoint := exec.CommandContext(t.Context(), program, endpointPage)
	endpoint.Env = append(os.Environ(), "WEBHOOK_SECRET="+d.WebhookSecret)
	received := &lockedBuffer{}
	endpoint.Stdout, endpoint.Stderr, endpoint.WaitDelay = received, received, time.Second
	require.NoError(t, endpoint.Start())
	t.Cleanup(func() { _ = endpoint.Wait() }) // the test's context has ended it by then
	eventually(t, func() bool {
		res, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{"type":"payment.succeeded"}`))
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusUnauthorized
	})
	t.Run("at once", func(t *testing.T) { //nolint:paralleltest // waits for its parts
		for name := range guides(t) {
			if name != endpointPage {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), 2*waitTimeout)
					defer cancel()
					out, err := exec.CommandContext(ctx, program, name).CombinedOutput()
					require.NoError(t, err, "%s", out)
				})
			}
		}
	})
	eventually(t, func() bool {
		return regexp.MustCompile(`verified \S+: .*"type":"payment.succeeded"`).MatchString(received.String())
	})
}

// compileGuides writes one function for each guide, beside the tools, and returns the program. The compiler names the
// lines of the guides.
func (d *dev) compileGuides(t *testing.T, endpoint string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		text = strings.ReplaceAll(d.addressed(text), endpointAddress, endpoint)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".go"), []byte(text), 0o600))
	}
	tools := fenced(read(t, "docs", "guides", toolsPage+".md"), "go")
	require.Len(t, tools, 1)
	write("payrelay", tools[0].text)
	write("main", "package main\n\nimport \"os\"\n\nvar guides = map[string]func(){}\n\nfunc main() { guides[os.Args[1]]() }\n")
	for name, page := range guides(t) {
		blocks := fenced(page, "go")
		require.NotEmpty(t, blocks, "%s.md has no code in Go", name)
		var body bytes.Buffer
		for _, b := range blocks {
			fmt.Fprintf(&body, "//line docs/guides/%s.md:%d\n%s", name, b.line, b.text)
		}
		imports := ""
		for short, path := range importable {
			if regexp.MustCompile(`(?m)(^|[^.\w"])` + short + `\.`).Match(body.Bytes()) {
				imports += fmt.Sprintf("import %s %q\n", short, path)
			}
		}
		write("guide_"+name, fmt.Sprintf("package main\n\n%s\nfunc init() {\nguides[%q] = func() {\n%s}\n}\n", imports, name, &body))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	program := filepath.Join(dir, "guides")
	build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", program}, files...)...)
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}
