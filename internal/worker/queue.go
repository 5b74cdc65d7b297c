package worker

import (
	"sync"
	"time"

	"payrelay/internal/payment"
)

const (
	// queueMost bounds how many orders wait in memory. What does not fit is found in the database, as after a crash.
	queueMost = 10_000
	// roomTotal and roomEach bound how many leased deliveries wait in memory, in all and to one destination. What is written beyond
	// that is not leased, and waits for its turn as if it came from the database.
	roomTotal, roomEach = 400, 100
)

// task is a delivery that is leased, or an order of which something may be due.
type task struct {
	key     payment.Key
	leased  *payment.Delivery
	to      string    // the destination of a leased delivery
	startBy time.Time // when it is too late to send a leased delivery
}

// QueueConfig is what a queue needs to know of leases. Without a lease it has room for none.
type QueueConfig struct {
	// Lease is for how long deliveries are leased, and Timeout how long sending one takes at most.
	Lease, Timeout time.Duration
	// Now is the clock that leases are written by; time.Now if nil.
	Now func() time.Time
}

// Queue takes notifications that were just committed to the workers of this process, within a moment. It is no promise: the
// promise is in the database.
type Queue struct {
	QueueConfig
	wake chan struct{}

	mu      sync.Mutex
	waiting []task
	leased  map[string]int // how many leased deliveries wait, by destination
	total   int            // of all destinations
	closed  bool
}

// NewQueue returns an empty queue.
func NewQueue(c QueueConfig) *Queue {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Queue{QueueConfig: c, wake: make(chan struct{}, 1), leased: map[string]int{}}
}

// Room implements store.Sender.
func (q *Queue) Room(address string) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.total >= roomTotal || q.leased[payment.Destination(address)] >= roomEach {
		return 0
	}
	return q.Lease
}

// Deliver implements store.Sender.
func (q *Queue) Deliver(leased ...*payment.Delivery) {
	tasks := make([]task, len(leased))
	spare := (q.Lease - q.Timeout) / 2 // to write the outcome down
	for i, d := range leased {
		tasks[i] = task{key: d.Key, leased: d, to: payment.Destination(d.URL), startBy: d.LeasedUntil.Add(-q.Timeout - spare)}
	}
	q.add(tasks)
}

// Due implements store.Sender.
func (q *Queue) Due(keys ...payment.Key) {
	tasks := make([]task, len(keys))
	for i, key := range keys {
		tasks[i].key = key
	}
	q.add(tasks)
}

func (q *Queue) add(tasks []task) {
	q.mu.Lock()
	tasks = tasks[:min(len(tasks), max(0, queueMost-len(q.waiting)))]
	q.waiting = append(q.waiting, tasks...)
	for _, t := range tasks {
		q.count(t, 1)
	}
	q.mu.Unlock()
	q.stir()
}

func (q *Queue) count(t task, n int) {
	if t.leased == nil {
		return
	}
	q.total += n
	if q.leased[t.to] += n; q.leased[t.to] == 0 {
		delete(q.leased, t.to)
	}
}

// stir has the workers ask the queue.
func (q *Queue) stir() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// placeFreed has the workers ask the queue if a leased delivery may have waited for the place.
func (q *Queue) placeFreed() {
	q.mu.Lock()
	waits := q.total > 0
	q.mu.Unlock()
	if waits {
		q.stir()
	}
}

// take returns up to limit tasks, those first that wait longest. Leased ones get their place at their destination, or go on
// waiting. late are leased ones for which it is too late.
func (q *Queue) take(limit int, place func(address string) bool) (tasks []task, late []*payment.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Now()
	full := map[string]bool{}
	left := q.waiting[:0]
	for i, t := range q.waiting {
		if len(tasks) == limit {
			left = append(left, q.waiting[i:]...)
			break
		}
		switch {
		case t.leased == nil:
		case now.After(t.startBy):
			late = append(late, t.leased)
			q.count(t, -1)
			continue
		case full[t.to] || !place(t.leased.URL):
			full[t.to] = true
			left = append(left, t)
			continue
		}
		q.count(t, -1)
		tasks = append(tasks, t)
	}
	if q.waiting = left; len(left) == 0 {
		q.waiting = nil
	}
	return tasks, late
}

// close gives back what waits, and takes no lease any more.
func (q *Queue) close() (leased []*payment.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, t := range q.waiting {
		if t.leased != nil {
			leased = append(leased, t.leased)
		}
	}
	q.waiting, q.leased, q.total = nil, map[string]int{}, 0
	return leased
}
