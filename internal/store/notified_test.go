package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// A shop sees where each notification stands, and why the last attempt failed.
func TestWhereNotificationsStand(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	key := o.Key()
	b.report(t, key, payment.StatusProcessing)
	b.report(t, key, payment.StatusSucceeded)
	stands := func() []payment.Notified {
		list, err := b.Notified(t.Context(), key)
		require.NoError(t, err)
		require.Len(t, list, 2)
		return list
	}
	first := stands()[0]
	require.Equal(t, 2, first.Sequence)
	require.Equal(t, payment.NotificationPending, first.State)
	require.NotNil(t, first.NextAttemptAt)
	require.Nil(t, first.Last)

	retry := b.clock.Now()
	b.finish(t, b.lease(t, key), payment.Attempt{Error: "refused_address", RetryAt: retry})
	require.Equal(t, "refused_address", stands()[0].Last.Error)
	require.Equal(t, 1, stands()[0].Attempts)
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 500, Error: "status"})
	require.Equal(t, payment.NotificationDead, stands()[0].State)
	require.Equal(t, 500, stands()[0].Last.HTTPStatus)
	require.Nil(t, stands()[0].NextAttemptAt)

	require.NoError(t, b.ResendNotification(t.Context(), key, 2))
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 200, Delivered: true})
	require.Equal(t, payment.NotificationDelivered, stands()[0].State)
	require.True(t, stands()[0].Last.Delivered)
	require.NotNil(t, stands()[0].DeliveredAt)
	require.Equal(t, payment.NotificationPending, stands()[1].State)
}

// Without a recorded attempt that the shop took, nothing says that it was delivered: neither when its delivery was deleted past payrelay,
// nor when an erasure gave it up. What may have lost its attempts by retention is delivered as before.
func TestNothingIsDeliveredWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	stateOf := func(o *payment.Order) payment.NotificationState {
		t.Helper()
		list, err := b.Notified(t.Context(), o.Key())
		require.NoError(t, err)
		return list[0].State
	}
	lost := b.lived(t, "lost", true)
	require.Equal(t, payment.NotificationPending, stateOf(lost))
	b.exec(t, "DELETE FROM deliveries WHERE order_id = $1", lost.ID)
	require.Equal(t, payment.NotificationUnrecorded, stateOf(lost))
	b.exec(t, `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, error) VALUES ($1, $2, 2, 1, $3, 5, 'no answer')`,
		lost.ShopID, lost.ID, b.clock.Now())
	require.Equal(t, payment.NotificationUnrecorded, stateOf(lost), "an attempt that failed is no proof")

	b.clock.Add(80 * day)
	later := b.lived(t, "later", true)
	b.exec(t, "DELETE FROM deliveries WHERE order_id = $1", later.ID)
	require.NoError(t, b.ResendNotification(t.Context(), later.Key(), 2))
	require.Equal(t, payment.NotificationPending, stateOf(later), "an operator can send it again")
	b.exec(t, "DELETE FROM deliveries WHERE order_id = $1", later.ID)
	b.clock.Add(60 * day)
	b.remove(t)
	require.Equal(t, payment.NotificationDelivered, stateOf(lost), "its attempts may have been removed")
	require.Equal(t, payment.NotificationUnrecorded, stateOf(later), "those of this one were not")
}
