package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// contradict records a report that an order which succeeded had failed.
func (b *fixture) contradict(t *testing.T, o *payment.Order) {
	t.Helper()
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		require.Equal(t, payment.Conflict, o.Record(b.newReport(payment.StatusFailed)))
		return nil
	})
	require.NoError(t, err)
}

// Customers who have not paid yet are many and older; what needs a person is not hidden behind them.
func TestWhatNeedsAPersonIsListedFirst(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	next := func(reference string, status payment.Status) string {
		o := b.create(t, reference, 1000)
		if status != payment.StatusCreated {
			b.report(t, o.Key(), status)
		}
		b.clock.Add(time.Minute)
		return reference
	}
	var waiting []string
	for i := range 3 {
		waiting = append(waiting, next(fmt.Sprint("customer-", i), payment.StatusRequiresAction))
	}
	waiting = append(waiting, next("held", payment.StatusAuthorized))
	processing := next("processing", payment.StatusProcessing)
	unknown, created := next("unknown", payment.StatusUnknown), next("created", payment.StatusCreated)
	for _, reference := range []string{"conflict-1", "conflict-2"} {
		b.contradict(t, b.paid(t, reference, 1000))
		b.clock.Add(time.Minute)
	}
	b.paid(t, "nothing", 1000)
	b.clock.Add(time.Hour)
	want := append([]string{"conflict-1", "conflict-2", unknown, created, processing}, waiting...)
	for _, limit := range []int{1, 4, len(want), 100} {
		list, more, err := b.StuckOrders(t.Context(), nil, time.Minute, limit)
		require.NoError(t, err)
		var got []string
		for _, o := range list {
			got = append(got, o.Reference)
		}
		require.Equal(t, want[:min(limit, len(want))], got)
		require.Equal(t, len(want)-len(got), more)
	}
}

// An operator has whatever name of an order somebody gave.
func TestOrdersAreFoundByWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, _, _ := b.newShop(t, "other", "")
	b.newAccount(t, "EUR-2", "other")
	theirs, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, "r-1", 1000))
	require.NoError(t, err)
	b.clock.Add(time.Second)
	mine := b.paid(t, "r-1", 1000)
	b.exec(t, `UPDATE orders SET provider_reference = 'at-provider-1', bank_references = '{"318513456789": "succeeded"}' WHERE id = $1`, mine.ID)
	b.create(t, "another", 1000)
	called := func(name string, shop *uuid.UUID, limit int) (ids []uuid.UUID) {
		orders, err := b.OrdersCalled(t.Context(), name, shop, limit)
		require.NoError(t, err)
		for _, o := range orders {
			ids = append(ids, o.ID)
		}
		return ids
	}
	for _, name := range []string{mine.ID.String(), mine.ProviderOrderID, "at-provider-1", "318513456789"} {
		require.Equal(t, []uuid.UUID{mine.ID}, called(name, nil, 10), name)
		require.Equal(t, []uuid.UUID{mine.ID}, called(name, &b.shop.ID, 10), name)
		require.Empty(t, called(name, &other.ID, 10), name)
	}
	require.Equal(t, []uuid.UUID{mine.ID, theirs.ID}, called("r-1", nil, 10), "the newest first")
	require.Equal(t, []uuid.UUID{mine.ID}, called("r-1", nil, 1))
	require.Equal(t, []uuid.UUID{theirs.ID}, called("r-1", &other.ID, 10))
	for _, name := range []string{mine.ID.String(), mine.ProviderOrderID} { // whatever another shop calls its own orders
		_, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, name, 1000))
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{mine.ID}, called(name, nil, 10), name)
		require.Equal(t, []uuid.UUID{mine.ID}, called(name, nil, 1), name)
		require.Len(t, called(name, &other.ID, 10), 1, "by its own shop it is found")
	}
	for _, name := range []string{"", "r-", "r-1' OR true --", "pr-", "succeeded", uuid.NewString(), "\x00"} {
		require.Empty(t, called(name, nil, 10), name)
	}
}

func TestWhatNeedsAPersonIsListedForOneShop(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, _, _ := b.newShop(t, "other", "https://other.example/hook")
	b.newAccount(t, "EUR-2", "other")
	theirs, _, err := b.CreateOrder(t.Context(), b.draftFor(t, other.ID, "r-1", 1000))
	require.NoError(t, err)
	b.report(t, theirs.Key(), payment.StatusProcessing)
	b.report(t, b.create(t, "r-1", 1000).Key(), payment.StatusProcessing)
	b.exec(t, "UPDATE deliveries SET state = 'dead_lettered'")
	b.clock.Add(time.Hour)
	stuck, more, err := b.StuckOrders(t.Context(), &other.ID, time.Minute, 1)
	require.NoError(t, err)
	require.Zero(t, more)
	require.Equal(t, theirs.ID, stuck[0].ID)
	deadLettered, err := b.DeadLetteredNotifications(t.Context(), &other.ID, 10)
	require.NoError(t, err)
	require.Len(t, deadLettered, 1)
	require.Equal(t, theirs.Key(), deadLettered[0].Key)
	deadLettered, err = b.DeadLetteredNotifications(t.Context(), nil, 10)
	require.NoError(t, err)
	require.Len(t, deadLettered, 2)
}

// What came while the operator asked the provider about something else is not settled unseen.
func TestAConflictThatNobodyHasSeenIsNotSettled(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{}), Now: b.clock.Now})
	o := b.paid(t, "r-1", 1000)
	b.contradict(t, o)
	seen := 1
	b.contradict(t, o)
	decision := payment.Resolution{Status: payment.StatusSucceeded, Reason: "the provider says so", Operator: "ann", Seen: &seen}
	_, _, err := s.Resolve(t.Context(), o.Key(), decision)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "look at it again")
	after, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 2, after.Conflicts)
	seen = 2
	after, settled, err := s.Resolve(t.Context(), o.Key(), decision)
	require.NoError(t, err)
	require.Zero(t, after.Conflicts)
	require.Equal(t, 2, settled)
}

func TestCallbacksWithoutAnOrderAreListed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.paid(t, "r-1", 1000)
	for i, id := range []string{"nobodys-1", o.ProviderOrderID, "nobodys-2"} {
		cb := b.callback(fmt.Sprint("body ", i), id)
		cb.ReceivedAt = b.clock.Now()
		_, _, err := b.applyCallback(t.Context(), cb, func(*payment.Order) (payment.Verdict, string) { return payment.Stale, "" })
		require.NoError(t, err)
		b.clock.Add(time.Minute)
	}
	list, err := b.CallbacksWithoutOrder(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, store.OrderlessCallback{
		Account: "EUR-1", Provider: "fake", ProviderOrderID: "nobodys-2", Reported: "succeeded", ProviderData: list[0].ProviderData, ReceivedAt: b.clock.Now().Add(-time.Minute),
	}, list[0], "the newest first")
	require.Equal(t, gateway.ProviderData{"state": "PAYED"}, list[0].ProviderData)
	require.Equal(t, "nobodys-1", list[1].ProviderOrderID)
	list, err = b.CallbacksWithoutOrder(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, list, 1)
}
