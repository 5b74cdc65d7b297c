package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// dueOrders hands out orders that are due, and asks about them.
type dueOrders struct {
	mu      sync.Mutex
	due     []payment.Key
	limits  []int
	err     error
	poll    func(ctx context.Context, key payment.Key) error
	running atomic.Int64
	most    atomic.Int64
	failed  atomic.Int64
	polled  atomic.Int64
}

func newDueOrders(n int) *dueOrders {
	d := &dueOrders{}
	for range n {
		d.due = append(d.due, payment.Key{Shop: uuid.New(), Order: uuid.New()})
	}
	return d
}

func (d *dueOrders) LeaseDuePolls(_ context.Context, _ string, limit int, _ time.Duration) ([]payment.Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	d.limits = append(d.limits, limit)
	n := min(limit, len(d.due))
	keys := d.due[:n]
	d.due = d.due[n:]
	return keys, nil
}

func (d *dueOrders) Poll(ctx context.Context, key payment.Key) (*payment.Order, error) {
	d.most.Store(max(d.most.Load(), d.running.Add(1)))
	defer d.running.Add(-1)
	defer d.polled.Add(1)
	if err := d.poll(ctx, key); err != nil {
		return nil, err
	}
	return &payment.Order{ID: key.Order}, nil
}

// run runs polls on a clock of its own for a while, and returns when all that were under way have ended.
func (d *dueOrders) run(places int, length time.Duration) *lines {
	log := &lines{}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	newPolls("fake", Config{MaxWorkers: places, Log: zerolog.New(log), PollFailed: func(string) { d.failed.Add(1) }}, d, d).run(ctx)
	return log
}

func TestPollsAreBoundedAndABacklogDoesNotWaitForTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDueOrders(1000)
		d.poll = func(context.Context, payment.Key) error { time.Sleep(10 * time.Millisecond); return nil }
		d.run(8, pollEvery+2*time.Second)
		require.EqualValues(t, 1000, d.polled.Load(), "8 places do 800 polls of 10 ms in a second; by the clock alone they would do 32")
		require.EqualValues(t, 8, d.most.Load())
		for _, limit := range d.limits {
			require.True(t, limit >= 1 && limit <= 8, "more than there are places for are left to others")
		}
		require.Less(t, len(d.limits), 300, "orders are not leased one by one")
	})
}

func TestPollsGoOnAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDueOrders(3)
		n := 0
		d.poll = func(context.Context, payment.Key) error {
			switch n++; n {
			case 1:
				panic("4111111111111111")
			case 2:
				return errors.New("no database")
			}
			return nil
		}
		log := d.run(1, 10*time.Second)
		require.EqualValues(t, 3, d.polled.Load())
		require.EqualValues(t, 2, d.failed.Load(), "operators can count them")
		require.Equal(t, 1, log.count("a status poll panicked"))
		require.Zero(t, log.count("4111111111111111"), "what panicked is not known to be fit for a log")
		require.Equal(t, 1, log.count("a status poll could not be written down"))

		d = newDueOrders(1)
		d.poll = func(context.Context, payment.Key) error { return nil }
		d.err = errors.New("no database")
		time.AfterFunc(5*time.Second, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.err = nil
		})
		log = d.run(1, 10*time.Second)
		require.EqualValues(t, 1, d.polled.Load())
		require.Equal(t, 1, log.count("due status polls cannot be leased"), "said once, not four times a second")
	})
}

func TestPollsUnderWayEndBeforeLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDueOrders(5)
		var interrupted atomic.Int64
		d.poll = func(ctx context.Context, _ payment.Key) error {
			time.Sleep(5 * time.Second)
			if ctx.Err() != nil {
				interrupted.Add(1)
			}
			return nil
		}
		begin := time.Now()
		d.run(2, time.Second)
		require.EqualValues(t, 2, d.polled.Load(), "no new ones are begun")
		require.Zero(t, interrupted.Load())
		require.Equal(t, pollEvery+5*time.Second, time.Since(begin))

		d = newDueOrders(1)
		d.poll = func(ctx context.Context, _ payment.Key) error { <-ctx.Done(); return ctx.Err() }
		begin = time.Now()
		d.run(1, time.Second)
		require.Equal(t, pollEvery+PollLease, time.Since(begin), "each is bounded by its lease")
	})
}

