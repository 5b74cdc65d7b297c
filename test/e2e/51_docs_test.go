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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	httpapi "payrelay/internal/http"
)

// block is a fenced block of code.
type block struct {
	line int // of its first line
	text string
}

// fenced finds the blocks of a language in a Markdown text. A block in a list item is indented like it.
func fenced(markdown, language string) []block {
	var found []block
	var b *block
	indent := ""
	for i, line := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case b == nil && trimmed == "```"+language:
			b, indent = &block{line: i + 2}, line[:len(line)-len(trimmed)]
		case b != nil && trimmed == "```":
			found = append(found, *b)
			b = nil
		case b != nil:
			b.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return found
}

// curls finds the blocks of shell that call something.
func curls(markdown string) []block {
	return slices.DeleteFunc(fenced(markdown, "sh"), func(b block) bool { return !strings.Contains(b.text, "curl") })
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
	script = d.addressed(script)
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

// addressed puts the addresses and the key of d where a document has those of `dev`.
func (d *dev) addressed(text string) string {
	for documented, actual := range map[string]string{
		"http://127.0.0.1:8080": d.API, "http://127.0.0.1:8090": d.Sandbox, "http://127.0.0.1:8070/": d.ShopPage, "prk_test_demo": d.ShopKey,
	} {
		text = strings.ReplaceAll(text, documented, actual)
	}
	return text
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	require.NoError(t, err)
	return string(text)
}

func TestEveryCurlOfTheReadmeWorks(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	blocks := curls(read(t, "README.md"))
	require.Len(t, blocks, 2)
	require.Equal(t, 2, d.paste(t, blocks).count)
}

// toolsPage has what every guide begins with.
const toolsPage = "README"

// clientsPage has the code of clients, which are modules of their own: test/contract runs it.
const clientsPage = "clients"

// guides are the pages of docs/guides by their names, without the page of tools.
func guides(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "guides", "*.md"))
	require.NoError(t, err)
	pages := map[string]string{}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".md"); name != toolsPage && name != clientsPage {
			pages[name] = read(t, "docs", "guides", name+".md")
		}
	}
	require.Greater(t, len(pages), 10)
	return pages
}

// TestEveryCurlOfTheGuidesWorks pastes each guide in a shell of its own, after the tools.
func TestEveryCurlOfTheGuidesWorks(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.swift()
	tools := curls(read(t, "docs", "guides", toolsPage+".md"))
	require.Len(t, tools, 1)
	var mu sync.Mutex
	calls := ""
	paste := func(t *testing.T, page string) {
		t.Helper()
		blocks := curls(page)
		require.NotEmpty(t, blocks, "a guide has code in curl")
		p := d.paste(t, slices.Concat(tools, blocks))
		require.NotZero(t, p.count)
		mu.Lock()
		defer mu.Unlock()
		calls += p.calls
	}
	pages := guides(t)
	t.Run("at once", func(t *testing.T) { //nolint:paralleltest // waits for its parts
		for name, page := range pages {
			if name != faultsPage {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					paste(t, page)
				})
			}
		}
	})
	paste(t, pages[faultsPage])
	// Every operation that a shop can call is in a guide.
	contract, err := httpapi.Document()
	require.NoError(t, err)
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			if _, needsKey := op.Extensions["x-scope"]; !needsKey || op.Deprecated || optional[op.OperationID] {
				continue
			}
			pattern := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, `[^/?\s]+`)
			require.Regexp(t, `(?m)^answered 2\d\d `+method+" "+regexp.QuoteMeta(d.API)+pattern+`(\?.*)?$`, calls, "no curl of %s", op.OperationID)
		}
	}
}

// faultsPage switches faults on, which the other pages must not meet.
const faultsPage = "testing"

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
			if item.Post.OperationID == "createCardFrame" || item.Post.OperationID == "previewPayment" {
				want = http.StatusOK // an address, or an answer, is nothing that stays
			}
			res := d.call(http.MethodPost, strings.Replace(path, "{name}", "UAH-sandbox", 1), string(body), &o)
			require.Equal(t, want, res.StatusCode, "%s %s: %s", path, name, body)
			require.Nil(t, o.Failure, "%s %s", path, name)
			sent++
		}
	}
	require.Greater(t, sent, 12)
}
