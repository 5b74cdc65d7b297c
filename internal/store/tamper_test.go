package store_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// Somebody who writes to the database as a superuser, without triggers and constraints, is found: by the next use of the order or
// by a verification.

// unprotected are the columns whose change is not found, each with the reason. All others must be found.
var unprotected = map[string]map[string]string{
	"orders": {
		"status_reason": "for people", "conflicts": "for operators; the reports are in order_conflicts",
		"bank_references": "names, for searching", "payment_method": "masked, for people", "failure": "for people", "description": "for people", "metadata": "the shop's own",
		"updated_at": "for people", "next_poll_at": "schedules polls", "polls_done": "schedules polls",
	},
	"order_transitions": {},
	"order_references":  {"key_id": "for operators"},
	"disputes":          {},
	"dispute_steps": {
		"order_id": "the dispute's is used, and sealed", "order_sequence": "says which event is rendered again", "from_status": "the order's history tells it, and is sealed",
	},
	"feed_positions": {},
	"notifications": {
		"id": "names the message", "type": "stands in the payload", "payload_digest": "of a payload that was removed",
		"url": "the order's or the shop's address is used, and sealed", "created_at": "for people",
	},
}

// forged says how a column of a type is changed.
var forged = map[string]string{
	"uuid": "gen_random_uuid()", "text": "coalesce(%s, '') || 'x'", "int4": "coalesce(%s, 0) + 1000", "int8": "coalesce(%s, 0) + 1000", "bool": "NOT %s",
	"timestamptz": "coalesce(%s, now()) + interval '1 second'", "bytea": "coalesce(%s, '') || '\\x00'", "jsonb": `coalesce(%s, '{}') || '{"forged": "yes"}'`,
}

// tampered is a store whose database somebody else writes to.
type tampered struct {
	*fixture
	paid, refund, open payment.Key
}

// newTampered makes a payment with a refund, a second payment that is open, and takes the constraints away.
func newTampered(t *testing.T) *tampered {
	t.Helper()
	b := &tampered{fixture: newFixture(t)}
	b.paid = b.fixture.paid(t, "paid-1", 1000).Key()
	b.refund = b.partlyRefunded(t, b.paid, 400)
	b.open = b.report(t, b.create(t, "open-1", 700).Key(), payment.StatusProcessing).Key()
	b.chargeback(t, b.fixture.paid(t, "disputed-1", 500).Key(), 600)
	b.exec(t, `DO $$ DECLARE c record; BEGIN
		FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'f') AND connamespace = current_schema()::regnamespace AND conparentid = 0 AND coninhcount = 0 LOOP
			EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname);
		END LOOP;
	END $$`)
	require.Empty(t, b.verify(t), "nothing was changed yet")
	return b
}

// partlyRefunded makes a refund that succeeded.
func (b *fixture) partlyRefunded(t *testing.T, paid payment.Key, minor int64) payment.Key {
	t.Helper()
	o, err := b.Order(t.Context(), paid)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "refund-1", minor))
	require.NoError(t, err)
	b.report(t, refund.Key(), payment.StatusSucceeded)
	return refund.Key()
}

