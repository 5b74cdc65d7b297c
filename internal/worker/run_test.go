package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

func TestLeavingFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	first := newKey()
	b.insertNotify(t, first)
	started, finish, cancelled := make(chan payment.Key, 10), make(chan struct{}), make(chan error, 10)
	stop := b.run(t, b.payment, deliver(func(ctx context.Context, key payment.Key) (time.Time, error) {
		started <- key
		<-finish
		cancelled <- ctx.Err()
		return time.Time{}, nil
	}), nil)
	require.Equal(t, first, wait(t, started, "the job"))
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()

	// A leaving process takes no new job.
	require.Eventually(t, func() bool {
		key := newKey()
		b.insertNotify(t, key)
		select {
		case <-started:
			return false // it had not heard yet
		case <-time.After(1500 * time.Millisecond): // three times as long as between two looks
			return true
		}
	}, soon, time.Millisecond)
	select {
	case <-stopped:
		require.Fail(t, "Run returned although a job is under way")
	default:
	}
	close(finish)
	wait(t, stopped, "the end")
	require.NoError(t, wait(t, cancelled, "the job's end"), "the job was not disturbed")
	require.Equal(t, "completed", b.jobs(t, "notify_order")[0].State)
}

func TestASweepGoesOnAfterErrorsAndLogsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		w := &Workers{log: zerolog.New(log)}
		ctx, cancel := context.WithCancel(t.Context())
		started := time.Now()
		var at []time.Duration
		script := []struct {
			n   int
			err error
		}{
			{n: 3},
			{err: errors.New("no database")},
			{err: errors.New("no database")},
			{n: 10}, // a full batch: there may be more
			{n: 2},
			{err: errors.New("no database again")},
			{n: 0},
			{err: context.Canceled}, // while leaving
		}
		w.sweep(ctx, "things", time.Second, 10, time.Minute, func(_ context.Context, limit int, lease time.Duration) (int, error) {
			require.Equal(t, 10, limit)
			require.Equal(t, time.Minute, lease)
			at = append(at, time.Since(started))
			say := script[len(at)-1]
			if len(at) == len(script) {
				cancel()
			}
			return say.n, say.err
		})
		const s = time.Second
		require.Equal(t, []time.Duration{1 * s, 2 * s, 3 * s, 4 * s, 4 * s, 5 * s, 6 * s, 7 * s}, at)
		require.Equal(t, 2, log.count("due things cannot be queued"), "once for each time it begins")
		require.Equal(t, 1, log.count("no database again"))
	})
}

// forgetting is a Forgetter.
type forgetting func(age time.Duration) (int64, error)

func (f forgetting) Forget(_ context.Context, age time.Duration) (int64, error) { return f(age) }

func TestForgettingGoesOnEveryHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		ctx, cancel := context.WithCancel(t.Context())
		started := time.Now()
		var at []time.Duration
		w := &Workers{log: zerolog.New(log), answers: forgetting(func(age time.Duration) (int64, error) {
			require.Equal(t, KeepAnswers, age)
			at = append(at, time.Since(started))
			switch len(at) {
			case 1:
				return 0, errors.New("no database")
			case 2:
				return 7, nil
			}
			cancel()
			return 0, ctx.Err()
		})}
		w.forget(ctx)
		require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour}, at, "at once, and then every hour")
		require.Equal(t, 1, log.count("cannot be deleted"), "leaving is no error")
		require.Equal(t, 1, log.count(`"count":7`))
		(&Workers{}).forget(t.Context()) // nothing is kept
	})
}

func TestOldIdempotencyKeysAreForgotten(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	kept := func(key string) {
		t.Helper()
		claim, _, err := b.Idempotency().Begin(t.Context(), b.shop.ID, key, []byte("hash"), time.Minute)
		require.NoError(t, err)
		require.NoError(t, b.Idempotency().Finish(t.Context(), claim, idempotency.Response{Status: 201}))
	}
	b.moveOn(-2*KeepAnswers - time.Minute) // the wall clock is a week ahead of the store's
	kept("old")
	b.moveOn(2 * time.Minute)
	kept("not so old")
	b.moveOn(KeepAnswers - time.Minute)
	kept("new")
	b.run(t, b.payment, nothingToDeliver(), b.Idempotency())
	var left []string
	require.Eventually(t, func() bool {
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT array_agg(key ORDER BY created_at) FROM idempotency_keys").Scan(&left))
		return len(left) < 3
	}, soon, 20*time.Millisecond)
	require.Equal(t, []string{"not so old", "new"}, left)
}

func TestTheEndOfADatabaseIsNotTheEndOfTheWorkers(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	delivered := make(chan *payment.Delivery, 10)
	b.run(t, b.payment, from(b.Store, delivered), nil)
	b.exec(t, "ALTER TABLE notifications RENAME TO gone")
	require.Eventually(t, func() bool { return b.log.count("due deliveries cannot be queued") == 1 }, soon, 20*time.Millisecond)
	b.exec(t, "ALTER TABLE gone RENAME TO notifications")
	b.paid(t, "r-1")
	wait(t, delivered, "the delivery after the outage")
}

// A database that goes away while the service starts must not end it: everything else waits for the database too.
func TestADatabaseThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var back atomic.Bool
	c := b.pool.Config()
	c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		if !back.Load() {
			return errors.New("the database is away")
		}
		return nil
	}
	away, err := pgxpool.NewWithConfig(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(away.Close)
	b.pool = away
	first := newKey()
	started := make(chan payment.Key, 10)
	b.run(t, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		started <- key
		return time.Time{}, nil
	}), nil)
	require.Eventually(t, func() bool { return b.log.count("the workers cannot be started") == 1 }, soon, 10*time.Millisecond)
	back.Store(true)
	b.insertNotify(t, first)
	require.Equal(t, first, wait(t, started, "the job"))

	// Leaving does not wait for a database either.
	c = b.pool.Config()
	c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return errors.New("the database is away") }
	b.pool, err = pgxpool.NewWithConfig(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	stop := b.run(t, b.payment, deliver(nil), nil)
	require.Eventually(t, func() bool { return b.log.count("the workers cannot be started") == 2 }, soon, 10*time.Millisecond)
	stop()
}
