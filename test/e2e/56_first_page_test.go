package e2e

import (
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

	"payrelay/internal/store/storetest"
)

// TestTheFirstPageWorks does what docs/README.md says, in curl and in Go: a payment, and its notification verified.
func TestTheFirstPageWorks(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint := listener.Addr().String()
	require.NoError(t, listener.Close())
	d := startDevWith(t, storetest.URL(t), nil, "--notify", "http://"+endpoint+"/")
	page := read(t, "docs", "README.md")
	programs := fenced(page, "go")
	require.Len(t, programs, 2, "an endpoint and a payment")
	receiver, pay := d.compile(t, strings.ReplaceAll(programs[0].text, endpointAddress, endpoint)), d.compile(t, programs[1].text)

	received := &lockedBuffer{}
	program := exec.CommandContext(t.Context(), receiver)
	program.Env = append(os.Environ(), "WEBHOOK_SECRET="+d.WebhookSecret)
	program.Stdout, program.Stderr, program.WaitDelay = received, received, time.Second
	require.NoError(t, program.Start())
	t.Cleanup(func() { _ = program.Wait() }) // the test's context has ended it by then

	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, pay).CombinedOutput()
	require.NoError(t, err, "%s", out)
	answers := string(out)
	for _, b := range fenced(page, "sh") {
		if strings.HasPrefix(b.text, "curl ") {
			answers += d.paste(t, []block{b}).answers
		}
	}
	forms := regexp.MustCompile(`http://[^\s"]+`).FindAllString(answers, -1)
	require.Len(t, forms, 2, "a form for each language: %s", answers)
	for _, form := range forms {
		res, err := http.PostForm(form, url.Values{"card_number": {cardSuccess}, "card_expiry": {"12/30"}, "card_cvc": {"123"}, "card_holder": {"John Doe"}}) //nolint:gosec,noctx // the simulator's
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	eventually(t, func() bool {
		return len(regexp.MustCompile(`verified \S+: .*"type":"payment.succeeded"`).FindAllString(received.String(), -1)) >= 2
	})
}

// compile makes a program of a page's Go code, with d's addresses.
func (d *dev) compile(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(source, []byte(d.addressed(code)), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}
