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
