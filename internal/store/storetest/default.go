package storetest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/deploy/citus"
	"payrelay/migrations"
)

// URL returns the URL of a new database with the current schema. It is dropped when the test ends, connections or not.
func URL(t testing.TB) string {
	t.Helper()
	return URLWith(t, current(t))
}

// Pool is URL with a pool on the database, closed when the test ends. The test fails if it still holds a connection
// then.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return PoolWith(t, current(t))
}

func current(t testing.TB) Schema {
	t.Helper()
	key, err := sourceKey()
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	// The files may have changed since the program was built: the template holds what the program carries.
	return Schema{Key: key + " " + migrations.Fingerprint() + " " + citus.Script + " " + clocksMonth, Up: up}
}

// clocksMonth is where the clocks of many tests stand.
const clocksMonth = "2030-01-01"

// up makes the schema, with partitions for today and for the tests' clocks.
func up(ctx context.Context, url string) error {
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT make_partitions($1::text::date)", clocksMonth)
	return err
}
