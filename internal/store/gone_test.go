package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func (b *fixture) off(t *testing.T) bool {
	t.Helper()
	off, err := b.AddressesOff(t.Context())
	require.NoError(t, err)
	return len(off[b.shop.ID]) > 0
}

// endpointGone is the answer of an endpoint that is not there any more.
var endpointGone = payment.Attempt{HTTPStatus: 410, Gone: true, Error: "gone"}

// An attempt may be answered after its lease has ended, when another process has delivered to another address.
func TestALate410SwitchesNothingOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.create(t, "r-1", 1000).Key()
	b.report(t, key, payment.StatusProcessing)
	late := b.lease(t, key)
	b.clock.Add(time.Minute)
	repeated := b.lease(t, key)
	b.finish(t, late, endpointGone) // to the same address, but a newer attempt is under way
	require.False(t, b.off(t))
	require.Equal(t, []string{"pending"}, b.states(t, key))
	b.none(t, key, b.clock.Now().Add(lease))
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example/hook", nil))
	b.finish(t, repeated, payment.Attempt{HTTPStatus: 200, Delivered: true})
	b.finish(t, repeated, endpointGone)
	require.False(t, b.off(t))
	b.report(t, key, payment.StatusSucceeded)
	require.Equal(t, []string{"delivered", "pending"}, b.states(t, key))
}

// A shop moves its endpoint and has the old one answer 410, as it should.
func TestA410OfAnAddressThatWasMovedSendsToTheNewOne(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	d := b.lease(t, key)
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example/hook", nil))
	b.finish(t, d, endpointGone)
	require.False(t, b.off(t))
	repeated := b.lease(t, key)
	require.Equal(t, "https://new.example/hook", repeated.URL)
	attempts, err := b.Attempts(t.Context(), key)
	require.NoError(t, err)
	require.Len(t, attempts, 1)
	require.Equal(t, 410, attempts[0].HTTPStatus)
	b.finish(t, repeated, endpointGone)
	require.True(t, b.off(t), "the new one is gone, too")
	require.Equal(t, []string{"held"}, b.states(t, key))
}

// An order's own address is where its notifications go, whatever the shop's is.
func TestA410OfAnOrdersOwnAddressCounts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	b.exec(t, "UPDATE orders SET notification_url = 'https://own.example' WHERE id = $1", key.Order)
	require.NoError(t, b.Reseal(t.Context(), key))
	d := b.lease(t, key)
	require.Equal(t, "https://own.example", d.URL)
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example/hook", nil))
	b.finish(t, d, endpointGone)
	require.True(t, b.off(t))
}

// Many orders of a shop learn at once that its endpoint is gone.
func TestManyAnswersOf410AtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	deliveries := make([]*payment.Delivery, 16)
	for i := range deliveries {
		deliveries[i] = b.lease(t, b.paid(t, string(rune('a'+i)), 1000).Key())
	}
	errs := race(len(deliveries), func(i int) error {
		a := endpointGone
		a.At = b.clock.Now()
		_, err := b.FinishDelivery(t.Context(), deliveries[i], a)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	require.True(t, b.off(t))
	require.Equal(t, len(deliveries), b.count(t, "SELECT count(*) FROM deliveries WHERE state = 'held'"))
	require.Equal(t, len(deliveries), b.count(t, "SELECT count(*) FROM notification_attempts"))
}

// What an operator sends again has its retries before it, and keeps the numbers of its attempts.
func TestAttemptsBeginAnewAfterAResend(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	for n := 1; n <= 7; n++ {
		d := b.lease(t, key)
		require.Equal(t, n, d.Attempt)
		require.Zero(t, d.AttemptsBefore)
		a := payment.Attempt{HTTPStatus: 500, RetryAt: b.clock.Now()}
		if n == 7 {
			a.RetryAt = time.Time{}
		}
		b.finish(t, d, a)
	}
	require.Equal(t, []string{"dead_lettered"}, b.states(t, key))
	require.NoError(t, b.ResendNotification(t.Context(), key, 2))
	for n := 8; n <= 9; n++ {
		d := b.lease(t, key)
		require.Equal(t, n, d.Attempt)
		require.Equal(t, 7, d.AttemptsBefore)
		b.finish(t, d, payment.Attempt{HTTPStatus: 500, RetryAt: b.clock.Now()})
	}
	attempts, err := b.Attempts(t.Context(), key)
	require.NoError(t, err)
	require.Len(t, attempts, 9, "none is overwritten")
}
