package store_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// setLimit sets a limit of payments in EUR.
func (b *fixture) setLimit(t *testing.T, l payment.Limit, name string) {
	t.Helper()
	if l.Kind == "" {
		l.Kind = gateway.KindPayment
	}
	if l.Amount > 0 || l.Rule == payment.LimitHour || l.Rule == payment.LimitDay {
		l.Currency = "EUR"
	}
	require.NoError(t, b.SetLimit(t.Context(), store.NamedLimit{Limit: l, Name: name}))
}

// exceeds creates a payment that is beyond a limit, and returns which.
func (b *fixture) exceeds(t *testing.T, ctx context.Context, reference string, minor int64) payment.LimitHit { //nolint:revive // the test comes first, as everywhere here
	t.Helper()
	before := b.count(t, "SELECT count(*) FROM orders")
	_, _, err := b.CreateOrder(ctx, b.draft(t, reference, minor))
	require.Equal(t, payment.CodeLimitExceeded, payment.CodeOf(err), "%v", err)
	require.Equal(t, before, b.count(t, "SELECT count(*) FROM orders"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM order_references WHERE reference = $1", reference))
	refused, _ := errors.AsType[*payment.Error](err)
	require.NotNil(t, refused.Limit)
	return *refused.Limit
}

// insist creates an order, and repeats that while many at once leave no connection for it.
func (b *fixture) insist(ctx context.Context, o *payment.Order) error {
	for {
		_, _, err := b.CreateOrder(ctx, o)
		if payment.CodeOf(err) != payment.CodeUnavailable {
			return err
		}
	}
}

// TestManyAtOnceNeverExceedALimit holds the sum and the number of a window against many that come at once.
func TestManyAtOnceNeverExceedALimit(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]payment.Limit{
		"sum":    {Rule: payment.LimitDay, Amount: 2_055},
		"number": {Rule: payment.LimitHour, Orders: 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			l.Scope, l.Enforced = payment.LimitShop, true
			b.setLimit(t, l, "first")
			b.setLimit(t, payment.Limit{Scope: payment.LimitGlobal, Rule: payment.LimitDay, Amount: 100_000, Enforced: true}, "")
			drafts := make([]*payment.Order, 200)
			for i := range drafts {
				drafts[i] = b.draft(t, "r"+strconv.Itoa(i), 100)
			}
			made := 0
			for _, err := range race(len(drafts), func(i int) error { return b.insist(t.Context(), drafts[i]) }) {
				if err == nil {
					made++
					continue
				}
				require.Equal(t, payment.CodeLimitExceeded, payment.CodeOf(err), "%v", err)
			}
			require.Equal(t, 20, made)
			require.Equal(t, 20, b.count(t, "SELECT count(*) FROM orders"))
			require.Equal(t, 20, b.count(t, "SELECT count(*) FROM limit_reservations"))
			require.Equal(t, 4000, b.count(t, "SELECT sum(amount) FROM limit_uses"), "of both limits, and of nothing that was refused")
		})
	}
}

func TestALimitIsReleasedByWhatMovesNoMoney(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitDay, Amount: 1000, Enforced: true}, "EUR-1")
	used := func() int64 {
		list, err := b.Limits(t.Context())
		require.NoError(t, err)
		return list[0].UsedAmount
	}
	failed, canceled, unknown := b.create(t, "failed", 300), b.create(t, "canceled", 300), b.create(t, "unknown", 300)
	b.create(t, "crashed", 100)
	hit := b.exceeds(t, t.Context(), "more", 1)
	require.Equal(t, []any{payment.LimitAccount, int64(1000)}, []any{hit.Scope, hit.UsedAmount})
	same, created, err := b.CreateOrder(t.Context(), b.draft(t, "unknown", 300))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, unknown.ID, same.ID, "a repeat is the first order, and is not counted")

	b.report(t, unknown.Key(), payment.StatusUnknown)
	require.Equal(t, int64(1000), used(), "the money may have moved")
	b.report(t, failed.Key(), payment.StatusFailed)
	require.Equal(t, int64(700), used())
	b.report(t, canceled.Key(), payment.StatusCanceled)
	require.Equal(t, int64(400), used())
	b.report(t, unknown.Key(), payment.StatusSucceeded)
	require.Equal(t, int64(400), used())
	b.create(t, "more", 600)
	b.exceeds(t, t.Context(), "still more", 1)
}

