package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// partitions lists the partitions of a table.
func (b *fixture) partitions(t *testing.T, table string) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass ORDER BY 1", table)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

func TestPartitionsAreMadeAhead(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.clock.now = time.Date(2031, 12, 31, 23, 59, 0, 0, time.FixedZone("west", -3600)) // January in UTC
	made, err := b.MakePartitions(t.Context())
	require.NoError(t, err)
	for _, table := range []string{"callbacks", "provider_calls"} {
		for _, month := range []string{"_2032_01", "_2032_02", "_2032_03"} {
			require.Contains(t, made, table+month)
			require.Contains(t, b.partitions(t, table), table+month)
		}
	}
	made, err = b.MakePartitions(t.Context())
	require.NoError(t, err)
	require.Empty(t, made, "once")
	b.clock.Add(31 * 24 * time.Hour)
	made, err = b.MakePartitions(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(made, func(name string) bool { return strings.HasSuffix(name, "_2032_04") }), made)
	require.NotContains(t, made, "callbacks_2032_03")
}

// A service that was stopped for months, or is told of an order whose month was dropped, makes the partition when it needs it.
func TestMissingPartitionIsMade(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.clock.now = time.Date(2033, 5, 1, 0, 0, 0, 0, time.UTC)
	o := b.create(t, "r-1", 1000)
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusRequiresAction))
		o.AddCall(payment.Call{Operation: "create_payment", Outcome: "requires_action", StartedAt: b.clock.Now()})
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM provider_calls_2033_05"))
	errs := race(8, func(int) error {
		_, _, err := b.applyCallback(t.Context(), b.callback("body", o.ProviderOrderID), func(*payment.Order) (payment.Verdict, string) { return payment.Stale, "" })
		return err
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM callbacks_2033_05"))
}

// A callback is kept once, whoever writes it, whatever order it names and to whatever table.
func TestCallbackIsKeptOnceWhoeverWritesIt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	first, second := b.create(t, "r-1", 1000), b.create(t, "r-2", 1000)
	_, _, err := b.applyCallback(t.Context(), b.callback("body", first.ProviderOrderID), func(*payment.Order) (payment.Verdict, string) { return payment.Stale, "" })
	require.NoError(t, err)
	insert := func(table string, order uuid.UUID, key string) error {
		_, err := b.pool.Exec(t.Context(), "INSERT INTO "+table+` (shop_id, order_id, dedupe_key, account_id, provider_order_id, verdict, received_at)
			VALUES ($1, $2, $3, $4, 'x', 'stale', now())`, b.shop.ID, order, []byte(key), b.account.ID)
		return err
	}
	for _, table := range []string{"callbacks", "callbacks_2030_01"} {
		require.ErrorContains(t, insert(table, first.ID, "body"), "23505", table)
		require.ErrorContains(t, insert(table, second.ID, "body"), "23505", table)
		require.NoError(t, insert(table, second.ID, "only in "+table))
		require.ErrorContains(t, insert(table, second.ID, "only in "+table), "23505", table)
	}
	require.ErrorContains(t, insert("callbacks_2030_01", uuid.Must(uuid.NewV7()), "k"), "23514", "a row of another month")
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM callbacks"))
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM callback_keys"))
}

// Whoever knows the order reads one partition.
func TestOrdersRowsAreInOnePartition(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	for _, table := range []string{"callbacks", "provider_calls"} {
		require.Greater(t, len(b.partitions(t, table)), 1)
		rows, err := b.pool.Query(t.Context(), "EXPLAIN SELECT * FROM "+table+" WHERE shop_id = $1 AND order_id = $2", b.shop.ID, o.ID)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		require.Contains(t, plan, table+"_2030_01")
		require.Equal(t, 1, strings.Count(plan, " on "+table+"_"), plan)
	}
}