// tamper writes as a superuser, without triggers.
func (b *tampered) tamper(t *testing.T, statements ...string) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		for _, sql := range append([]string{"SET LOCAL session_replication_role = replica"}, statements...) {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (b *fixture) verify(t *testing.T) []store.Finding {
	t.Helper()
	var all []store.Finding
	_, err := b.VerifyOrders(t.Context(), store.VerifyScope{}, func(f store.Finding) { all = append(all, f) })
	require.NoError(t, err)
	return all
}

// columns are a table's columns, with their types.
func (b *fixture) columns(t *testing.T, table string) map[string]string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT a.attname::text, y.typname::text FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped`, table)
	require.NoError(t, err)
	all := map[string]string{}
	var name, typ string
	_, err = pgx.ForEachRow(rows, []any{&name, &typ}, func() error { all[name] = typ; return nil })
	require.NoError(t, err)
	return all
}

func TestEveryProtectedColumnIsFound(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	for table, free := range unprotected {
		columns := b.columns(t, table)
		for name := range free {
			require.Contains(t, columns, name, "%s has no such column any more", table)
		}
		b.exec(t, "CREATE TABLE saved_"+table+" AS SELECT * FROM "+table)
		restore := []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM saved_" + table}
		for _, name := range slices.Sorted(maps.Keys(columns)) {
			if free[name] != "" {
				continue
			}
			value := strings.ReplaceAll(forged[columns[name]], "%s", name)
			require.NotEmpty(t, value, "say how a %s is forged", columns[name])
			b.tamper(t, "UPDATE "+table+" SET "+name+" = "+value+" WHERE ctid = (SELECT min(ctid) FROM "+table+")")
			require.NotEmpty(t, b.verify(t), "%s.%s was changed, and nobody finds it", table, name)
			b.tamper(t, restore...)
			require.Empty(t, b.verify(t), "%s is as it was", table)
		}
		b.exec(t, "DROP TABLE saved_"+table)
	}
}

func TestAFrozenOrderIsNotUsed(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	var heard []string
	b.SealBroken = func(f store.Finding) { heard = append(heard, f.Table+" "+f.ID) }
	columns := b.columns(t, "orders")
	b.exec(t, "CREATE TABLE saved AS SELECT * FROM orders")
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if unprotected["orders"][name] != "" || name == "id" || name == "shop_id" || name == "currency" { // it is not found, or not read
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

// kept returns statements that put an order's row back as it is now.
func (b *tampered) kept(t *testing.T, key payment.Key) []string {
	t.Helper()
	b.exec(t, "CREATE TABLE IF NOT EXISTS old AS SELECT * FROM orders")
	return []string{"DELETE FROM orders WHERE id = '" + key.Order.String() + "'", "INSERT INTO orders SELECT * FROM old WHERE id = '" + key.Order.String() + "'"}
}

func TestAnOldRowAndACutTailAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cut   []string // beside the old row of the order
		table string   // where it shows
	}{
		"an old row":                        {nil, "orders"},
		"and its history cut":               {[]string{"DELETE FROM order_transitions WHERE sequence > 2"}, "order_transitions"},
		"and its notifications cut":         {[]string{"DELETE FROM order_transitions WHERE sequence > 2", "DELETE FROM notifications WHERE sequence > 2"}, "notifications"},
		"and the feed's places filled":      {[]string{"DELETE FROM order_transitions WHERE sequence > 2", "DELETE FROM notifications WHERE sequence > 2", "UPDATE notifications SET position = position - 1 WHERE position > 4"}, "notifications"},
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

func TestAFrozenOrderIsNotNotifiedOf(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	b.tamper(t, "UPDATE orders SET notification_url = 'https://evil.example/'")
	b.none(t, b.paid, b.clock.Now().Add(10*time.Minute))
	require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries WHERE leased_until IS NOT NULL"))
	require.NoError(t, b.Unfreeze(t.Context(), b.paid))
	b.clock.Add(10 * time.Minute)
	require.NotNil(t, b.lease(t, b.paid))
}

func TestUnfreezingWantsTheHistory(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	require.ErrorContains(t, b.Unfreeze(t.Context(), b.paid), "not frozen")
	for _, change := range []string{"amount_captured = 900", "amount_refunded = 399", "status = 'failed'", "sequence = 9", "chain = '\\x00'"} {
		old := b.kept(t, b.paid)
		b.tamper(t, "UPDATE orders SET "+change+" WHERE reference = 'paid-1'")
		require.ErrorContains(t, b.Unfreeze(t.Context(), b.paid), "stays frozen", change)
		b.tamper(t, old...)
	}
	b.tamper(t, "UPDATE orders SET provider_reference = 'moved' WHERE reference = 'paid-1'")
	require.NoError(t, b.Unfreeze(t.Context(), b.paid))
	require.Empty(t, b.verify(t))
	_, err := b.Order(t.Context(), b.paid)
	require.NoError(t, err)
}

// otherTables are those of which no column is looked at here, each with the reason.
var otherTables = map[string]string{
	"shops": "sealed by the audit log", "shop_keys": "sealed by the audit log", "webhook_secrets": "sealed by the audit log", "shop_rates": "sealed by the audit log",
	"limits": "sealed by the audit log", "accounts": "sealed by the audit log", "account_secrets": "sealed by the audit log", "account_shops": "sealed by the audit log",
	"audit_log": "a chain of its own", "payout_approvals": "sealed, TestAReleaseIsAnOperators",
	"service_keys": "encrypted, bound to the name", "idempotency_keys": "encrypted, bound to the shop and the key",
	"limit_uses": "counters; the limits are sealed", "limit_reservations": "counters", "paused_shops": "made of counters; the service's role can take no pause away", "order_fingerprints": "only asks about duplicates",
	"order_names": "for searching", "open_orders": "schedules polls", "order_conflicts": "for operators", "order_attempts": "attempts that sent nothing; the present account is in the order's seal", "order_holds": "sealed by the audit log",
	"provider_calls": "evidence, encrypted", "callbacks": "counted with the history, evidence is encrypted", "callback_keys": "a repeat that is judged anew changes nothing",
	"orderless_callbacks": "for operators", "transaction_reports": "the provider's own words", "transaction_report_rows": "the provider's own words, encrypted",
	"addresses_off": "schedules deliveries", "failing_destinations": "schedules deliveries", "deliveries": "schedules deliveries", "notification_attempts": "for operators",
	"feed_epochs": "sets cursors back", "feed_rewinds": "sets cursors back",
	"directory": "a counter of changes", "replicas": "who is there", "shop_key_uses": "for operators", "reencryptions": "progress", "retention": "progress",
	"legal_transitions": "a test compares it with the code", "legal_dispute_steps": "a test compares it with the code", "goose_db_version": "the schema's version",
}

// A table that is new must be sealed, or say why not.
func TestEveryTableIsSealedOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	rows, err := b.pool.Query(t.Context(), "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition")
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, table := range tables {
		_, here := unprotected[table]
		require.True(t, here != (otherTables[table] != ""), "say what becomes of a change of %s by somebody else than payrelay", table)
	}
	for table := range otherTables {
		require.Contains(t, tables, table)
	}
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

// Pages lose no order, whatever shop it is of and wherever a page ends.
func TestAVerificationReadsEveryOrderOnce(t *testing.T) {
	t.Parallel()
	f := fill(t, 2300)
	st := store.New(f.pool, store.Options{Keyring: demoKeyring(t)})
	_, err := st.ServiceKey(t.Context(), "seal")
	require.NoError(t, err)
	seals := func(scope store.VerifyScope) (found map[string]int, done store.Verified) {
		found = map[string]int{}
		done, err := st.VerifyOrders(t.Context(), scope, func(f store.Finding) {
			if strings.HasPrefix(f.What, "the seal is broken") {
				found[f.ID]++
			}
		})
		require.NoError(t, err)
		return found, done
	}
	all, done := seals(store.VerifyScope{Rate: 1_000_000})
	require.Len(t, all, 2300, "rows that were filled in by SQL have no seal")
	require.Equal(t, 2300, done.Orders)
	for id, times := range all {
		require.Equal(t, 1, times, id)
	}
	since := f.begin.Add(90 * 24 * time.Hour)
	var want int
	require.NoError(t, f.pool.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE created_at >= $1", since).Scan(&want))
	require.NotZero(t, want)
	late, _ := seals(store.VerifyScope{Since: since})
	require.Len(t, late, want)
	var shop, id uuid.UUID
	require.NoError(t, f.pool.QueryRow(t.Context(), "SELECT shop_id, id FROM orders ORDER BY id LIMIT 1 OFFSET 700").Scan(&shop, &id))
	one, _ := seals(store.VerifyScope{Order: &payment.Key{Shop: shop, Order: id}})
	require.Equal(t, map[string]int{id.String(): 1}, one)
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
		require.ErrorContains(t, b.Unfreeze(t.Context(), b.paid), "stays frozen", column)
		b.tamper(t, old...)
	}
	b.tamper(t, "UPDATE orders SET data_key = data_key || '\\x00' WHERE reference = 'paid-1'")
	_, err = b.History(t.Context(), b.paid)
	require.ErrorIs(t, err, payment.ErrFrozen)
}

// findingNames are the rows that were found, one after the other.
func findingNames(found []store.Finding) string {
	var names []string
	for _, f := range found {
		names = append(names, f.Table+" "+f.ID)
	}
	return strings.Join(names, ", ")
}

// An order that has lost its data key was erased, or somebody took the key away.
func TestALostDataKeyHasAReceipt(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	old := b.kept(t, b.paid)
	b.tamper(t, "UPDATE orders SET data_key = NULL, details = NULL, provider_state = NULL, next_action = NULL WHERE reference = 'paid-1'")
	require.Equal(t, "orders "+b.paid.Order.String(), findingNames(b.verify(t)))
	b.tamper(t, old...)
	b.exec(t, "DELETE FROM deliveries")
	_, err := b.Erase(t.Context(), store.Erasure{Order: b.paid, Command: "erase order", Force: true})
	require.NoError(t, err)
	require.Empty(t, b.verify(t), "the payment and its refund have a receipt")
}

// A service key that was taken away is not made anew while rows of the old one are there.
func TestALostServiceKeyIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	for _, name := range []string{"seal", "api_key"} {
		b.exec(t, "CREATE TABLE old_key AS SELECT * FROM service_keys WHERE name = '"+name+"'")
		b.exec(t, "DELETE FROM service_keys WHERE name = '"+name+"'")
		late := store.New(b.pool, store.Options{Keyring: b.Keyring})
		_, err := late.ServiceKey(t.Context(), name)
		require.ErrorContains(t, err, "load service key "+name+": the row of service_keys is missing")
		require.Zero(t, b.count(t, "SELECT count(*) FROM service_keys WHERE name = '"+name+"'"))
		b.exec(t, "INSERT INTO service_keys SELECT * FROM old_key")
		_, err = late.ServiceKey(t.Context(), name)
		require.NoError(t, err)
		b.exec(t, "DROP TABLE old_key")
	}
	b.exec(t, "TRUNCATE service_keys")
	b.exec(t, "UPDATE orders SET seal = ''")
	b.tamper(t, "TRUNCATE audit_log")
	late := store.New(b.pool, store.Options{Keyring: b.Keyring})
	_, err := late.VerifyOrders(t.Context(), store.VerifyScope{}, func(store.Finding) {})
	require.ErrorContains(t, err, "the row of service_keys is missing")
	require.Zero(t, b.count(t, "SELECT count(*) FROM service_keys"), "a verification writes nothing")
}
