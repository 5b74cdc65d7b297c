package store_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

func TestAFrozenOrderIsNotUsed(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	var heard []string
	b.SealBroken = func(f store.Finding) { heard = append(heard, f.Table+" "+f.ID) }
	columns := b.columns(t, "orders")
	b.exec(t, "CREATE TABLE saved AS SELECT * FROM orders")
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if unprotected["orders"][name] != "" || name == "id" || name == "shop_id" || name == "bank_references" { // it is not found, or not read, or by a verification alone
			continue
		}
		heard = nil
		b.tamper(t, "UPDATE orders SET "+name+" = "+strings.ReplaceAll(forged[columns[name]], "%s", name)+" WHERE reference = 'paid-1'")
		_, err := b.Order(t.Context(), b.paid)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		require.Contains(t, heard, "orders "+b.paid.Order.String(), name)
		b.tamper(t, "DELETE FROM orders", "INSERT INTO orders SELECT * FROM saved")
	}

	b.tamper(t, "UPDATE orders SET amount_captured = 900 WHERE reference = 'paid-1'")
	_, err := b.UpdateOrder(t.Context(), b.paid, func(*payment.Order) error { t.Error("it was judged"); return nil })
	require.ErrorIs(t, err, payment.ErrFrozen)
	_, err = b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "paid-1")
	require.ErrorIs(t, err, payment.ErrFrozen)
	_, err = b.UpdateOrder(t.Context(), b.refund, func(o *payment.Order) error { o.StatusReason = "x"; return nil })
	require.NoError(t, err, "a refund of it whose sums stay")
}

func TestAFrozenOrderIsNotNotifiedOf(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	b.tamper(t, "UPDATE orders SET provider_reference = 'moved'")
	b.none(t, b.paid, b.clock.Now().Add(10*time.Minute))
	require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries WHERE leased_until IS NOT NULL"))
	require.NoError(t, b.unfreeze(t, b.paid, "provider_reference"))
	b.clock.Add(10 * time.Minute)
	require.NotNil(t, b.lease(t, b.paid))
}

// A callback about a frozen order is not kept, so the provider's repeat of it counts once the order is used again.
func TestACallbackWaitsForAFrozenOrder(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	o, err := b.Order(t.Context(), b.open)
	require.NoError(t, err)
	old := b.kept(t, b.open)
	b.tamper(t, "UPDATE orders SET amount = 7 WHERE reference = 'open-1'")
	judge := func(o *payment.Order) (payment.Verdict, string) {
		r := b.newReport(payment.StatusSucceeded)
		r.Source, r.AsOf = payment.SourceCallback, o.Sequence
		return o.Record(r), ""
	}
	cb := b.callback("paid", o.ProviderOrderID)
	_, _, err = b.applyCallback(t.Context(), cb, judge)
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Zero(t, b.count(t, "SELECT count(*) FROM callbacks"))
	b.tamper(t, old...)
	verdict, seen, err := b.applyCallback(t.Context(), cb, judge)
	require.NoError(t, err)
	require.False(t, seen)
	require.Equal(t, payment.Apply, verdict)
	require.Empty(t, b.verify(t))
}

// An older row that was put back takes no step: the history has the next one already.
func TestAnOlderRowTakesNoStep(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	old := b.kept(t, b.open)
	step := func(status payment.Status) error {
		_, err := b.UpdateOrder(t.Context(), b.open, func(o *payment.Order) error {
			r := b.newReport(status)
			r.AsOf = o.Sequence
			o.Record(r)
			return nil
		})
		return err
	}
	require.NoError(t, step(payment.StatusSucceeded))
	b.tamper(t, old...)
	require.ErrorIs(t, step(payment.StatusSucceeded), payment.ErrFrozen)
}

// A refund of a frozen payment cannot end: its sums would move those of the payment.
func TestARefundOfAFrozenPaymentWaits(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	o, err := b.Order(t.Context(), b.paid)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "refund-2", 600))
	require.NoError(t, err)
	b.tamper(t, "UPDATE orders SET amount_captured = 2000 WHERE reference = 'paid-1'")
	_, err = b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusSucceeded)
		r.AsOf = o.Sequence
		o.Record(r)
		return nil
	})
	require.ErrorIs(t, err, payment.ErrFrozen)
	o, err = b.Order(t.Context(), refund.Key())
	require.NoError(t, err)
	require.False(t, o.Status.Final())
}

// A history is read only if it is whole, but by operators.
func TestAnAlteredHistoryIsNotTold(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a changed step": "UPDATE order_transitions SET at = at - interval '1 day' WHERE sequence = 1",
		"a missing step": "DELETE FROM order_transitions WHERE sequence = 1",
		"a cut tail":     "DELETE FROM order_transitions WHERE sequence = 2",
		"a lower sum":    "UPDATE order_transitions SET captured = 1 WHERE sequence = 2",
	} {
		b := newTampered(t)
		history, err := b.History(t.Context(), b.paid)
		require.NoError(t, err)
		require.Len(t, history, 2)
		b.tamper(t, change)
		_, err = b.History(t.Context(), b.paid)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		_, whole, err := b.StoredHistory(t.Context(), b.paid)
		require.NoError(t, err, name)
		require.False(t, whole, name)
	}
}

// Work that the service's own role takes away from the lists of what is to be done is missed.
func TestWorkThatWasTakenAwayIsFound(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	for _, table := range []string{"open_orders", "deliveries"} {
		b.exec(t, "CREATE TABLE saved_"+table+" AS SELECT * FROM "+table)
	}
	of := " WHERE order_id = '" + b.open.Order.String() + "'"
	for change, want := range map[string]string{
		"DELETE FROM open_orders" + of:                      "open_orders " + b.open.Order.String(),
		"UPDATE open_orders SET next_poll_at = NULL" + of:   "open_orders " + b.open.Order.String(),
		"UPDATE open_orders SET status = 'authorized'" + of: "open_orders " + b.open.Order.String(),
		"DELETE FROM deliveries" + of + " AND sequence = 2": "deliveries " + b.open.Order.String() + "/2",
	} {
		b.exec(t, change)
		require.Equal(t, want, findingNames(b.verify(t)), change)
		for _, table := range []string{"open_orders", "deliveries"} {
			b.exec(t, "DELETE FROM "+table)
			b.exec(t, "INSERT INTO "+table+" SELECT * FROM saved_"+table)
		}
		require.Empty(t, b.verify(t))
	}
}
