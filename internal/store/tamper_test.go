package store_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
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
		"data_key": "encrypted, bound to the row; an erasure takes it away", "provider_state": "encrypted, bound to the row", "next_action": "encrypted, bound to the row", "details": "encrypted, bound to the row",
		"updated_at": "for people", "next_poll_at": "schedules polls", "polls_done": "schedules polls",
	},
	"order_transitions": {},
	"order_references":  {},
	"feed_positions":    {},
	"notifications": {
		"id": "names the message", "type": "stands in the payload", "payload": "encrypted, bound to the order", "payload_digest": "of a payload that was removed",
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
	paid, refund payment.Key
}

// newTampered makes a payment with a refund, a second payment that is open, and takes the constraints away.
func newTampered(t *testing.T) *tampered {
	t.Helper()
	b := &tampered{fixture: newFixture(t)}
	b.paid = b.fixture.paid(t, "paid-1", 1000).Key()
	b.refund = b.partlyRefunded(t, b.paid, 400)
	b.report(t, b.create(t, "open-1", 700).Key(), payment.StatusProcessing)
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
