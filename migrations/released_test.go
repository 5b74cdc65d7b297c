package migrations_test

import (
	"bytes"
	"context"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// keep is set by `make keep`.
var keep = flag.String("keep", "", "first write the schema of the present migrations to released/NAME.sql")

const changed = `the migrations up to number %d do not make the schema of released/%s any more.

Has %[2]s been released? Then undo the change of a migration that it had, and put the change into a migration with the next number.
If it has not, keep the schema as it is now: make keep VERSION=%[3]s`

// A released migration has run on databases that nobody here can reach: it is never changed. What is kept of each release is a dump of
// the schema. The migrations up to its number must still make the same, and the later ones must lead from it to the present schema.
func TestReleasedSchemasAreStillMade(t *testing.T) {
	t.Parallel()
	if *keep != "" {
		require.NoError(t, os.WriteFile(filepath.Join("released", *keep+".sql"), dump(t), 0o600))
	}
	released, err := filepath.Glob("released/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, released, "make keep VERSION=v1.2.3 keeps the schema of a release")
	for _, path := range released {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path) //nolint:gosec // of this folder
			require.NoError(t, err)
			restored, made := storetest.Empty(t), storetest.Empty(t)
			conn := connect(t, restored)
			_, err = conn.Exec(t.Context(), string(text))
			require.NoError(t, err)
			var version int64
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&version))
			require.NoError(t, migrations.UpTo(t.Context(), made, version))
			name := filepath.Base(path)
			require.Equal(t, describe(t, restored), describe(t, made), changed, version, name, strings.TrimSuffix(name, ".sql"))

			require.NoError(t, migrations.Up(t.Context(), restored))
			require.NoError(t, migrations.Up(t.Context(), made))
			require.Equal(t, describe(t, made), describe(t, restored), "a database of %s has another schema after its upgrade", name)
		})
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

var (
	// Comments, settings of the session and psql's own commands: they differ between versions of pg_dump.
	lineOfTheTool = regexp.MustCompile(`(?m)^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\.*)\n`)
	emptyLines    = regexp.MustCompile(`\n{3,}`)
	clockReading  = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*(\+00)?`)
)

// dump is the present schema, with the rows that migrations write, in a form that is the same whenever it is made. Any version of Postgres
// that is supported can restore it.
func dump(t *testing.T) []byte {
	t.Helper()
	url := storetest.Empty(t)
	require.NoError(t, migrations.UpTo(t.Context(), url, math.MaxInt64))
	out, err := exec.CommandContext(t.Context(), "pg_dump", "--no-owner", "--no-privileges", "--column-inserts", "--dbname="+url).Output() //nolint:gosec // the test's own database
	require.NoError(t, err, "pg_dump of Postgres's own programs is needed, of the server's version or a later one")
	out = lineOfTheTool.ReplaceAll(out, nil)
	out = clockReading.ReplaceAll(out, []byte("now"))
	out = emptyLines.ReplaceAll(out, []byte("\n\n"))
	return append([]byte("-- Made by make keep. Functions come before the tables that they read.\nSET check_function_bodies = false;\n\n"), bytes.TrimLeft(out, "\n")...)
}

// catalog lists what a schema consists of, by name and definition.
const catalog = `
WITH ours AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace)
SELECT 'relation ' || relname, concat_ws(' ', relkind, relpersistence, reloptions::text, relreplident, relrowsecurity, pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class'))
	FROM ours
UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid, true) FROM ours WHERE relkind IN ('v', 'm')
UNION ALL SELECT 'column ' || relname || '.' || attname,
	concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage, attcompression, attcollation::regcollation,
		pg_get_expr(adbin, adrelid, true), col_description(c.oid, attnum))
	FROM ours c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL SELECT 'constraint ' || relname || '.' || conname, concat_ws(' ', pg_get_constraintdef(k.oid, true), convalidated)
	FROM ours c JOIN pg_constraint k ON conrelid = c.oid WHERE contype <> 'n'
UNION ALL SELECT 'index ' || relname, concat_ws(' ', pg_get_indexdef(c.oid, 0, true), indisvalid) FROM ours c JOIN pg_index ON indexrelid = c.oid
UNION ALL SELECT 'sequence ' || relname, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle)
	FROM ours c JOIN pg_sequence ON seqrelid = c.oid
UNION ALL SELECT 'trigger ' || relname || '.' || tgname, concat_ws(' ', pg_get_triggerdef(t.oid, true), tgenabled)
	FROM ours c JOIN pg_trigger t ON tgrelid = c.oid WHERE NOT tgisinternal
UNION ALL SELECT 'policy ' || relname || '.' || polname, concat_ws(' ', polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
	FROM ours c JOIN pg_policy ON polrelid = c.oid
UNION ALL SELECT 'rule ' || relname || '.' || rulename, pg_get_ruledef(r.oid, true) FROM ours c JOIN pg_rewrite r ON ev_class = c.oid
UNION ALL SELECT 'statistics ' || stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
UNION ALL SELECT 'function ' || oid::regprocedure, concat_ws(' ', CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END, obj_description(oid, 'pg_proc'))
	FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'type ' || typname, concat_ws(' ', typtype, pg_get_expr(typdefaultbin, 0),
	(SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
	(SELECT string_agg(conname || ' ' || pg_get_constraintdef(k.oid, true), ',' ORDER BY conname) FROM pg_constraint k WHERE contypid = t.oid))
	FROM pg_type t WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e', 'r')
UNION ALL SELECT 'extension ' || extname, extversion FROM pg_extension
UNION ALL SELECT 'schema ' || nspname, '' FROM pg_namespace WHERE nspname !~ '^pg_'`

// describe lists the schema of a database and the rows in it, without the times in them.
func describe(t *testing.T, url string) map[string]string {
	t.Helper()
	conn := connect(t, url)
	found := map[string]string{}
	collect := func(sql string) {
		rows, err := conn.Query(t.Context(), sql)
		require.NoError(t, err)
		var name, definition string
		_, err = pgx.ForEachRow(rows, []any{&name, &definition}, func() error {
			found[name] = clockReading.ReplaceAllString(definition, "then")
			return nil
		})
		require.NoError(t, err)
	}
	collect(catalog)
	rows, err := conn.Query(t.Context(), "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 20)
	for _, table := range tables {
		collect("SELECT 'rows of " + table + "', coalesce(string_agg(quote_literal(t::text), E'\\n' ORDER BY t::text), '') FROM " + pgx.Identifier{table}.Sanitize() + " t")
	}
	return found
}
