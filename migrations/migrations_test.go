package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// A migration outside a transaction that was interrupted, at any of its steps, is done by running it again.
func TestTheIndexesOfOrdersAreBuiltAfterAnInterruption(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	for name, left := range map[string]string{
		"before the version was written":  "",
		"with the first index left":       "CREATE UNIQUE INDEX orders_reference_first ON orders (reference, shop_id, kind)",
		"between the second and the last": "DROP INDEX orders_due_waiting",
	} {
		_, err := conn.Exec(t.Context(), "DELETE FROM goose_db_version WHERE version_id >= 6; ALTER TABLE idempotency_keys DROP COLUMN owner; ALTER TABLE notifications DROP COLUMN attempts_before; "+left)
		require.NoError(t, err, name)
		pending, err := migrations.Pending(t.Context(), url)
		require.NoError(t, err)
		require.True(t, pending, name)
		require.NoError(t, migrations.Up(t.Context(), url), name)
		var valid int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid::regclass::text IN
			('orders_reference_key', 'orders_due', 'orders_due_open', 'orders_due_waiting')`).Scan(&valid))
		require.Equal(t, 4, valid, name)
	}
}
