package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

// scheduler is a provider that charges mandates by its own schedule, and shows the charges with the first payment.
type scheduler struct {
	mu    sync.Mutex
	shown []gateway.Result
	err   error
}

func (p *scheduler) charges(id string, minor int64, status gateway.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, gateway.Result{
		Status: status, Amount: &minor, Currency: "EUR", ProviderReference: id, BankReferences: []string{id},
		State: map[string]gateway.Secret{"payment_id": gateway.Secret(id)},
	})
}

func (p *scheduler) fake() *gatewaytest.Fake {
	fake := charger(nil)
	fake.Plain = true
	fake.FetchFunc = func(context.Context, gateway.Ref) (gateway.Result, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return gateway.Result{Status: gateway.StatusSucceeded, BankReferences: []string{"first"}, ProviderCharges: p.shown}, p.err
	}
	return fake
}

// runs does what is due, as a worker does.
func (b *fixture) runs(t *testing.T, s *payment.Service) (mandates int) {
	t.Helper()
	keys, err := b.LeaseDueMandates(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	for _, key := range keys {
		require.NoError(t, s.RunMandate(t.Context(), key))
	}
	return len(keys)
}

// What a provider charged by its own schedule becomes orders: each once, with the provider's sum and id. Nobody is asked before a
// charge can have come, and each mandate is leased to one.
func TestAProvidersChargesAreOrders(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(0, 0, 95)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30, ExpiresAt: &end})
	b.clock.Add(30 * 24 * time.Hour)
	require.Zero(t, b.runs(t, s))
	b.clock.Add(time.Hour)
	p.charges("c-1", 900, gateway.StatusSucceeded)
	p.charges("c-2", 900, gateway.StatusFailed)
	keys, err := b.LeaseDueMandates(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []payment.Key{key}, keys)
	require.Zero(t, b.runs(t, s), "another has it")
	require.NoError(t, s.RunMandate(t.Context(), key))

	m, err := s.Mandate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, []any{1, b.clock.Now()}, []any{m.Succeeded, *m.LastAt})
	page, err := s.Orders(t.Context(), payment.Filter{Shop: b.shop.ID, ParentID: &key.Order})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	for _, o := range page.Items {
		require.True(t, o.ProviderCharged())
		require.Regexp(t, `^first~sub-[0-9a-f]{16}$`, o.Reference)
		require.Equal(t, []any{int64(900), m.First.AccountName, "c-", 0}, []any{o.Amount.Minor(), o.AccountName, o.ProviderReference[:2], o.DisputesOpen})
		require.NotEqual(t, m.First.ProviderOrderID, o.ProviderOrderID)
		require.Equal(t, map[string]payment.Status{o.ProviderReference: o.Status}, o.BankReferences)
		require.EqualValues(t, o.ProviderReference, o.ProviderState["payment_id"])
		require.Equal(t, map[bool]int64{true: 900}[o.Status == payment.StatusSucceeded], o.Captured)
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1", o.ID))
	}
	require.Empty(t, b.verify(t))

	require.Zero(t, b.runs(t, s), "the next look is a day later")
	b.clock.Add(24 * time.Hour)
	require.Equal(t, 1, b.runs(t, s))
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM orders"), "what is known is known")
	p.err = &gateway.Error{Kind: gateway.KindUnknown}
	b.clock.Add(29 * 24 * time.Hour)
	require.Equal(t, 1, b.runs(t, s))
	p.err = nil
	b.clock.Add(time.Hour)
	require.Equal(t, 1, b.runs(t, s), "a provider without an answer is asked again soon")
	b.clock.Add(60 * 24 * time.Hour)
	require.Equal(t, 1, b.runs(t, s))
	require.Zero(t, b.count(t, "SELECT count(*) FROM mandate_runs"), "the schedule is over")
}

// However many see the same charges at once, each becomes one order.
func TestAProvidersChargeIsOneOrder(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(1, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 1, ExpiresAt: &end})
	for i := range 5 {
		p.charges(fmt.Sprintf("c-%d", i), 1000, gateway.StatusSucceeded)
	}
	for _, err := range race(8, func(i int) error {
		if i%2 == 0 {
			return s.RunMandate(t.Context(), key)
		}
		if _, err := b.UpdateOrder(t.Context(), key, func(o *payment.Order) error { // as a callback that is not believed
			at := b.clock.Now()
			o.NextPollAt = &at
			return nil
		}); err != nil {
			return err
		}
		_, err := s.Poll(t.Context(), key)
		return err
	}) {
		require.NoError(t, err)
	}
	require.Equal(t, 5, b.count(t, "SELECT count(*) FROM orders WHERE parent_id = $1 AND status = 'succeeded'", key.Order))
	require.Equal(t, 5, b.count(t, "SELECT count(*) FROM notifications n JOIN orders o ON o.id = n.order_id WHERE o.parent_id IS NOT NULL"))
	require.Empty(t, b.verify(t))
}

