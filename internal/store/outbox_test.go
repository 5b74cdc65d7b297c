package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

const lease = 30 * time.Second

func (b *fixture) lease(t *testing.T, key payment.Key) *payment.Delivery {
	t.Helper()
	d, repeated, err := b.LeaseDelivery(t.Context(), key, lease, roomy)
	require.NoError(t, err)
	require.NotNil(t, d, "again at %s", repeated)
	require.Zero(t, repeated)
	return d
}

// none expects that nothing is to be sent, and when to look again.
func (b *fixture) none(t *testing.T, key payment.Key, repeated time.Time) {
	t.Helper()
	d, at, err := b.LeaseDelivery(t.Context(), key, lease, roomy)
	require.NoError(t, err)
	require.Nil(t, d)
	require.Equal(t, repeated, at)
}

func (b *fixture) finish(t *testing.T, d *payment.Delivery, a payment.Attempt) {
	t.Helper()
	a.At = b.clock.Now()
	_, err := b.FinishDelivery(t.Context(), d, a)
	require.NoError(t, err)
}

func (b *fixture) states(t *testing.T, key payment.Key) (states []string) {
	t.Helper()
	list, err := b.NotificationsOf(t.Context(), key)
	require.NoError(t, err)
	for _, n := range list {
		states = append(states, n.State)
	}
	return states
}

func TestNotificationsAreDeliveredInTheOrderOfHistory(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.create(t, "r-1", 1000).Key()
	b.none(t, key, time.Time{})
	b.report(t, key, payment.StatusProcessing)
	b.report(t, key, payment.StatusSucceeded)
	require.Len(t, b.heard(), 2)

	first := b.lease(t, key)
	require.Equal(t, 2, first.Sequence)
	require.Equal(t, 1, first.Attempt)
	require.Equal(t, "https://shop.example/hook", first.URL)
	require.Equal(t, []string{"first", "EUR-1"}, []string{first.Shop, first.Account})
	require.Equal(t, []gateway.Secret{gateway.Secret(b.secret)}, first.Secrets)
	require.Equal(t, []string{"10.0.0.0/8"}, first.AllowCIDRs)
	require.Regexp(t, fmt.Sprintf(`^{"id":%q,.*"sequence":2,"status":"processing",`, first.ID), string(first.Payload), "as the order was then")
	b.none(t, key, b.clock.Now().Add(lease))

	retry := b.clock.Now().Add(time.Minute)
	b.finish(t, first, payment.Attempt{HTTPStatus: 500, Duration: time.Second, Error: "status", RetryAt: retry})
	b.none(t, key, retry)
	b.clock.Add(time.Minute)
	repeated := b.lease(t, key)
	require.Equal(t, first.ID, repeated.ID)
	require.Equal(t, first.Payload, repeated.Payload)
	require.Equal(t, 2, repeated.Attempt)
	b.finish(t, repeated, payment.Attempt{HTTPStatus: 204, Delivered: true})

	second := b.lease(t, key)
	require.Equal(t, 3, second.Sequence)
	b.finish(t, second, payment.Attempt{HTTPStatus: 200, Delivered: true})
	b.none(t, key, time.Time{})
	require.Equal(t, []string{"delivered", "delivered"}, b.states(t, key))

	attempts, err := b.Attempts(t.Context(), key)
	require.NoError(t, err)
	require.Len(t, attempts, 3)
	require.Equal(t, store.DeliveryAttempt{Sequence: 2, Attempt: 1, At: attempts[0].At, Duration: time.Second, HTTPStatus: 500, Error: "status"}, attempts[0])
}

func TestOneOfManyLeasesADelivery(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	got := make([]*payment.Delivery, 20)
	errs := race(len(got), func(i int) error {
		d, repeated, err := b.LeaseDelivery(t.Context(), key, lease, roomy)
		if got[i] = d; err == nil && d == nil && !repeated.Equal(b.clock.Now().Add(lease)) {
			err = errors.New("not told when to look again")
		}
		return err
	})
	require.NoError(t, errors.Join(errs...))
	winners := 0
	for _, d := range got {
		if d != nil {
			winners++
		}
	}
	require.Equal(t, 1, winners)
}

// found is what a sweep finds.
func (b *fixture) found(t *testing.T) []payment.Key {
	t.Helper()
	keys, _, err := b.DueDeliveries(t.Context(), 100)
	require.NoError(t, err)
	return keys
}

