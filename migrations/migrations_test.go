package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// A database that a version before the first release made is not touched, whoever comes to it.
func TestADatabaseOfTheOldLayoutIsRecognized(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	pending, err := migrations.Pending(t.Context(), url)
	require.NoError(t, err)
	require.False(t, pending)
	require.NoError(t, migrations.Up(t.Context(), url), "up to date already")

	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	_, err = conn.Exec(t.Context(), `ALTER TABLE callback_keys RENAME TO old_keys;
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (4, true), (5, true), (6, true), (7, true), (8, true)`)
	require.NoError(t, err)
	require.ErrorIs(t, migrations.Up(t.Context(), url), migrations.ErrOldLayout)
	_, err = migrations.Pending(t.Context(), url)
	require.ErrorIs(t, err, migrations.ErrOldLayout)
	_, err = migrations.List(t.Context(), url)
	require.ErrorIs(t, err, migrations.ErrOldLayout)
}
