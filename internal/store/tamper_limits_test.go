package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// What is used of a limit is the sum of the orders that are counted with it, whatever they came to.
func TestWhatIsUsedOfALimitIsVerified(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitHour, Amount: 10_000, Enforced: true}, "first")
	b.setLimit(t, payment.Limit{Scope: payment.LimitGlobal, Rule: payment.LimitDay, Orders: 100}, "")
	b.paid(t, "one", 300)
	b.clock.Add(5 * time.Minute)
	b.report(t, b.create(t, "two", 200).Key(), payment.StatusFailed)
	b.paid(t, "three", 100)
	require.Empty(t, b.verify(t))
	b.exec(t, "CREATE TABLE kept_uses AS SELECT * FROM limit_uses")
	b.exec(t, "CREATE TABLE kept_reservations AS SELECT * FROM limit_reservations")
	for change, table := range map[string]string{
		"UPDATE limit_uses SET amount = 0":                                                 "limit_uses",
		"UPDATE limit_uses SET orders = 0":                                                 "limit_uses",
		"UPDATE limit_uses SET begins_at = begins_at - interval '150 seconds'":             "limit_uses",
		"DELETE FROM limit_uses":                                                           "limit_uses",
		"DELETE FROM limit_reservations":                                                   "limit_uses",
		"UPDATE limit_reservations SET amount = 1":                                         "limit_reservations",
		"UPDATE limit_reservations SET at = at - interval '1 hour'":                        "limit_uses",
		"UPDATE limit_reservations SET limit_ids = '{}'":                                   "limit_uses",
		"UPDATE limit_reservations SET order_id = gen_random_uuid() WHERE amount = 300":    "limit_reservations",
		"UPDATE limit_reservations SET amount = 0; UPDATE limit_uses SET amount = 0 /* */": "limit_reservations",
	} {
		b.exec(t, change)
		require.Contains(t, findingNames(b.verify(t)), table+" ", change)
		b.exec(t, "DELETE FROM limit_uses")
		b.exec(t, "INSERT INTO limit_uses SELECT * FROM kept_uses")
		b.exec(t, "DELETE FROM limit_reservations")
		b.exec(t, "INSERT INTO limit_reservations SELECT * FROM kept_reservations")
		require.Empty(t, b.verify(t))
	}
	b.clock.Add(26 * time.Hour)
	require.Empty(t, b.verify(t), "a window that is over says nothing")
}

// A pause that was removed shows by the operator's act, or by the counter that led to it.
func TestARemovedPauseIsFound(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setDeclines(t, payment.LimitPause, 3)
	b.clock.Add(5 * time.Minute)
	b.ends(t, "", gateway.FailureDeclined, gateway.FailureDeclined, gateway.FailureDeclined)
	b.exec(t, "CREATE TABLE kept_pauses AS SELECT * FROM paused_shops")
	removedAndBack := func(by string) {
		t.Helper()
		require.Empty(t, b.verify(t), by)
		b.exec(t, "DELETE FROM paused_shops")
		require.Equal(t, "paused_shops "+b.shop.ID.String(), findingNames(b.verify(t)), by)
		b.exec(t, "INSERT INTO paused_shops SELECT * FROM kept_pauses")
	}
	removedAndBack("by declines")
	require.NoError(t, b.SetPaused(t.Context(), "first", false))
	require.Empty(t, b.verify(t), "an operator ended it")
	require.NoError(t, b.SetPaused(t.Context(), "first", true))
	removedAndBack("by an operator")
	require.NoError(t, b.SetPaused(t.Context(), "first", false))

	b.ends(t, "", gateway.FailureDeclined, gateway.FailureDeclined)
	b.clock.Add(5 * time.Minute)
	b.setDeclines(t, payment.LimitPause, 1)
	require.Empty(t, b.verify(t), "what was counted before a limit was lowered paused nobody")
}
