package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

func TestLeavingFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	first := newKey()
	b.queue.Due(first)
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
		b.queue.Due(key)
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
}

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
	b.exec(t, "ALTER TABLE deliveries RENAME TO gone")
	require.Eventually(t, func() bool { return b.log.count("due deliveries cannot be read") == 1 }, soon, 20*time.Millisecond)
	b.exec(t, "ALTER TABLE gone RENAME TO deliveries")
	b.paid(t, "r-1")
	wait(t, delivered, "the delivery after the outage")
}
