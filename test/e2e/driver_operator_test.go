package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
)

// operator runs an operator's command on the database of this `dev` and returns what it printed. What it changes of shops, keys,
// accounts and limits is known to the service by then.
func (d *dev) operator(args ...string) string {
	d.t.Helper()
	var out, log bytes.Buffer
	code := app.Execute(context.Background(), args, &app.Streams{Out: &out, Err: &log, Environ: []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}})
	require.Zero(d.t, code, "%s%s", out.String(), log.String())
	if slices.Contains([]string{"shop", "account", "key", "limit"}, args[0]) && args[1] != "list" {
		d.heard()
	}
	return out.String()
}

// fails runs an operator's command that refuses, and returns what it says.
func (d *dev) fails(args ...string) string {
	d.t.Helper()
	code, out, text := command([]string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}, args...)
	require.NotZero(d.t, code, "%s%s", out, text)
	return text
}

// heard waits until the service knows what operators changed of shops, keys and accounts.
func (d *dev) heard() {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var generation int64
	require.NoError(d.t, conn.QueryRow(context.Background(), "SELECT generation FROM directory").Scan(&generation))
	eventually(d.t, func() bool {
		d.raw(http.MethodGet, "/v1/accounts", "", nil) // requests make it ask
		_, metrics := d.adminGet("/metrics")
		return strings.Contains(metrics, fmt.Sprintf("payrelay_directory_generation %d\n", generation))
	})
}

func (d *dev) adminStatus(path string) int {
	status, _ := d.adminGet(path)
	return status
}

func (d *dev) adminGet(path string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, d.Admin+path, nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode, string(text)
}

// noSecretsInLogs looks for everything that must never be logged, at any level.
func (d *dev) noSecretsInLogs() {
	d.t.Helper()
	logs := d.log.String()
	require.Contains(d.t, logs, `"order_id"`)
	for _, secret := range []string{
		cardSuccess, cardChallenge, "739", "john.canary@example.com", "qwerty", "prk_test_demo", "whsec_", "Downing", "/callbacks/smartcore/",
	} {
		if i := strings.Index(logs, secret); i >= 0 && (secret != "739" || !isPartOfNumber(logs, i)) {
			d.t.Errorf("the log holds %q: …%s…", secret, logs[max(0, i-200):min(len(logs), i+100)])
		}
	}
}

// isPartOfNumber reports whether the three digits at i stand within a longer word, such as a time or an id.
func isPartOfNumber(s string, i int) bool {
	word := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '.' || c == '-' || c == ':'
	}
	return word(s[i-1]) || word(s[i+3])
}

// columnsHolding counts the rows of all tables in which a text stands in clear.
func (d *dev) columnsHolding(secret string) int {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), "SELECT schemaname || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
	require.NoError(d.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	require.Contains(d.t, tables, "public.orders")
	found := 0
	for _, table := range tables {
		var n int
		err := conn.QueryRow(context.Background(), "SELECT count(*) FROM "+table+" t WHERE t::text LIKE '%' || $1 || '%'", secret).Scan(&n)
		require.NoError(d.t, err)
		found += n
	}
	return found
}

// textsHolding counts what columnsHolding does, and the encrypted texts about orders.
func (d *dev) textsHolding(secret string) int {
	d.t.Helper()
	found := d.columnsHolding(secret)
	keyring, err := secrets.Open(secrets.DemoKeyset)
	require.NoError(d.t, err)
	pool, err := pgxpool.New(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer pool.Close()
	require.NoError(d.t, store.New(pool, store.Options{Keyring: keyring}).Texts(context.Background(), func(_, _, text string) error {
		if strings.Contains(text, secret) {
			found++
		}
		return nil
	}))
	return found
}

// rejectedNothing requires that no request was rejected so far.
func (d *dev) rejectedNothing() {
	d.t.Helper()
	_, text := d.adminGet("/metrics")
	require.Contains(d.t, text, "payrelay_http_rejected_requests_total")
	require.NotRegexp(d.t, `payrelay_http_rejected_requests_total\S* [1-9]`, text)
}

// storedOrderIDs reads the sorted order ids of the rows that were kept.
func (d *dev) storedOrderIDs(id string) []string {
	d.t.Helper()
	rows, _ := d.page("/v1/statements/" + id + "/rows?limit=200")
	var ids []string
	for _, text := range rows {
		var row struct {
			Fields map[string]string `json:"fields"`
		}
		require.NoError(d.t, json.Unmarshal(text, &row))
		ids = append(ids, row.Fields["Order ID"])
	}
	slices.Sort(ids)
	return ids
}
