package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// fails leases a notification and has its attempt fail, to be tried again after pause.
func (b *fixture) fails(t *testing.T, key payment.Key, pause time.Duration) {
	t.Helper()
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 503, Error: "status", RetryAt: b.clock.Now().Add(pause)})
}

// waiting makes n orders whose notifications failed and wait for an hour.
func (b *fixture) waiting(t *testing.T, n int) (keys []payment.Key) {
	t.Helper()
	for i := range n {
		key := b.paid(t, fmt.Sprintf("waits-%d", i), 1000).Key()
		b.fails(t, key, time.Hour)
		keys = append(keys, key)
	}
	return keys
}

// succeeds delivers a new notification.
func (b *fixture) succeeds(t *testing.T, reference string) {
	t.Helper()
	b.finish(t, b.lease(t, b.paid(t, reference, 1000).Key()), payment.Attempt{HTTPStatus: 200, Delivered: true})
}

// due counts the notifications that wait and are due before at.
func (b *fixture) due(t *testing.T, at time.Time) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM deliveries WHERE state = 'pending' AND next_attempt_at <= $1", at)
}

// woken returns an order whose notification waited and is due by now.
func (b *fixture) woken(t *testing.T) payment.Key {
	t.Helper()
	key := payment.Key{Shop: b.shop.ID}
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT order_id FROM deliveries WHERE state = 'pending' AND waits_for IS NOT NULL AND next_attempt_at <= $1 LIMIT 1", b.clock.Now()).Scan(&key.Order))
	return key
}

func TestTheFirstSuccessMakesWhatWaitsDue(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys := b.waiting(t, 6)
	require.Zero(t, b.due(t, b.clock.Now().Add(time.Minute)))
	b.succeeds(t, "back")
	require.Equal(t, 6, b.due(t, b.clock.Now().Add(2*time.Second)))
	require.Zero(t, b.count(t, "SELECT count(*) FROM failing_destinations"), "nothing waits any more")
	b.clock.Add(2 * time.Second)
	for _, key := range keys {
		b.lease(t, key)
	}
}

// Ten thousand that wait are not sent at once: a hundred within two seconds, however many successes come.
func TestWhatWaitsBecomesDueAtABoundedPace(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.waiting(t, 230)
	deliveries := make([]*payment.Delivery, 20)
	for i := range deliveries {
		deliveries[i] = b.lease(t, b.paid(t, fmt.Sprintf("back-%d", i), 1000).Key())
	}
	errs := race(len(deliveries), func(i int) error {
		_, err := b.FinishDelivery(t.Context(), deliveries[i], payment.Attempt{At: b.clock.Now(), HTTPStatus: 200, Delivered: true})
		return err
	})
	require.NoError(t, errors.Join(errs...))
	b.succeeds(t, "once more")
	require.Equal(t, 100, b.due(t, b.clock.Now().Add(2*time.Second)))
	require.Equal(t, 100, b.due(t, b.clock.Now().Add(59*time.Minute)), "and no more are planned")
	require.LessOrEqual(t, b.due(t, b.clock.Now().Add(time.Second)), 51)
	b.clock.Add(2 * time.Second)
	b.fails(t, b.woken(t), time.Minute)
	b.exec(t, "DELETE FROM deliveries WHERE state = 'pending' AND next_attempt_at <= $1", b.clock.Now())
	b.succeeds(t, "next")
	require.Equal(t, 100, b.due(t, b.clock.Now().Add(2*time.Second)), "the next success brings the next ones")
	b.clock.Add(2 * time.Second)
	b.exec(t, "DELETE FROM deliveries WHERE state = 'pending' AND next_attempt_at <= $1", b.clock.Now())
	b.succeeds(t, "last")
	require.Equal(t, 30, b.due(t, b.clock.Now().Add(2*time.Second)), "but not the one that failed since")
}

// A shop that refuses one notification and takes all others is not down: that one keeps its growing pauses.
func TestANotificationThatAloneFailsKeepsItsPauses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	poison := b.paid(t, "poison", 1000).Key()
	for i := range 5 {
		b.fails(t, poison, time.Hour)
		b.succeeds(t, fmt.Sprintf("fine-%d", i))
		require.Zero(t, b.due(t, b.clock.Now().Add(59*time.Minute)))
		b.clock.Add(time.Hour)
	}
}

