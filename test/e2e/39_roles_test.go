package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// TestTheServiceNeedsNoMoreThanItsRole runs payments, callbacks, notifications, refunds and retention with a role that can change
// neither the history nor the configuration. Operators have a role of their own.
func TestTheServiceNeedsNoMoreThanItsRole(t *testing.T) {
	t.Parallel()
	simulators, as := startDev(t), storetest.Roles(t)
	_, keyset, _ := command(nil, "keyset", "new")
	environ := func(role string, more ...string) []string {
		return append([]string{"DATABASE_URL=" + as(role), "SECRET_KEYSET=" + strings.TrimSpace(keyset)}, more...)
	}
	operator := func(args ...string) string {
		code, out, text := command(environ(migrations.RoleOperator), args...)
		require.Zero(t, code, "%q: %s", args, text)
		return out
	}
	var heard atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(shop.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	var made struct{ Key string }
	require.NoError(t, json.Unmarshal([]byte(operator("shop", "create", "books", "--notification-url", shop.URL+"/hook", "--allow-cidr", strings.TrimPrefix(shop.URL, "http://"),
		"--scope", "payments", "--scope", "refunds", "--scope", "read", "--json")), &made))
	operator("account", "create", "EUR-sandbox", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "books",
		"--pci-url", simulators.Sandbox+"/smartcore/pci", "--gateway-url", simulators.Sandbox+"/smartcore/gateway")
	operator("limit", "set", "--shop", "books", "--kind", "payment", "--rule", "day", "--currency", "EUR", "--amount", "1000000", "--mode", "enforce")
	operator("limit", "set", "--shop", "books", "--kind", "payment", "--rule", "pause", "--orders", "1", "--mode", "enforce")

	address := freeAddress(t)
	service := startService(t, environ(migrations.RoleApp, "DATABASE_ROLE_CHECK=enforce", "PUBLIC_URL=http://"+address, "LISTEN_ADDR="+address)...)
	d := &dev{t: t, Ready: service.Ready}
	d.ShopKey, d.DatabaseURL = made.Key, as("")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(service.log)
		}
	})
	paid := d.paid("r-1", 1000, "")
	d.makes("/v1/payments/"+paid.ID+"/refunds", `{"reference":"back-1","amount":400,"reason":"a test"}`, http.StatusCreated)
	d.makes("/v1/payments", direct("r-2", 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
	eventually(t, func() bool { return heard.Load() >= 3 }, "%s", service.log)
	eventually(t, func() bool {
		_, metrics := d.adminGet("/metrics")
		return strings.Contains(metrics, `payrelay_callbacks_total{`) && strings.Contains(metrics, "payrelay_notification_backlog 0\n")
	})
	declined := d.makes("/v1/payments", direct("r-3", 1000, cardMethod(cardOther), ""), http.StatusCreated)
	d.ends(declined.ID, "failed")
	d.refuses("/v1/payments", direct("r-4", 1000, cardMethod(cardSuccess), ""), http.StatusForbidden, "card_payments_paused")
	require.Contains(t, operator("limit", "list"), "are paused since")
	simulators.paidElsewhere("their-sub-1", 1000, `"recurrent":true,`)
	agreements := filepath.Join(t.TempDir(), "agreements.csv")
	require.NoError(t, os.WriteFile(agreements, []byte(importHeader+"sub-1,their-sub-1,1000,EUR,,,\n"), 0o600))
	require.Contains(t, operator("mandate", "import", agreements, "--shop", "books", "--account", "EUR-sandbox", "--reason", "we move"), "1 imported")
	operator("limit", "resume", "books", "--reason", "a test")
	code, _, text := command(environ(migrations.RoleApp), "retention", "run")
	require.Zero(t, code, text)
	operator("order", "show", paid.ID)
	operator("key", "list")
	operator("key", "revoke", made.Key[len("prk_live_"):][:10], "--reason", "a test")
	operator("audit", "list")
	operator("audit", "verify")
	operator("keyset", "status")
	operator("order", "list")
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_database_role_power{power="history"} 0`)
	require.Contains(t, metrics, `payrelay_altered_rows{table="shops"} 0`)
	require.Zero(t, service.stop())
	require.NotContains(t, service.log.String(), "permission denied")
}

// A service that is connected as the owner says so, or does not start.
func TestAServiceWithTooMuchPowerSaysSo(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	_, keyset, _ := command(nil, "keyset", "new")
	for _, role := range []string{"", migrations.RoleMigrate, migrations.RoleOperator} {
		environ := []string{"DATABASE_URL=" + as(role), "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
		code, _, text := command(append(environ, "DATABASE_ROLE_CHECK=enforce"), "run")
		require.Equal(t, 1, code)
		require.Contains(t, text, "connect as payrelay_app")
		service := startService(t, environ...)
		require.Equal(t, 1, strings.Count(service.log.String(), "more power than it needs"), "%s", service.log)
		require.Zero(t, service.stop())
	}
	conn, err := pgx.Connect(t.Context(), as(""))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "GRANT DELETE ON audit_log TO payrelay_app")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	code, _, text := command([]string{
		"DATABASE_URL=" + as(migrations.RoleApp), "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0",
		"DATABASE_ROLE_CHECK=enforce",
	}, "run")
	require.Equal(t, 1, code)
	require.Contains(t, text, "(history)", "what was granted by hand shows, too")
}

// A role that may only read would fail at the first payment: the doctor and the start say so in the same words.
func TestAServiceWithTooFewRightsDoesNotStart(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	_, keyset, _ := command(nil, "keyset", "new")
	conn, err := pgx.Connect(t.Context(), as(""))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	environ := []string{"DATABASE_URL=" + as(migrations.RoleApp), "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	for revoke, lacks := range map[string]string{
		"UPDATE (status) ON orders FROM payrelay_app":                             "UPDATE on orders",
		"INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM payrelay_app": "UPDATE on account_demotions, account_health, addresses_off, deliveries and ",
		"EXECUTE ON FUNCTION drop_partition(text) FROM payrelay_app":              "EXECUTE on drop_partition(text)",
		"SELECT ON deliveries FROM payrelay_app":                                  "SELECT on deliveries",
	} {
		require.NoError(t, migrations.Up(t.Context(), as(migrations.RoleMigrate)), "all is granted again")
		_, err = conn.Exec(t.Context(), "REVOKE "+revoke)
		require.NoError(t, err)
		sentence := "the database's role payrelay_app lacks rights that the service needs ("
		found := strings.Join(diagnoses(t, 1, environ), "\n")
		require.Contains(t, found, "problem role: "+sentence)
		require.Contains(t, found, lacks)
		code, _, text := command(environ, "run")
		require.Equal(t, 1, code)
		require.Contains(t, text, sentence)
		require.Contains(t, text, lacks)
		require.Contains(t, text, "connect as payrelay_app, which 'server roles sql' makes")
	}
}

// Somebody removes the key of the seals. Nobody makes another one: no verification, no command and no service.
func TestALostSealKeyIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	_, keyset, _ := command(nil, "keyset", "new")
	environ := []string{"DATABASE_URL=" + as(""), "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	code, _, text := command(environ, "shop", "create", "books", "--scope", "payments")
	require.Zero(t, code, text)
	code, out, text := command(environ, "audit", "verify")
	require.Zero(t, code, out+text)
	conn, err := pgx.Connect(t.Context(), as(""))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "DELETE FROM service_keys WHERE name = 'seal'")
	require.NoError(t, err)
	for want, args := range map[int][]string{2: {"audit", "verify"}, 1: {"run"}} {
		code, out, text = command(environ, args...)
		require.Equal(t, want, code, out+text)
		require.Contains(t, text, "load service key seal: the row of service_keys is missing")
	}
	var rows int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM service_keys WHERE name = 'seal'").Scan(&rows))
	require.Zero(t, rows)
}

// freeAddress is one on which nobody listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