func TestADeliveryThatNobodyMakesIsFound(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	abandoned, waiting := b.create(t, "r-1", 1000).Key(), b.create(t, "r-2", 1000).Key()
	for _, key := range []payment.Key{abandoned, waiting} {
		b.report(t, key, payment.StatusProcessing)
		b.report(t, key, payment.StatusSucceeded)
	}
	require.Empty(t, b.found(t), "whoever wrote it sends it now")
	d := b.lease(t, waiting)
	b.finish(t, d, payment.Attempt{HTTPStatus: 500, RetryAt: b.clock.Now().Add(time.Hour)})
	b.lease(t, abandoned) // and its process dies
	b.clock.Add(time.Second)
	require.Empty(t, b.found(t), "leased, and planned for later")
	b.clock.Add(lease)
	require.Equal(t, []payment.Key{abandoned}, b.found(t), "the lease has ended")
	require.Equal(t, []payment.Key{abandoned}, b.found(t), "until somebody leases it")
	require.Equal(t, d.Sequence, b.lease(t, abandoned).Sequence, "the oldest")
	require.Empty(t, b.found(t), "leased again")
	b.clock.Add(time.Hour)
	require.ElementsMatch(t, []payment.Key{abandoned, waiting}, b.found(t), "its time has come")
}

// What waits behind another one is not read at every sweep, and goes on at once when its turn comes.
func TestWhatWaitsBehindAnotherIsPutOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.create(t, "r-1", 1000).Key()
	b.report(t, key, payment.StatusProcessing)
	b.report(t, key, payment.StatusSucceeded)
	first := b.lease(t, key)
	b.finish(t, first, payment.Attempt{HTTPStatus: 500, RetryAt: b.clock.Now().Add(time.Minute)})
	b.clock.Add(time.Second)
	for want := range 2 {
		_, more, err := b.DueDeliveries(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, want == 0, more, "read once, then put off")
	}
	b.clock.Add(time.Minute - time.Second)
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 200, Delivered: true})
	require.Equal(t, first.Sequence+1, b.lease(t, key).Sequence, "at once")
}

// What is delivered leaves the table of what is to be delivered, and is told of by its attempts.
func TestADeliveredNotificationIsKnownByItsAttempts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 500, Error: "status", RetryAt: b.clock.Now()})
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example/hook", nil))
	b.finish(t, b.lease(t, key), payment.Attempt{HTTPStatus: 200, Delivered: true, Duration: time.Second})
	require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries"))
	list, err := b.NotificationsOf(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "delivered", list[0].State)
	require.Equal(t, 2, list[0].Attempts)
	require.Equal(t, "https://new.example/hook", list[0].URL, "where it was delivered")
	require.Equal(t, b.clock.Now().Add(time.Second), *list[0].DeliveredAt)

	require.NoError(t, b.ResendNotification(t.Context(), key, 2))
	list, err = b.NotificationsOf(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "pending", list[0].State)
	require.Nil(t, list[0].DeliveredAt)
	repeated := b.lease(t, key)
	require.Equal(t, []int{3, 2}, []int{repeated.Attempt, repeated.AttemptsBefore})
}

func TestLateAttemptDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.paid(t, "r-1", 1000).Key()
	slow := b.lease(t, key)
	b.clock.Add(lease)
	fast := b.lease(t, key)
	require.Equal(t, slow.Attempt+1, fast.Attempt)
	b.finish(t, slow, payment.Attempt{Error: "timeout"})
	require.Equal(t, []string{"pending"}, b.states(t, key), "the newer lease decides")
	b.none(t, key, b.clock.Now().Add(lease))
	b.finish(t, fast, payment.Attempt{HTTPStatus: 500, RetryAt: b.clock.Now().Add(time.Hour)})
	b.finish(t, slow, payment.Attempt{HTTPStatus: 200, Delivered: true})
	require.Equal(t, []string{"delivered"}, b.states(t, key), "but delivered is delivered")
	b.finish(t, fast, payment.Attempt{Error: "late"})
	require.Equal(t, []string{"delivered"}, b.states(t, key))
}

