package worker

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
)

const (
	dueEvery = 500 * time.Millisecond
	// deliveryTimeout bounds what is sent of one order in a row.
	deliveryTimeout = 40 * time.Second
	// returnTimeout bounds the returning of leases at the end.
	returnTimeout = 5 * time.Second
)

// Notifier sends notifications. next is when to ask again; zero means nothing is left.
type Notifier interface {
	// TryPlace takes a place at an address for a delivery that is leased. Deliver gives it back.
	TryPlace(address string) bool
	// Deliver sends a delivery that is leased and has its place, and then what else is due of its order.
	Deliver(ctx context.Context, d *payment.Delivery) (next time.Time, err error)
	// DeliverOrder sends what is due of an order.
	DeliverOrder(ctx context.Context, key payment.Key) (next time.Time, err error)
}

// DueDeliveries finds what nobody is sending although it is due.
type DueDeliveries interface {
	// DueDeliveries returns up to limit orders, and whether there may be more. Another process may get them too.
	DueDeliveries(ctx context.Context, limit int) (keys []payment.Key, more bool, err error)
	// ReturnDeliveries gives up leases under which nothing was sent.
	ReturnDeliveries(ctx context.Context, leased []*payment.Delivery) error
}

// deliveries sends what was just committed, and what a sweep finds.
type deliveries struct {
	notifier Notifier
	queue    *Queue
	due      DueDeliveries
	log      zerolog.Logger
	swept    time.Time // when the database was last asked; only the leases' own goroutine reads it
}

func newDeliveries(c Config, notifier Notifier, due DueDeliveries) *leases[task] {
	d := &deliveries{notifier: notifier, queue: c.Deliveries, due: due, log: c.Log}
	if d.queue == nil {
		d.queue = NewQueue(QueueConfig{})
	}
	l := &leases[task]{
		every: dueEvery, grace: deliveryTimeout, wake: d.queue.wake, lease: d.lease, work: d.deliver, ended: d.end,
		failing: func(err error) { c.Log.Error().Err(err).Msg("due deliveries cannot be read; trying on") },
	}
	return l.bounded(c.MaxWorkers)
}

// lease returns what to send next: what was just committed first.
func (d *deliveries) lease(ctx context.Context, limit int) ([]task, error) {
	tasks, late := d.queue.take(limit, d.notifier.TryPlace)
	if len(late) > 0 {
		d.giveBack(ctx, late)
	}
	if len(tasks) == limit || time.Since(d.swept) < dueEvery {
		return tasks, nil
	}
	d.swept = time.Now()
	due, more, err := d.due.DueDeliveries(ctx, limit-len(tasks))
	if more {
		d.swept = time.Time{}
	}
	for _, key := range due {
		tasks = append(tasks, task{key: key})
	}
	return tasks, err
}

// deliver sends what is due of one order. What fails is planned in the database; what could not be written down is found by a
// sweep, once its lease has ended.
func (d *deliveries) deliver(ctx context.Context, t task) {
	ctx, cancel := context.WithTimeout(ctx, faultpoint.Duration("job_timeout", deliveryTimeout))
	defer cancel()
	defer d.queue.placeFreed()
	defer func() {
		if p := recover(); p != nil {
			d.log.Error().Stringer("order_id", t.key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a delivery panicked; it is tried again")
		}
	}()
	faultpoint.Hit("job-begun")
	var err error
	if t.leased != nil {
		_, err = d.notifier.Deliver(ctx, t.leased)
	} else {
		_, err = d.notifier.DeliverOrder(ctx, t.key)
	}
	if err != nil {
		d.log.Error().Err(err).Stringer("order_id", t.key.Order).Msg("a delivery could not be written down; it is tried again")
	}
}

// end leaves what still waits to other processes.
func (d *deliveries) end(ctx context.Context) {
	if leased := d.queue.close(); len(leased) > 0 {
		d.giveBack(ctx, leased)
	}
}

// giveBack gives leases up. Those that cannot be given up end by themselves.
func (d *deliveries) giveBack(ctx context.Context, leased []*payment.Delivery) {
	ctx, cancel := context.WithTimeout(ctx, returnTimeout)
	defer cancel()
	if err := d.due.ReturnDeliveries(ctx, leased); err != nil {
		d.log.Warn().Err(err).Int("count", len(leased)).Msg("leases of deliveries cannot be given up; they end by themselves")
	}
}
