package store_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

// waitTimeout is far more than the limits that these tests set, and far less than for ever.
const waitTimeout = time.Minute

// within runs fn, which must come to an end.
func within(t *testing.T, fn func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(waitTimeout):
		require.Fail(t, "it still waits")
		return nil
	}
}

func TestARowThatIsLockedIsWaitedForWithinTheLimit(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	s := store.New(b.pool, store.Options{Keyring: b.box, Now: b.clock.Now, Limit: time.Second})
	update := func() error {
		// As what must be written down although whoever asked for it has gone.
		_, err := s.UpdateOrder(context.WithoutCancel(t.Context()), o.Key(), func(o *payment.Order) error { o.PollsDone++; return nil })
		return err
	}
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // over by then, if all is well
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", o.ID)
	require.NoError(t, err)
	requireUnavailable(t, within(t, update))
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, within(t, update))
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 1, got.PollsDone, "what was answered with an error was not done")
}

func TestALinkThatFallsSilentIsGivenUpWithinTheLimit(t *testing.T) {
	t.Parallel()
	conf, err := pgxpool.ParseConfig(storetest.URL(t))
	require.NoError(t, err)
	var noAnswer atomic.Bool
	dial := conf.ConnConfig.DialFunc
	conf.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		to, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		ours, theirs := net.Pipe()
		go forward(theirs, to, &noAnswer)
		go forward(to, theirs, &noAnswer)
		return ours, nil
	}
	conf.ConnConfig.ConnectTimeout = time.Second
	pool, err := pgxpool.NewWithConfig(t.Context(), conf)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := store.New(pool, store.Options{Limit: 1500 * time.Millisecond})
	update := func() error {
		_, err := s.UpdateOrder(context.WithoutCancel(t.Context()), payment.Key{Shop: uuid.New(), Order: uuid.New()}, func(*payment.Order) error { return nil })
		return err
	}
	read := func() error {
		_, err := s.HasDemoKey(context.WithoutCancel(t.Context()))
		return err
	}
	require.NoError(t, read())
	noAnswer.Store(true)
	for range 3 { // with a connection that was open, and without
		requireUnavailable(t, within(t, update))
		requireUnavailable(t, within(t, read))
	}
	noAnswer.Store(false)
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(within(t, update)), "it is reached again")
	require.NoError(t, within(t, read))
}

// forward passes on what src says, and swallows it while the link is silent.
func forward(dst, src net.Conn, noAnswer *atomic.Bool) {
	defer dst.Close() //nolint:errcheck // the other way may have closed it
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		if !noAnswer.Load() {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}
