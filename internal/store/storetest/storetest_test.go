package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"golang.org/x/sync/errgroup"
	"payrelay/migrations"
)

var notes = Schema{Key: "storetest: notes", Up: func(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	// Left open on purpose: a template must be clonable whatever its migrations leave behind.
	_, err = conn.Exec(ctx, "CREATE TABLE notes (n int PRIMARY KEY)")
	return err
}}

func TestClonesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	for range 12 {
		t.Run("clone", func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			pool := PoolWith(t, notes)
			t.Logf("clone and pool: %v", time.Since(begin))
			// Each of them inserts the same key.
			_, err := pool.Exec(t.Context(), "INSERT INTO notes VALUES (1)")
			require.NoError(t, err)
			var count int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM notes").Scan(&count))
			require.Equal(t, 1, count)
		})
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var url string
	var conn *pgx.Conn
	t.Run("test", func(t *testing.T) {
		url = URLWith(t, notes)
		var err error
		conn, err = pgx.Connect(t.Context(), url)
		require.NoError(t, err)
	})
	require.Error(t, conn.Ping(t.Context()), "dropped although somebody was connected")
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "3D000")
}

func TestPoolHasTheCurrentSchema(t *testing.T) {
	t.Parallel()
	var migrated bool
	err := Pool(t).QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_tables WHERE schemaname = 'public'").Scan(&migrated)
	require.NoError(t, err)
	require.True(t, migrated)
}

func TestKeyFollowsTheMigrations(t *testing.T) {
	t.Parallel()
	key, err := sourceKey()
	require.NoError(t, err)
	repeated, err := sourceKey()
	require.NoError(t, err)
	require.Equal(t, key, repeated)

	root := t.TempDir()
	file := filepath.Join(root, "migrations", "00001_first.sql")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module m"), 0o600))
	seen := map[string]bool{key: true}
	for _, text := range []string{"SELECT 1", "SELECT 2"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		key, err := keyOf(root)
		require.NoError(t, err)
		require.False(t, seen[key], text)
		seen[key] = true
	}
}

// TestKeyNamesTheMigrationsOfTheProgram keeps a program that was built before the files changed from leaving a template of
// the old schema under the name of the new one.
func TestKeyNamesTheMigrationsOfTheProgram(t *testing.T) {
	t.Parallel()
	require.Contains(t, current(t).Key, migrations.Fingerprint())
}

func TestEmptyHoldsNothing(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), Empty(t))
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // only asked
	var tables int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
	require.Zero(t, tables)
}

// newTestServer is another program's view of the same server: it knows of no template yet.
func newTestServer(t *testing.T) *server {
	t.Helper()
	srv, err := theServer(t.Context())
	require.NoError(t, err)
	return &server{url: srv.url, slots: make(chan struct{}, atOnce), templates: map[string]string{}}
}

func dropTemplate(t *testing.T, srv *server, name string) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, srv.drop(context.Background(), name)) })
}

func TestOneOfManyProgramsMakesTheTemplate(t *testing.T) {
	t.Parallel()
	var made atomic.Int32
	schema := Schema{Key: "once " + rand.Text(), Up: func(ctx context.Context, url string) error {
		made.Add(1)
		return notes.Up(ctx, url)
	}}
	var programs errgroup.Group
	for range 8 {
		srv := newTestServer(t)
		programs.Go(func() error {
			template, err := srv.template(t.Context(), schema)
			if err != nil {
				return err
			}
			_, name, err := srv.clone(t.Context(), template)
			return errors.Join(err, srv.drop(context.Background(), name))
		})
	}
	require.NoError(t, programs.Wait())
	require.EqualValues(t, 1, made.Load())
	srv := newTestServer(t)
	name, err := srv.template(t.Context(), schema)
	require.NoError(t, err)
	dropTemplate(t, srv, name)
}

func TestHalfMadeTemplateIsMadeAgain(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	schema := Schema{Key: "half " + rand.Text(), Up: func(ctx context.Context, url string) error {
		return errors.Join(notes.Up(ctx, url), boom)
	}}
	srv := newTestServer(t)
	_, err := srv.template(t.Context(), schema)
	require.ErrorIs(t, err, boom)

	schema.Up = notes.Up // fails on the table of the first try, were it still there
	name, err := srv.template(t.Context(), schema)
	require.NoError(t, err)
	dropTemplate(t, srv, name)
}

func TestURLOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"postgres://u:p@h:1/a?sslmode=disable": "postgres://u:p@h:1/x?sslmode=disable",
		"postgres://u:p@h:1":                   "postgres://u:p@h:1/x",
		"postgres://h/a?dbname=b":              "postgres://h/x",
		"host=h dbname=a":                      "host=h dbname=a dbname=x",
	} {
		got := (&server{url: from}).urlOf("x")
		require.Equal(t, want, got)
		conf, err := pgx.ParseConfig(got)
		require.NoError(t, err)
		require.Equal(t, "x", conf.Database)
	}
}
