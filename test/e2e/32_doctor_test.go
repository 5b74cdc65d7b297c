package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/localpg"
	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// diagnoses are what `server doctor` found, as "level check: text".
func diagnoses(t *testing.T, code int, environ []string, args ...string) (list []string) {
	t.Helper()
	got, out, text := command(environ, append([]string{"doctor", "--json"}, args...)...)
	require.Equal(t, code, got, "%s%s", out, text)
	var answer struct {
		OK     bool
		Checks []struct{ Check, Level, Text string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &answer), "%s%s", out, text)
	require.Equal(t, code == 0, answer.OK)
	for _, c := range answer.Checks {
		list = append(list, c.Level+" "+c.Check+": "+c.Text)
	}
	saysNoCodes(t, out)
	return list
}

// An operator learns before a start whether the service will work, from a session that may write nothing.
func TestDoctorLooksAndChangesNothing(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	_, keyset, _ := command(nil, "keyset", "new")
	environ := func(databaseURL string, more ...string) []string {
		return append([]string{"DATABASE_URL=" + databaseURL, "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "PROVIDER_HOSTS=smartcore=nowhere.invalid"}, more...)
	}
	u, err := url.Parse(as(migrations.RoleApp))
	require.NoError(t, err)
	q := u.Query()
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	readOnly := u.String()
	found := strings.Join(diagnoses(t, 0, environ(readOnly)), "\n")
	for _, want := range []string{
		"ok configuration: ", "ok open files: ", "ok listener: LISTEN_ADDR", "ok listener: ADMIN_ADDR", "ok provider hosts: ", "ok database: Postgres ", "ok database link: local",
		"ok pooler: none", "ok schema: ", "ok role: payrelay_app may do what the service needs", "ok partitions: ", "ok clock: ", "ok keyset: the database is new",
	} {
		require.Contains(t, found, want)
	}

	operator := environ(as(migrations.RoleOperator))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	for _, args := range [][]string{
		{"shop", "create", "books", "--notification-url", "https://books.example.com/"},
		{"key", "create", "books", "--days", "3"},
		{"shop", "webhook-secret", "rotate", "books", "--overlap", "24h"},
		{"account", "create", "EUR-1", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secret, "--shop", "books", "--pci-url", "https://nowhere.invalid/pci", "--gateway-url", "https://nowhere.invalid/gateway", "--reporting-url", "https://nowhere.invalid/reporting"},
	} {
		code, _, text := command(operator, args...)
		require.Zero(t, code, "%q: %s", args, text)
	}
	found = strings.Join(diagnoses(t, 1, environ(readOnly), "--rows"), "\n")
	require.Contains(t, found, "ok keyset: it opens this database")
	require.Contains(t, found, "ok rows: ")
	require.Regexp(t, `warning API keys: key \S+ of shop books ends in [23] days: 'server key rotate`, found)
	require.Regexp(t, `warning webhook secrets: two secrets sign for books until 20`, found)
	require.Regexp(t, `problem host nowhere\.invalid:443: name: its name leads nowhere`, found)
	require.Equal(t, 1, strings.Count(found, "nowhere.invalid:443"), "a host is checked once")

	_, other, _ := command(nil, "keyset", "new")
	require.Contains(t, diagnoses(t, 1, environ(readOnly, "SECRET_KEYSET="+strings.TrimSpace(other))), "problem keyset: SECRET_KEYSET is not the one this database was made with: nothing in it can be read")

	code, out, text := command(environ(readOnly), "doctor")
	require.Equal(t, 1, code)
	require.Regexp(t, `(?m)^problem +host nowhere\.invalid:443 +name: `, out)
	require.Equal(t, "server: 1 problem found\n", text)
}

// What is wrong is said together with what to do.
func TestDoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, keyset, _ := command(nil, "keyset", "new")
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	web, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	require.NoError(t, err)
	t.Cleanup(func() { _ = web.Close() })
	go func() { // no Postgres
		for {
			c, err := web.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	database := storetest.URL(t)
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(database)
		require.NoError(t, err)
		change(u)
		return u.String()
	}
	usual := []string{"DATABASE_URL=" + database, "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	for _, c := range []struct {
		code int
		more string
		want string
	}{
		{0, "ADMIN_ADDR=" + taken.Addr().String(), "warning listener: ADMIN_ADDR " + taken.Addr().String() + " cannot be opened"},
		{0, "PROVIDER_HOSTS=", "warning provider hosts: smartcore: PROVIDER_HOSTS names no host"},
		{0, "DATABASE_ROLE_CHECK=warn", "has more power than the service needs"},
		{1, "DATABASE_ROLE_CHECK=enforce", "problem role: the database's role "},
		{1, "PROVIDER_TIMEOUT=soon", "problem configuration: PROVIDER_TIMEOUT is not a valid duration, such as 30s"},
		{1, "ADMIN_ADDR=8080", "problem configuration: ADMIN_ADDR must be an address"},
		{0, "DRAIN_DELY=1s", "warning configuration: DRAIN_DELY is no variable of this program: did you mean DRAIN_DELAY?"},
		{1, "SECRET_KEYSET=nonsense", "problem keyset: SECRET_KEYSET: "},
		{1, "DATABASE_POOL=1000", "raise max_connections, or lower DATABASE_POOL"},
		{1, "DATABASE_URL=" + storetest.Empty(t), "problem schema: the database has none: run 'server migrate up'"},
		{1, "DATABASE_URL=postgres://u:canary@127.0.0.1:1/payrelay", "problem database: no Postgres listens at 127.0.0.1:1: start it there, or mend host and port in DATABASE_URL"},
		{1, "DATABASE_URL=postgres://u:canary@nowhere.invalid/payrelay?sslmode=verify-full", "problem database: the database's host nowhere.invalid is not found: mend its name"},
		{1, "DATABASE_URL=postgres://u:canary@" + web.Addr().String() + "/payrelay", "problem database: what is at " + web.Addr().String() + " does not answer as this program's Postgres would: see that it is Postgres"},
		{1, "DATABASE_URL=" + at(func(u *url.URL) { q := u.Query(); q.Set("synchronous_commit", "off"); u.RawQuery = q.Encode() }), "synchronous_commit is \"off\", and payrelay needs \"on\": run ALTER ROLE"},
	} {
		found := strings.Join(diagnoses(t, c.code, append(usual[:len(usual):len(usual)], c.more)), "\n")
		require.Contains(t, found, c.want, c.more)
		require.NotContains(t, found, "canary")
		require.NotContains(t, found, "failed to connect")
	}
}

// A database that 'server dev' made is refused in the words of `run`, whatever the keyset.
func TestDoctorKnowsADatabaseOfDev(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	_, keyset, _ := command(nil, "keyset", "new")
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	const want = "this database holds the demo shop's well-known key: it was made by 'server dev' and must not be used by 'server run'"
	found := diagnoses(t, 1, environ)
	require.Contains(t, found, "problem demo: "+want)
	require.NotContains(t, strings.Join(found, "\n"), "problem keyset")
	code, _, text := command(environ, "run")
	require.Equal(t, 1, code)
	require.Contains(t, text, want)
}

// What an operator is woken by has a line of its own, with what to do.
func TestDoctorSeesWhatWaitsAndWhatFills(t *testing.T) {
	t.Parallel()
	_, keyset, _ := command(nil, "keyset", "new")
	database := storetest.URL(t)
	environ := []string{"DATABASE_URL=" + database, "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	connect := func() *pgx.Conn {
		c, err := pgx.Connect(t.Context(), database)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		return c
	}
	conn, waiter := connect(), connect()
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	well := strings.Join(diagnoses(t, 0, environ, "--free", "0"), "\n")
	for _, check := range []string{
		"ok disk: the database has ", "ok replication slots: ", "ok locks: ", "ok partitions: those of this month and the next are there", "ok service: none runs", "ok status polls: ", "ok notifications: ",
		"ok retention: ", "ok unknown orders: ", "ok processing orders: ", "ok conflicts: none", "ok dead-lettered notifications: none",
	} {
		require.Contains(t, well, check)
	}

	for status, since := range map[string]string{"unknown": "2 hours", "processing": "2 days", "succeeded": "0"} {
		exec("INSERT INTO open_orders (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'smartcore', 'payment', $1, $1 = 'succeeded', now() - $2::interval, now() - interval '1 hour')", status, since)
	}
	exec("SET session_replication_role = replica") // a delivery of no notification
	exec("INSERT INTO deliveries (shop_id, order_id, sequence, state, url, next_attempt_at, created_at) SELECT gen_random_uuid(), gen_random_uuid(), 2, state, 'https://shop.invalid/', now(), now() - interval '2 hours' FROM unnest(ARRAY['pending', 'dead_lettered']) state")
	exec("RESET session_replication_role")
	exec("UPDATE retention SET last_run_at = now() - interval '4 days'")
	next := time.Now().UTC().AddDate(0, 0, 32-time.Now().UTC().Day()).Format("2006_01")
	exec("DROP TABLE callbacks_" + next)
	exec("BEGIN")
	exec("LOCK TABLE shops")
	waiting := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(context.Background(), "UPDATE shops SET name = name")
		waiting <- err
	}()
	require.Eventually(t, func() bool {
		var long bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted AND datname = current_database() AND relation = 'shops'::regclass AND waitstart < clock_timestamp() - interval '1 second')").Scan(&long))
		return long
	}, waitTimeout, 50*time.Millisecond)
	_, err := conn.Exec(t.Context(), "SELECT") // the lock stays
	require.NoError(t, err)
	list := diagnoses(t, 1, append(environ, "DATABASE_ROLE_CHECK=warn"), "--free", "100")
	found := strings.Join(list, "\n")
	for _, want := range []string{
		`problem disk: only \d+ % \(\d+ [GM]B\) are free at .*: a full disk stops Postgres`,
		`warning locks: 1 session waits for up to \d+s for session \d+ \(role \S+, program ".*", idle in transaction, .*: end what it does, or the session with SELECT pg_terminate_backend\(\d+\)`,
		`warning partitions: missing: callbacks_` + next + `\. The service makes them`,
		`warning status polls: the most overdue one has been due for 1h0m\ds: no service runs on this database: start 'server run'`,
		`warning notifications: the oldest has waited for 2h0m\ds`,
		`warning retention: .* for 96h0m\ds`,
		`warning unknown orders: the oldest has been unknown for 2h0m\ds: 'server order list' names it`,
		`warning processing orders: .* for 48h0m\ds`,
		`warning conflicts: 1 order contradicted by its provider`,
		`warning dead-lettered notifications: 1 notification given up on`,
	} {
		require.Regexp(t, want, found)
	}
	exec("ROLLBACK")
	require.NoError(t, <-waiting)
}

