package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// busy keeps every committer busy until release is called, so that what is written meanwhile shares the next batch.
func (b *fixture) busy(t *testing.T) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	var held sync.WaitGroup
	for i := range 2 {
		o := b.create(t, fmt.Sprintf("busy-%d-%d", b.Batches(), i), 1000)
		inside := make(chan struct{})
		var once sync.Once
		held.Go(func() {
			_, _ = b.UpdateOrder(context.Background(), o.Key(), func(*payment.Order) error {
				once.Do(func() { close(inside) })
				<-gate
				return nil
			})
		})
		<-inside
	}
	return func() { close(gate); held.Wait() }
}

func (b *fixture) queued(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.Waiting() == n }, waitTimeout, time.Millisecond)
}

// countPoll counts a poll, as the smallest change of an order.
func countPoll(o *payment.Order) error { o.PollsDone++; return nil }

func TestALoneWriteIsABatchOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	before := b.Batches()
	o := b.create(t, "r-1", 1000)
	require.Equal(t, before+1, b.Batches())
	_, err := b.UpdateOrder(t.Context(), o.Key(), countPoll)
	require.NoError(t, err)
	require.Equal(t, before+2, b.Batches())
}

func TestWhatWaitsSharesACommitAndABadWriteHurtsNoOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const n = 20
	keys := make([]payment.Key, n)
	for i := range keys {
		keys[i] = b.create(t, fmt.Sprintf("r-%d", i), 1000).Key()
	}
	no := errors.New("no")
	bad := map[int]func(*payment.Order) error{
		3: func(o *payment.Order) error { o.Authorized = 5000; return nil }, // more than the amount: the database refuses it
		7: func(*payment.Order) error { return no },
	}
	for _, broken := range []bool{false, true} {
		release, before := b.busy(t), 0
		var errs []error
		var all sync.WaitGroup
		all.Go(func() {
			errs = race(n, func(i int) error {
				fn := countPoll
				if broken && bad[i] != nil {
					fn = bad[i]
				}
				_, err := b.UpdateOrder(t.Context(), keys[i], fn)
				return err
			})
		})
		b.queued(t, n)
		before = b.Batches()
		release()
		all.Wait()
		require.Equal(t, before+1, b.Batches())
		for i, err := range errs {
			switch {
			case broken && i == 3:
				require.ErrorContains(t, err, "orders_authorized_within_amount")
			case broken && i == 7:
				require.Equal(t, no, err)
			default:
				require.NoError(t, err)
			}
		}
	}
	require.Equal(t, n+n-2, b.count(t, "SELECT sum(polls_done)::int FROM orders"), "each was done once")
}

func TestWritesOfOneKindInOneBatchMeetTheirConstraints(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	drafts := make([]*payment.Order, 5)
	for i := range drafts {
		drafts[i] = b.draft(t, "same", int64(100+i))
	}
	release := b.busy(t)
	made := make([]bool, len(drafts))
	var errs []error
	var all sync.WaitGroup
	all.Go(func() {
		errs = race(len(drafts), func(i int) (err error) {
			_, made[i], err = b.CreateOrder(t.Context(), drafts[i])
			return err
		})
	})
	b.queued(t, len(drafts))
	release()
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	fresh := 0
	for _, m := range made {
		if m {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE reference = 'same'"))
}

func TestACallerThatGoesAwayWhileItWaitsWritesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	release := b.busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := b.UpdateOrder(ctx, o.Key(), countPoll)
		result <- err
	}()
	b.queued(t, 1)
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	release()
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Zero(t, got.PollsDone)
}

func TestARowThatSomebodyHoldsKeepsNoBatchUp(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	held, free := b.create(t, "r-1", 1000), b.create(t, "r-2", 1000)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // over by then, if all is well
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", held.ID)
	require.NoError(t, err)
	result := make(chan error, 2)
	for range cap(result) {
		go func() {
			_, err := b.UpdateOrder(t.Context(), held.Key(), countPoll)
			result <- err
		}()
	}
	for range 20 {
		_, err := b.UpdateOrder(t.Context(), free.Key(), countPoll)
		require.NoError(t, err)
	}
	require.Empty(t, result)
	require.NoError(t, tx.Rollback(t.Context()))
	for range cap(result) {
		require.NoError(t, <-result)
	}
	require.Equal(t, 22, b.count(t, "SELECT sum(polls_done)::int FROM orders"))
}

func TestStoresWriteTheSameOrdersAtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, store.Options{Keyring: b.box, Render: render, Now: b.clock.Now})
	keys := make([]payment.Key, 8)
	for i := range keys {
		keys[i] = b.create(t, fmt.Sprintf("r-%d", i), 1000).Key()
	}
	require.NoError(t, errors.Join(race(16, func(worker int) error {
		s := []*store.Store{b.Store, other}[worker%2]
		for i := range 3 * len(keys) {
			if _, err := s.UpdateOrder(t.Context(), keys[(i+worker)%len(keys)], countPoll); err != nil {
				return err
			}
		}
		return nil
	})...))
	require.Equal(t, 16*3*len(keys), b.count(t, "SELECT sum(polls_done)::int FROM orders"))
	require.Zero(t, b.count(t, "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"))
}

func TestAPanicReachesTheCallerThatCausedIt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	require.PanicsWithValue(t, "mine", func() {
		_, _ = b.UpdateOrder(t.Context(), o.Key(), func(*payment.Order) error { panic("mine") })
	})
	_, err := b.UpdateOrder(t.Context(), o.Key(), countPoll)
	require.NoError(t, err)
}

// Behind a transaction pooler statements are not prepared, and values are sent by what Go calls them.
func TestBatchesWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	conf := b.pool.Config()
	conf.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(t.Context(), conf)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := store.New(pool, store.Options{Keyring: b.box, Render: render, Now: b.clock.Now})
	o := b.draft(t, "r-1", 1000)
	_, made, err := s.CreateOrder(t.Context(), o)
	require.NoError(t, err)
	require.True(t, made)
	_, err = s.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.AddCall(payment.Call{Operation: "create_payment", Outcome: "requires_action", StartedAt: b.clock.Now()})
		r := b.newReport(payment.StatusRequiresAction)
		r.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://bank.example"}
		o.Record(r)
		return nil
	})
	require.NoError(t, err)
	verdict, _, err := s.ApplyCallback(t.Context(), b.callback("body\x00\xff", o.ProviderOrderID), nil, func(o *payment.Order) (payment.Verdict, string) {
		return o.Record(b.newReport(payment.StatusSucceeded)), ""
	})
	require.NoError(t, err)
	require.Equal(t, payment.Apply, verdict)
	claim, _, err := s.Idempotency().Begin(t.Context(), b.shop.ID, "key", []byte{0, 1}, time.Minute)
	require.NoError(t, err)
	_, err = s.Idempotency().Finish(t.Context(), claim, idempotency.Response{Status: 201, Body: []byte("answer")})
	require.NoError(t, err)
	_, kept, err := s.Idempotency().Begin(t.Context(), b.shop.ID, "key", []byte{0, 1}, time.Minute)
	require.NoError(t, err)
	require.Equal(t, "answer", string(kept.Body))
	require.Zero(t, s.Alone(), "no write failed in its batch")
	want, err := s.Order(t.Context(), o.Key())
	require.NoError(t, err)
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, want, got)
}
