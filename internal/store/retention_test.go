package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

const day = 24 * time.Hour

var keepFor = store.Retention{Payloads: 30 * day, Attempts: 90 * day, Calls: 180 * day, Callbacks: 400 * day, Reports: 90 * day, Answers: 7 * day}

// lived stores an order with a call and a callback, and closes it if it is to be closed.
func (b *fixture) lived(t *testing.T, reference string, closed bool) *payment.Order {
	t.Helper()
	o := b.create(t, reference, 1000)
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusRequiresAction))
		o.AddCall(payment.Call{Operation: "create_payment", Outcome: "requires_action", StartedAt: b.clock.Now()})
		return nil
	})
	require.NoError(t, err)
	_, _, err = b.applyCallback(t.Context(), b.callback("of "+reference, o.ProviderOrderID), func(o *payment.Order) (payment.Verdict, string) {
		if closed {
			return o.Record(b.newReport(payment.StatusSucceeded)), ""
		}
		return payment.Stale, ""
	})
	require.NoError(t, err)
	return o
}

// removed returns what was removed by table, and which partitions were dropped.
func removed(list []store.Removed) (rows map[string]int64, partitions []string) {
	rows = map[string]int64{}
	for _, r := range list {
		if r.Rows != 0 {
			rows[r.Table] = r.Rows
		}
		partitions = append(partitions, r.Partitions...)
	}
	return rows, partitions
}

func (b *fixture) remove(t *testing.T) (map[string]int64, []string) {
	t.Helper()
	list, err := b.Remove(t.Context(), keepFor, 0)
	require.NoError(t, err)
	return removed(list)
}

// lastRun is what the newest entry of the audit log says of a run.
func (b *fixture) lastRun(t *testing.T) map[string]int64 {
	t.Helper()
	var after []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT after FROM audit_log WHERE action = 'retention run' ORDER BY at DESC, id DESC LIMIT 1").Scan(&after))
	sums := map[string]int64{}
	require.NoError(t, json.Unmarshal(after, &sums))
	for table, n := range sums {
		if n == 0 {
			delete(sums, table)
		}
	}
	return sums
}

func TestMonthsThatNobodyNeedsAreDropped(t *testing.T) {
	t.Parallel()
	b := newFixture(t) // in January 2030
	closed := b.lived(t, "closed", true)
	b.clock.Add(31*day + 180*day) // August 1st: every day of January is 180 days ago
	rows, partitions := b.remove(t)
	require.Equal(t, map[string]int64{"provider_calls": 1}, rows)
	require.Contains(t, partitions, "provider_calls_2030_01")
	require.Equal(t, map[string]int64{"provider_calls": 1}, b.lastRun(t))
	require.NotContains(t, b.partitions(t, "provider_calls"), "provider_calls_2030_01")
	kept, err := b.CallbacksOf(t.Context(), closed.Key())
	require.NoError(t, err)
	require.Len(t, kept, 1)

	b.clock.Add(220 * day)
	rows, partitions = b.remove(t)
	require.Equal(t, map[string]int64{"callbacks": 1, "callback_keys": 1}, rows)
	require.Contains(t, partitions, "callbacks_2030_01")
	order, err := b.Order(t.Context(), closed.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, order.Status)
	_, _, err = b.applyCallback(t.Context(), b.callback("very late", closed.ProviderOrderID), func(*payment.Order) (payment.Verdict, string) { return payment.Stale, "" })
	require.NoError(t, err, "a dropped month takes rows again")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM callbacks_2030_01"))
}

