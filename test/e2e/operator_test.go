package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"payrelay/internal/secrets"
)

// An operator sees the whole story of an order, and can have its notifications sent again.
func TestAnOperatorSeesAndResends(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.paid("operator-1", 1000, "")
	d.story(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	require.Eventually(t, func() bool { return len(d.verdicts(o.ID)) > 0 }, patience, 25*time.Millisecond)
	text := d.operator("order", "show", o.ID)
	for _, want := range []string{"waits for: nothing", "none → created", "callback received", "succeeded: apply", "notification", "payment.succeeded delivered after 1 attempts"} {
		require.Contains(t, text, want)
	}
	require.Contains(t, d.operator("order", "resend", o.ID, "--from", "3"), "1 notifications of order "+o.ID+" are sent again")
	require.Eventually(t, func() bool {
		return strings.Contains(d.operator("order", "show", o.ID), "payment.succeeded delivered after 2 attempts")
	}, patience, 50*time.Millisecond)
	require.Equal(t, []string{"2 payment.requires_action", "3 payment.succeeded"}, d.arrivals(o.ID), "the shop knows it by its id")
}

// What an operator decides is written down by the database's time, as the service does. Here it is seven hours ahead of
// this machine.
func TestAnOperatorsMachineMayHaveAnotherTime(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '7 hours' $$`)
	require.NoError(t, err)
	d.fault("callback_off", "", "", nil)
	o := d.create("operator-2")
	ahead, err := url.Parse(d.DatabaseURL)
	require.NoError(t, err)
	query := ahead.Query()
	query.Set("search_path", "public,pg_catalog")
	ahead.RawQuery = query.Encode()
	there := d.with(t)
	there.DatabaseURL = ahead.String()
	there.operator("order", "resolve", o.ID, "--status", "failed", "--reason", "a test", "--force")
	var written, due time.Time
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT max(at) FROM order_transitions WHERE order_id = $1", o.ID).Scan(&written))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), written, time.Minute)
	there.operator("order", "resend", o.ID, "--from", "3")
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT next_attempt_at FROM notifications WHERE order_id = $1 AND sequence = 3", o.ID).Scan(&due))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), due, time.Minute)
}

// A secret that was changed at the provider is changed here, too, and the running service takes it at once.
func TestAnOperatorChangesAnAccountsSecret(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.create("secret-1")
	file := filepath.Join(t.TempDir(), "secret")
	set := func(secret string, args ...string) {
		require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
		d.operator(append([]string{"account", "set", "EUR-sandbox", "--secret-file", file}, args...)...)
	}
	set("of yesterday")
	o := d.makes("/v1/payments", direct("secret-2", 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
	require.Equal(t, "failed", o.Status)
	require.Equal(t, "contact_provider", o.Failure.Advice)
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_credentials_refused_total{provider="smartcore"} 1`)
	require.Contains(t, d.log.String(), "refuses the account's credentials")
	set("qwerty")
	d.paid("secret-3", 1000, "")

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"nothing to change":             {"EUR-sandbox"},
		`no account named "nobody"`:     {"nobody", "--merchant-key", "m"},
		`no shop named "nobody"`:        {"EUR-sandbox", "--secret-file", file, "--shop", "nobody"},
		"--secret-file":                 {"EUR-sandbox", "--secret-file", file + ".missing"},
		`unknown secret "merchant_key"`: {"UAH-sandbox", "--merchant-key", "m"},
	} {
		require.NoError(t, os.WriteFile(file, []byte("of tomorrow\n"), 0o600))
		code, out, text := command(environ, append([]string{"account", "set"}, args...)...)
		require.Equal(t, 1, code, "%v %s", args, out)
		require.Contains(t, text, want)
	}
	d.paid("secret-4", 1000, "") // nothing was changed by any of them
}

// A shop moves its endpoint, or had it answer 410 by mistake.
func TestAnOperatorMovesAShopsEndpoint(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	state := func() (url string, off bool) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT notification_url, notifications_off_at IS NOT NULL FROM shops WHERE name = 'demo'").Scan(&url, &off))
		return url, off
	}
	before, _ := state()
	_, err = conn.Exec(t.Context(), "UPDATE shops SET notifications_off_at = now() WHERE name = 'demo'")
	require.NoError(t, err)
	require.Contains(t, d.operator("shop", "list"), "switched off")
	d.operator("shop", "set", "demo", "--resume")
	url, off := state()
	require.False(t, off)
	require.Equal(t, before, url)
	o := d.paid("moved-1", 1000, "")
	require.Eventually(t, func() bool { return len(d.arrivals(o.ID)) > 0 }, patience, 25*time.Millisecond)

	d.operator("shop", "set", "demo", "--notification-url", "https://shop.example.com/new")
	url, _ = state()
	require.Equal(t, "https://shop.example.com/new", url)
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"nothing to change":      {"demo"},
		`no shop named "nobody"`: {"nobody", "--resume"},
		"is not a network":       {"demo", "--allow-cidr", "10.0.0.1"},
		"Nothing was changed":    {"demo", "--notification-url", "ftp://shop.example.com"},
	} {
		code, out, text := command(environ, append([]string{"shop", "set"}, args...)...)
		require.Equal(t, 1, code, "%v %s", args, out)
		require.Contains(t, text, want)
	}
	url, _ = state()
	require.Equal(t, "https://shop.example.com/new", url)
}