func TestDeadLetteredNotificationHoldsBackAndIsSentAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.create(t, "r-1", 1000).Key()
	b.report(t, key, payment.StatusProcessing)
	b.report(t, key, payment.StatusSucceeded)
	d := b.lease(t, key)
	b.finish(t, d, payment.Attempt{HTTPStatus: 500})
	require.Equal(t, []string{"dead_lettered", "pending"}, b.states(t, key))
	b.none(t, key, time.Time{})
	deadLettered, err := b.DeadLetteredNotifications(t.Context(), nil, 10)
	require.NoError(t, err)
	require.Len(t, deadLettered, 1)
	require.Equal(t, d.ID, deadLettered[0].ID)
	require.Equal(t, key, deadLettered[0].Key)

	require.NoError(t, b.ResendNotification(t.Context(), key, d.Sequence))
	b.clock.Add(time.Second)
	require.Equal(t, []payment.Key{key}, b.found(t))
	require.Equal(t, d.ID, b.lease(t, key).ID)

	require.ErrorIs(t, b.ResendNotification(t.Context(), key, 99), payment.ErrNotFound)
	require.ErrorIs(t, b.ResendNotification(t.Context(), payment.Key{Shop: uuid.New(), Order: key.Order}, 2), payment.ErrNotFound)
}

func TestAnAddressThatIsGoneIsSwitchedOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	one, two := b.paid(t, "r-1", 1000).Key(), b.paid(t, "r-2", 1000).Key()
	own := b.draft(t, "r-own", 1000)
	own.NotificationURL = "https://own.example"
	_, _, err := b.CreateOrder(t.Context(), own)
	require.NoError(t, err)
	b.report(t, own.Key(), payment.StatusProcessing)
	other, _, _ := b.newShop(t, "other", b.shop.NotificationURL)
	_, err = b.LinkAccount(t.Context(), "EUR-1", other.Name, store.Routing{}, false)
	require.NoError(t, err)
	theirs, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, "r-1", 1000))
	require.NoError(t, err)
	b.report(t, theirs.Key(), payment.StatusFailed)

	b.finish(t, b.lease(t, one), payment.Attempt{HTTPStatus: 410, Gone: true})
	require.Equal(t, []string{"held"}, b.states(t, one))
	require.Equal(t, []string{"pending"}, b.states(t, two))
	b.none(t, two, time.Time{})
	require.Equal(t, []string{"held"}, b.states(t, two), "it is not sent either")
	off, err := b.AddressesOff(t.Context())
	require.NoError(t, err)
	require.Len(t, off, 1)
	require.Len(t, off[b.shop.ID], 1)
	require.Equal(t, b.shop.NotificationURL, off[b.shop.ID][0].URL)
	require.EqualValues(t, 2, off[b.shop.ID][0].Held)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.ResendNotification(t.Context(), one, 2)))

	require.NotNil(t, b.lease(t, own.Key()), "another address of the shop")
	require.NotNil(t, b.lease(t, theirs.Key()), "the same address of another shop")
	three := b.paid(t, "r-3", 1000).Key()
	b.none(t, three, time.Time{})
	require.Equal(t, []string{"held"}, b.states(t, three), "one that was made since")

	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example", nil))
	require.Equal(t, []string{"pending"}, b.states(t, three))
	repeated := b.lease(t, one)
	require.Equal(t, 2, repeated.Attempt)
	require.Equal(t, "https://new.example", repeated.URL, "not the address that answered 410")
	require.False(t, b.off(t))
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.SetNotificationURL(t.Context(), "nobody", "", nil)))
}

func TestNotificationWithoutAnAddressIsForTheFeed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "", nil))
	key := b.paid(t, "r-1", 1000).Key()
	require.Equal(t, []string{"feed"}, b.states(t, key))
	require.Empty(t, b.heard())

	own := b.draft(t, "r-2", 1000)
	own.NotificationURL = "https://own.example"
	_, _, err := b.CreateOrder(t.Context(), own)
	require.NoError(t, err)
	b.report(t, own.Key(), payment.StatusSucceeded)
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example", nil))
	require.Equal(t, "https://own.example", b.lease(t, own.Key()).URL, "an order's own address stays")
}

// roomy has room for every delivery.
func roomy(string) time.Time { return time.Time{} }

func TestADeliveryThatFindsNoRoomIsPutOffAndNotCounted(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.paid(t, "r-1", 1000)
	later := b.clock.Now().Add(time.Minute)
	d, repeated, err := b.LeaseDelivery(t.Context(), o.Key(), lease, func(string) time.Time { return later })
	require.NoError(t, err)
	require.Nil(t, d)
	require.Equal(t, later, repeated)
	_, repeated, err = b.LeaseDelivery(t.Context(), o.Key(), lease, roomy)
	require.NoError(t, err)
	require.Equal(t, later, repeated, "the row says so, and no sweep takes it for forgotten")
	b.clock.Add(time.Minute)
	require.Equal(t, 1, b.lease(t, o.Key()).Attempt)
}
