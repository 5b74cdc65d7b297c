package worker

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
)

const (
	dueEvery = 500 * time.Millisecond
	// deliveryTimeout bounds what is sent of one order in a row.
	deliveryTimeout = 40 * time.Second
	// queueMost bounds how many orders wait in memory. What does not fit is found in the database, as after a crash.
	queueMost = 10_000
)

// Notifier sends what is due of an order's notifications and says when to ask again; zero means nothing is left.
type Notifier interface {
	DeliverOrder(ctx context.Context, key payment.Key) (time.Time, error)
}

// DueDeliveries finds what nobody is sending although it is due.
type DueDeliveries interface {
	// DueDeliveries returns up to limit orders, and whether there may be more. Another process may get them too.
	DueDeliveries(ctx context.Context, limit int) (keys []payment.Key, more bool, err error)
}

// Queue takes orders whose notifications were just committed to the workers of this process, within a moment. It is no promise:
// the promise is in the database.
type Queue struct {
	mu      sync.Mutex
	waiting []payment.Key
	wake    chan struct{}
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{wake: make(chan struct{}, 1)} }

// Deliver puts orders into the queue. It never waits.
func (q *Queue) Deliver(keys ...payment.Key) {
	q.mu.Lock()
	q.waiting = append(q.waiting, keys[:min(len(keys), max(0, queueMost-len(q.waiting)))]...)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns up to limit orders, those first that wait longest.
func (q *Queue) take(limit int) []payment.Key {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(limit, len(q.waiting))
	keys := append([]payment.Key(nil), q.waiting[:n]...)
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return keys
}

// deliveries sends what was just committed, and what a sweep finds.
type deliveries struct {
	notifier Notifier
	queue    *Queue
	due      DueDeliveries
	log      zerolog.Logger
	swept    time.Time // when the database was last asked; only the leases' own goroutine reads it
}

func newDeliveries(c Config, notifier Notifier, due DueDeliveries) *leases[payment.Key] {
	d := &deliveries{notifier: notifier, queue: c.Deliveries, due: due, log: c.Log}
	if d.queue == nil {
		d.queue = NewQueue()
	}
	l := &leases[payment.Key]{
		every: dueEvery, grace: deliveryTimeout, wake: d.queue.wake, lease: d.lease, work: d.deliver,
		failing: func(err error) { c.Log.Error().Err(err).Msg("due deliveries cannot be read; trying on") },
	}
	return l.bounded(c.MaxWorkers)
}

// lease returns what to send next: what was just committed first.
func (d *deliveries) lease(ctx context.Context, limit int) ([]payment.Key, error) {
	keys := d.queue.take(limit)
	if len(keys) == limit || time.Since(d.swept) < dueEvery {
		return keys, nil
	}
	d.swept = time.Now()
	due, more, err := d.due.DueDeliveries(ctx, limit-len(keys))
	if more {
		d.swept = time.Time{}
	}
	return append(keys, due...), err
}

// deliver sends what is due of one order. What fails is planned in the database; what could not be written down is found by a
// sweep, once its lease has ended.
func (d *deliveries) deliver(ctx context.Context, key payment.Key) {
	ctx, cancel := context.WithTimeout(ctx, faultpoint.Duration("job_timeout", deliveryTimeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			d.log.Error().Stringer("order_id", key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a delivery panicked; it is tried again")
		}
	}()
	faultpoint.Hit("job-begun")
	if _, err := d.notifier.DeliverOrder(ctx, key); err != nil {
		d.log.Error().Err(err).Stringer("order_id", key.Order).Msg("a delivery could not be written down; it is tried again")
	}
}
