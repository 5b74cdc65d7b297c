package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"payrelay/deploy/citus"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

// On a Citus cluster each statement goes to one shard; elsewhere its plan filters by the shop.
func TestWhatIsOfOneShopTouchesOneShard(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var citus bool
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL").Scan(&citus))
	for name, lookup := range store.OneShopsLookups(b.shop.ID, uuid.New(), b.clock.Now()) {
		rows, err := b.pool.Query(t.Context(), "EXPLAIN (VERBOSE) "+lookup.SQL, lookup.Args...)
		require.NoError(t, err, name)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, name)
		plan := strings.Join(lines, "\n")
		if citus {
			require.Contains(t, plan, "Task Count: 1\n", name)
		} else {
			require.Regexp(t, `shop_id = '`+b.shop.ID.String(), plan, name)
		}
	}
}

// A coordinator of Citus 13 crashes on an UPDATE that reads an element or a slice of an array.
func TestNoUpdateReadsAPartOfAnArray(t *testing.T) {
	t.Parallel()
	part := regexp.MustCompile(`UPDATE[^;]*(\)|\b[a-z_]+)\[[^\]]`) // ARRAY[...] and uuid[] are none
	require.Regexp(t, part, "UPDATE f SET earlier = (earlier || order_id)[1:50]")
	files, err := filepath.Glob("queries/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotRegexp(t, part, string(text), file)
	}
}

// On a node the rules of a statement are checked by another function of the same name, or by a constraint: none may be missing there.
func TestCitusKeepsEveryRule(t *testing.T) {
	t.Parallel()
	schema, err := os.ReadFile("../../migrations/00001_schema.sql")
	require.NoError(t, err)
	function := regexp.MustCompile(`(?s)CREATE FUNCTION (\w+)\(\) RETURNS trigger.*?\nEND \$\$;`)
	rule := regexp.MustCompile(`(?:violated\(|THEN |ELSE |rule := |CONSTRAINT )'?([a-z]+_[a-z_]+)\b`)
	there := map[string]string{}
	for _, f := range function.FindAllStringSubmatch(citus.Script, -1) {
		there[f[1]] = f[0]
	}
	constraints := strings.Join(regexp.MustCompile(`(?m)^ALTER TABLE .*$`).FindAllString(citus.Script, -1), "\n")
	checked := 0
	for _, f := range function.FindAllStringSubmatch(string(schema), -1) {
		if there[f[1]] == "" {
			continue
		}
		for _, r := range rule.FindAllStringSubmatch(f[0], -1) {
			require.Regexp(t, `\b`+r[1]+`\b`, there[f[1]]+constraints, "rule of %s", f[1])
			checked++
		}
	}
	require.Greater(t, checked, 8)
}

func TestConstraintsAreKnownByANodesMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err      pgconn.PgError
		violates bool
	}{
		{pgconn.PgError{Code: "23505", ConstraintName: "shops_name_key"}, true},
		{pgconn.PgError{Code: "23505", Message: `duplicate key value violates unique constraint "shops_name_key_102008"`}, true},
		{pgconn.PgError{Code: "XX000", Message: `duplicate key value violates unique constraint "shops_name_key_102008"`}, true},
		{pgconn.PgError{Code: "23514", Message: `new row for relation "shops_102008" violates check constraint "shops_name_key"`}, true},
		{pgconn.PgError{Code: "23505", Message: `duplicate key value violates unique constraint "shops_name_key_two"`}, false},
		{pgconn.PgError{Code: "23505", Message: `duplicate key value violates unique constraint "shops_number_key_102008"`}, false},
		{pgconn.PgError{Code: "40001", Message: `violates unique constraint "shops_name_key"`}, false},
	} {
		require.Equal(t, c.violates, store.Violates(&c.err, "shops_name_key"), c.err.Message)
	}
}

// A coordinator that loses a node in a commit does not know, and nobody else does.
func TestACommitThatANodeWasLostInIsUnknown(t *testing.T) {
	t.Parallel()
	lost := &pgconn.PgError{Code: "XX000", Message: "could not commit transaction for shard 102017 on at least one active node"}
	require.False(t, store.OutcomeKnown(lost))
	require.True(t, store.OutcomeKnown(&pgconn.PgError{Code: "XX000", Message: "duplicate key value"}))
}

// The script says of every table where it goes, so that it works with the schema as it is now.
func TestEveryTableHasAPlaceOnCitus(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	rows, err := pool.Query(t.Context(), `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, table := range tables {
		require.Contains(t, citus.Script, "    ('"+table+"', '", "add it to deploy/citus/distribute.sql")
	}
	require.Greater(t, len(citus.Statements()), 20)
}
