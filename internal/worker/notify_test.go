package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/notify"
	"payrelay/internal/payment"
)

// promise is how long a delivery may lie after its process died (docs/architecture.md, Notifications).
const promise = 30 * time.Second

var errDied = errors.New("died")

// dying is an outbox of a process that dies as soon as it has leased a delivery.
type dying struct {
	payment.Outbox
	lease time.Duration
}

func (d *dying) LeaseDelivery(ctx context.Context, key payment.Key, lease time.Duration, room func(string) time.Time) (*payment.Delivery, time.Time, error) {
	d.lease = lease
	if _, _, err := d.Outbox.LeaseDelivery(ctx, key, lease, room); err != nil {
		return nil, time.Time{}, err
	}
	return nil, time.Time{}, errDied
}

// die lets a process with the service's own durations take a delivery and its jobs, and die. It returns the lease.
func (b *fixture) die(t *testing.T, key payment.Key, attemptedAgo time.Duration) time.Duration {
	t.Helper()
	b.exec(t, `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now() - make_interval(secs => $1), attempted_by = '{dead}'
		WHERE kind = 'notify_order'`, attemptedAgo.Seconds())
	outbox := &dying{Outbox: b.Store}
	n := notify.New(notify.Config{Outbox: outbox, Now: b.now})
	defer n.Close()
	_, err := n.DeliverOrder(t.Context(), key)
	require.ErrorIs(t, err, errDied)
	return outbox.lease
}

// from delivers everything from an outbox, and says that it has delivered the first.
func from(outbox payment.Outbox, delivered chan<- *payment.Delivery) deliver {
	return func(ctx context.Context, key payment.Key) (time.Time, error) {
		for {
			d, repeated, err := outbox.LeaseDelivery(ctx, key, time.Minute, func(string) time.Time { return time.Time{} })
			if err != nil || d == nil {
				return repeated, err
			}
			if err := outbox.FinishDelivery(ctx, d, payment.Attempt{At: time.Now(), HTTPStatus: 200, Delivered: true}); err != nil {
				return time.Time{}, err
			}
			delivered <- d
		}
	}
}

func TestADeadProcessDeliveryIsTakenOverInTime(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1")
	lease := b.die(t, key, 0)
	const slack = 2 * time.Second // to find the job in the queue
	require.LessOrEqual(t, lease+overdueEvery+slack, promise, "the lease ends, and a sweep finds it")
	require.LessOrEqual(t, overdueAfter, lease, "nothing else to wait for")

	b.moveOn(lease + time.Millisecond)
	delivered := make(chan *payment.Delivery, 10)
	b.run(t, b.payment, from(b.Store, delivered), nil)
	d := wait(t, delivered, "the sweep")
	require.Equal(t, key, d.Key)
	require.Equal(t, 2, d.Attempt, "the dead process's lease counts")
	require.Equal(t, "running", b.jobs(t, "notify_order")[0].State, "its job is not what was waited for")
}

func TestALiveProcessDeliveryIsLeftToIt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	lease := b.die(t, b.paid(t, "r-1"), 0)
	b.moveOn(lease - time.Minute/4)
	n, err := b.QueueOverdueDeliveries(t.Context(), sweepBatch, overdueAfter)
	require.NoError(t, err)
	require.Zero(t, n, "leased")
	b.moveOn(time.Minute / 4)
	n, err = b.QueueOverdueDeliveries(t.Context(), sweepBatch, overdueAfter)
	require.NoError(t, err)
	require.Positive(t, n, "the lease has ended")
}

// What waits for a worker only is not queued once more, or a busy service would queue it every quarter of a minute.
func TestADeliveryThatWaitsForAWorkerIsNotQueuedAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	waits := b.paid(t, "r-1")
	for range 3 {
		b.moveOn(overdueAfter + time.Second)
		n, err := b.QueueOverdueDeliveries(t.Context(), sweepBatch, overdueAfter)
		require.NoError(t, err)
		require.Positive(t, n, "it is due")
	}
	require.Len(t, b.jobs(t, "notify_order"), 1)

	// Only a job that any process may take is as good as a new one, and only for its own order.
	for _, state := range []string{"running", "scheduled", "retryable", "available"} {
		b.exec(t, "UPDATE river.river_job SET state = $1::river.river_job_state, attempted_at = now()", state)
		if state == "available" { // queued by a process whose clock is ahead
			b.exec(t, "UPDATE river.river_job SET scheduled_at = now() + interval '7 hours'")
		}
		other := b.paid(t, state)
		b.moveOn(overdueAfter + time.Second)
		_, err := b.QueueOverdueDeliveries(t.Context(), sweepBatch, overdueAfter)
		require.NoError(t, err)
		var orders []string
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT array_agg(args->>'order') FROM river.river_job WHERE state = 'available' AND scheduled_at <= now()").Scan(&orders))
		require.ElementsMatch(t, []string{waits.Order.String(), other.Order.String()}, orders, state)
		b.exec(t, "UPDATE notifications SET state = 'delivered' WHERE order_id = $1", other.Order)
	}
}