// What fails after the recovery began is not woken by it; a new outage begins anew.
func TestAnEndpointThatFailsAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys := b.waiting(t, 3)
	b.succeeds(t, "back")
	b.clock.Add(2 * time.Second)
	b.fails(t, keys[0], time.Hour)
	b.succeeds(t, "still there")
	require.Equal(t, 2, b.due(t, b.clock.Now().Add(59*time.Minute)), "one failure is a coincidence")
	for _, key := range keys[1:] {
		b.fails(t, key, time.Hour)
	}
	key := b.paid(t, "down again", 1000).Key()
	b.fails(t, key, time.Hour)
	require.Zero(t, b.due(t, b.clock.Now().Add(59*time.Minute)))
	b.succeeds(t, "back again")
	require.Equal(t, 4, b.due(t, b.clock.Now().Add(2*time.Second)))
}

func TestASuccessElsewhereWakesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.waiting(t, 4)
	own := b.draft(t, "own", 1000)
	own.NotificationURL = "https://own.example/hook"
	_, _, err := b.CreateOrder(t.Context(), own)
	require.NoError(t, err)
	b.report(t, own.Key(), payment.StatusSucceeded)
	b.finish(t, b.lease(t, own.Key()), payment.Attempt{HTTPStatus: 200, Delivered: true})
	require.Zero(t, b.due(t, b.clock.Now().Add(59*time.Minute)))
}

// Addresses of one host fail and recover as one.
func TestASuccessAtAnotherPathOfTheHostWakes(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 3 {
		own := b.draft(t, fmt.Sprintf("own-%d", i), 1000)
		own.NotificationURL = fmt.Sprintf("https://own.example/hook/%d", i)
		_, _, err := b.CreateOrder(t.Context(), own)
		require.NoError(t, err)
		b.report(t, own.Key(), payment.StatusSucceeded)
		b.fails(t, own.Key(), time.Hour)
	}
	own := b.draft(t, "own-back", 1000)
	own.NotificationURL = "https://OWN.example/another"
	_, _, err := b.CreateOrder(t.Context(), own)
	require.NoError(t, err)
	b.report(t, own.Key(), payment.StatusSucceeded)
	b.finish(t, b.lease(t, own.Key()), payment.Attempt{HTTPStatus: 200, Delivered: true})
	require.Equal(t, 3, b.due(t, b.clock.Now().Add(2*time.Second)))
}

// A shop's Retry-After is kept: a success elsewhere does not bring the attempt forward.
func TestRetryAfterIsNotCutShort(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.waiting(t, 3)
	key := b.paid(t, "asked", 1000).Key()
	later := b.clock.Now().Add(time.Hour)
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 429, Error: "status", RetryAt: later, NotBefore: later})
	b.succeeds(t, "back")
	require.Equal(t, 3, b.due(t, b.clock.Now().Add(59*time.Minute)))
	b.none(t, key, later)
}

// What an operator resumes is sent order by order in the order in which it was made, and at the same pace.
func TestResumedNotificationsComeInOrderAndAtAPace(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var keys []payment.Key
	for i := range 5 {
		key := b.create(t, fmt.Sprintf("r-%d", i), 1000).Key()
		b.report(t, key, payment.StatusProcessing)
		keys = append(keys, key)
	}
	b.finish(t, b.lease(t, keys[0]), endpointGone)
	for _, key := range keys {
		b.report(t, key, payment.StatusSucceeded)
		b.none(t, key, time.Time{})
		require.Equal(t, []string{"held", "held"}, b.states(t, key))
	}
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", b.shop.NotificationURL, nil))
	for i, key := range keys {
		if i > 0 {
			b.none(t, key, b.clock.Now().Add(20*time.Millisecond))
			b.clock.Add(20 * time.Millisecond)
		}
		for _, sequence := range []int{2, 3} {
			d := b.lease(t, key)
			require.Equal(t, sequence, d.Sequence)
			b.finish(t, d, payment.Attempt{HTTPStatus: 200, Delivered: true})
		}
	}
}

// Whoever resumes while a notification is being held back misses none.
func TestResumingWhileNotificationsAreHeldBack(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for round := range 5 {
		var keys []payment.Key
		for i := range 8 {
			keys = append(keys, b.paid(t, fmt.Sprintf("r-%d-%d", round, i), 1000).Key())
		}
		b.finish(t, b.lease(t, keys[0]), endpointGone)
		errs := race(len(keys), func(i int) error {
			if i == 0 {
				return b.SetNotificationURL(t.Context(), "first", b.shop.NotificationURL, nil)
			}
			_, _, err := b.LeaseDelivery(t.Context(), keys[i], lease, roomy)
			return err
		})
		require.NoError(t, errors.Join(errs...))
		require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries WHERE state = 'held'"))
	}
}