// A provider's charge has ended when it is seen, and is counted like any other, once.
func TestAProvidersChargeIsCountedAsAnEnd(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(1, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30, MaxAmount: 1000, ExpiresAt: &end})
	var ended []payment.Ended
	s.Observe = func(e payment.Event) {
		if e.Ended != nil {
			ended = append(ended, *e.Ended)
		}
	}
	p.charges("good", 900, gateway.StatusSucceeded)
	p.charges("bad", 900, gateway.StatusFailed)
	p.charges("much", 1001, gateway.StatusSucceeded)
	for range 2 {
		require.NoError(t, s.RunMandate(t.Context(), key))
	}
	require.Equal(t, []payment.Ended{
		{Kind: payment.KindCharge, Status: payment.StatusSucceeded},
		{Kind: payment.KindCharge, Status: payment.StatusFailed, Category: "unknown"},
		{Kind: payment.KindCharge, Status: payment.StatusSucceeded, Unauthorized: true},
	}, ended)
}

// A charge that the terms do not allow took money: it is an order with a dispute, and the shop gives it back.
func TestAnUnauthorizedChargeIsADispute(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(0, 0, 95)
	seen := func(key payment.Key, id string, minor int64, status gateway.Status) *payment.Order {
		t.Helper()
		p.charges(id, minor, status)
		require.NoError(t, s.RunMandate(t.Context(), key))
		page, err := s.Orders(t.Context(), payment.Filter{Shop: b.shop.ID, ParentID: &key.Order, ProviderReference: id})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		p.shown = nil
		return page.Items[0]
	}
	dispute := func(o *payment.Order) payment.Dispute {
		t.Helper()
		page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: &o.ID})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, []any{payment.DisputeUnauthorizedCharge, o.Captured, 1, payment.StatusSucceeded}, []any{page.Items[0].Kind, page.Items[0].Amount.Minor(), o.DisputesOpen, o.Status})
		return page.Items[0]
	}
	mandate := func(name string) payment.Key {
		return b.mandated(t, s, name, payment.MandateTerms{MinDays: 30, MaxCharges: 1, ExpiresAt: &end})
	}
	key := mandate("much")
	much := seen(key, "much", 1001, gateway.StatusSucceeded)
	require.Equal(t, int64(1001), much.Captured, "the sum is the provider's")
	dispute(much)
	dispute(seen(key, "many", 1000, gateway.StatusSucceeded))

	revoked := mandate("revoked")
	require.Zero(t, seen(revoked, "before", 1000, gateway.StatusSucceeded).DisputesOpen)
	_, err := b.DecideMandate(t.Context(), revoked, func(m *payment.Mandate) error {
		at := b.clock.Now()
		m.Decision, m.DecidedAt = payment.MandateRevoke, &at
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, seen(revoked, "refused", 1000, gateway.StatusFailed).DisputesOpen, "it took nothing")
	after := seen(revoked, "after", 1000, gateway.StatusSucceeded)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1", after.ID), "payment.succeeded and dispute.opened")
	d, err := b.cases().ResolveDispute(t.Context(), b.shop.ID, dispute(after).ID, payment.RefundDispute)
	require.NoError(t, err)
	require.Equal(t, payment.DisputeClosed, d.Status)
	refund, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindRefund, "dispute-"+d.ID.String()+"-1")
	require.NoError(t, err)
	require.Equal(t, []any{&after.ID, int64(1000)}, []any{refund.ParentID, refund.Amount.Minor()})

	late, later := mandate("late"), mandate("later")
	b.clock.Add(96 * 24 * time.Hour)
	require.Zero(t, seen(late, "at the end", 1000, gateway.StatusSucceeded).DisputesOpen, "it may have come in time")
	b.clock.Add(24 * time.Hour)
	_, err = b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: later, Kind: payment.DisputeUnauthorizedCharge, Minor: 1, Reason: "x"})
	require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), "payrelay alone opens these")
	dispute(seen(later, "long after the end", 1000, gateway.StatusSucceeded))
	require.Empty(t, b.verify(t))
}

