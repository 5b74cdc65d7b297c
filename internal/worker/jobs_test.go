package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// A connection that is closed under River while it starts must not end deliveries for good.
func TestAQueueThatDiedWhileItStartedIsStartedAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
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
	started := make(chan payment.Key, 10)
	w, err := New(Config{Pool: pool, Log: zerolog.New(b.log)}, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		started <- key
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
	require.Equal(t, first, wait(t, started, "the job"))
	require.Positive(t, b.log.count("starting the workers again"))
	cancel()
	require.NoError(t, wait(t, ended, "the end"))
}

// stopping is a queue whose jobs are never done: stopping it takes as long as it is waited for.
type stopping struct {
	starts, stops, cancels atomic.Int64
}

func (s *stopping) Start(context.Context) error { s.starts.Add(1); return nil }

func (s *stopping) Stop(ctx context.Context) error {
	s.stops.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func (s *stopping) StopAndCancel(ctx context.Context) error {
	s.cancels.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func (s *stopping) JobList(context.Context, *river.JobListParams) (*river.JobListResult, error) {
	return &river.JobListResult{Jobs: []*rivertype.JobRow{{ID: 7}}}, nil
}

func TestAQueueThatDoesNotStopIsStartedAgainAndLeftInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, client := &lines{}, &stopping{}
		j := newJobs(zerolog.New(log))
		j.client = client
		started, life := time.Now(), 2*(idleFor+jobTimeout+cancelTimeout)+time.Second
		ctx, cancel := context.WithTimeout(t.Context(), life)
		defer cancel()
		require.ErrorIs(t, j.run(ctx), context.DeadlineExceeded)
		require.EqualValues(t, 3, client.starts.Load())
		require.Equal(t, 2, log.count("do not stop"))
		require.EqualValues(t, 3, client.stops.Load())
		require.EqualValues(t, 3, client.cancels.Load())
		require.Equal(t, life+jobTimeout+cancelTimeout, time.Since(started), "leaving waits no longer than that")
	})
}

// River itself starts again after a stop that was given up.
func TestDeliveriesGoOnAfterAStopThatTookTooLong(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	started, finish := make(chan payment.Key, 10), make(chan struct{})
	w, err := New(Config{Pool: b.pool, Log: zerolog.New(b.log)}, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		started <- key
		<-finish // whatever becomes of its context
		return time.Time{}, nil
	}), b.Store)
	require.NoError(t, err)
	j := w.jobs
	j.watchEvery, j.idleFor, j.stopWithin, j.cancelWithin = 20*time.Millisecond, 300*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	first, second := newKey(), newKey()
	b.insertNotify(t, first)
	require.True(t, j.start(t.Context()))
	require.Equal(t, first, wait(t, started, "the job"))
	require.ErrorIs(t, j.stop(t.Context()), context.DeadlineExceeded)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.run(ctx) }()
	b.insertNotify(t, second)
	close(finish)
	require.Equal(t, second, wait(t, started, "the next job"))
	j.stopWithin = soon
	cancel()
	require.NoError(t, wait(t, ended, "the end"))
}
