package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// dyingStore is a store of a process that dies before it can write down what became of a dispute.
type dyingStore struct {
	*store.Store
	of   uuid.UUID // the order whose dispute it is
	dies bool
}

var errDied = errors.New("the process died")

func (s *dyingStore) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	if s.dies && key.Order == s.of {
		return nil, errDied
	}
	return s.Store.UpdateOrder(ctx, key, fn)
}

// Late money goes back at once if the shop wants it so: once, whoever dies in between, and however many replicas see to it.
func TestLateMoneyGoesBackAtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	late := func(reference string) uuid.UUID {
		old := b.report(t, b.report(t, b.create(t, reference, 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
		return *old.SupersededBy
	}
	first := late("p")
	shops, err := b.ShopsRefundingSurplus(t.Context())
	require.NoError(t, err)
	require.Empty(t, shops, "it is held")
	_, err = b.SetShop(t.Context(), b.shop.Name, store.ShopChange{Apply: func(now *shop.Shop) error {
		now.OnSurplus = shop.RefundSurplus
		return nil
	}})
	require.NoError(t, err)
	shops, err = b.ShopsRefundingSurplus(t.Context())
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{b.shop.ID}, shops)

	sent := 0
	fake := &gatewaytest.Fake{RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) {
		sent++
		return gateway.Result{Status: gateway.StatusSucceeded}, nil
	}}
	dying := &dyingStore{b.Store, first, true}
	service := payment.New(payment.Config{Store: dying, DisputeStore: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	require.ErrorIs(t, service.RefundSurplus(t.Context(), b.shop.ID), errDied)
	require.Equal(t, 1, sent)
	dying.dies = false
	for _, err := range race(4, func(int) error { return service.RefundSurplus(t.Context(), b.shop.ID) }) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, sent, "the refund of before is found")
	o, err := b.Order(t.Context(), payment.Key{Shop: b.shop.ID, Order: first})
	require.NoError(t, err)
	require.Equal(t, []any{int64(1000), 0}, []any{o.Refunded, o.DisputesOpen})
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: &first})
	require.NoError(t, err)
	require.Equal(t, payment.DisputeClosed, page.Items[0].Status)
	require.Empty(t, b.verify(t))
}

// A refund that fails at once is not tried once more: the shop decides.
func TestLateMoneyThatCannotGoBackWaitsForTheShop(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
	for range 3 {
		require.NoError(t, b.casesAt(gateway.StatusFailed).RefundSurplus(t.Context(), b.shop.ID))
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE kind = 'refund'"))
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: old.SupersededBy})
	require.NoError(t, err)
	require.Equal(t, []any{payment.DisputeOpen, 2}, []any{page.Items[0].Status, page.Items[0].Sequence})
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, page.Items[0].ID, payment.AcceptDispute)
	require.NoError(t, err)
}
