package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	require.Equal(t, payment.CodeUnavailable, payment.CodeOf(err), "%v", err)
}

func TestDatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	keyset, err := secrets.NewKeyset()
	require.NoError(t, err)
	keyring, err := secrets.Open(gateway.Secret(keyset))
	require.NoError(t, err)
	s := store.New(pool, store.Options{Keyring: keyring})
	key := payment.Key{Shop: uuid.New(), Order: uuid.New()}
	_, err = s.Order(t.Context(), key)
	requireUnavailable(t, err)
	_, err = s.UpdateOrder(t.Context(), key, func(*payment.Order) error { return nil })
	requireUnavailable(t, err)
	_, _, err = s.ApplyCallback(t.Context(), payment.Callback{}, nil, nil)
	requireUnavailable(t, err)
	_, err = s.LeaseDuePolls(t.Context(), "fake", 1, time.Second)
	requireUnavailable(t, err)
	_, err = s.Authenticate(t.Context(), shop.NewKey(), netip.Addr{})
	requireUnavailable(t, err)
	_, _, err = s.Idempotency().Begin(t.Context(), key.Shop, "k", nil, time.Second)
	requireUnavailable(t, err)
}

func TestDatabaseThatCannotWork(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	update := func() error {
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { o.PollsDone++; return nil })
		return err
	}
	b.setForAll(t, "default_transaction_read_only", "on")
	requireUnavailable(t, update())
	b.setForAll(t, "default_transaction_read_only", "off")
	require.NoError(t, update())

	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		b.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		o.PollsDone++
		return nil
	})
	requireUnavailable(t, err)
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 1, got.PollsDone)
}

// setForAll gives every connection to this test's database, from now on, another setting.
func (b *fixture) setForAll(t *testing.T, name, value string) {
	t.Helper()
	conn, err := b.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET default_transaction_read_only = off")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET %s = %s", pgx.Identifier{conn.Conn().Config().Database}.Sanitize(), name, value))
	require.NoError(t, err)
	b.pool.Reset()
}

func TestBusyPoolRejectsCallers(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	for range b.pool.Config().MaxConns {
		conn, err := b.pool.Acquire(t.Context())
		require.NoError(t, err)
		t.Cleanup(conn.Release)
	}
	started := time.Now()
	_, err := b.Order(t.Context(), o.Key())
	requireUnavailable(t, err)
	require.Less(t, time.Since(started), 10*time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Order(ctx, o.Key())
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, payment.CodeOf(err), "whoever went away is not told that we are down")
}

func TestCallerThatGoesAwaySavesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.UpdateOrder(ctx, o.Key(), func(o *payment.Order) error {
		o.PollsDone++
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, payment.CodeOf(err))
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Zero(t, got.PollsDone)
}

func TestSerializationFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	b.exec(t, "CREATE SEQUENCE test_failed")
	b.exec(t, `CREATE FUNCTION test_fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('test_failed') <= current_setting('test.failures')::int THEN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END IF;
		RETURN NEW; END $$`)
	b.exec(t, "CREATE TRIGGER test_fail BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION test_fail()")
	b.setForAll(t, "test.failures", "2")
	ran := 0
	update := func() error {
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { ran++; o.PollsDone++; return nil })
		return err
	}
	require.NoError(t, update())
	require.Equal(t, 3, ran)
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 1, got.PollsDone, "each try begins with a fresh load")
	b.setForAll(t, "test.failures", "1000")
	requireUnavailable(t, update())
}

func TestGauges(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.exec(t, "UPDATE retention SET last_run_at = $1", b.clock.Now())
	g, err := b.Gauges(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.Gauges{Disputes: map[payment.DisputeKind]int64{}}, g)

	b.report(t, b.create(t, "r-1", 1000).Key(), payment.StatusUnknown)
	b.report(t, b.create(t, "r-0", 1000).Key(), payment.StatusProcessing)
	b.clock.Add(time.Hour)
	b.report(t, b.create(t, "r-2", 1000).Key(), payment.StatusUnknown)
	b.create(t, "r-3", 1000)
	deadLettered := b.paid(t, "r-4", 1000)
	b.finish(t, b.lease(t, deadLettered.Key()), payment.Attempt{HTTPStatus: 500})
	_, err = b.UpdateOrder(t.Context(), deadLettered.Key(), func(o *payment.Order) error { o.Record(b.newReport(payment.StatusFailed)); return nil })
	require.NoError(t, err)
	g, err = b.Gauges(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []store.UnfinishedCount{
		{Status: payment.StatusUnknown, Kind: gateway.KindPayment, Provider: "fake", Count: 2},
		{Status: payment.StatusCreated, Kind: gateway.KindPayment, Provider: "fake", Count: 1},
		{Status: payment.StatusProcessing, Kind: gateway.KindPayment, Provider: "fake", Count: 1},
	}, g.Unfinished)
	require.Equal(t, time.Hour, g.OldestProcessing)
	require.Equal(t, time.Hour, g.OldestUnknown)
	require.EqualValues(t, 3, g.Backlog)
	require.Equal(t, time.Hour, g.OldestPending)
	require.EqualValues(t, 1, g.DeadLettered)
	require.EqualValues(t, 1, g.ConflictsOpen)
	require.Zero(t, g.ShopsOff)
	require.InDelta(t, time.Hour, g.CheckLag, float64(2*time.Second))
	b.exec(t, "INSERT INTO addresses_off SELECT id, u, now() FROM shops, unnest(ARRAY['https://a.example', 'https://b.example']) u WHERE name = 'first'")
	g, err = b.Gauges(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, g.ShopsOff)

	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(store.PoolCollector(b.pool))
	n, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Equal(t, 6, n)
}