func TestWhatIsNeededStays(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.lived(t, "closed", true)
	open, conflict := b.lived(t, "open", false), b.lived(t, "in conflict", true)
	_, err := b.UpdateOrder(t.Context(), conflict.Key(), func(o *payment.Order) error {
		if v := o.Record(b.newReport(payment.StatusFailed)); v != payment.Conflict {
			return fmt.Errorf("verdict %s", v)
		}
		return nil
	})
	require.NoError(t, err)
	b.clock.Add(500 * day)
	expired, err := b.Expired(t.Context(), keepFor)
	require.NoError(t, err)
	would, _ := removed(expired)
	require.Equal(t, map[string]int64{"provider_calls": 1, "callbacks": 1}, would)
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM provider_calls"), "to count changes nothing")
	require.Zero(t, b.count(t, "SELECT count(*) FROM audit_log WHERE action = 'retention run'"))

	rows, partitions := b.remove(t)
	require.Equal(t, map[string]int64{"provider_calls": 1, "callbacks": 1, "callback_keys": 1}, rows)
	require.NotContains(t, partitions, "provider_calls_2030_01")
	require.NotContains(t, partitions, "callbacks_2030_01")
	for _, o := range []*payment.Order{open, conflict} {
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM provider_calls WHERE order_id = $1", o.ID))
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM callbacks WHERE order_id = $1", o.ID))
		_, seen, err := b.applyCallback(t.Context(), b.callback("of "+o.Reference, o.ProviderOrderID), nil)
		require.NoError(t, err)
		require.True(t, seen, "its callback is still known")
	}
}

// A callback that came late keeps its month, although all its orders are closed.
func TestYoungRowsOfAnOldMonthStay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.lived(t, "closed", true)
	b.clock.Add(390 * day)
	_, _, err := b.applyCallback(t.Context(), b.callback("late", o.ProviderOrderID), func(*payment.Order) (payment.Verdict, string) { return payment.Repeat, "" })
	require.NoError(t, err)
	b.clock.Add(60 * day)
	rows, partitions := b.remove(t)
	require.EqualValues(t, 1, rows["callbacks"])
	require.NotContains(t, partitions, "callbacks_2030_01")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM callbacks WHERE dedupe_key = $1", []byte("late")))
}

func TestOldAnswersReportsAndStrayCallbacksGo(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	answer := func(key string) {
		claim, _, err := b.Idempotency().Begin(t.Context(), b.shop.ID, key, []byte("hash"), time.Minute)
		require.NoError(t, err)
		_, err = b.Idempotency().Finish(t.Context(), claim, idempotency.Response{Status: 201})
		require.NoError(t, err)
	}
	answer("old")
	ready, waiting := b.transactionReport(t), b.transactionReport(t)
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), ready, b.rowsOf(t, map[string]string{"a": "1"}, map[string]string{"a": "2"})))
	b.saved(t, ready, payment.TransactionReportReady)
	_, _, err := b.applyCallback(t.Context(), b.callback("stray", "nobody's"), nil)
	require.NoError(t, err)
	b.clock.Add(7 * day)
	answer("not so old")
	rows, _ := b.remove(t)
	require.Empty(t, rows)
	b.clock.Add(time.Second)
	rows, _ = b.remove(t)
	require.Equal(t, map[string]int64{"idempotency_keys": 1}, rows)
	b.clock.Add(6 * day)

	b.clock.Add(500 * day)
	rows, _ = b.remove(t)
	require.Equal(t, map[string]int64{"idempotency_keys": 1, "transaction_report_rows": 2, "transaction_reports": 1, "orderless_callbacks": 1}, rows)
	_, err = b.TransactionReport(t.Context(), b.shop.ID, ready.ID)
	require.ErrorIs(t, err, payment.ErrTransactionReportNotFound)
	_, err = b.TransactionReport(t.Context(), b.shop.ID, waiting.ID)
	require.NoError(t, err, "one that is not ready is still needed")
}

// The hash of a card outlasts the windows of its limit by no more than days, also if the limit is never used again.
func TestOldHashesOfCardsGo(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.exec(t, "INSERT INTO limits (id, scope, object_id, kind, currency, rule, orders, mode) VALUES (gen_random_uuid(), 'global', '', 'payment', '', 'card_declines', 3, 'enforce')")
	for _, age := range []time.Duration{0, 2 * day, 4 * day} {
		b.exec(t, "INSERT INTO limit_uses (limit_id, card, begins_at, amount, orders) SELECT id, sha256('a card'), $1, 0, 1 FROM limits", b.clock.Now().Add(-age))
	}
	rows, _ := b.remove(t)
	require.Equal(t, map[string]int64{"limit_uses": 1}, rows)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM limit_uses"))
}

