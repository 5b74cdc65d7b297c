package store_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// dyingStore is a store of a process that dies when it writes down a step of a dispute, but for the first.
type dyingStore struct {
	*store.Store
	of    uuid.UUID // the order whose dispute it is
	steps int
	dies  bool
}

var errDied = errors.New("the process died")

func (s *dyingStore) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	if key.Order == s.of {
		if s.steps++; s.dies && s.steps > 1 {
			return nil, errDied
		}
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
	dying := &dyingStore{Store: b.Store, of: first, dies: true}
	service := payment.New(payment.Config{Store: dying, DisputeStore: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	require.ErrorIs(t, service.RefundSurplus(t.Context(), b.shop.ID), errDied)
	require.Equal(t, 1, sent)
	dying.dies = false
	require.NoError(t, service.RefundSurplus(t.Context(), b.shop.ID))
	require.NoError(t, service.FinishRefunds(t.Context()))
	_, err = service.ResolveDispute(t.Context(), b.shop.ID, b.disputeOf(t, first).ID, payment.AcceptDispute)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "the money is on its way")
	b.clock.Add(2 * time.Minute)
	for _, err := range race(4, func(int) error { return service.FinishRefunds(t.Context()) }) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, sent, "the refund of before is found")
	o, err := b.Order(t.Context(), payment.Key{Shop: b.shop.ID, Order: first})
	require.NoError(t, err)
	require.Equal(t, []any{int64(1000), 0}, []any{o.Refunded, o.DisputesOpen})
	require.Equal(t, payment.DisputeClosed, b.disputeOf(t, first).Status)
	require.Empty(t, b.verify(t))
}

func (b *fixture) disputeOf(t *testing.T, order uuid.UUID) payment.Dispute {
	t.Helper()
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: &order})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	return page.Items[0]
}

// Two clerks decide at once: one accepts, the other gives the money back. One of them is told no, and what he wanted is not done.
func TestOfSeveralDecisionsAboutADisputeOneCounts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	outcomes := map[payment.DisputeStatus]int{}
	for i := range 12 {
		old := b.report(t, b.report(t, b.create(t, "p-"+strconv.Itoa(i), 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
		id := b.disputeOf(t, *old.SupersededBy).ID
		actions := []payment.DisputeAction{payment.AcceptDispute, payment.RefundDispute, payment.RefundDispute, payment.AcceptDispute, payment.RefundDispute}
		errs := race(len(actions), func(i int) error {
			_, err := b.casesAt(gateway.StatusSucceeded).ResolveDispute(t.Context(), b.shop.ID, id, actions[i])
			return err
		})
		d := b.disputeOf(t, *old.SupersededBy)
		outcomes[d.Status]++
		back := map[payment.DisputeStatus]int64{payment.DisputeAccepted: 0, payment.DisputeClosed: 1000}
		require.Contains(t, back, d.Status)
		o, err := b.Order(t.Context(), payment.Key{Shop: b.shop.ID, Order: *old.SupersededBy})
		require.NoError(t, err)
		require.Equal(t, []int64{back[d.Status], back[d.Status]}, []int64{o.Refunded, o.RefundReserved}, "the money of a dispute that is %s", d.Status)
		for i, err := range errs {
			if err == nil {
				require.Equal(t, d.Status == payment.DisputeAccepted, actions[i] == payment.AcceptDispute, "only who decided so is told so")
			}
		}
	}
	t.Log(outcomes)
	require.Empty(t, b.verify(t))
}

// Late money does not go back while another dispute of it is open.
func TestLateMoneyStaysWhileAnotherDisputeIsOpen(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
	late := b.disputeOf(t, *old.SupersededBy)
	other := b.chargeback(t, payment.Key{Shop: b.shop.ID, Order: *old.SupersededBy}, 400)
	_, err := b.casesAt(gateway.StatusSucceeded).ResolveDispute(t.Context(), b.shop.ID, late.ID, payment.RefundDispute)
	require.Equal(t, payment.CodePaymentDisputed, payment.CodeOf(err))
	late, err = b.Dispute(t.Context(), b.shop.ID, late.ID)
	require.NoError(t, err)
	require.Equal(t, payment.DisputeOpen, late.Status)
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, other.ID, payment.AcceptDispute)
	require.NoError(t, err)
	late, err = b.casesAt(gateway.StatusSucceeded).ResolveDispute(t.Context(), b.shop.ID, late.ID, payment.RefundDispute)
	require.NoError(t, err)
	require.Equal(t, payment.DisputeClosed, late.Status)
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
	require.Equal(t, []any{payment.DisputeOpen, 3}, []any{page.Items[0].Status, page.Items[0].Sequence})
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, page.Items[0].ID, payment.AcceptDispute)
	require.NoError(t, err)
}
