package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// A connection that is closed under River while it starts must not end deliveries for good.
func TestAQueueThatDiedWhileItStartedIsStartedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var taken, dying atomic.Int64
	dying.Store(1)
	c := b.pool.Config()
	c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		if taken.Add(1) > 2 && dying.Load() == 1 { // the first two are the look whether the database is there
			_ = conn.Close(ctx)
		}
		return true, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	begun := make(chan payment.Key, 10)
	w, err := New(Config{Pool: pool, Log: zerolog.New(b.log)}, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		begun <- key
		return time.Time{}, nil
	}), b.Store)
	require.NoError(t, err)
	w.jobs.watchEvery, w.jobs.idleFor = 50*time.Millisecond, 500*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return w.jobs.last.Load() > 0 }, soon, time.Millisecond, "River says that it has started")
	dying.Store(0)
	first := newKey()
	b.insertNotify(t, first)
	require.Equal(t, first, wait(t, begun, "the job"))
	require.Positive(t, b.log.count("starting the workers again"))
	cancel()
	require.NoError(t, wait(t, ended, "the end"))
}