func TestMoreThanABatchIsRemoved(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const many = 4500
	b.exec(t, "INSERT INTO idempotency_keys (shop_id, key, request_hash, locked_until, created_at) SELECT $1, n::text, '', $2, $2 FROM generate_series(1, $3::integer) n",
		b.shop.ID, b.clock.Now().Add(-8*day), many)
	rows, _ := b.remove(t)
	require.Equal(t, map[string]int64{"idempotency_keys": many}, rows)
	require.Equal(t, rows, b.lastRun(t))
	require.Zero(t, b.count(t, "SELECT count(*) FROM idempotency_keys"))
}

func TestOneRemovesAtATime(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.exec(t, "UPDATE retention SET leased_until = $1, removed = '{\"callbacks\": 3}'", b.clock.Now().Add(time.Minute)) // somebody's, who then dies
	_, err := b.Remove(t.Context(), keepFor, 0)
	require.ErrorIs(t, err, store.ErrRetentionBusy)
	b.clock.Add(time.Minute)
	b.remove(t)
	require.Equal(t, map[string]int64{"callbacks": 3}, b.lastRun(t), "what an interrupted run removed is counted with the next")
	at, err := b.LastRemoval(t.Context())
	require.NoError(t, err)
	require.True(t, at.Equal(b.clock.Now()))

	b.clock.Add(23*time.Hour - time.Second)
	done, err := b.Remove(t.Context(), keepFor, 23*time.Hour)
	require.NoError(t, err)
	require.Nil(t, done, "not due yet")
	b.clock.Add(time.Second)
	done, err = b.Remove(t.Context(), keepFor, 23*time.Hour)
	require.NoError(t, err)
	require.NotEmpty(t, done)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM audit_log WHERE action = 'retention run'"))
}

// A run that is stopped leaves what it did counted and the lease to run out.
func TestStoppedRunIsTakenUp(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Remove(stopped, keepFor, 0)
	require.Error(t, err)
	b.remove(t)
}

// feedOf reads the whole feed of the shop.
func (b *fixture) feedOf(t *testing.T) []payment.FeedItem {
	t.Helper()
	page, err := b.Feed(t.Context(), b.shop.ID, "", 100)
	require.NoError(t, err)
	return page.Items
}

func TestOldPayloadsAreRemovedOnceDelivered(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	delivered, waiting := b.lived(t, "delivered", true), b.lived(t, "waiting", true)
	feed := b.feedOf(t)
	require.Len(t, feed, 4)
	b.clock.Add(20 * day)
	b.exec(t, `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms) SELECT shop_id, order_id, sequence, 1, $2, 5 FROM deliveries WHERE order_id = $1`,
		delivered.ID, b.clock.Now())
	b.exec(t, "DELETE FROM deliveries WHERE order_id = $1", delivered.ID)
	b.clock.Add(30 * day)
	rows, _ := b.remove(t)
	require.NotContains(t, rows, "notifications", "delivered thirty days ago, and not before")
	b.clock.Add(time.Second)
	expired, err := b.Expired(t.Context(), keepFor)
	require.NoError(t, err)
	would, _ := removed(expired)
	rows, _ = b.remove(t)
	require.EqualValues(t, 2, rows["notifications"])
	require.Equal(t, would["notifications"], rows["notifications"])
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM notifications WHERE payload IS NULL AND payload_digest IS NOT NULL AND order_id = $1", delivered.ID))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM notifications WHERE payload_digest = sha256($1)", feed[0].Payload), "the digest is of what was sent")

	later := b.feedOf(t)
	require.Len(t, later, 4)
	for i, item := range later {
		require.Equal(t, feed[i].ID, item.ID)
		require.Equal(t, feed[i].Cursor, item.Cursor)
		if item.Payload != nil {
			require.Equal(t, feed[i].Payload, item.Payload)
			continue
		}
		require.Equal(t, delivered.ID, item.Order.ID)
		require.Equal(t, payment.StatusSucceeded, item.Order.Status)
		require.Equal(t, i+2, item.Transition.Sequence)
	}
	require.Nil(t, later[0].Payload)
	require.NotNil(t, later[3].Payload, "what is not delivered keeps its payload")
	err = b.ResendNotification(t.Context(), delivered.Key(), 2)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "too old")
	require.ErrorIs(t, b.ResendNotification(t.Context(), delivered.Key(), 9), payment.ErrNotFound)
	require.NoError(t, b.ResendNotification(t.Context(), waiting.Key(), 2))

	b.clock.Add(100 * day)
	rows, partitions := b.remove(t)
	require.EqualValues(t, 2, rows["notification_attempts"])
	require.Contains(t, partitions, "notification_attempts_2030_01")
	list, err := b.NotificationsOf(t.Context(), delivered.Key())
	require.NoError(t, err)
	require.Equal(t, "delivered", list[0].State)
	require.Nil(t, list[0].DeliveredAt)
}

