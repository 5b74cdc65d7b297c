package e2e

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
