package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// The steps of an order must not write the indexes of its table, and what a callback said is written once.
func TestStepsOfOrdersWriteNoIndex(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, errors.Join(race(4, func(worker int) error {
		for i := range 50 {
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
		}
		return nil
	})...))
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