func TestAttemptsOfWhatIsNotDeliveredStay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.lived(t, "given up", true)
	b.exec(t, `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, error) SELECT shop_id, order_id, sequence, 1, $2, 5, 'no answer' FROM deliveries WHERE order_id = $1`,
		o.ID, b.clock.Now())
	b.exec(t, "UPDATE deliveries SET state = 'dead_lettered', attempts = 1")
	b.clock.Add(200 * day)
	rows, partitions := b.remove(t)
	require.NotContains(t, rows, "notification_attempts")
	require.NotContains(t, partitions, "notification_attempts_2030_01")
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM notification_attempts"))
}

// The attempts of an order that stays open go by their age, as those of all others, and keep no month after theirs.
func TestOldAttemptsOfAnOpenOrderGo(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	attempted := func(o *payment.Order) {
		b.exec(t, `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms) SELECT shop_id, order_id, sequence, 1, $2, 5 FROM deliveries WHERE order_id = $1`,
			o.ID, b.clock.Now())
		b.exec(t, "DELETE FROM deliveries WHERE order_id = $1", o.ID)
	}
	attempted(b.lived(t, "open", false))
	attempted(b.lived(t, "closed", true))
	b.clock.Add(31 * day)
	attempted(b.lived(t, "of the next month", true))
	b.clock.Add(200 * day)
	rows, partitions := b.remove(t)
	require.EqualValues(t, 5, rows["notification_attempts"])
	require.NotContains(t, partitions, "notification_attempts_2030_01", "its rows were deleted")
	require.Contains(t, partitions, "notification_attempts_2030_02")
	_, partitions = b.remove(t)
	require.Contains(t, partitions, "notification_attempts_2030_01", "nothing is left in it")
}

// A month that somebody uses for long is left, and the months after it go.
func TestOneMonthKeepsNoOtherFromGoing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.lived(t, "january", true)
	b.clock.Add(31 * day)
	b.lived(t, "february", true)
	b.clock.Add(250 * day)
	user, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = user.Exec(t.Context(), "LOCK TABLE provider_calls_2030_01 IN ROW EXCLUSIVE MODE")
	require.NoError(t, err)
	list, err := b.Remove(t.Context(), keepFor, 0)
	require.ErrorContains(t, err, "lock timeout")
	_, partitions := removed(list)
	require.Contains(t, partitions, "provider_calls_2030_02")
	require.NotContains(t, partitions, "provider_calls_2030_01")
	require.NoError(t, user.Rollback(t.Context()))
	_, partitions = b.remove(t)
	require.Contains(t, partitions, "provider_calls_2030_01")
}
