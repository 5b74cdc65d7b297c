package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// leasing makes room for deliveries that are leased by the commit that writes them.
func leasing(t *testing.T) *fixture {
	t.Helper()
	b := newFixture(t)
	b.room = lease
	_, err := b.ShopAccounts(t.Context(), b.shop.ID) // the directory is in memory
	require.NoError(t, err)
	return b
}

var taken = payment.Attempt{HTTPStatus: 200, Delivered: true}

func TestADeliveryIsBornLeased(t *testing.T) {
	t.Parallel()
	b := leasing(t)
	key := b.paid(t, "r-1", 1000).Key()
	born := b.born()
	require.Len(t, born, 1)
	require.Empty(t, b.heard(), "nobody needs to ask for it")
	d := *born[0]
	b.none(t, key, b.clock.Now().Add(lease))
	b.clock.Add(time.Second)
	require.Empty(t, b.found(t), "it is leased")

	b.clock.Add(lease)
	require.Equal(t, []payment.Key{key}, b.found(t), "its process is gone")
	later := *b.lease(t, key)
	require.Equal(t, 2, later.Attempt, "the lease counts")
	later.Attempt, later.LeasedUntil = d.Attempt, d.LeasedUntil
	require.Equal(t, later, d, "it is what a lease returns")

	b.finish(t, &d, taken)
	require.Equal(t, []string{"delivered"}, b.states(t, key), "delivered is delivered")
}

// What goes behind another notification, or to an address that is off, fails, was moved or has no room, is not leased.
func TestADeliveryIsNotBornLeased(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(b *fixture, key payment.Key){
		"behind another": func(b *fixture, key payment.Key) { b.report(t, key, payment.StatusProcessing); b.born() },
		"no room":        func(b *fixture, _ payment.Key) { b.room = 0 },
		"switched off": func(b *fixture, _ payment.Key) {
			b.exec(t, "INSERT INTO addresses_off VALUES ($1, $2, now())", b.shop.ID, b.shop.NotificationURL)
		},
		"failing": func(b *fixture, _ payment.Key) {
			b.exec(t, "INSERT INTO failing_destinations VALUES ($1, 'https://shop.example', 1)", b.shop.ID)
		},
		"moved by another process": func(b *fixture, _ payment.Key) {
			b.exec(t, "UPDATE shops SET notification_url = 'https://new.example/hook'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := leasing(t)
			key := b.create(t, "r-1", 1000).Key()
			prepare(b, key)
			b.heard()
			b.report(t, key, payment.StatusSucceeded)
			require.Empty(t, b.born())
			require.Equal(t, []payment.Key{key}, b.heard(), "whoever is told asks for what is due")
			require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries WHERE sequence = (SELECT max(sequence) FROM deliveries) AND (leased_until IS NOT NULL OR attempts > 0)"))
		})
	}
}

func TestOfTwoStepsInOneCommitTheFirstIsLeased(t *testing.T) {
	t.Parallel()
	b := leasing(t)
	key := b.create(t, "r-1", 1000).Key()
	_, err := b.UpdateOrder(t.Context(), key, func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusProcessing))
		o.Record(b.newReport(payment.StatusSucceeded))
		return nil
	})
	require.NoError(t, err)
	born := b.born()
	require.Len(t, born, 1)
	require.Equal(t, 2, born[0].Sequence)
	more, err := b.FinishDelivery(t.Context(), born[0], taken)
	require.NoError(t, err)
	require.True(t, more, "whoever sent the first sends the second")
	second := b.lease(t, key)
	require.Equal(t, 3, second.Sequence)
	more, err = b.FinishDelivery(t.Context(), second, taken)
	require.NoError(t, err)
	require.False(t, more, "nobody asks in vain")
}

// Deliveries that end at the same time share a commit, with each other and with everything else.
func TestMarksOfDeliveriesShareACommit(t *testing.T) {
	t.Parallel()
	b := leasing(t)
	const n = 12
	for i := range n {
		b.paid(t, fmt.Sprintf("r-%d", i), 1000)
	}
	born := b.born()
	require.Len(t, born, n)
	other := b.create(t, "other", 1000)
	release := b.busy(t)
	var errs []error
	var all sync.WaitGroup
	all.Go(func() {
		errs = race(n+1, func(i int) error {
			if i == n {
				_, err := b.UpdateOrder(t.Context(), other.Key(), countPoll)
				return err
			}
			a := taken
			a.At = b.clock.Now()
			_, err := b.FinishDelivery(t.Context(), born[i], a)
			return err
		})
	})
	b.queued(t, n+1)
	before := b.Batches()
	release()
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, before+1, b.Batches())
	require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries"))
	require.Equal(t, n, b.count(t, "SELECT count(*) FROM notification_attempts"))
	require.Zero(t, b.Alone())
}

// What was leased and could not be sent in time is due again, and nothing has happened.
func TestLeasesThatAreReturned(t *testing.T) {
	t.Parallel()
	b := leasing(t)
	one, two := b.paid(t, "r-1", 1000).Key(), b.paid(t, "r-2", 1000).Key()
	born := b.born()
	b.clock.Add(lease)
	newer := b.lease(t, two)
	require.NoError(t, b.ReturnDeliveries(t.Context(), born))
	require.Equal(t, []payment.Key{one}, b.found(t))
	require.Equal(t, 1, b.lease(t, one).Attempt, "an attempt that was not made does not count")
	b.none(t, two, b.clock.Now().Add(lease))
	b.finish(t, newer, taken)
	require.NoError(t, b.ReturnDeliveries(t.Context(), nil))
}