// Behind a transaction pooler statements are not prepared, and their arguments go without types.
func TestMissingJobsAreFoundBehindAPooler(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	waits, missing := newKey(), newKey()
	b.insertNotify(t, waits)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		config := b.pool.Config().ConnConfig.Copy()
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { return b.queue.InsertMissingNotify(t.Context(), tx, waits, missing) }), mode)
		require.NoError(t, conn.Close(t.Context()))
		require.Len(t, b.jobs(t, "notify_order"), 2, mode)
	}
}

func TestADeadProcessJobIsNotLeftRunning(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	// Nothing is due for the order: only River can find the job.
	key := newKey()
	b.insertNotify(t, key)
	b.exec(t, `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now() - make_interval(secs => $1), attempted_by = '{dead}'`, (jobTimeout + 6*time.Second).Seconds())
	young := newKey()
	b.insertNotify(t, young)
	b.exec(t, `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{alive}' WHERE args->>'order' = $1`, young.Order.String())
	seen := make(chan payment.Key, 10)
	b.run(t, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		seen <- key
		return time.Time{}, nil
	}), nil)
	require.Equal(t, key, wait(t, seen, "the rescue"))
	require.Eventually(t, func() bool { return b.jobs(t, "notify_order")[0].State == "completed" }, soon, 20*time.Millisecond)
	require.Equal(t, "running", b.jobs(t, "notify_order")[1].State, "that may still be under way")
}

func TestADeliveryIsSnoozedUntilItIsDue(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key, repeated := newKey(), time.Now().Add(time.Hour)
	b.insertNotify(t, key)
	b.run(t, b.payment, deliver(func(_ context.Context, got payment.Key) (time.Time, error) {
		if got != key {
			return time.Time{}, errors.New("another order")
		}
		return repeated, nil
	}), nil)
	j := b.eventually(t, "notify_order", func(j job) bool { return j.State == "scheduled" })
	require.WithinDuration(t, repeated, j.ScheduledAt, time.Minute)
	require.Zero(t, j.Attempt, "waiting is not an attempt that failed")
	require.Zero(t, j.Errors)
}

func TestADeliveryThatIsDueSoonIsNotMadeSooner(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.insertNotify(t, newKey())
	var calls atomic.Int32
	var due atomic.Pointer[time.Time]
	second := make(chan time.Time, 1)
	b.run(t, b.payment, deliver(func(context.Context, payment.Key) (time.Time, error) {
		switch calls.Add(1) {
		case 1: // a due time that has passed meanwhile is "soon", and not an endless loop
			return time.Now().Add(-time.Second), nil
		case 2:
			repeated := time.Now().Add(300 * time.Millisecond)
			due.Store(&repeated)
			return repeated, nil
		}
		second <- time.Now()
		return time.Time{}, nil
	}), nil)
	at := wait(t, second, "the repetition")
	require.False(t, at.Before(due.Load().Add(-50*time.Millisecond)), "before it was due")
	b.eventually(t, "notify_order", func(j job) bool { return j.State == "completed" })
	require.EqualValues(t, 3, calls.Load(), "nothing left is the end")
}

func TestADeliveryThatCannotBeWrittenDownIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.insertNotify(t, newKey())
	// River's own pauses have become long by then.
	b.exec(t, `UPDATE river.river_job SET attempt = 5, errors = array_fill('{"at": "2030-01-01T00:00:00Z", "attempt": 1, "error": "e", "trace": ""}'::jsonb, '{5}')`)
	failed := make(chan time.Time, 100)
	b.run(t, b.payment, deliver(func(context.Context, payment.Key) (time.Time, error) {
		failed <- time.Now()
		return time.Time{}, errors.New("no database")
	}), nil)
	at := wait(t, failed, "the job")
	j := b.eventually(t, "notify_order", func(j job) bool { return j.Errors > 5 })
	require.Contains(t, []string{"retryable", "available"}, j.State)
	require.WithinDuration(t, at.Add(2*time.Second), j.ScheduledAt, time.Minute)
	require.Positive(t, b.log.count("a delivery could not be written down"))
}

func TestTheDurationsFitEachOther(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, 2*CheckTimeout, CheckLease, "a check ends well within its lease")
	require.LessOrEqual(t, CheckLease+checkEvery, promise, "a check whose process died")
	require.LessOrEqual(t, TransactionReportLease+transactionReportSweepEvery, promise, "a step of a statement whose process died")
	require.LessOrEqual(t, 2*transactionReportRenew, TransactionReportLease, "one renewal may fail")
}
