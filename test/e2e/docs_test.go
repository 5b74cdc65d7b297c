package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	httpapi "payrelay/internal/http"
)

// block is a fenced block of shell that calls something.
type block struct {
	line int // of its first line
	text string
}

// curls finds the blocks of sh and bash in a Markdown text that have a curl. A block in a list item is indented like it.
func curls(markdown string) []block {
	var found []block
	var b *block
	indent := ""
	for i, line := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case b == nil && (trimmed == "```sh" || trimmed == "```bash"):
			b, indent = &block{line: i + 2}, line[:len(line)-len(trimmed)]
		case b != nil && trimmed == "```":
			if strings.Contains(b.text, "curl") {
				found = append(found, *b)
			}
			b = nil
		case b != nil:
			b.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return found
}

// strict is put before what a document says: the first thing that fails ends it, in a loop as well, and each answer's
// status is written down.
const strict = `set -euo pipefail
curl() { command curl --fail-with-body -w '%{stderr}\nanswered %{http_code} %{method} %{url_effective}\n' "$@" || kill $$; }
`

var answered = regexp.MustCompile(`(?m)^answered (\d+) (.*)$`)

// paste runs the blocks in their order in one shell against d, as a reader would who pastes them, and holds every answer
// to be 2xx.
func (d *dev) paste(t *testing.T, blocks []block) pasted {
	t.Helper()
	script := strict
	for _, b := range blocks {
		script += fmt.Sprintf("echo 'block at line %d' >&2\n%s", b.line, b.text)
	}
	for documented, actual := range map[string]string{
		"http://127.0.0.1:8080": d.API, "http://127.0.0.1:8090": d.Sandbox, "http://127.0.0.1:8070/": d.ShopPage, "prk_test_demo": d.ShopKey,
	} {
		script = strings.ReplaceAll(script, documented, actual)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*waitTimeout)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir, shell.WaitDelay = t.TempDir(), time.Second
	var out, calls bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &calls
	err := shell.Run()
	last := func(b *bytes.Buffer) string { return b.String()[max(0, b.Len()-2000):] }
	require.NoError(t, err, "%s\n%s", last(&calls), last(&out))
	p := pasted{out.String(), calls.String(), 0}
	for _, m := range answered.FindAllStringSubmatch(p.calls, -1) {
		require.Regexp(t, `^2\d\d$`, m[1], m[2])
		p.count++
	}
	return p
}

// pasted is what came of a paste: the answers, and their statuses with the addresses that gave them.
type pasted struct {
	answers, calls string
	count          int
}

// pasteAll pastes each list of blocks in a shell of its own, all at the same time.
func pasteAll(t *testing.T, d *dev, lists ...[]block) []pasted {
	t.Helper()
	results := make([]pasted, len(lists))
	t.Run("all", func(t *testing.T) { //nolint:paralleltest // waits for its parts
		for i, blocks := range lists {
			t.Run(fmt.Sprintf("from line %d", blocks[len(blocks)-1].line), func(t *testing.T) {
				t.Parallel()
				results[i] = d.paste(t, blocks)
			})
		}
	})
	return results
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	require.NoError(t, err)
	return string(text)
}

// swift makes the simulator take no time of its own, which no document speaks of.
func (d *dev) swift() {
	d.control(http.MethodPost, "/settings", map[string]any{"processing_ms": 10, "withdrawal_ms": 10, "export_pending_polls": 0})
}

func TestEveryCurlOfTheReadmeWorks(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	blocks := curls(read(t, "README.md"))
	require.Len(t, blocks, 3)
	require.Equal(t, 5, d.paste(t, blocks).count)
}

// TestEveryCurlForShopsWorks takes the document's part about UAPAY at the same time as the rest: it needs nothing of it but
// the first block.
func TestEveryCurlForShopsWorks(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.swift()
	blocks := curls(read(t, "docs", "shops.md"))
	text, _, _ := strings.Cut(read(t, "docs", "shops.md"), "\n## In hryvnia: UAPAY\n")
	half := len(curls(text))
	require.Less(t, half, len(blocks))
	calls, count := "", 0
	for _, part := range pasteAll(t, d, blocks[:half], append(blocks[:1:1], blocks[half:]...)) {
		calls, count = calls+part.calls, count+part.count
	}
	require.Greater(t, count, 2*len(blocks))
	// Every operation that a shop can call is in the document.
	contract, err := httpapi.Document()
	require.NoError(t, err)
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			if _, needsKey := op.Extensions["x-scope"]; !needsKey || optional[op.OperationID] {
				continue
			}
			pattern := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, `[^/?\s]+`)
			require.Regexp(t, `(?m)^answered 2\d\d `+method+" "+regexp.QuoteMeta(d.API)+pattern+`(\?.*)?$`, calls, "no curl of %s", op.OperationID)
		}
	}
}

// optional are operations that shops do without: getOrder reads an order of any kind, and nobody has to ask for a check.
var optional = map[string]bool{"getPayout": true, "getPayoutCard": true, "getRefund": true, "getTransfer": true, "refreshOrder": true}

func TestTheFirstCurlOfTheContractWorks(t *testing.T) {
	t.Parallel()
	contract, err := httpapi.Document()
	require.NoError(t, err)
	blocks := curls(contract.Info.Description)
	require.Len(t, blocks, 1)
	p := startDev(t).paste(t, blocks)
	require.Equal(t, 1, p.count)
	require.Contains(t, p.answers, `"status":"requires_action"`)
}

// exists are examples that name something which is not there yet.
var exists = map[string]string{
	"createPayment/stored_card": "a card at the provider", "createPayout/payout_card": "a payout card",
	"createTransfer/kept": "cards at the provider", "importTransfer/id": "a transfer", "importTransfer/receipt": "a transfer",
}

func TestExamplesOfTheContractWorkAgainstAWholeService(t *testing.T) {
	t.Parallel()
	contract, err := httpapi.Document()
	require.NoError(t, err)
	d := startDev(t)
	sent := 0
	for path, item := range contract.Paths.Map() {
		if item.Post == nil || !strings.HasPrefix(path, "/v1/") || strings.Contains(path, "{id}") {
			continue
		}
		for name, example := range item.Post.RequestBody.Value.Content.Get("application/json").Examples {
			if exists[item.Post.OperationID+"/"+name] != "" {
				continue
			}
			body, err := json.Marshal(example.Value.Value)
			require.NoError(t, err)
			var o order
			want := http.StatusCreated
			if item.Post.OperationID == "createCardFrame" {
				want = http.StatusOK // an address is nothing that stays
			}
			res := d.call(http.MethodPost, strings.Replace(path, "{name}", "UAH-sandbox", 1), string(body), &o)
			require.Equal(t, want, res.StatusCode, "%s %s: %s", path, name, body)
			require.Nil(t, o.Failure, "%s %s", path, name)
			sent++
		}
	}
	require.Greater(t, sent, 12)
}
