package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
	"payrelay/internal/store/storetest"
)

// What an operator typed wrong is said in words, and changes nothing.
func TestCommandsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	account := func(name, provider, currency string, more ...string) []string {
		return append([]string{"account", "create", name, "--provider", provider, "--currency", currency, "--secret-file", file}, more...)
	}
	before := d.operator("account", "list") + d.operator("shop", "list")
	o := d.create("plain-1")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`The account name "EUR-sandbox" is taken already.`, account("EUR-sandbox", "smartcore", "EUR", "--merchant-key", "k")},
		{`The shop name "demo" is taken already.`, []string{"shop", "create", "demo"}},
		{`"a b" cannot be a name`, account("a b", "smartcore", "EUR", "--merchant-key", "k")},
		{`cannot be a name`, []string{"shop", "create", strings.Repeat("a", 65)}},
		{`has control characters`, []string{"shop", "create", "a\x00b"}},
		{`cannot be a name`, account("a\xff", "smartcore", "EUR", "--merchant-key", "k")},
		{`There is no shop named "nobody".`, account("new", "smartcore", "EUR", "--merchant-key", "k", "--shop", "nobody")},
		{"SmartCore counts in hundredths, and JPY has 0 decimals", account("new", "smartcore", "JPY", "--merchant-key", "k")},
		{"SmartCore counts in hundredths, and KWD has 3 decimals", account("new", "smartcore", "KWD", "--merchant-key", "k")},
		{"UAPAY accounts hold UAH, and not EUR", account("new", "uapay", "EUR", "--client-id", "1")},
		{"--currency is not a currency", account("new", "smartcore", "XXX", "--merchant-key", "k")},
		{"--currency is out of circulation", account("new", "smartcore", "ANG", "--merchant-key", "k")},
		{`no provider "paypal": use one of smartcore, uapay`, account("new", "paypal", "EUR")},
		{"--merchant-key-file is required at smartcore", account("new", "smartcore", "EUR")},
		{"--client-id is required at uapay", account("new", "uapay", "UAH")},
		{"--client-id is nothing that an account at smartcore has", account("new", "smartcore", "EUR", "--merchant-key", "k", "--client-id", "1")},
		{"partial_capture: use yes or no", account("new", "smartcore", "EUR", "--merchant-key", "k", "--partial-capture", "perhaps")},
		{`There is no shop named "nobody".`, []string{"key", "create", "nobody"}},
		{`There is no key "nobody".`, []string{"key", "rotate", "nobody"}},
		{`There is no key "nobody".`, []string{"key", "revoke", "nobody", "--reason", "a test"}},
		{"nothing to change", []string{"key", "narrow", "nobody"}},
		{`--from "10.0.0.1/8" is not a network`, []string{"key", "create", "demo", "--from", "10.0.0.1/8"}},
		{"--overlap is from 0 to 168h", []string{"key", "rotate", "nobody", "--overlap", "169h"}},
		{`There is no account named "nobody".`, []string{"account", "link", "nobody", "--shop", "demo"}},
		{"no order is called", []string{"order", "show", "a\x00b"}},
		{"no order is called", []string{"order", "resolve", "\xff", "--status", "failed", "--reason", "a test"}},
		{"no notification from sequence 99999999999 on", []string{"order", "resend", o.ID, "--from", "99999999999"}},
		{"There is no such transaction report", []string{"statement", "file", o.ID, "--output", file + ".xlsx"}},
	} {
		code, out, text := command([]string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}, c.args...)
		require.Equal(t, 1, code, "%q: %s%s", c.args, out, text)
		require.Contains(t, text, c.want, "%q", c.args)
		saysNoCodes(t, text)
	}
	require.Equal(t, before, d.operator("account", "list")+d.operator("shop", "list"))
	require.Equal(t, "requires_action", d.get(o.ID).Status)
}

// A database that cannot be used is said in words, too, by every command.
func TestCommandsSayWhatTheDatabaseLacks(t *testing.T) {
	t.Parallel()
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(storetest.URL(t))
		require.NoError(t, err)
		change(u)
		return u.String()
	}
	commands := [][]string{{"shop", "list"}, {"account", "list"}, {"order", "list"}, {"order", "show", "x"}, {"statement", "list"}}
	for name, c := range map[string]struct {
		url  string
		want string
	}{
		"no schema":    {at(func(u *url.URL) { u.Path = "/postgres" }), "the database lacks migrations: run 'server migrate up' first"},
		"no database":  {at(func(u *url.URL) { u.Path = "/nowhere" }), `database "nowhere" does not exist`},
		"no role":      {at(func(u *url.URL) { u.User = url.UserPassword("nobody", "canary") }), "nobody"},
		"no server":    {"postgres://u:canary@127.0.0.1:1/payrelay", "127.0.0.1:1"},
		"no right":     {at(func(u *url.URL) { q := u.Query(); q.Set("role", "pg_monitor"); u.RawQuery = q.Encode() }), "permission denied"},
		"no sslmode":   {"postgres://u:canary@nowhere.invalid/payrelay", "sslmode=verify-full"},
		"no such name": {"postgres://u:canary@nowhere.invalid/payrelay?sslmode=verify-full", "nowhere.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commands := commands
			if !slices.Contains([]string{"no schema", "no right"}, name) { // which these mend, or do not meet
				commands = append(slices.Clone(commands), []string{"migrate", "up"}, []string{"migrate", "status"}, []string{"run"})
			}
			keyset, err := secrets.NewKeyset()
			require.NoError(t, err)
			for _, args := range commands {
				code, _, text := command([]string{"DATABASE_URL=" + c.url, "SECRET_KEYSET=" + keyset, "PUBLIC_URL=https://pay.example.com"}, args...)
				require.Equal(t, 1, code, "%q", args)
				require.Contains(t, text, c.want, "%q", args)
				require.NotContains(t, text, "canary")
				saysNoCodes(t, text)
			}
		})
	}
}

func saysNoCodes(t *testing.T, text string) {
	t.Helper()
	for _, code := range []string{"SQLSTATE", "invalid_request", "not_found", "service_unavailable", "duplicate key", "violates"} {
		require.NotContains(t, text, code)
	}
}
