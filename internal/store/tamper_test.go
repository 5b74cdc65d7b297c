package store_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

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
		"status_reason": "for people", "payment_method": "masked, for people", "failure": "for people", "description": "for people", "metadata": "the shop's own",
		"routing":    "for operators; the account it chose is sealed, and 'route explain' decides it once more",
		"updated_at": "for people", "next_poll_at": "schedules polls", "polls_done": "schedules polls",
	},
	"order_transitions": {},
	"order_references":  {"key_id": "for operators"},
	"disputes":          {},
	"dispute_steps": {
		"order_id": "the dispute's is used, and sealed", "order_sequence": "says which event is rendered again", "from_status": "the order's history tells it, and is sealed",
	},
	"order_attempts":  {},
	"order_names":     {},
	"order_conflicts": {"id": "names the row", "source": "for people", "reported": "for people", "reason": "for people", "at": "for people"},
	"feed_positions":  {},
	"notifications": {
		"payload_digest": "of a payload that was removed", "url": "the shop's address at that time; the sealed one of the order or shop is used", "created_at": "for people",
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
	paid, refund, open, moved payment.Key
}

// newTampered makes a payment with a refund, a second payment that is open, a third that went to another account, and takes the
// constraints away.
func newTampered(t *testing.T) *tampered {
	t.Helper()
	b := &tampered{fixture: newFixture(t)}
	b.paid = b.fixture.paid(t, "paid-1", 1000).Key()
	b.refund = b.partlyRefunded(t, b.paid, 400)
	b.open = b.report(t, b.create(t, "open-1", 700).Key(), payment.StatusProcessing).Key()
	disputed := b.fixture.paid(t, "disputed-1", 500).Key()
	b.chargeback(t, disputed, 500)
	b.chargeback(t, disputed, 100)
	b.moved = b.movedAndContradicted(t).Key()
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

// movedAndContradicted makes a payment that an account did not take, and another did, which contradicted itself then.
func (b *fixture) movedAndContradicted(t *testing.T) *payment.Order {
	t.Helper()
	b.newAccount(t, "EUR-2", "first")
	_, err := b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	calls := 0
	o, _, err := b.service(&gatewaytest.Fake{CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		if calls++; calls == 1 {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: "create_payment"}
		}
		return gateway.Result{Status: gateway.StatusSucceeded, ProviderReference: "p-7"}, nil
	}}).CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: "moved-1", Amount: money.New(300, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h"),
	})
	require.NoError(t, err)
	require.Equal(t, "EUR-2", o.AccountName)
	o, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusFailed))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, o.Conflicts)
	return o
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

// allDelivered makes all notifications those that the shop has taken.
func (b *fixture) allDelivered(t *testing.T) {
	t.Helper()
	b.exec(t, `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status)
		SELECT shop_id, order_id, sequence, attempts + 1, now(), 1, 200 FROM deliveries`)
	b.exec(t, "DELETE FROM deliveries")
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

// otherTables are those of which no column is looked at here, each with the reason.
var otherTables = map[string]string{
	"shops": "sealed by the audit log", "shop_keys": "sealed by the audit log", "webhook_secrets": "sealed by the audit log", "shop_rates": "sealed by the audit log",
	"limits": "sealed by the audit log", "accounts": "sealed by the audit log", "account_secrets": "sealed by the audit log", "account_shops": "sealed by the audit log", "routing_sets": "sealed by the audit log", "bin_table": "sealed by the audit log",
	"audit_log": "a chain of its own", "payout_approvals": "sealed, TestAReleaseIsAnOperators", "mandates": "sealed, TestAnAlteredMandateIsNotCharged", "mandate_decisions": "sealed with the mandate, TestADecisionAboutAMandateIsNotTakenBack", "mandate_runs": "schedules, what is done follows from the mandate",
	"imported_orders": "compared with the orders, TestAParentThatCanBeImportedAgainIsFound",
	"service_keys":    "encrypted, bound to the name; TestALostServiceKeyIsNotMadeAnew", "idempotency_keys": "encrypted, bound to the shop and the key",
	"limit_uses": "compared with limit_reservations, TestWhatIsUsedOfALimitIsVerified", "limit_reservations": "compared with the orders, the same", "paused_shops": "compared with the counters and the audit log, TestARemovedPauseIsFound", "order_fingerprints": "only asks about duplicates",
	"open_orders": "compared with the orders, TestWorkThatWasTakenAwayIsFound", "order_holds": "sealed by the audit log",
	"request_log": "a log, which nothing goes by", "provider_calls": "evidence, encrypted", "callbacks": "counted with the history, evidence is encrypted", "callback_keys": "a repeat that is judged anew changes nothing",
	"orderless_callbacks": "for operators", "transaction_reports": "the provider's own words", "transaction_report_rows": "the provider's own words, encrypted",
	"addresses_off": "schedules deliveries", "failing_destinations": "schedules deliveries", "deliveries": "compared with the notifications, the same", "notification_attempts": "for operators",
	"feed_epochs": "sets cursors back", "feed_rewinds": "sets cursors back",
	"account_health": "counts of a few minutes", "account_demotions": "made of those counts; puts an account last, and leads nowhere else",
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

// findingNames are the rows that were found, one after the other.
func findingNames(found []store.Finding) string {
	var names []string
	for _, f := range found {
		names = append(names, f.Table+" "+f.ID)
	}
	return strings.Join(names, ", ")
}
