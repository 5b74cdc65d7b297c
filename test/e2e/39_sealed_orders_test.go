package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// Somebody raises the sum of a payment in the database, to have more refunded than was paid. Nothing is done with it, and the nightly
// verification names it.
func TestAnOrderThatWasChangedInTheDatabaseIsFrozen(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	paid, held := d.paid("paid-1", 1000, ""), d.held("held-1", 700)
	verify := func(want int, args ...string) (found []string) {
		t.Helper()
		code, out, text := command([]string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}, append([]string{"audit", "verify", "--json"}, args...)...)
		require.Equal(t, want, code, "%s%s", out, text)
		var report struct {
			Orders, Transitions, Events int
			Findings                    []struct{ Table, ID, What string }
		}
		require.NoError(t, json.Unmarshal([]byte(out), &report), "%s", out)
		require.NotZero(t, report.Orders)
		require.NotZero(t, report.Transitions)
		for _, f := range report.Findings {
			found = append(found, f.Table+" "+f.ID)
		}
		return found
	}
	require.Empty(t, verify(0))

	exec("UPDATE orders SET amount = 100000, amount_captured = 100000 WHERE id = $1", paid.ID)
	exec("UPDATE orders SET amount_authorized = 70, amount = 70 WHERE id = $1", held.ID)
	d.refuses("/v1/payments/"+paid.ID+"/refunds", `{"reference":"r-1","amount":90000,"reason":"x"}`, http.StatusConflict, "order_frozen")
	d.refuses("/v1/payments/"+held.ID+"/capture", `{"amount":70}`, http.StatusConflict, "order_frozen")
	d.problem(http.MethodGet, "/v1/payments/"+paid.ID, "", nil, http.StatusConflict, "order_frozen")
	d.problem(http.MethodGet, "/v1/orders/"+paid.ID, "", nil, http.StatusConflict, "order_frozen")
	d.refuses("/v1/orders/"+held.ID+"/refresh", "", http.StatusConflict, "order_frozen")
	list, _ := d.page("/v1/orders?limit=100")
	require.Empty(t, list, "lists leave them out")
	require.Zero(t, d.sent(paid.ProviderOrderID, "refund"))
	require.Zero(t, d.sent(held.ProviderOrderID, "capture"))
	require.ElementsMatch(t, []string{"orders " + paid.ID, "orders " + paid.ID, "orders " + held.ID}, verify(1), "the seals, and a captured sum that no step has")
	require.Equal(t, []string{"orders " + held.ID}, verify(1, "--order", held.ID))
	require.Contains(t, d.operator("order", "show", paid.ID), "changed by something else than payrelay")
	_, metrics := d.adminGet("/metrics")
	require.Regexp(t, `payrelay_seals_broken_total\{table="orders"\} [1-9]`, metrics)

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	code, _, text := command(environ, "order", "unfreeze", paid.ID, "--reason", "a test")
	require.Equal(t, 1, code)
	require.Contains(t, text, "the captured sum is 100000, and by the history 1000")
	exec("UPDATE orders SET amount = 1000, amount_captured = 1000 WHERE id = $1", paid.ID)
	exec("UPDATE orders SET amount_authorized = 700, amount = 700, provider_reference = provider_reference || ' ' WHERE id = $1", held.ID)
	d.refunded(paid, "r-1", 1000)
	code, _, text = command(environ, "order", "unfreeze", held.ID, "--reason", "a test")
	require.Equal(t, 1, code)
	require.Contains(t, text, "provider_reference is", "the notification says otherwise")
	out := d.operator("order", "unfreeze", held.ID, "--reason", "a test", "--accept", "provider_reference")
	require.Contains(t, out, "It is used again")
	require.Contains(t, out, "Accepted by your word: provider_reference is")
	require.Empty(t, verify(0))

	code, _, text = command([]string{"DATABASE_URL=postgres://127.0.0.1:1/none?sslmode=disable", "SECRET_KEYSET=" + secrets.DemoKeyset}, "audit", "verify")
	require.Equal(t, 2, code)
	require.Contains(t, text, "nothing is proved")
	require.False(t, strings.Contains(d.log.String(), "panic"))
}
