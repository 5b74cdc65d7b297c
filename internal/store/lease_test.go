package store_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// Orders change while their checks are leased: a row that is newer than the statement's snapshot makes Postgres judge it
// again, and that must not count what was leased twice.
func TestChecksAreLeasedWhileOrdersChange(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var ids []string
	for i := range 12 {
		o := b.create(t, "busy-"+strconv.Itoa(i), 1000)
		ids = append(ids, o.ID.String())
		b.report(t, o.Key(), []payment.Status{payment.StatusUnknown, payment.StatusRequiresAction}[i%2])
	}
	b.clock.Add(time.Minute)
	until := time.Now().Add(2 * time.Second)
	require.NoError(t, errors.Join(race(8, func(i int) error {
		for n := i; time.Now().Before(until); n++ {
			if i%2 == 0 {
				if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET polls_done = polls_done WHERE id = $1", ids[n%len(ids)]); err != nil {
					return err
				}
				continue
			}
			keys, err := b.LeaseDuePolls(t.Context(), "fake", i, 0)
			if err != nil {
				return err
			}
			if len(keys) > i {
				return fmt.Errorf("%d leased, %d asked for", len(keys), i)
			}
		}
		return nil
	})...))
}
