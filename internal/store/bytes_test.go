package store_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

// fillLives are the statements that fill a database with whole lives: a hosted payment that succeeded by a callback, with two
// notifications and the answer under an Idempotency-Key. Texts are as long as those of the simulator's, encrypted where they are, and do not repeat.
// Triggers are off, so each statement writes what they would.
var fillLives = []string{
	`INSERT INTO shops (id, name, created_at) VALUES ('00000000-0000-4000-8000-000000000001', 'shop', now())`,
	`CREATE FUNCTION words(n integer) RETURNS text LANGUAGE sql VOLATILE AS $$
		SELECT left(string_agg(md5(random()::text), ''), n) FROM generate_series(1, n / 32 + 1) $$`,
	`CREATE TABLE filling AS SELECT n.*, k.data_key, k.payload FROM numbered n JOIN life_keys k USING (id)`,
	`INSERT INTO orders (shop_id, id, kind, reference, request_hash, status, operation, sequence, amount, currency, amount_captured, flow, provider, account_id, account_name,
		provider_order_id, provider_reference, bank_references, data_key, payment_method, details, description, metadata, created_at, updated_at, finalized_at, polls_since, chain, seal)
	SELECT shop_id, id, 'payment', 'order-' || words(12), decode(words(64), 'hex'), 'succeeded', 'sale', 3, 1000, 'EUR', 1000, 'hosted', 'smartcore',
		gen_random_uuid(), 'EUR-sandbox', 'pr-' || words(32), words(36), jsonb_build_object(words(12), 'succeeded'), data_key,
		'{"type": "card", "brand": "visa", "masked": "411111******1111", "expires": "2030-12"}', decode(words(500), 'hex'), words(30), '{"cart": "1017"}', at, at, at, at, decode(words(32), 'hex'), decode(words(32), 'hex') FROM filling`,
	`INSERT INTO order_references (shop_id, kind, reference, order_id) SELECT shop_id, 'payment', 'order-' || words(12), id FROM filling`,
	`INSERT INTO order_names (name_hash, shop_id, order_id) SELECT md5(words(8))::uuid, shop_id, id FROM filling, generate_series(1, 2)`,
	`INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at, captured, chain)
	SELECT shop_id, id, n, (ARRAY['', 'created', 'requires_action'])[n], (ARRAY['created', 'requires_action', 'succeeded'])[n], 'callback',
		CASE n WHEN 1 THEN NULL ELSE decode(words(2 * 109), 'hex') END, at, CASE n WHEN 3 THEN 1000 ELSE 0 END, decode(words(32), 'hex') FROM filling, generate_series(1, 3) n`,
	`INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at)
	SELECT shop_id, id, gen_random_uuid(), 'create_payment', 'requires_action', at, 120, decode(words(2 * 87), 'hex'), at FROM filling`,
	`INSERT INTO callbacks (shop_id, order_id, dedupe_key, account_id, provider_order_id, verdict, reason, reported, provider_data, received_at)
	SELECT shop_id, id, decode(words(64), 'hex'), gen_random_uuid(), 'pr-' || words(32), 'apply', '', 'succeeded', decode(words(2 * 109), 'hex'), at FROM filling`,
	`INSERT INTO callback_keys (dedupe_key, shop_id, order_id, verdict, received_at) SELECT dedupe_key, shop_id, order_id, verdict, received_at FROM callbacks`,
	`INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at, position)
	SELECT shop_id, id, n, gen_random_uuid(), 'payment.succeeded', payload, 'https://shop.example/notifications', at, 2 * i + n FROM filling, generate_series(2, 3) n`,
	`INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status) SELECT shop_id, order_id, sequence, 1, created_at, 12, 200 FROM notifications`,
	`INSERT INTO idempotency_keys (shop_id, key, request_hash, locked_until, owner, status, header, body, created_at)
	SELECT shop_id, words(36), decode(words(64), 'hex'), at, gen_random_uuid(), 201, '{"Content-Type": ["application/json"]}', decode(words(2000), 'hex'), at FROM filling`,
	`DROP TABLE filling, numbered, life_keys`,
}

