package app

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operator finds a mandate, pauses, resumes and revokes it.
func TestMandateCommands(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	id := b.mandated(t, "mandate-1")
	require.Regexp(t, id+` +first +active +on_demand +700 EUR +0 +- +EUR-mandate-1 +mandate-1`, b.command(t, "mandate", "list"))
	require.NotContains(t, b.command(t, "mandate", "list", "--status", "paused"), id)
	require.Contains(t, b.fails(t, "mandate", "list", "--shop", "nobody"), "there is no shop named")
	require.Contains(t, b.command(t, "mandate", "pause", "mandate-1", "--reason", "asked by the customer"), id+" of first: paused")
	text := b.command(t, "mandate", "show", id)
	for _, line := range []string{"terms           700 EUR each at most, 30 days apart\n", "schedule        500 EUR each month, tried again 1, 3 days after the first try\n", "decided         paused, "} {
		require.Contains(t, text, line)
	}
	require.Contains(t, b.command(t, "mandate", "resume", id, "--reason", "x"), "active")
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "mandate", "revoke", id, "--json", "--reason", "a letter")), &shown))
	require.Equal(t, []any{"revoked", "first", 700.0}, []any{shown["status"], shown["shop"], shown["max_amount"]})
	require.Contains(t, b.fails(t, "mandate", "resume", id, "--reason", "x"), "The mandate is revoked")
	require.Contains(t, b.fails(t, "mandate", "show", b.paid.Order.String()), "There is no such mandate")
	var acts []string
	for _, e := range b.audit(t) {
		if e.ObjectKind == "mandate" {
			require.Equal(t, id, e.ObjectID)
			acts = append(acts, e.Action)
		}
	}
	require.ElementsMatch(t, []string{"mandate pause", "mandate resume", "mandate revoke"}, acts)
}
