package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/pgsession"
)

// opLimit bounds each step here, so that a stuck server fails a test and does not hang it.
const opLimit = time.Minute

// closeLimit is how long the end of a test waits for its pool's connections to be given back.
const closeLimit = 5 * time.Second

// Schema is what a template holds.
type Schema struct {
	// Key differs whenever Up would make something else. Templates are kept by it, also between runs.
	Key string
	// Up makes the schema in an empty database.
	Up func(ctx context.Context, databaseURL string) error
}

// URLWith returns the URL of a new database with the schema. It is dropped when the test ends, connections or not.
func URLWith(t testing.TB, schema Schema) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opLimit)
	defer cancel()
	srv, err := theServer(ctx)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	template, err := srv.template(ctx, schema)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	url, err := throughPooler(newDatabase(ctx, t, srv, template))
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return url
}

// PoolWith is URLWith with a pool on the database, closed when the test ends. The test fails if it still holds a
// connection then.
func PoolWith(t testing.TB, schema Schema) *pgxpool.Pool {
	t.Helper()
	return openPool(t, URLWith(t, schema))
}

// Empty returns the URL of a new database that holds nothing. It is dropped when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opLimit)
	defer cancel()
	srv, err := theServer(ctx)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return newDatabase(ctx, t, srv, "template0")
}

func newDatabase(ctx context.Context, t testing.TB, srv *server, template string) string {
	t.Helper()
	url, name, err := srv.clone(ctx, template)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), opLimit)
		defer cancel()
		if err := srv.drop(ctx, name); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return url
}

func openPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatalf("storetest: read the database URL: %v", err)
	}
	conf.MaxConns = 8 // many tests share one server
	conf.AfterConnect = pgsession.Prepare
	pool, err := pgxpool.NewWithConfig(context.Background(), conf)
	if err != nil {
		t.Fatalf("storetest: open a pool: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { // Close waits for the last connection to be given back, which may be never
			pool.Close()
			close(closed)
		}()
		limit := time.NewTimer(closeLimit)
		defer limit.Stop()
		select {
		case <-closed:
		case <-limit.C:
			t.Errorf("storetest: %d connections of the pool were not given back", pool.Stat().AcquiredConns())
		}
	})
	return pool
}
