package store_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// What the database itself refuses, whatever a program asks of it.

func TestDatabaseHasTheSameStepsAsThePackage(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	rows, err := b.pool.Query(t.Context(), "SELECT from_status, to_status FROM legal_transitions")
	require.NoError(t, err)
	var steps [][2]payment.Status
	for rows.Next() {
		var from, to payment.Status
		require.NoError(t, rows.Scan(&from, &to))
		steps = append(steps, [2]payment.Status{from, to})
	}
	require.NoError(t, rows.Err())
	require.ElementsMatch(t, payment.Steps(), steps)
}

// refuses runs statements in one transaction and returns the constraint that ended it, at the latest at its commit.
func (b *fixture) refuses(t *testing.T, statements ...string) string {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	for _, sql := range statements {
		if _, err = tx.Exec(t.Context(), sql); err != nil {
			break
		}
	}
	if err == nil {
		err = tx.Commit(t.Context())
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	require.True(t, ok, "the database took it: %v", err)
	return pg.ConstraintName
}

func TestDatabaseRefusesWhatBreaksAHistory(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.report(t, b.create(t, "r-1", 1000).Key(), payment.StatusProcessing)
	step := func(sequence, from, to string) string {
		return "INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) SELECT shop_id, id, " +
			sequence + ", '" + from + "', '" + to + "', 'answer', now() FROM orders"
	}
	another := func(members string) string { // a new order like the one there is, but for some members
		return "SELECT r.* FROM orders o CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'sequence', 1, 'status', 'created', " + members + ")) r"
	}
	const firstStep = " INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) SELECT shop_id, id, 1, '', 'created', 'request', now() FROM n"
	const ended = "INSERT INTO order_attempts SELECT shop_id, id, 1, provider, account_id, account_name, provider_order_id, 'not_sent', now() FROM orders"
	declined := func(reason string) string { return strings.Replace(ended, "not_sent", reason, 1) }
	const movesCreated = "UPDATE orders SET provider_order_id = 'other' WHERE status = 'created'"
	whole := func(members string) string {
		return "WITH n AS (INSERT INTO orders " + another(members) + " RETURNING *), r AS (INSERT INTO order_references (shop_id, kind, reference, order_id, parent_id) SELECT shop_id, kind, reference, id, parent_id FROM n)" + firstStep
	}
	for name, c := range map[string]struct {
		constraint string
		statements []string
	}{
		"change":           {"order_transitions_append_only", []string{"UPDATE order_transitions SET at = now()"}},
		"delete":           {"order_transitions_append_only", []string{"DELETE FROM order_transitions"}},
		"truncate":         {"order_transitions_append_only", []string{"TRUNCATE order_transitions CASCADE"}},
		"gap":              {"order_transitions_gapless", []string{step("4", "processing", "succeeded")}},
		"repeat":           {"order_transitions_pkey", []string{step("2", "processing", "succeeded")}},
		"wrong from":       {"order_transitions_gapless", []string{step("3", "created", "succeeded")}},
		"illegal step":     {"order_transitions_legal", []string{step("3", "processing", "unknown")}},
		"change one":       {"order_transitions_append_only", []string{"UPDATE order_transitions SET provider_data = '{\"a\": \"b\"}' WHERE sequence = 1"}},
		"two at once, gap": {"order_transitions_gapless", []string{step("3", "processing", "authorized") + " UNION ALL SELECT shop_id, id, 5, 'authorized', 'succeeded', 'answer', now() FROM orders"}},
		"no first step":    {"order_transitions_gapless", []string{"INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) SELECT shop_id, id, 0, '', 'created', 'answer', now() FROM orders"}},
		"order deleted":    {"orders_append_only", []string{"DELETE FROM orders"}},
		"orders truncated": {"orders_append_only", []string{"TRUNCATE orders CASCADE"}},
		"reference freed":  {"order_references_append_only", []string{"DELETE FROM order_references"}},
		"reference moved":  {"order_references_append_only", []string{"UPDATE order_references SET reference = 'other'"}},
		"other reference":  {"orders_identity", []string{"UPDATE orders SET reference = 'other'"}},
		"other id":         {"orders_identity", []string{"UPDATE orders SET id = gen_random_uuid()"}},
		"without history":  {"orders_status_has_history", []string{"INSERT INTO orders " + another("'reference', 'other'")}},
		"unnamed":          {"orders_reference", []string{"WITH n AS (INSERT INTO orders " + another("'reference', 'other'") + " RETURNING *)" + firstStep}},
		"no time":          {"orders_times", []string{"UPDATE orders SET updated_at = 'infinity'"}},
		"before time":      {"orders_times", []string{"UPDATE orders SET next_poll_at = '-infinity'"}},
		"far year":         {"orders_times", []string{"UPDATE orders SET updated_at = '20000-01-01'"}},
		"second of a name": {"order_references_key", []string{whole("'status_reason', ''")}},
		"unknown shop":     {"orders_shop", []string{whole("'reference', 'other', 'shop_id', gen_random_uuid()")}},
		"unknown account":  {"orders_account", []string{whole("'reference', 'other', 'account_id', gen_random_uuid()")}},
		"drained account":  {"orders_account_begins", []string{"UPDATE accounts SET mode = 'drain'", whole("'reference', 'other'")}},
		"refund, closed":   {"orders_account_begins", []string{"UPDATE accounts SET mode = 'closed'", whole("'reference', 'other', 'parent_id', o.id")}},
		"charge, drained":  {"orders_account_begins", []string{"UPDATE accounts SET mode = 'drain'", whole("'reference', 'other', 'parent_id', o.id, 'kind', 'payment'")}},
		"unlinked":         {"orders_account_linked", []string{"DELETE FROM account_shops", whole("'reference', 'other'")}},
		"charge, unlinked": {"orders_account_linked", []string{"DELETE FROM account_shops", whole("'reference', 'other', 'parent_id', o.id, 'kind', 'payment'")}},
		"drained shop":     {"orders_shop_begins", []string{"UPDATE shops SET mode = 'drain'", whole("'reference', 'other'")}},
		"charge of it":     {"orders_shop_begins", []string{"UPDATE shops SET mode = 'drain'", whole("'reference', 'other', 'parent_id', o.id, 'kind', 'payment'")}},
		"moved to unlinked": {"orders_account_begins", []string{
			whole("'reference', 'other'"), ended,
			"INSERT INTO accounts SELECT r.* FROM accounts a CROSS JOIN LATERAL jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'name', 'second', 'callback_token_hash', '\\x00')) r",
			"UPDATE orders SET account_id = (SELECT id FROM accounts WHERE name = 'second') WHERE status = 'created'",
		}},
		"opened again": {"accounts_closed", []string{"UPDATE accounts SET mode = 'closed'", "UPDATE accounts SET mode = 'enabled'"}},
		"moved to drained": {"orders_account_begins", []string{
			whole("'reference', 'other'"), ended,
			"INSERT INTO accounts SELECT r.* FROM accounts a CROSS JOIN LATERAL jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'name', 'second', 'callback_token_hash', '\\x00', 'mode', 'drain')) r",
			"UPDATE orders SET account_id = (SELECT id FROM accounts WHERE mode = 'drain') WHERE status = 'created'",
		}},
		"unknown parent":       {"orders_parent", []string{whole("'reference', 'other', 'parent_id', gen_random_uuid()")}},
		"other account":        {"orders_account_proof", []string{"UPDATE orders SET account_id = gen_random_uuid()"}},
		"other id there":       {"orders_account_proof", []string{"UPDATE orders SET provider_order_id = 'other'"}},
		"moved too late":       {"orders_account_proof", []string{ended, "UPDATE orders SET account_id = gen_random_uuid()"}},
		"no cascade asked for": {"orders_account_proof", []string{whole("'reference', 'other'"), declined("declined_by_provider"), movesCreated}},
		"not the issuer's":     {"orders_account_proof", []string{whole("'reference', 'other', 'cascade', 'provider'"), declined("declined_by_issuer"), movesCreated}},
		"an unlisted decline":  {"orders_account_proof", []string{whole("'reference', 'other', 'cascade', 'provider'"), declined("declined_by_nobody"), movesCreated}},
		"cascaded twice":       {"order_attempts_one_cascade", []string{declined("declined_by_provider"), strings.Replace(declined("declined_by_issuer"), " 1, ", " 2, ", 1)}},
		"ended, undone":        {"order_attempts_append_only", []string{ended, "DELETE FROM order_attempts"}},
		"ended, changed":       {"order_attempts_append_only", []string{ended, "UPDATE order_attempts SET reason = 'other'"}},
		"status alone":         {"orders_status_has_history", []string{"UPDATE orders SET status = 'authorized'"}},
		"sequence alone":       {"orders_status_has_history", []string{"UPDATE orders SET sequence = 3"}},
		"final, no time":       {"orders_final", []string{step("3", "processing", "failed"), "UPDATE orders SET status = 'failed', sequence = 3"}},
		"too much":             {"orders_captured_within_amount", []string{step("3", "processing", "succeeded"), "UPDATE orders SET status = 'succeeded', sequence = 3, finalized_at = now(), amount_captured = 1001"}},
		"captured, open":       {"orders_captured_only_when_succeeded", []string{"UPDATE orders SET amount_captured = 1"}},
		"refunded, unpaid":     {"orders_refunds_within_captured", []string{"UPDATE orders SET amount_reserved = 1"}},
		"refund, unasked":      {"orders_refunded_within_reserved", []string{"UPDATE orders SET amount_refunded = 1"}},
		"no order":             {"order_transitions_order", []string{"INSERT INTO order_transitions VALUES (gen_random_uuid(), gen_random_uuid(), 1, '', 'created', 'request', '{}', now())"}},
		"news of no step":      {"notifications_transition", []string{"INSERT INTO notifications SELECT shop_id, order_id, 9, id, type, payload, url, created_at, 9 FROM notifications"}},
		"delivers nothing":     {"deliveries_notification", []string{"INSERT INTO deliveries (shop_id, order_id, sequence, state, url, next_attempt_at, created_at) SELECT shop_id, order_id, 9, state, url, now(), now() FROM deliveries"}},
		"goes nowhere":         {"deliveries_url", []string{"UPDATE deliveries SET url = ''"}},
		"delivered state":      {"deliveries_state", []string{"UPDATE deliveries SET state = 'delivered'"}},
		"tries nothing":        {"notification_attempts_notification", []string{"INSERT INTO notification_attempts SELECT shop_id, order_id, 9, 1, now(), 1 FROM notifications"}},
		"second place":         {"notifications_feed", []string{"INSERT INTO notifications SELECT shop_id, order_id, 1, id, type, payload, url, created_at, position FROM notifications"}},
	} {
		require.Equal(t, c.constraint, b.refuses(t, c.statements...), name)
	}
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM order_transitions"))
}

// The members that the search asks for are those that the generated questions ask for, which sqlc holds against the table.
func TestSearchAsksForEveryColumn(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	source, err := os.ReadFile("orders.go")
	require.NoError(t, err)
	list := regexp.MustCompile("(?s)orderQuery = `SELECT (.*?)\nFROM orders`").FindSubmatch(source)
	require.NotNil(t, list)
	var asked []string
	for name := range strings.SplitSeq(string(list[1]), ",") {
		asked = append(asked, strings.TrimSpace(name))
	}
	var columns []string
	require.NoError(t, b.pool.QueryRow(t.Context(),
		"SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped").Scan(&columns))
	require.ElementsMatch(t, columns, asked)
}
