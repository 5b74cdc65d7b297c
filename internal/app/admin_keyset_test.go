package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/secrets"
)

// with runs a command under a keyset, and returns what it printed on standard output and error.
func (b *operated) with(t *testing.T, set string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Execute(t.Context(), args, &Streams{Out: &stdout, Err: &stderr, Environ: []string{b.environ[0], "SECRET_KEYSET=" + set}})
	return code, strings.TrimSpace(stdout.String()), stderr.String()
}

// does runs a command that must succeed.
func (b *operated) does(t *testing.T, set string, args ...string) string {
	t.Helper()
	code, out, errs := b.with(t, set, args...)
	require.Zero(t, code, "%q: %s%s", args, out, errs)
	return out
}

// refuses runs a command that must say why it does nothing.
func (b *operated) refuses(t *testing.T, want, set string, args ...string) {
	t.Helper()
	code, out, errs := b.with(t, set, args...)
	require.Equal(t, 1, code, "%q: %s", args, out)
	require.Contains(t, errs, want, args)
	require.Empty(t, out)
}

// replica says that a service with a keyset runs.
func (b *operated) replica(t *testing.T, host, set string) {
	t.Helper()
	keyring, err := secrets.Open(gateway.Secret(set))
	require.NoError(t, err)
	ids := []int64{}
	for _, key := range keyring.Keys() {
		if key.Enabled {
			ids = append(ids, int64(key.ID))
		}
	}
	_, err = b.pool.Exec(t.Context(), "DELETE FROM replicas WHERE host = $1", host)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "INSERT INTO replicas (id, host, version, key_ids, primary_key, started_at, seen_at) VALUES (gen_random_uuid(), $1, 'v', $2, $3, now(), now() + interval '1 hour')",
		host, ids, int64(keyring.Primary()))
	require.NoError(t, err)
}

// A key is added, promoted, used for everything, and the old one destroyed. No step can be taken too early.
func TestKeysetLivesAndDies(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	set := strings.TrimPrefix(b.environ[1], "SECRET_KEYSET=")
	old := fmt.Sprint(b.keyring.Primary())
	b.replica(t, "one", set)
	b.replica(t, "two", set)

	added := b.does(t, set, "keyset", "add", "--reason", "a year has passed")
	keyring, err := secrets.Open(gateway.Secret(added))
	require.NoError(t, err)
	require.Equal(t, b.keyring.Primary(), keyring.Primary())
	fresh := fmt.Sprint(keyring.Keys()[1].ID)
	b.refuses(t, "does not hold the key", added, "keyset", "promote", fresh)
	b.replica(t, "one", added)
	b.refuses(t, "the replica on two does not hold the key", added, "keyset", "promote", fresh)
	b.replica(t, "two", added)
	b.refuses(t, "is the primary key already", added, "keyset", "promote", old)
	b.refuses(t, "has no key 7", added, "keyset", "promote", "7")

	promoted := b.does(t, added, "keyset", "promote", fresh)
	b.replica(t, "one", promoted)
	b.refuses(t, "the replica on two encrypts with the key "+old, promoted, "keyset", "reencrypt")
	b.replica(t, "two", promoted)
	b.refuses(t, "need the key "+old, promoted, "keyset", "retire", old)
	b.refuses(t, "is the primary key", promoted, "keyset", "retire", fresh)
	require.Contains(t, b.does(t, promoted, "keyset", "reencrypt", "--rate", "100000"), "accounts.callback_token: 2 rows rewritten, done")
	require.NotContains(t, b.does(t, promoted, "keyset", "status", "--json"), `"Key":`+old)

	b.refuses(t, "is not retired", promoted, "keyset", "destroy", old, "--reason", "done")
	retired := b.does(t, promoted, "keyset", "retire", old)
	b.refuses(t, "is retired", retired, "keyset", "promote", old)
	b.refuses(t, "the replica on one holds the key", retired, "keyset", "destroy", old, "--reason", "done")
	b.replica(t, "one", retired)
	b.replica(t, "two", retired)
	alone := b.does(t, retired, "keyset", "destroy", old, "--reason", "done")
	require.Contains(t, b.does(t, alone, "account", "list"), "EUR-1", "everything is read without the old key")
	require.Contains(t, b.does(t, alone, "order", "show", b.paid.Order.String()), "succeeded")

	found := map[string]bool{}
	for _, e := range b.audit(t) {
		found[e.Action] = true
		require.NotContains(t, string(e.Before)+string(e.After), set[:40])
	}
	for _, action := range keysetActs {
		require.True(t, found[action], action)
	}
}

func TestKeysetComesFromACommand(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	set := strings.TrimPrefix(b.environ[1], "SECRET_KEYSET=")
	dir := t.TempDir()
	script := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700)) //nolint:gosec // it is run
		return file
	}
	run := func(environ ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := Execute(t.Context(), []string{"account", "list"}, &Streams{Out: &out, Err: &out, Environ: append(environ, b.environ[0])})
		return code, out.String()
	}
	code, text := run("SECRET_KEYSET_COMMAND=" + script("good", `[ "$1" = "key" ] && echo `+set) + " key")
	require.Zero(t, code, text)
	for file, want := range map[string]string{
		script("fails", "echo canary; echo canary >&2; exit 1"): "SECRET_KEYSET_COMMAND failed",
		script("silent", "true"):                                "printed nothing",
		script("wrong", "echo canary~"):                         "not one line of base64",
		dir + "/nowhere":                                        "SECRET_KEYSET_COMMAND failed",
	} {
		code, text = run("SECRET_KEYSET_COMMAND=" + file)
		require.Equal(t, 1, code)
		require.Contains(t, text, want)
		require.NotContains(t, text, "canary")
	}
	code, text = run("SECRET_KEYSET_COMMAND="+dir+"/good key", "SECRET_KEYSET="+set)
	require.Equal(t, 1, code)
	require.Contains(t, text, "are both set")
	_, err := loadConfig([]string{"DATABASE_URL=postgres://x", "PUBLIC_URL=https://pay.example.com", "SECRET_KEYSET_COMMAND=" + dir + "/good key"})
	require.NoError(t, err)
}
