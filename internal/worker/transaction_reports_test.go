package worker

import (
	"context"
	"errors"
	"slices"
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

// dueTransactionReports are statements whose steps are due, with their leases, each of its own account.
type dueTransactionReports struct {
	mu    sync.Mutex
	due   map[payment.DueTransactionReport]time.Time
	step  func(ctx context.Context, id uuid.UUID) error
	taken atomic.Int64
}

func newDueTransactionReports(n int) *dueTransactionReports {
	d := &dueTransactionReports{due: map[payment.DueTransactionReport]time.Time{}}
	for range n {
		d.add(uuid.New())
	}
	return d
}

func (d *dueTransactionReports) add(account uuid.UUID) (id uuid.UUID) {
	id = uuid.New()
	d.due[payment.DueTransactionReport{TransactionReportKey: payment.TransactionReportKey{Shop: uuid.New(), TransactionReport: id}, Account: account}] = time.Now()
	return id
}

func (d *dueTransactionReports) of(key payment.TransactionReportKey) (of payment.DueTransactionReport) {
	for of = range d.due {
		if of.TransactionReportKey == key {
			return of
		}
	}
	return payment.DueTransactionReport{}
}

func (d *dueTransactionReports) LeaseDueTransactionReports(_ context.Context, busy []uuid.UUID, limit int, lease time.Duration) (leased []payment.DueTransactionReport, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	busy = slices.Clone(busy)
	for due, at := range d.due {
		if len(leased) < limit && !at.After(time.Now()) && !slices.Contains(busy, due.Account) {
			d.due[due] = time.Now().Add(lease)
			leased, busy = append(leased, due), append(busy, due.Account)
		}
	}
	return leased, nil
}

func (d *dueTransactionReports) RenewTransactionReport(_ context.Context, key payment.TransactionReportKey, lease time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if due := d.of(key); due.Account != uuid.Nil {
		d.due[due] = time.Now().Add(lease)
	}
	return nil
}

func (d *dueTransactionReports) AdvanceTransactionReport(ctx context.Context, shop, id uuid.UUID) error {
	d.taken.Add(1)
	err := d.step(ctx, id)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.due, d.of(payment.TransactionReportKey{Shop: shop, TransactionReport: id}))
	}
	return err
}

// run is a replica that works for a while.
func (d *dueTransactionReports) run(length time.Duration, log *lines) {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	newTransactionReports(Config{Log: zerolog.New(log)}, d, d).run(ctx)
}

// Two replicas never take the same step, however long it lasts, and few are taken at a time.
func TestALongStepIsTakenOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDueTransactionReports(20)
		var running, most atomic.Int64
		d.step = func(context.Context, uuid.UUID) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(2 * time.Minute)
			return nil
		}
		var replicas sync.WaitGroup
		for range 2 {
			replicas.Go(func() { d.run(5*time.Minute, &lines{}) })
		}
		replicas.Wait()
		require.EqualValues(t, 20, d.taken.Load())
		require.EqualValues(t, 2*transactionReportWorkers, most.Load())
	})
}

// A step whose process died is taken over when its lease ends, and a step that failed or panicked is taken again.
func TestAStepThatWasNotDoneIsTakenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, log := newDueTransactionReports(1), &lines{}
		dead, err := d.LeaseDueTransactionReports(context.Background(), nil, 1, TransactionReportLease) // by a process that is killed now
		require.NoError(t, err)
		require.Len(t, dead, 1)
		begin, at := time.Now(), []time.Duration{}
		d.step = func(context.Context, uuid.UUID) error {
			at = append(at, time.Since(begin))
			switch len(at) {
			case 1:
				panic("a secret")
			case 2:
				return errors.New("the provider is away")
			}
			return nil
		}
		d.run(2*time.Minute, log)
		require.Len(t, at, 3)
		require.LessOrEqual(t, at[0], promise)
		for i := range 2 {
			require.LessOrEqual(t, at[i+1]-at[i], promise)
		}
		require.Equal(t, 1, log.count("a step of a transaction report panicked"))
		require.Zero(t, log.count("a secret"))
		require.Equal(t, 1, log.count("a step of a transaction report failed"))
	})
}

// A host that hangs holds up the reports of its own account, one at a time, and nobody else's.
func TestAHostThatHangsDelaysItsOwnReportsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, away, begin := newDueTransactionReports(0), uuid.New(), time.Now()
		hanging := map[uuid.UUID]bool{}
		for range 20 {
			hanging[d.add(away)] = true
		}
		well := uuid.New()
		for range 5 {
			d.add(well)
		}
		for range 10 {
			d.add(uuid.New())
		}
		var mu sync.Mutex
		var waiting, most, done int
		var slowest time.Duration
		d.step = func(ctx context.Context, id uuid.UUID) error {
			mu.Lock()
			defer mu.Unlock()
			if hanging[id] {
				waiting++
				most = max(most, waiting)
				mu.Unlock()
				<-time.After(10 * time.Second)
				mu.Lock()
				waiting--
				return ctx.Err()
			}
			slowest = max(slowest, time.Since(begin))
			done++
			return nil
		}
		d.run(time.Minute, &lines{})
		require.Equal(t, 15, done)
		require.LessOrEqual(t, slowest, 2*transactionReportSweepEvery)
		require.Equal(t, 1, most)
	})
}

// A stop waits for a step for a while, and then interrupts it.
func TestLeavingInterruptsAStepThatLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDueTransactionReports(1)
		d.step = func(ctx context.Context, _ uuid.UUID) error { <-ctx.Done(); return ctx.Err() }
		begin := time.Now()
		d.run(2*time.Second, &lines{})
		require.Equal(t, 2*time.Second+deliveryTimeout, time.Since(begin))
	})
}
