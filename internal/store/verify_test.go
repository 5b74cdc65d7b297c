package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// Pages lose no order, whatever shop it is of and wherever a page ends.
func TestAVerificationReadsEveryOrderOnce(t *testing.T) {
	t.Parallel()
	f := fill(t, 2300)
	st := store.New(f.pool, store.Options{Keyring: demoKeyring(t)})
	_, err := st.ServiceKey(t.Context(), "seal")
	require.NoError(t, err)
	seals := func(scope store.VerifyScope) (found map[string]int, done store.Verified) {
		found = map[string]int{}
		done, err := st.VerifyOrders(t.Context(), scope, func(f store.Finding) {
			if strings.HasPrefix(f.What, "the seal is broken") {
				found[f.ID]++
			}
		})
		require.NoError(t, err)
		return found, done
	}
	all, done := seals(store.VerifyScope{Rate: 1_000_000})
	require.Len(t, all, 2300, "rows that were filled in by SQL have no seal")
	require.Equal(t, 2300, done.Orders)
	for id, times := range all {
		require.Equal(t, 1, times, id)
	}
	since := f.begin.Add(90 * 24 * time.Hour)
	var want int
	require.NoError(t, f.pool.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE created_at >= $1", since).Scan(&want))
	require.NotZero(t, want)
	late, _ := seals(store.VerifyScope{Since: since})
	require.Len(t, late, want)
	var shop, id uuid.UUID
	require.NoError(t, f.pool.QueryRow(t.Context(), "SELECT shop_id, id FROM orders ORDER BY id LIMIT 1 OFFSET 700").Scan(&shop, &id))
	one, _ := seals(store.VerifyScope{Order: &payment.Key{Shop: shop, Order: id}})
	require.Equal(t, map[string]int{id.String(): 1}, one)
}

// A poll, or the run of a schedule, that somebody puts off beyond any plan is named. What payrelay plans is not.
func TestAVerificationFindsWhatIsPutOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusProcessing}, nil }))
	schedule := payment.MandateSchedule{Every: payment.EveryMonth, Interval: 1, Amount: 400}
	key := b.mandated(t, s, "first", payment.MandateTerms{Schedule: &schedule})
	b.clock.Add(24 * time.Hour)
	b.runs(t, s)
	open := b.create(t, "open", 1000)
	b.report(t, open.Key(), payment.StatusProcessing)
	putOff := func(next, run time.Duration) []string {
		t.Helper()
		b.exec(t, "UPDATE orders SET next_poll_at = $1 WHERE id = $2", b.clock.Now().Add(next), open.ID)
		b.exec(t, "UPDATE mandate_runs SET due_at = $1 WHERE id = $2", b.clock.Now().Add(run), key.Order)
		var found []string
		for _, f := range b.verify(t) {
			found = append(found, f.Table+" "+f.ID)
		}
		return found
	}
	require.Empty(t, putOff(2*time.Hour, 31*day))
	require.Equal(t, []string{"orders " + open.ID.String()}, putOff(4*time.Hour, 31*day))
	require.Equal(t, []string{"mandate_runs " + key.Order.String()}, putOff(2*time.Hour, 40*day))
}