// TestTheWindowOfALimitRolls holds that an order leaves the window, not earlier than after its time, and that a refusal says when.
func TestTheWindowOfALimitRolls(t *testing.T) {
	t.Parallel()
	for rule, window := range map[payment.LimitRule]time.Duration{payment.LimitHour: time.Hour, payment.LimitDay: 24 * time.Hour} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: rule, Amount: 1000, Orders: 3, Enforced: true}, "first")
			first := b.clock.Now()
			b.create(t, "a", 600)
			b.clock.Add(window / 2)
			b.create(t, "b", 400)
			hit := b.exceeds(t, t.Context(), "c", 600)
			require.Equal(t, []int64{1000, 2}, []int64{hit.UsedAmount, hit.UsedOrders})
			require.NotNil(t, hit.FreeAt)
			require.False(t, hit.FreeAt.Before(first.Add(window)), "%v", hit.FreeAt)
			require.False(t, hit.FreeAt.After(first.Add(window+window/24)), "%v", hit.FreeAt)
			b.clock.Add(hit.FreeAt.Sub(b.clock.Now()) - time.Microsecond)
			b.exceeds(t, t.Context(), "c", 600)
			b.clock.Add(time.Microsecond)
			b.create(t, "c", 600)
			require.Nil(t, b.exceeds(t, t.Context(), "d", 1001).FreeAt, "there is never room for it")
			b.clock.Add(3 * window)
			b.create(t, "d", 1000)
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM limit_uses"), "what has left the window is gone")
		})
	}
}

func TestTheTightestLimitWins(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := payment.WithKeyID(t.Context(), "another")
	own := payment.WithKeyID(t.Context(), keyID(t, b.key))
	b.setLimit(t, payment.Limit{Scope: payment.LimitGlobal, Rule: payment.LimitOrder, Amount: 900, Enforced: true}, "")
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Amount: 1000, Enforced: true}, "first")
	b.setLimit(t, payment.Limit{Scope: payment.LimitKey, Rule: payment.LimitHour, Amount: 500, Enforced: true}, keyID(t, b.key))
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Amount: 1, Kind: gateway.KindPayout, Enforced: true}, "first")

	require.Equal(t, payment.LimitKey, b.exceeds(t, own, "a", 501).Scope)
	require.Equal(t, payment.LimitGlobal, b.exceeds(t, other, "a", 901).Scope)
	_, _, err := b.CreateOrder(other, b.draft(t, "a", 700))
	require.NoError(t, err)
	require.Equal(t, payment.LimitShop, b.exceeds(t, own, "b", 400).Scope)
	_, _, err = b.CreateOrder(own, b.draft(t, "b", 300))
	require.NoError(t, err)

	rotated := shop.NewKey()
	_, err = b.RotateKey(t.Context(), keyID(t, b.key), rotated, time.Hour)
	require.NoError(t, err)
	list, err := b.Limits(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 5, "the successor of a key has its limits")
	b.exceeds(t, payment.WithKeyID(t.Context(), keyID(t, rotated)), "c", 501)
}

// TestALimitIsObservedBeforeItIsEnforced holds that an observed limit counts and is told of, and that nothing else changes.
func TestALimitIsObservedBeforeItIsEnforced(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var hits []payment.LimitHit
	b.LimitHit = func(_ context.Context, h payment.LimitHit) { hits = append(hits, h) }
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Amount: 100}, "first")
	b.create(t, "a", 100)
	require.Empty(t, hits)
	b.create(t, "b", 50)
	require.Len(t, hits, 1)
	require.Equal(t, []any{false, int64(100), int64(1), b.shop.ID}, []any{hits[0].Enforced, hits[0].UsedAmount, hits[0].UsedOrders, hits[0].Shop})
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Amount: 160, Enforced: true}, "first")
	require.Equal(t, int64(150), b.exceeds(t, t.Context(), "c", 11).UsedAmount, "what was counted stays")
	require.Len(t, hits, 2, "a refusal is told of, too")

	require.NoError(t, b.RemoveLimit(t.Context(), store.NamedLimit{Limit: hits[0].Limit, Name: "first"}))
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.RemoveLimit(t.Context(), store.NamedLimit{Limit: hits[0].Limit, Name: "first"})))
	b.create(t, "c", 11)
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM audit_log WHERE action LIKE 'limit %'"))
}

func TestRefundsHaveLimits(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Amount: 100, Kind: gateway.KindRefund, Enforced: true}, "first")
	paid := b.paid(t, "p", 1000)
	_, _, err := b.createRefund(t.Context(), b.draftRefund(t, paid, "r1", 101))
	require.Equal(t, payment.CodeLimitExceeded, payment.CodeOf(err), "%v", err)
	require.Zero(t, b.count(t, "SELECT amount_reserved FROM orders WHERE id = $1", paid.ID), "nothing of the payment is reserved")
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, paid, "r1", 100))
	require.NoError(t, err)
	b.report(t, refund.Key(), payment.StatusFailed)
	_, _, err = b.createRefund(t.Context(), b.draftRefund(t, paid, "r2", 100))
	require.NoError(t, err, "the one that failed does not count")
}

