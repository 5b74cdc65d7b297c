package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// The steps of an order must not write the indexes of its table, and what a callback said is written once.
func TestStepsOfOrdersWriteNoIndex(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.lives(t, 4, 50)
	updates := func(table, column string) int {
		return b.count(t, "SELECT coalesce(sum("+column+"), 0)::int FROM pg_stat_user_tables WHERE relname = $1", table)
	}
	require.Eventually(t, func() bool { return updates("orders", "n_tup_upd") == 400 }, 20*time.Second, 50*time.Millisecond, "sessions report with a delay")
	require.GreaterOrEqual(t, updates("orders", "n_tup_hot_upd"), 320)
	require.Zero(t, updates("callbacks", "n_tup_upd"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM open_orders"), "what has ended is not open")
	found, err := b.OrdersCalled(t.Context(), "at-provider-life-0-0", nil, 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// lives has workers make lives of payments, one after the other, and settle their deliveries.
func (b *fixture) lives(t *testing.T, workers, each int) {
	t.Helper()
	require.NoError(t, errors.Join(race(workers, func(worker int) error {
		for i := range each {
			o, _, err := b.CreateOrder(t.Context(), b.draft(t, fmt.Sprintf("life-%d-%d", worker, i), 1000))
			if err != nil {
				return err
			}
			if _, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
				r := b.newReport(payment.StatusRequiresAction)
				r.ProviderReference = "at-provider-" + o.Reference
				o.Record(r)
				return nil
			}); err != nil {
				return err
			}
			if _, _, err = b.ApplyCallback(t.Context(), b.callback(o.Reference, o.ProviderOrderID), nil, func(o *payment.Order) (payment.Verdict, string) {
				return o.Record(b.newReport(payment.StatusSucceeded)), ""
			}); err != nil {
				return err
			}
			for _, d := range b.born() {
				if _, err := b.FinishDelivery(t.Context(), d, payment.Attempt{At: b.clock.Now(), HTTPStatus: 200, Delivered: true}); err != nil {
					return err
				}
			}
		}
		return nil
	})...))
	b.pool.Reset() // a session of Postgres 14 that is idle keeps its counts; one that ends reports them
}

// A plan that was made in an empty table is kept by its session, and must not read more as the table grows.
func TestALifeReadsNoMoreAmongMoreOrders(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.room = time.Minute
	const lives = 400
	b.lives(t, 1, lives)
	type index struct {
		Name string
		Rows int
	}
	indexes := func() []index {
		rows, err := b.pool.Query(t.Context(), "SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes ORDER BY idx_tup_read DESC LIMIT 5")
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
		require.NoError(t, err)
		return found
	}
	require.Eventually(t, func() bool {
		return b.count(t, "SELECT coalesce(sum(n_tup_ins), 0)::int FROM pg_stat_user_tables WHERE relname = 'order_transitions'") == 3*lives
	}, 20*time.Second, 50*time.Millisecond, "sessions report with a delay")
	for _, i := range indexes() {
		require.Less(t, i.Rows, 40*lives, "%s: %+v", i.Name, indexes())
	}
}
