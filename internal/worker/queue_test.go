package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// places is a notifier that has so many places for each address, and sends nothing before it is told to.
type places struct {
	mu      sync.Mutex
	free    map[string]int
	started chan *payment.Delivery
	end     chan struct{}
}

func (p *places) TryPlace(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[address]--
	if p.free[address] < 0 {
		p.free[address]++
		return false
	}
	return true
}

func (p *places) Deliver(_ context.Context, d *payment.Delivery) (time.Time, error) {
	p.started <- d
	<-p.end
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[d.URL]++
	return time.Time{}, nil
}

func (p *places) DeliverOrder(context.Context, payment.Key) (time.Time, error) {
	return time.Time{}, nil
}

func leasedTo(address string, until time.Time) *payment.Delivery {
	return &payment.Delivery{Key: newKey(), URL: address, LeasedUntil: until}
}

// What waits for a place of its destination keeps nobody else, and goes as soon as one is free.
func TestALeasedDeliveryWaitsForItsDestinationOnly(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.queue.Lease, b.queue.Timeout = time.Hour, time.Minute
	until := time.Now().Add(time.Hour)
	p := &places{free: map[string]int{"https://busy.example/a": 1, "https://fine.example/b": 9}, started: make(chan *payment.Delivery, 9), end: make(chan struct{})}
	w := New(Config{Log: b.quiet(), Deliveries: b.queue}, b.payment, p, noSweep{b.Store})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	first, second, other := leasedTo("https://busy.example/a", until), leasedTo("https://busy.example/a", until), leasedTo("https://fine.example/b", until)
	b.queue.Deliver(first, second, other)
	require.Equal(t, []*payment.Delivery{first, other}, sorted(first, wait(t, p.started, "the first"), wait(t, p.started, "the other")))
	p.end <- struct{}{}
	p.end <- struct{}{}
	require.Equal(t, second, wait(t, p.started, "the second"))
	p.end <- struct{}{}
	stop()
	<-ended
}

// sorted puts first in front.
func sorted(first *payment.Delivery, list ...*payment.Delivery) []*payment.Delivery {
	if list[0] != first {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// A lease may be so old that the attempt would outlast it. Somebody else sends it then.
func TestALateLeaseIsReturned(t *testing.T) {
	t.Parallel()
	now := time.Now()
	q := NewQueue(QueueConfig{Lease: 25 * time.Second, Timeout: 15 * time.Second, Now: func() time.Time { return now }})
	fresh, late := leasedTo("https://a.example", now.Add(25*time.Second)), leasedTo("https://b.example", now.Add(19*time.Second))
	q.Deliver(fresh, late)
	tasks, returned := q.take(9, anyPlace)
	require.Len(t, tasks, 1)
	require.Equal(t, fresh, tasks[0].leased)
	require.Equal(t, []*payment.Delivery{late}, returned)
	q.Deliver(fresh)
	now = now.Add(6 * time.Second)
	tasks, returned = q.take(9, anyPlace)
	require.Empty(t, tasks)
	require.Len(t, returned, 1)
	require.Equal(t, q.Lease, q.Room("https://a.example"), "none waits any more")
}

// A destination that is slow fills its own room; the room of all is bounded, too.
func TestTheRoomForLeasesIsBounded(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	q := NewQueue(QueueConfig{Lease: time.Hour, Timeout: time.Minute})
	for range roomEach {
		require.Equal(t, time.Hour, q.Room("https://a.example/x"))
		q.Deliver(leasedTo("https://a.example/x", until))
	}
	require.Zero(t, q.Room("https://a.example/another"), "of the destination, not of the address")
	for _, address := range []string{"https://b.example", "https://c.example", "https://d.example"} {
		require.Equal(t, time.Hour, q.Room(address))
		for range roomEach {
			q.Deliver(leasedTo(address, until))
		}
	}
	require.Zero(t, q.Room("https://e.example"))
	tasks, _ := q.take(1, anyPlace)
	require.Len(t, tasks, 1)
	require.NotZero(t, q.Room("https://e.example"))
	require.Len(t, q.close(), roomTotal-1)
	require.Zero(t, q.Room("https://e.example"), "closed")
}

// A process that leaves gives back what it has leased and not started: the next sweep of another one sends it at once.
func TestAProcessThatLeavesReturnsItsLeases(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.queue.Lease, b.queue.Timeout, b.queue.Now = time.Hour, time.Minute, b.now
	key := b.paid(t, "r-1")
	b.moveOn(time.Second)
	keys, _, err := b.DueDeliveries(t.Context(), 9)
	require.NoError(t, err)
	require.Empty(t, keys, "born leased")
	p := &places{free: map[string]int{}}
	stop := b.run(t, b.payment, p)
	stop()
	keys, _, err = b.DueDeliveries(t.Context(), 9)
	require.NoError(t, err)
	require.Equal(t, []payment.Key{key}, keys)
}
