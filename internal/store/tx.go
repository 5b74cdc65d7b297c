package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

const (
	// acquireLimit is how long a caller waits for a connection. When the pool is exhausted for longer, more waiting
	// only makes a longer queue.
	acquireLimit = 3 * time.Second
	// DefaultLimit is how long reading or writing takes at most, with waiting for a connection, for locks and for tries
	// again. What waits longer is better told than kept waiting: the caller may be a person, or hold a place.
	DefaultLimit = 10 * time.Second
	// rowsFactor is how much longer the rows of a statement's file may take: there may be a hundred thousand.
	rowsFactor = 3
	// maxTries is how often a transaction is begun in all when another one is in its way.
	maxTries = 5
)

// read runs fn, which asks one thing, on a connection. It ends within the store's limit, as write does.
func (s *Store) read(ctx context.Context, doing string, fn func(ctx context.Context, q *db.Queries) error) error {
	return s.readWithin(ctx, s.Limit, doing, fn)
}

func (s *Store) readWithin(ctx context.Context, limit time.Duration, doing string, fn func(ctx context.Context, q *db.Queries) error) error {
	return s.retry(ctx, limit, doing, func(ctx context.Context, conn *pgxpool.Conn) error { return fn(ctx, db.New(conn)) })
}

// write runs fn in a transaction and commits it if fn returns no error. fn may run several times. It must not call
// anything but the database, and only with the context it is given.
func (s *Store) write(ctx context.Context, doing string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return s.writeWithin(ctx, s.Limit, doing, fn)
}

// writeDirectory is write for what the directory keeps. This process knows of the change at once.
func (s *Store) writeDirectory(ctx context.Context, doing string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	defer s.directory.expire()
	return s.write(ctx, doing, fn)
}

func (s *Store) writeWithin(ctx context.Context, limit time.Duration, doing string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if err := s.readySeal(ctx); err != nil { // not while a connection is held
		return translate(doing, err)
	}
	return s.retry(ctx, limit, doing, func(ctx context.Context, conn *pgxpool.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return fn(ctx, tx) })
	})
}

func (s *Store) retry(ctx context.Context, limit time.Duration, doing string, fn func(context.Context, *pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for try := 1; ; try++ {
		err := s.once(ctx, fn)
		if !inTheWay(err) || try == maxTries {
			return translate(doing, err)
		}
		pause := time.NewTimer(time.Duration(try)*5*time.Millisecond + rand.N(10*time.Millisecond)) //nolint:gosec // jitter needs no secrecy
		select {
		case <-ctx.Done():
			pause.Stop()
			return translate(doing, ctx.Err())
		case <-pause.C:
		}
	}
}

func (s *Store) once(ctx context.Context, fn func(context.Context, *pgxpool.Conn) error) error {
	bounded, cancel := context.WithTimeout(ctx, acquireLimit)
	defer cancel()
	conn, err := s.pool.Acquire(bounded)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return unavailable(fmt.Errorf("take a connection: %w: %w", payment.ErrNothingSent, err))
	}
	err = fn(ctx, conn)
	conn.Release()
	return s.withPartition(ctx, err)
}

// queue lets the generated methods put their statements into a batch, which goes out in one round trip. Each statement
// must change exactly one row. What the methods return means nothing: the outcome is known after send.
type queue struct {
	batch  pgx.Batch
	missed error // why a statement may find no row to change, if that is to be told
}

// Exec implements db.DBTX.
func (q *queue) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		n := tag.RowsAffected()
		if n == 0 && q.missed != nil {
			return q.missed
		}
		if n != 1 {
			return fmt.Errorf("a statement that must change one row changed %d: %s", n, firstWords(sql))
		}
		return nil
	})
	return pgconn.CommandTag{}, nil
}

// Query implements db.DBTX. Questions are queued by ask instead.
func (q *queue) Query(context.Context, string, ...any) (pgx.Rows, error) {
	panic("store: a question cannot be queued by a generated method")
}

// QueryRow implements db.DBTX. Questions are queued by ask instead.
func (q *queue) QueryRow(context.Context, string, ...any) pgx.Row {
	panic("store: a question cannot be queued by a generated method")
}

// ask queues a question for at most one row; *to stays nil if there is none.
func ask[T any](q *queue, to **T, sql string, args ...any) {
	askAll(q, func(found []*T) {
		if len(found) > 0 {
			*to = found[0]
		}
	}, sql, args...)
}

// askAll queues a question for any number of rows.
func askAll[T any](q *queue, read func([]*T), sql string, args ...any) {
	q.batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[T])
		if err == nil {
			read(found)
		}
		return err
	})
}

// send runs the batch. The first error ends it.
func (q *queue) send(ctx context.Context, tx pgx.Tx) error {
	if q.batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &q.batch).Close()
}

// firstWords names a statement in an error: the name that its first line carries.
func firstWords(sql string) string {
	for i, c := range sql {
		if c == '\n' {
			return sql[:i]
		}
	}
	return sql
}