// A charge without a sum is no order: nobody said how much. A person is told once.
func TestAProvidersChargeWithoutASumIsAConflict(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(1, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30, ExpiresAt: &end})
	p.shown = []gateway.Result{{Status: gateway.StatusSucceeded, ProviderReference: "c-1", BankReferences: []string{"c-1"}}}
	for range 2 {
		require.NoError(t, s.RunMandate(t.Context(), key))
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders"))
	require.Equal(t, 1, b.count(t, "SELECT conflicts FROM orders"))
	require.Empty(t, b.verify(t))
}

// What becomes of a charge later is seen with the others: its money goes back, or comes although the charge was refused.
func TestWhatBecomesOfAProvidersCharge(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	s := b.service(p.fake())
	end := b.clock.Now().AddDate(1, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30, ExpiresAt: &end})
	p.charges("paid", 1000, gateway.StatusSucceeded)
	p.charges("refused", 1000, gateway.StatusFailed)
	p.charges("quiet", 1000, gateway.StatusSucceeded)
	require.NoError(t, s.RunMandate(t.Context(), key))
	of := func(id string) *payment.Order {
		page, err := s.Orders(t.Context(), payment.Filter{Shop: b.shop.ID, ParentID: &key.Order, ProviderReference: id})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		return page.Items[0]
	}
	all := int64(1000)
	p.shown[0].Refunded, p.shown[1].Status = &all, gateway.StatusSucceeded
	for range 2 { // and is told of once
		b.clock.Add(time.Hour)
		require.NoError(t, s.RunMandate(t.Context(), key))
	}
	paid, refused, quiet := of("paid"), of("refused"), of("quiet")
	require.Equal(t, []any{payment.StatusSucceeded, int64(1000), 1}, []any{paid.Status, paid.Disputed, paid.DisputesOpen}, "it went back, and nobody here did it")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM disputes WHERE kind = 'reversal' AND order_id = $1", paid.ID))
	require.Equal(t, payment.StatusFailed, refused.Status)
	late, err := b.Order(t.Context(), payment.Key{Shop: b.shop.ID, Order: *refused.SupersededBy})
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusSucceeded, refused.Reference + "~late", int64(1000)}, []any{late.Status, late.Reference, late.Captured})
	require.Equal(t, 2, quiet.Sequence, "nothing happened to it")
	require.Equal(t, 5, b.count(t, "SELECT count(*) FROM orders"))
	require.Empty(t, b.verify(t))
}

// A provider does not know how many charges a mandate allows, so its schedule is ended when all were made. One that gives no answer is
// asked once more.
func TestAProvidersScheduleEndsWithTheLastCharge(t *testing.T) {
	t.Parallel()
	b, p := newFixture(t), &scheduler{}
	fake, asked, answer := p.fake(), 0, error(nil)
	fake.EndScheduleFunc = func(gateway.Ref, int) (time.Time, error) {
		asked++
		return b.clock.Now().Add(24 * time.Hour), answer
	}
	s := b.service(fake)
	end := b.clock.Now().AddDate(5, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30, MaxCharges: 2, ExpiresAt: &end})
	for n := range 2 {
		require.Zero(t, asked, "%d charges are left", 2-n)
		b.clock.Add(30 * 24 * time.Hour)
		p.charges(fmt.Sprintf("c-%d", n), 1000, gateway.StatusSucceeded)
		b.clock.Add(time.Hour)
		answer = &gateway.Error{Kind: gateway.KindUnknown}
		if n == 1 {
			require.Error(t, s.RunMandate(t.Context(), key))
		} else {
			require.NoError(t, s.RunMandate(t.Context(), key))
		}
	}
	answer = nil
	require.NoError(t, s.RunMandate(t.Context(), key))
	m, err := s.Mandate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, []any{2, payment.MandateRevoking, 2}, []any{asked, m.Status(b.clock.Now()), m.Succeeded})
	require.Zero(t, b.count(t, "SELECT count(*) FROM disputes"))
	b.clock.Add(24 * time.Hour)
	require.Equal(t, 1, b.runs(t, s))
	require.Equal(t, 2, asked)
	require.Zero(t, b.count(t, "SELECT count(*) FROM mandate_runs"))
}