// A slot that nobody reads fills the disk with WAL, or loses it where Postgres may keep no more.
func TestDoctorSeesAForgottenSlot(t *testing.T) {
	t.Parallel()
	pg, err := localpg.Start(context.Background(), localpg.Options{Dir: t.TempDir()}) // the one of most tests has no slots
	require.NoError(t, err)
	t.Cleanup(func() { _ = pg.Stop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), pg.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	exec := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	_, keyset, _ := command(nil, "keyset", "new")
	found := func() string {
		return strings.Join(diagnoses(t, 1, []string{"DATABASE_URL=" + pg.URL(), "SECRET_KEYSET=" + strings.TrimSpace(keyset), "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}), "\n")
	}
	exec("SELECT pg_create_physical_replication_slot('gone_standby', true)")
	require.Regexp(t, `warning replication slots: nobody reads gone_standby, and it keeps \d+ MB of WAL, .*: start its standby, or drop the slot with SELECT pg_drop_replication_slot\('gone_standby'\)`, found())

	exec("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
	exec("SELECT pg_reload_conf()")
	require.Eventually(t, func() (lost bool) {
		exec("SELECT pg_logical_emit_message(false, 'test', 'something to write')")
		exec("SELECT pg_switch_wal()")
		exec("CHECKPOINT")
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT wal_status = 'lost' FROM pg_replication_slots").Scan(&lost))
		return lost
	}, waitTimeout, 50*time.Millisecond)
	require.Contains(t, found(), "warning replication slots: gone_standby has lost WAL that its standby needed: make that standby anew, and drop the slot with SELECT pg_drop_replication_slot('gone_standby')")
	exec("SELECT pg_drop_replication_slot('gone_standby')")
	require.Contains(t, found(), "ok replication slots: 0 slots, none keeps WAL for nobody")
}
