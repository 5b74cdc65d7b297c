package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"payrelay/internal/secrets"
)

// What needs a person is seen, and settled only as far as it was seen.
func TestAnOperatorSettlesWhatWasSeen(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	waiting := []string{d.create("waits-1").ID, d.create("waits-2").ID}
	bad := d.paid("contradicted", 1000, "")
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rrn := ""
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT jsonb_object_keys(bank_references) FROM orders WHERE id = $1", bad.ID).Scan(&rrn))
	target, said := d.callbackTarget("EUR-sandbox"), 0
	conflict := func(eci string) { // the provider contradicts itself
		t.Helper()
		d.signs(target, bad, map[string]string{"status": "-1", "eci": eci, "rrn": rrn})
		said++
		d.contradicted(bad, strconv.Itoa(said))
	}
	conflict("01")

	list := d.operator("order", "list", "--older", "0s", "--limit", "2")
	require.Contains(t, list, bad.ID)
	require.Contains(t, list, waiting[0])
	require.NotContains(t, list, waiting[1])
	require.Contains(t, list, "… and 1 more")
	require.NotContains(t, d.operator("order", "list", "--older", "0s", "--limit", "3"), "more")
	require.Contains(t, d.operator("order", "show", bad.ID), "open conflicts: 1")

	conflict("02")
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	settle := []string{"order", "resolve", bad.ID, "--status", "succeeded", "--reason", "a test"}
	code, _, text := command(environ, append(settle, "--conflicts", "1")...)
	require.Equal(t, 1, code)
	require.Contains(t, text, "2 reports contradict this order, and you have seen 1")
	text = d.operator(append(settle, "--conflicts", "2")...)
	require.Contains(t, text, "2 conflicts were settled:")
	require.Regexp(t, `(?s)callback: failed, reported failed.*eci=01.*callback: failed.*eci=02`, text)
	said = 0
	conflict("03")
	text = d.operator(settle...)
	require.Contains(t, text, "1 conflict was settled:")
	require.Contains(t, text, "eci=03")
	require.NotContains(t, text, "eci=02")
}

func TestAnOperatorSeesWhatWasGivenUpOn(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.Contains(t, d.operator("order", "list", "--dead-lettered"), "No notification was given up on.")
	require.Contains(t, d.operator("order", "list", "--callbacks"), "No callback")
	o := d.paid("dead-lettered-1", 1000, "")
	eventually(t, func() bool { return len(d.arrivals(o.ID)) == 2 })
	_, err = conn.Exec(t.Context(), `INSERT INTO deliveries (shop_id, order_id, sequence, state, url, attempts, next_attempt_at, created_at)
		SELECT shop_id, order_id, sequence, 'dead_lettered', url, 17, created_at, created_at FROM notifications WHERE order_id = $1 AND sequence = 2
		ON CONFLICT (shop_id, order_id, sequence) DO UPDATE SET state = excluded.state, attempts = excluded.attempts`, o.ID)
	require.NoError(t, err)
	require.Regexp(t, o.ID+` +demo +2 +payment.requires_action +17 `, d.operator("order", "list", "--dead-lettered"))
	require.Contains(t, d.operator("order", "list", "--dead-lettered", "--json"), `"order_id":"`+o.ID+`"`)
	text := d.operator("order", "resend", o.ID, "--from", "3")
	require.Contains(t, text, "Notification 2 was given up on")
	require.Contains(t, text, "Order "+o.ID+": 2 notifications are sent again")
	eventually(t, func() bool {
		return strings.Contains(d.operator("order", "show", o.ID), "payment.succeeded delivered after 2 attempts")
	})

	_, err = conn.Exec(t.Context(), `INSERT INTO orderless_callbacks (account_id, dedupe_key, provider_order_id, reported, provider_data, received_at)
		SELECT id, convert_to('k' || n, 'UTF8'), 'nobodys-' || n, 'succeeded', '{"state": "PAYED"}', now() + n * interval '1 second'
		FROM accounts, generate_series(1, 3) n WHERE name = 'EUR-sandbox'`)
	require.NoError(t, err)
	text = d.operator("order", "list", "--callbacks", "--limit", "2")
	require.Regexp(t, `(?s)EUR-sandbox +nobodys-3 +succeeded +state=PAYED.*nobodys-2`, text)
	require.NotContains(t, text, "nobodys-1")
	require.Contains(t, text, "… and more")
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	code, _, text := command(environ, "order", "list", "--callbacks", "--dead-lettered")
	require.NotZero(t, code, text)
}