// TestAnAccountWithALimitIsMarked holds what keeps an order from going on at an account where it was not counted.
func TestAnAccountWithALimitIsMarked(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	limited := func() bool {
		list, err := b.ShopAccounts(t.Context(), b.shop.ID)
		require.NoError(t, err)
		return len(list[0].Limits) > 0
	}
	l := payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitDay, Amount: 1000}
	b.setLimit(t, l, "EUR-1")
	require.False(t, limited(), "it is only observed")
	l.Enforced = true
	b.setLimit(t, l, "EUR-1")
	require.True(t, limited())
}

// The smallest sum of an order is a limit like the largest.
func TestAnOrderBelowTheSmallestSumIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitMinimum, Amount: 500, Enforced: true}, "first")
	hit := b.exceeds(t, t.Context(), "small", 499)
	require.Equal(t, payment.LimitMinimum, hit.Rule)
	require.Nil(t, hit.FreeAt)
	b.create(t, "enough", 500)
	require.Zero(t, b.count(t, "SELECT count(*) FROM limit_reservations"))
}

// A payment that the limits of its account refuse goes to the next account, whatever the rule. If all refuse, the first one's counts.
// A repeat finds the order, and who names an account is refused.
func TestALimitOfAnAccountPassesPaymentsOn(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	_, err := b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	var events []payment.Event
	service := payment.New(payment.Config{
		Store: b.Store, Now: b.clock.Now, Observe: func(e payment.Event) {
			if e.Elsewhere != "" {
				events = append(events, e)
			}
		},
		Drivers: gateway.NewRegistry(&gatewaytest.Fake{CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		}}),
	})
	pay := func(reference string, minor int64, account string) (*payment.Order, error) {
		o, _, err := service.CreatePayment(t.Context(), payment.NewPayment{
			Shop: b.shop.ID, Reference: reference, Amount: money.New(minor, "EUR"), Account: account, Flow: gateway.FlowHosted, RequestHash: []byte(reference),
		})
		return o, err
	}
	at := func(reference string, minor int64, want string) {
		t.Helper()
		o, err := pay(reference, minor, "")
		require.NoError(t, err)
		require.Equal(t, want, o.AccountName, reference)
	}
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitMinimum, Amount: 500, Enforced: true}, "EUR-1")
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitOrder, Amount: 5000, Enforced: true}, "EUR-1")
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitDay, Amount: 6000, Enforced: true}, "EUR-1")
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitOrder, Amount: 9000, Enforced: true}, "EUR-2")
	at("within", 5000, "EUR-1")
	require.Empty(t, events)
	at("small", 499, "EUR-2")
	at("large", 5001, "EUR-2")
	at("day is full", 2000, "EUR-2")
	require.Len(t, events, 3)
	require.Equal(t, [3]string{"EUR-1", "EUR-2", "limit"}, [3]string{events[0].Account, events[0].Elsewhere, events[0].Reason})
	require.Equal(t, 1, b.count(t, "SELECT sum(orders) FROM limit_uses"), "what was refused is not counted")
	at("small", 499, "EUR-2")
	require.Len(t, events, 3, "a repeat is no new order")

	_, err = pay("too large", 9001, "")
	require.ErrorContains(t, err, "at most 5000 EUR")
	_, err = pay("named", 499, "EUR-1")
	require.ErrorContains(t, err, "at least 500 EUR (minor units) in one order")
	require.ErrorContains(t, err, "Send a larger sum")

	// A limit of the shop refuses everywhere.
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitOrder, Amount: 1000, Enforced: true}, "first")
	_, err = pay("of the shop", 3000, "")
	require.Equal(t, payment.CodeLimitExceeded, payment.CodeOf(err))
	require.Equal(t, 4, b.count(t, "SELECT count(*) FROM orders"))
}

// A question whether an order goes beyond a limit is answered as the order would be, and counts nothing.
func TestAQuestionIsNotCounted(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitAccount, Rule: payment.LimitDay, Amount: 1_000, Enforced: true}, "EUR-1")
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitHour, Orders: 1}, "first")
	reported := 0
	b.LimitHit = func(context.Context, payment.LimitHit) { reported++ }
	for range 3 {
		require.NoError(t, b.CheckLimits(t.Context(), b.draft(t, "asked", 1_000)))
	}
	err := b.CheckLimits(t.Context(), b.draft(t, "asked", 1_001))
	require.Equal(t, payment.CodeLimitExceeded, payment.CodeOf(err))
	require.Zero(t, b.count(t, "SELECT count(*) FROM limit_uses"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM limit_reservations"))

	b.create(t, "made", 600)
	require.NoError(t, b.CheckLimits(t.Context(), b.draft(t, "asked", 400)))
	asked, _ := errors.AsType[*payment.Error](b.CheckLimits(t.Context(), b.draft(t, "asked", 401)))
	require.EqualValues(t, 600, asked.Limit.UsedAmount)
	require.Zero(t, reported)
	require.Equal(t, asked.Limit.FreeAt, b.exceeds(t, t.Context(), "asked", 401).FreeAt)
}