// numberLives gives each life its order's id and time.
const numberLives = `CREATE TABLE numbered AS SELECT i, '00000000-0000-4000-8000-000000000001'::uuid AS shop_id, at,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid AS id
FROM (SELECT i, $1::timestamptz + (i::float8 / $2) * interval '30 days' AS at FROM generate_series(1, $2::integer) i) lives`

// keyLives gives each life a data key and a payload under it.
func keyLives(b *testing.B, conn *pgxpool.Conn) {
	b.Helper()
	keyring := demoKeyring(b)
	_, err := conn.Exec(b.Context(), "CREATE TABLE life_keys (id uuid, data_key bytea, payload bytea)")
	require.NoError(b, err)
	rows, err := conn.Query(b.Context(), "SELECT id FROM numbered ORDER BY i")
	require.NoError(b, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(b, err)
	_, err = conn.CopyFrom(b.Context(), pgx.Identifier{"life_keys"}, []string{"id", "data_key", "payload"}, pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) {
		key, wrapped, err := keyring.NewDataKey("order/" + ids[i].String())
		return []any{ids[i], wrapped, key.Seal(make([]byte, 1100), "notifications.payload")}, err
	}))
	require.NoError(b, err)
}

// BenchmarkBytesPerOrder prints what a life occupies, tables and indexes together, new and after everything old is removed. It
// fills BYTES_ORDERS lives, 10,000 if that is not set.
func BenchmarkBytesPerOrder(b *testing.B) {
	orders := 10_000
	if n := os.Getenv("BYTES_ORDERS"); n != "" {
		var err error
		orders, err = strconv.Atoi(n)
		require.NoError(b, err)
	}
	pool := storetest.Pool(b)
	conn, err := pool.Acquire(b.Context())
	require.NoError(b, err)
	defer conn.Release()
	exec := func(sql string, args ...any) {
		b.Helper()
		_, err := conn.Exec(b.Context(), sql, args...)
		require.NoError(b, err, sql)
	}
	sizes := func() (sum float64, each string) {
		rows, err := conn.Query(b.Context(), `SELECT regexp_replace(relname, '_\d{4}_\d\d$', '') AS name, sum(pg_total_relation_size(oid))::bigint FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY 1 HAVING sum(pg_total_relation_size(oid)) > 1000000 ORDER BY 2 DESC`)
		require.NoError(b, err)
		for rows.Next() {
			var name string
			var bytes int64
			require.NoError(b, rows.Scan(&name, &bytes))
			sum += float64(bytes) / float64(orders)
			each += fmt.Sprintf("\n  %-24s %5d", name, bytes/int64(orders))
		}
		require.NoError(b, rows.Err())
		return sum, each
	}
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	st := store.New(pool, store.Options{Keyring: demoKeyring(b), Now: func() time.Time { return begin.AddDate(2, 0, 0) }})
	require.NoError(b, st.LoadServiceKeys(b.Context())) // none is made beside rows
	exec("SET session_replication_role = replica")
	exec(numberLives, begin, orders)
	keyLives(b, conn)
	for _, sql := range fillLives {
		exec(sql)
	}
	exec("RESET session_replication_role")
	exec("VACUUM ANALYZE")
	fresh, each := sizes()
	b.Logf("new: %.0f bytes an order%s", fresh, each)
	for b.Loop() {
		_, err := st.Remove(b.Context(), keepFor, 0)
		require.NoError(b, err)
	}
	exec("VACUUM ANALYZE")
	files, each := sizes()
	b.Logf("after retention, as files with room for new rows: %.0f bytes an order%s", files, each)
	exec("VACUUM FULL")
	kept, each := sizes()
	b.Logf("after retention, what is kept: %.0f bytes an order%s", kept, each)
	b.ReportMetric(fresh, "B/new-order")
	b.ReportMetric(files, "B/order-in-files")
	b.ReportMetric(kept, "B/kept-order")
}
