package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// kept returns statements that put an order's row back as it is now.
func (b *tampered) kept(t *testing.T, key payment.Key) []string {
	t.Helper()
	b.exec(t, "CREATE TABLE IF NOT EXISTS old AS SELECT * FROM orders")
	return []string{"DELETE FROM orders WHERE id = '" + key.Order.String() + "'", "INSERT INTO orders SELECT * FROM old WHERE id = '" + key.Order.String() + "'"}
}

func TestAnOldRowAndACutTailAreFound(t *testing.T) {
	t.Parallel()
	const tail = " WHERE sequence > 2 AND order_id = (SELECT id FROM orders WHERE reference = 'open-1')"
	const history, notifications = "DELETE FROM order_transitions" + tail, "DELETE FROM notifications" + tail
	for name, c := range map[string]struct {
		cut   []string // beside the old row of the order
		table string   // where it shows
	}{
		"an old row":                {nil, "orders"},
		"and its history cut":       {[]string{history}, "order_transitions"},
		"and its notifications cut": {[]string{history, notifications}, "notifications"},
		"and the feed's places filled": {[]string{
			history, notifications,
			"UPDATE notifications SET position = position - 1 WHERE position > (SELECT min(n.position) FROM notifications n WHERE NOT EXISTS (SELECT 1 FROM notifications m WHERE m.position = n.position + 1))",
		}, "notifications"},
		"the order removed":                 {[]string{"DELETE FROM orders WHERE reference = 'open-1'"}, "orders"},
		"the order and its history removed": {[]string{"DELETE FROM order_transitions USING orders WHERE id = order_id AND reference = 'open-1'", "DELETE FROM orders WHERE reference = 'open-1'"}, "orders"},
	} {
		b := newTampered(t)
		old := b.kept(t, b.open)
		b.report(t, b.open, payment.StatusSucceeded)
		b.report(t, b.create(t, "later-1", 100).Key(), payment.StatusSucceeded)
		b.tamper(t, append(old, c.cut...)...)
		var tables []string
		for _, f := range b.verify(t) {
			tables = append(tables, f.Table)
		}
		require.Contains(t, tables, c.table, name)
	}
}

// An older row of a payment has a seal that holds. Its refunds say that it is old, before the money goes out twice.
func TestNothingIsRefundedTwiceByAnOldRow(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	old := b.kept(t, b.paid)
	o, err := b.Order(t.Context(), b.paid)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "refund-2", 600))
	require.NoError(t, err)
	b.report(t, refund.Key(), payment.StatusSucceeded)

	b.tamper(t, old...)
	o, err = b.Order(t.Context(), b.paid)
	require.NoError(t, err, "the seal holds")
	_, _, err = b.createRefund(t.Context(), b.draftRefund(t, o, "refund-3", 600))
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Equal(t, []store.Finding{
		{Table: "orders", ID: b.paid.Order.String(), What: "the refunded sum is 400, and by the history and the refunds 1000"},
		{Table: "orders", ID: b.paid.Order.String(), What: "the sum reserved for refunds is 400, and by the refunds 1000"},
	}, b.verify(t))
}

// An old row of a hold has a seal that holds. The history that went on keeps it from being captured twice.
func TestNothingIsCapturedTwiceByAnOldRow(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	fake := &gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusAuthorized}, nil
		},
		CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
	}
	s := b.service(fake)
	held, _, err := s.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: "held-1", Manual: true, Amount: money.New(900, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h"),
	})
	require.NoError(t, err)
	require.Equal(t, payment.StatusAuthorized, held.Status)
	old := b.kept(t, held.Key())
	captured, err := s.Capture(t.Context(), held.Key(), 0)
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, captured.Status)
	calls := len(fake.Calls())
	b.tamper(t, old...)
	_, err = s.Capture(t.Context(), held.Key(), 0)
	require.Error(t, err)
	require.Len(t, fake.Calls(), calls, "nothing is sent")
	require.NotEmpty(t, b.verify(t))
}

// A refund that was removed, hidden or called off in the database does not let the money out a second time, also not together with an
// older row of its payment.
func TestAHiddenRefundIsNotPaidTwice(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]string{
		"removed":                  "DELETE FROM orders WHERE reference = 'refund-2'",
		"given to another payment": "UPDATE orders SET parent_id = (SELECT id FROM orders WHERE reference = 'open-1') WHERE reference = 'refund-2'",
		"called off":               "UPDATE orders SET status = 'failed' WHERE reference = 'refund-2'",
		"made smaller":             "UPDATE orders SET amount = 1 WHERE reference = 'refund-2'",
		"without its reference":    "DELETE FROM order_references WHERE reference = 'refund-2'",
	} {
		b := newTampered(t)
		old := b.kept(t, b.paid)
		o, err := b.Order(t.Context(), b.paid)
		require.NoError(t, err)
		refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "refund-2", 600))
		require.NoError(t, err)
		b.report(t, refund.Key(), payment.StatusSucceeded)

		b.tamper(t, append(old, hide)...)
		o, err = b.Order(t.Context(), b.paid)
		require.NoError(t, err, "the seal holds")
		_, _, err = b.createRefund(t.Context(), b.draftRefund(t, o, "refund-3", 600))
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		require.NotEmpty(t, b.verify(t), name)
	}
}

