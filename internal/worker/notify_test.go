package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

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

// die lets a process with the service's own durations take a delivery, and die. It returns the lease.
func (b *fixture) die(t *testing.T, key payment.Key) time.Duration {
	t.Helper()
	outbox := &dying{Outbox: b.Store}
	n := notify.New(notify.Config{Outbox: outbox, Now: b.now})
	defer n.Close()
	_, err := n.DeliverOrder(t.Context(), key)
	require.ErrorIs(t, err, errDied)
	return outbox.lease
}

// from delivers everything from an outbox, and says what it has delivered.
func from(outbox payment.Outbox, delivered chan<- *payment.Delivery) deliver {
	return func(ctx context.Context, key payment.Key) (time.Time, error) {
		for {
			d, repeated, err := outbox.LeaseDelivery(ctx, key, time.Minute, func(string) time.Time { return time.Time{} })
			if err != nil || d == nil {
				return repeated, err
			}
			if _, err := outbox.FinishDelivery(ctx, d, payment.Attempt{At: time.Now(), HTTPStatus: 200, Delivered: true}); err != nil {
				return time.Time{}, err
			}
			delivered <- d
		}
	}
}

// A process that dies between a commit and the sending of what was committed leaves it to whoever sweeps next.
func TestWhatADeadProcessNeverSentIsSent(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1")
	b.queue.take(1, anyPlace) // and its process dies
	delivered := make(chan *payment.Delivery, 10)
	b.run(t, b.payment, from(b.Store, delivered))
	d := wait(t, delivered, "the sweep")
	require.Equal(t, key, d.Key)
	require.Equal(t, 1, d.Attempt)
}

func TestADeadProcessDeliveryIsTakenOverInTime(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1")
	lease := b.die(t, key)
	require.LessOrEqual(t, lease+4*dueEvery, promise, "the lease ends, and a sweep finds it")

	b.queue.take(1, anyPlace)
	b.moveOn(lease + time.Second)
	delivered := make(chan *payment.Delivery, 10)
	b.run(t, b.payment, from(b.Store, delivered))
	d := wait(t, delivered, "the sweep")
	require.Equal(t, key, d.Key)
	require.Equal(t, 2, d.Attempt, "the dead process's lease counts")
}

func TestALiveProcessDeliveryIsLeftToIt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	lease := b.die(t, b.paid(t, "r-1"))
	b.moveOn(lease - time.Second)
	keys, _, err := b.DueDeliveries(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, keys, "leased")
	b.moveOn(2 * time.Second)
	keys, _, err = b.DueDeliveries(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, keys, 1, "the lease has ended")
}

// What was committed is sent at once: nobody waits for a sweep.
func TestADeliveryBeginsRightAfterTheCommit(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	delivered := make(chan *payment.Delivery, 10)
	w := New(Config{Log: b.quiet(), Deliveries: b.queue}, b.payment, from(b.Store, delivered), noSweep{b.Store})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	for _, reference := range []string{"r-1", "r-2", "r-3"} {
		key := b.paid(t, reference)
		require.Equal(t, key, wait(t, delivered, "the delivery").Key)
	}
	stop()
	<-ended
}

// A burst of commits waits in memory for places, and all of it is sent.
func TestABurstIsSentByFewWorkers(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const burst = 500
	var atOnce, most, sent atomic.Int32
	slow := deliver(func(context.Context, payment.Key) (time.Time, error) {
		n := atOnce.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		atOnce.Add(-1)
		sent.Add(1)
		return time.Time{}, nil
	})
	w := New(Config{Log: b.quiet(), Deliveries: b.queue, MaxWorkers: 5}, b.payment, slow, noSweep{b.Store})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	for range burst {
		b.queue.Due(newKey())
	}
	require.Eventually(t, func() bool { return sent.Load() == burst }, soon, time.Millisecond)
	require.LessOrEqual(t, most.Load(), int32(5))
	stop()
	<-ended
}

// The queue in memory is bounded: what does not fit is left to the sweep.
func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := NewQueue(QueueConfig{})
	q.Due(make([]payment.Key, queueMost-1)...)
	q.Due(newKey(), newKey(), newKey())
	tasks, _ := q.take(2*queueMost, anyPlace)
	require.Len(t, tasks, queueMost)
	tasks, _ = q.take(1, anyPlace)
	require.Empty(t, tasks)
}

func TestADeliveryThatPanicsDisturbsNoOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	good := make(chan payment.Key, 10)
	bad := newKey()
	b.run(t, b.payment, deliver(func(_ context.Context, key payment.Key) (time.Time, error) {
		if key == bad {
			panic("a mistake")
		}
		good <- key
		return time.Time{}, errors.New("no database")
	}))
	next := newKey()
	b.queue.Due(bad, next)
	require.Equal(t, next, wait(t, good, "the other order"))
	require.Eventually(t, func() bool { return b.log.count("a delivery panicked") == 1 }, soon, time.Millisecond)
	require.Eventually(t, func() bool { return b.log.count("a delivery could not be written down") == 1 }, soon, time.Millisecond)
}

func TestTheDurationsFitEachOther(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, 2*PollTimeout, PollLease, "a poll ends well within its lease")
	require.LessOrEqual(t, PollLease+pollEvery, promise, "a poll whose process died")
	require.LessOrEqual(t, TransactionReportLease+transactionReportSweepEvery, promise, "a step of a report whose process died")
	require.LessOrEqual(t, 2*transactionReportRenew, TransactionReportLease, "one renewal may fail")
}

// noSweep is a database in which a sweep finds nothing to send.
type noSweep struct{ Leaser }

func (noSweep) DueDeliveries(context.Context, int) ([]payment.Key, bool, error) {
	return nil, false, nil
}
