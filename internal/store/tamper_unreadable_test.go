package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// One row that cannot be decrypted takes no page of the shop with it.
func TestWhatCannotBeDecryptedStopsNoPage(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	var heard []string
	b.SealBroken = func(f store.Finding) { heard = append(heard, f.Table+" "+f.ID) }
	before, err := b.Feed(t.Context(), b.shop.ID, "", 100)
	require.NoError(t, err)
	b.tamper(t, "UPDATE notifications SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE order_id = '"+b.paid.Order.String()+"'")
	page, err := b.Feed(t.Context(), b.shop.ID, "", 100)
	require.NoError(t, err)
	require.Len(t, page.Items, len(before.Items))
	for _, item := range page.Items {
		if item.Payload == nil {
			require.Equal(t, b.paid.Order, item.Order.ID, "it is told as one whose payload was removed")
		}
	}
	require.Contains(t, heard, "notifications "+b.paid.Order.String()+"/2")
	require.Equal(t, "notifications "+b.paid.Order.String()+"/2", findingNames(b.verify(t)))
	b.none(t, b.paid, b.clock.Now().Add(10*time.Minute))

	for _, column := range []string{"data_key", "details"} {
		old := b.kept(t, b.paid)
		b.tamper(t, "UPDATE orders SET "+column+" = coalesce("+column+", '') || '\\x00' WHERE reference = 'paid-1'")
		_, err = b.Order(t.Context(), b.paid)
		require.ErrorIs(t, err, payment.ErrFrozen, column)
		_, err = b.UpdateOrder(t.Context(), b.paid, func(*payment.Order) error { t.Error("it was judged"); return nil })
		require.ErrorIs(t, err, payment.ErrFrozen, column)
		list, err := b.Orders(t.Context(), payment.Filter{Shop: b.shop.ID})
		require.NoError(t, err, column)
		for _, o := range list.Items {
			require.Equal(t, o.ID == b.paid.Order, o.Frozen, column)
		}
		page, err = b.Feed(t.Context(), b.shop.ID, "", 100)
		require.NoError(t, err, column)
		require.Len(t, page.Items, len(before.Items)-1, "an event of a frozen order without its payload is left out")
		require.Contains(t, findingNames(b.verify(t)), "orders "+b.paid.Order.String(), column)
		require.ErrorContains(t, b.unfreeze(t, b.paid), "stays frozen", column)
		b.tamper(t, old...)
	}
	b.tamper(t, "UPDATE orders SET data_key = data_key || '\\x00' WHERE reference = 'paid-1'")
	_, err = b.History(t.Context(), b.paid)
	require.ErrorIs(t, err, payment.ErrFrozen)
}

// An order that has lost its data key was erased, or somebody took the key away.
func TestALostDataKeyHasAReceipt(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	old := b.kept(t, b.paid)
	b.tamper(t, "UPDATE orders SET data_key = NULL, details = NULL, provider_state = NULL, next_action = NULL WHERE reference = 'paid-1'")
	require.Equal(t, "orders "+b.paid.Order.String(), findingNames(b.verify(t)))
	b.tamper(t, old...)
	b.exec(t, "UPDATE deliveries SET state = 'dead_lettered'") // the erasure gives them up
	_, err := b.Erase(t.Context(), store.Erasure{Order: b.paid, Command: "erase order", Force: true})
	require.NoError(t, err)
	require.Empty(t, b.verify(t), "the payment and its refund have a receipt")
}

// flip changes one byte of an encrypted column.
func flip(column string) string {
	return column + " = set_byte(" + column + ", 20, get_byte(" + column + ", 20) # 1)"
}

// An altered payload keeps neither the others from going when they are old, nor its order from being erased.
func TestAnAlteredPayloadStopsNoRemoval(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	var heard []string
	b.SealBroken = func(f store.Finding) { heard = append(heard, f.Table+" "+f.ID) }
	b.allDelivered(t)
	payloads := b.count(t, "SELECT count(*) FROM notifications WHERE payload IS NOT NULL")
	b.tamper(t, "UPDATE notifications SET "+flip("payload")+" WHERE order_id = '"+b.paid.Order.String()+"'")
	receipt, err := b.erase(t.Context(), store.Erasure{Order: b.paid, Force: true})
	require.NoError(t, err)
	require.Equal(t, []store.PayloadProof{{Sequence: 2}}, receipt.Orders[0].Payloads, "nobody can say what it was")
	require.Len(t, receipt.Orders[1].Payloads, 1)
	require.Len(t, receipt.Orders[1].Payloads[0].SHA256, 64)

	b.tamper(t, "UPDATE notifications SET "+flip("payload")+" WHERE order_id = '"+b.moved.Order.String()+"'")
	b.clock.Add(40 * day)
	list, err := b.Remove(t.Context(), keepFor, 0)
	require.NoError(t, err)
	rows, _ := removed(list)
	require.EqualValues(t, payloads-2, rows["notifications"])
	require.Zero(t, b.count(t, "SELECT count(*) FROM notifications WHERE payload IS NOT NULL"))
	require.Contains(t, heard, "notifications "+b.moved.Order.String()+"/2")
}

// Altered evidence is shown as that, beside the rest.
func TestAlteredEvidenceHidesNoOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, _ := b.described(t, "shown")
	unreadable := gateway.ProviderData{"unreadable": "the row was changed by something else than payrelay"}
	for _, table := range []string{"provider_calls", "order_conflicts", "callbacks"} {
		b.byHand(t, "UPDATE "+table+" SET "+flip("provider_data")+" WHERE provider_data IS NOT NULL")
	}
	b.byHand(t, "UPDATE transaction_report_rows SET "+flip("fields"))
	heard := map[string]bool{}
	b.SealBroken = func(f store.Finding) { heard[f.Table] = true }
	calls, err := b.Calls(t.Context(), order.Key())
	require.NoError(t, err)
	require.Equal(t, unreadable, calls[0].ProviderData)
	conflicts, err := b.Conflicts(t.Context(), order.Key())
	require.NoError(t, err)
	require.Equal(t, unreadable, conflicts[0].ProviderData)
	callbacks, err := b.CallbacksOf(t.Context(), order.Key())
	require.NoError(t, err)
	require.Equal(t, unreadable, callbacks[0].ProviderData)
	rows, err := b.TransactionReportRows(t.Context(), b.shop.ID, b.reportOf(t), "", 10)
	require.NoError(t, err)
	require.EqualValues(t, unreadable, rows.Items[0].Fields)
	require.Equal(t, map[string]bool{"provider_calls": true, "order_conflicts": true, "callbacks": true, "transaction_report_rows": true}, heard)

	b.byHand(t, "UPDATE orders SET "+flip("data_key")+" WHERE id = $1", order.ID)
	calls, err = b.Calls(t.Context(), order.Key())
	require.NoError(t, err)
	require.Equal(t, unreadable, calls[0].ProviderData)
	_, err = b.OrdersOfCustomer(t.Context(), b.shop.ID, "ann@mark.example")
	require.NoError(t, err)
	closed := 0
	_, err = b.ScanCards(t.Context(), store.CardScan{Rate: 1_000_000}, func(f store.FoundCard) error {
		require.Equal(t, store.Unreadable, f.Verdict, f.Table+"."+f.Column)
		closed++
		return nil
	})
	require.NoError(t, err)
	require.NotZero(t, closed)
}

// reportOf is the id of the only transaction report.
func (b *fixture) reportOf(t *testing.T) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT id FROM transaction_reports").Scan(&id))
	return id
}