// Whoever removes everything that names an order leaves its places in the feed empty.
func TestAnOrderOfWhichOnlyTheReferenceIsLeftIsFound(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	b.tamper(t, "DELETE FROM order_transitions WHERE order_id = '"+b.refund.Order.String()+"'", "DELETE FROM orders WHERE reference = 'refund-1'")
	b.tamper(t, "DELETE FROM notifications WHERE order_id = '"+b.refund.Order.String()+"'")
	require.Contains(t, findingNames(b.verify(t)), "orders "+b.refund.Order.String())
	b.tamper(t, "DELETE FROM order_references WHERE order_id = '"+b.refund.Order.String()+"'")
	require.Contains(t, findingNames(b.verify(t)), "notifications "+b.shop.ID.String())
}

// What an attempt that sent nothing proves is part of the order's chain.
func TestAttemptsArePartOfTheChain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"removed": "DELETE FROM order_attempts",
		"changed": "UPDATE order_attempts SET reason = 'other'",
		"recoded": "UPDATE order_attempts SET failure_code = 'OTHER'",
		"added":   "INSERT INTO order_attempts SELECT shop_id, order_id, 2, provider, account_id, account_name, provider_order_id, reason, ended_at, chain FROM order_attempts",
	} {
		b := newTampered(t)
		attempts, err := b.EndedAttempts(t.Context(), b.moved)
		require.NoError(t, err)
		require.Len(t, attempts, 1)
		b.tamper(t, change)
		_, err = b.EndedAttempts(t.Context(), b.moved)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		_, whole, err := b.StoredAttempts(t.Context(), b.moved)
		require.NoError(t, err, name)
		require.False(t, whole, name)
		require.NotEmpty(t, b.verify(t), name)
	}
}

// What a bank took by a chargeback is not refunded as well by an older row of the payment, also not if its history is cut.
func TestADisputeIsNotHiddenByAnOldRow(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string][]string{
		"an old row":          nil,
		"and its history cut": {"DELETE FROM order_transitions WHERE sequence > 2 AND order_id = (SELECT id FROM orders WHERE reference = 'paid-1')"},
		"and the dispute removed": {
			"DELETE FROM disputes WHERE order_id = (SELECT id FROM orders WHERE reference = 'paid-1')",
			"DELETE FROM dispute_steps WHERE order_id = (SELECT id FROM orders WHERE reference = 'paid-1')",
		},
	} {
		b := newTampered(t)
		old := b.kept(t, b.paid)
		b.chargeback(t, b.paid, 600)
		b.tamper(t, append(old, cut...)...)
		o, err := b.Order(t.Context(), b.paid)
		require.NoError(t, err, "the seal holds")
		_, _, err = b.createRefund(t.Context(), b.draftRefund(t, o, "refund-2", 600))
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		require.NotEmpty(t, b.verify(t), name)
	}
}

// A refund that is removed with its events, together with the newer row of its payment, shows by the calls that were made for it, and by
// an anchor, also after other events took the places of its own.
func TestARefundThatIsRemovedAltogetherIsFound(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	old := b.kept(t, b.paid)
	o, err := b.Order(t.Context(), b.paid)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "refund-2", 600))
	require.NoError(t, err)
	_, err = b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
		o.AddCall(payment.Call{Operation: "refund", StartedAt: b.clock.Now(), Outcome: "processing"})
		return nil
	})
	require.NoError(t, err)
	b.report(t, refund.Key(), payment.StatusSucceeded)
	shops, err := b.AnchorFeeds(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, shops)
	require.Empty(t, b.verify(t))

	const cut = "UPDATE feed_positions SET position = (SELECT max(n.position) FROM notifications n)"
	of := " WHERE order_id = '" + refund.ID.String() + "'"
	for _, table := range []string{"order_transitions", "notifications", "deliveries", "order_references", "open_orders"} {
		old = append(old, "DELETE FROM "+table+of)
	}
	b.tamper(t, append(old, "DELETE FROM orders WHERE id = '"+refund.ID.String()+"'", cut)...)
	require.Contains(t, b.verify(t), store.Finding{Table: "orders", ID: refund.ID.String(), What: "the order is missing, and provider_calls names it"})
	b.tamper(t, "DELETE FROM provider_calls"+of)
	b.fixture.paid(t, "later-1", 100)
	b.fixture.paid(t, "later-2", 100)
	require.Equal(t, "notifications "+b.shop.ID.String(), findingNames(b.verify(t)), "the places of the refund's events are taken")
}

// The mark by which a duplicate is asked about names all orders that asked for the same, also one that is gone.
func TestAMarkOfDuplicatesNamesAnOrderThatIsGone(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDuplicate, Kind: gateway.KindPayout, Enforced: true}, "first")
	first, _, err := b.CreateOrder(t.Context(), b.draftLike(t, "one", "a"))
	require.NoError(t, err)
	second := b.draftLike(t, "two", "a")
	second.AllowDuplicate = true
	_, _, err = b.CreateOrder(t.Context(), second)
	require.NoError(t, err)
	require.Empty(t, b.verify(t))
	of := " WHERE order_id = '" + first.ID.String() + "'"
	b.tamper(t, "DELETE FROM order_transitions"+of, "DELETE FROM order_references"+of, "DELETE FROM open_orders"+of, "DELETE FROM notifications"+of, "DELETE FROM orders WHERE id = '"+first.ID.String()+"'")
	require.Contains(t, b.verify(t), store.Finding{Table: "orders", ID: first.ID.String(), What: "the order is missing, and order_fingerprints names it"})
}
