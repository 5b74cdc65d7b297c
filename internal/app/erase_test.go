package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store"
)

// fails runs a command that must fail, and returns what it said.
func (b *operated) fails(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.Equal(t, 1, Execute(t.Context(), args, &Streams{Out: &out, Err: &out, Environ: b.environ}), "%q: %s", args, out.String())
	return out.String()
}

// An erasure that a restored backup has undone is repeated from its receipt.
func TestErasureIsRepeatedFromItsReceipt(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	order := b.rested[0].Order.String()
	backup := b.contents(t)["orders"]
	require.Contains(t, b.fails(t, "erase", "order", order, "--reason", "request 7"), "--force if the law demands it")
	require.Equal(t, backup, b.contents(t)["orders"])
	var row []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT data_key FROM orders WHERE id = $1", order).Scan(&row))

	line := b.command(t, "erase", "order", order, "--force", "--reason", "request 7", "--json")
	var receipt store.Receipt
	require.NoError(t, json.Unmarshal([]byte(line), &receipt))
	require.True(t, receipt.Forced)
	require.Equal(t, order, receipt.Orders[0].ID.String())
	require.Contains(t, b.fails(t, "erase", "order", order, "--reason", "request 7"), "was erased before")
	require.Contains(t, b.command(t, "order", "show", order, "--json"), `"erased":true`)
	require.Contains(t, b.fails(t, "order", "resend", order, "--from", "2"), "payload was removed")

	file := filepath.Join(t.TempDir(), "receipts")
	require.NoError(t, os.WriteFile(file, []byte(line+line+"\n"), 0o600))
	require.Contains(t, b.command(t, "erase", "replay", "--from", file, "--reason", "backup"), "0 orders were erased, 2 had been before, 0 are not")
	_, err := b.pool.Exec(t.Context(), "UPDATE orders SET data_key = $1 WHERE id = $2", row, order) // as in the backup
	require.NoError(t, err)
	require.Contains(t, b.command(t, "erase", "replay", "--from", file, "--reason", "backup"), "1 order was erased, 1 had been before")
	_, err = b.pool.Exec(t.Context(), "UPDATE orders SET data_key = $1 WHERE id = $2", row, order)
	require.NoError(t, err)
	for name, made := range map[string]string{
		"made up":           `{"orders": [{"id": "` + order + `"}]}`,
		"of another order":  strings.ReplaceAll(line, order, b.rested[1].Order.String()),
		"changed":           strings.Replace(line, `"forced":true`, `"forced":false`, 1),
		"without its proof": regexp.MustCompile(`"seal":"[0-9a-f]+"`).ReplaceAllString(line, `"seal":""`),
	} {
		require.NoError(t, os.WriteFile(file, []byte(made+"\n"), 0o600))
		require.Contains(t, b.fails(t, "erase", "replay", "--from", file, "--reason", "backup"), "has no seal of this service, or was changed", name)
		var erased int
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE data_key IS NULL").Scan(&erased))
		require.Zero(t, erased, name)
	}
	require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
	_, err = b.pool.Exec(t.Context(), "UPDATE notifications SET payload_digest = sha256('another') WHERE order_id = $1", order)
	require.NoError(t, err)
	require.Contains(t, b.fails(t, "erase", "replay", "--from", file, "--reason", "backup"), "is not the one that receipt")
	require.NoError(t, os.WriteFile(file, []byte(line+"{}\n"), 0o600))
	require.Contains(t, b.fails(t, "erase", "replay", "--from", file, "--reason", "backup"), "line 2 is no receipt")
}

func TestCustomerIsErasedAsFarAsCanBe(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	require.Equal(t, b.rested[1].Order.String()+"\n", b.command(t, "erase", "customer", "customer-1", "--shop", "first", "--dry-run", "--reason", "request 8"))
	require.Contains(t, b.command(t, "erase", "customer", "customer-1", "--shop", "first", "--force", "--reason", "request 8"), "is erased. Left: status succeeded")
	require.Contains(t, b.fails(t, "erase", "customer", "customer-1", "--shop", "first", "--force", "--reason", "request 8"), "has no order of this customer")
	said := b.fails(t, "erase", "customer", "customer-unknown-1", "--shop", "first", "--force", "--reason", "request 8")
	require.Contains(t, said, "money may still move")
	require.Contains(t, said, "1 of 1 order was not erased")
	b.command(t, "hold", "add", b.rested[2].Order.String(), "--reason", "dispute 9")
	require.Contains(t, b.command(t, "hold", "list"), "dispute 9")
	require.Contains(t, b.fails(t, "erase", "order", b.rested[2].Order.String(), "--force", "--reason", "request 8"), "under a hold (dispute 9)")
	b.environ = append(b.environ, "ERASURE_AFTER=soon")
	require.Contains(t, b.fails(t, "erase", "order", b.rested[3].Order.String(), "--reason", "r"), "ERASURE_AFTER is not a valid")
}