// twoProviders has orders of a provider that never answers and of one that does.
type twoProviders struct {
	TransactionReportLeaser
	TransactionReports
	MandateLeaser
	Mandates
	slow, fast *dueOrders
}

func (p *twoProviders) LeaseDuePolls(ctx context.Context, provider string, limit int, lease time.Duration) ([]payment.Key, error) {
	return map[string]*dueOrders{"slow": p.slow, "fast": p.fast}[provider].LeaseDuePolls(ctx, provider, limit, lease)
}

func (p *twoProviders) DueDeliveries(context.Context, int) ([]payment.Key, bool, error) {
	return nil, false, nil
}

func (p *twoProviders) ReturnDeliveries(context.Context, []*payment.Delivery) error { return nil }

func (p *twoProviders) Poll(ctx context.Context, key payment.Key) (*payment.Order, error) {
	if key.Shop == uuid.Nil {
		return p.slow.Poll(ctx, key)
	}
	return p.fast.Poll(ctx, key)
}

func TestASlowProviderDoesNotHoldUpPollsOfAnother(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	p := &twoProviders{slow: newDueOrders(500), fast: newDueOrders(500)}
	for i := range p.slow.due {
		p.slow.due[i].Shop = uuid.Nil
	}
	hang := make(chan struct{})
	p.slow.poll = func(context.Context, payment.Key) error { <-hang; return nil }
	p.fast.poll = func(context.Context, payment.Key) error { return nil }
	w := New(Config{Log: zerolog.New(b.log), MaxWorkers: 50, Providers: []string{"fast", "slow"}}, p, nil, p)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, k := range w.polls {
		running.Go(func() { k.run(ctx) })
	}
	require.Eventually(t, func() bool { return p.fast.polled.Load() == 500 }, soon, 10*time.Millisecond)
	require.Eventually(t, func() bool { return p.slow.running.Load() == 50 }, soon, time.Millisecond)
	cancel()
	close(hang)
	running.Wait()
}

// A host takes the questions about 500 orders and never answers. The orders of another host of the same provider, which become due
// later, are asked about in the usual time.
func TestAHostThatHangsDoesNotHoldUpPollsOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const atHost, wait = 64, 100 * time.Millisecond // as many calls and as long a wait as the transport allows at one host
		d := newDueOrders(500)
		for i := range d.due {
			d.due[i].Shop = uuid.Nil
		}
		var asked, hanging atomic.Int64
		var answered sync.Map
		d.poll = func(ctx context.Context, key payment.Key) error {
			if key.Shop != uuid.Nil {
				answered.Store(key.Order, time.Now())
				return nil
			}
			asked.Add(1)
			if hanging.Add(1) > atHost {
				time.Sleep(wait)
			} else {
				time.Sleep(PollTimeout)
			}
			hanging.Add(-1)
			return ctx.Err()
		}
		var due []time.Time
		var later []payment.Key
		for i := range 20 {
			key := payment.Key{Shop: uuid.New(), Order: uuid.New()}
			later = append(later, key)
			due = append(due, time.Now().Add(time.Second+time.Duration(i)*300*time.Millisecond))
			time.AfterFunc(time.Until(due[i]), func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.due = append(d.due, key)
			})
		}
		d.run(50, PollTimeout)
		require.EqualValues(t, 500, asked.Load())
		for i, key := range later {
			at, ok := answered.Load(key.Order)
			require.True(t, ok, "order %d was not asked about", i)
			require.Less(t, at.(time.Time).Sub(due[i]), 2*time.Second, "order %d", i)
		}
	})
}
