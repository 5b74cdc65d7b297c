package notify_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// memory is an Outbox that keeps the interface's promises and its own clock, which moves only when told to.
type memory struct {
	mu       sync.Mutex
	now      time.Time
	rows     map[payment.Key][]*row
	attempts []finished
	failNext error
}

type row struct {
	payment.Delivery
	delivered, deadLettered, feed bool
	next, leasedUntil             time.Time
}

type finished struct {
	payment.Attempt
	key      payment.Key
	sequence int
}

func newMemory() *memory {
	return &memory{now: time.Now().UTC(), rows: map[payment.Key][]*row{}}
}

func (m *memory) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *memory) advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// add queues the next notification of an order.
func (m *memory) add(key payment.Key, url string, secret gateway.Secret, allow ...string) *row {
	m.mu.Lock()
	defer m.mu.Unlock()
	sequence := len(m.rows[key]) + 1
	r := &row{next: m.now, Delivery: payment.Delivery{
		Key: key, Shop: "books", Account: "EUR-main", Sequence: sequence, ID: uuid.New(), URL: url, CreatedAt: m.now, Secrets: []gateway.Secret{secret}, AllowCIDRs: allow,
		Payload: fmt.Appendf(nil, `{"type":"payment.processing","sequence":%d,"order":{"id":%q, "note":"<&>"}}`, sequence, key.Order),
	}}
	m.rows[key] = append(m.rows[key], r)
	return r
}

func (m *memory) LeaseDelivery(_ context.Context, key payment.Key, lease time.Duration, room func(string) time.Time) (*payment.Delivery, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows[key] {
		switch {
		case r.delivered, r.feed:
			continue
		case r.deadLettered:
			return nil, time.Time{}, nil
		case r.leasedUntil.After(m.now):
			return nil, r.leasedUntil, nil
		case r.next.After(m.now):
			return nil, r.next, nil
		}
		m.mu.Unlock() // room asks for the time
		later := room(r.URL)
		m.mu.Lock()
		if !later.IsZero() {
			r.next = later
			return nil, later, nil
		}
		r.leasedUntil = m.now.Add(lease)
		r.Attempt++
		d := r.Delivery
		return &d, time.Time{}, nil
	}
	return nil, time.Time{}, nil
}

func (m *memory) FinishDelivery(ctx context.Context, d *payment.Delivery, a payment.Attempt) (more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failNext != nil {
		err := m.failNext
		m.failNext = nil
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	m.attempts = append(m.attempts, finished{a, d.Key, d.Sequence})
	r := m.rows[d.Key][d.Sequence-1]
	r.leasedUntil, r.delivered, r.next = time.Time{}, a.Delivered, a.RetryAt
	r.deadLettered = !a.Delivered && !a.Gone && a.RetryAt.IsZero()
	if a.Gone {
		for k, rows := range m.rows {
			for _, r := range rows {
				r.feed = r.feed || k.Shop == d.Key.Shop && !r.delivered
			}
		}
	}
	return a.Delivered || a.Gone, nil
}

func (m *memory) last() finished {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempts[len(m.attempts)-1]
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.attempts)
}
