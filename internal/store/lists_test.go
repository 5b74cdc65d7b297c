package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
	"payrelay/internal/store/internal/db"
	"payrelay/internal/store/storetest"
)

// filled is a database with many orders of half a year. The first shop has nine of ten of them: payments and refunds on two
// accounts. The second has payouts only, and the third nothing.
type filled struct {
	pool   *pgxpool.Pool
	orders int
	begin  time.Time
}

var filledShops = [...]uuid.UUID{
	uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002"), uuid.MustParse("00000000-0000-4000-8000-000000000003"),
}

// fillOrders are the statements that fill a database. Triggers are off, so each writes what they would.
var fillOrders = []string{
	`INSERT INTO shops (id, name, created_at) SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'shop-' || n, now() FROM generate_series(1, 3) n`,
	`INSERT INTO accounts (id, name, provider, currency, callback_token, callback_token_hash, created_at)
	SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'EUR-' || n, 'fake', 'EUR', '', n::text::bytea, now() FROM generate_series(1, 2) n`,
	`CREATE TABLE filling AS SELECT i, ('00000000-0000-4000-8000-00000000000' || CASE WHEN i % 10 = 0 THEN 2 ELSE 1 END)::uuid AS shop_id,
		(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid AS id, at,
		CASE WHEN i % 10 = 0 THEN 'payout' WHEN i % 50 = 1 THEN 'refund' ELSE 'payment' END AS kind,
		CASE WHEN i % 500 = 7 THEN 'processing' WHEN i % 20 = 3 THEN 'failed' ELSE 'succeeded' END AS status
	FROM (SELECT i, $1::timestamptz + (i::float8 / $2) * interval '180 days' AS at FROM generate_series(1, $2::integer) i) numbered`,
	`INSERT INTO orders (shop_id, id, kind, reference, request_hash, parent_id, status, operation, sequence, amount, currency, provider, account_id, account_name,
		provider_order_id, provider_reference, created_at, updated_at, finalized_at, polls_since)
	SELECT shop_id, id, kind, 'r-' || i, decode(md5(i::text), 'hex'), CASE WHEN kind = 'refund' THEN id END, status, 'sale', 2, 1000, 'EUR', 'fake',
		('00000000-0000-4000-8000-00000000000' || 1 + i % 2)::uuid, 'EUR-' || 1 + i % 2, 'pr-' || md5(i::text), 'provider-' || i, at, at,
		CASE WHEN status <> 'processing' THEN at END, at FROM filling`,
	`INSERT INTO order_references (shop_id, kind, reference, order_id, parent_id) SELECT shop_id, kind, 'r-' || i, id, CASE WHEN kind = 'refund' THEN id END FROM filling`,
	`INSERT INTO order_names (name_hash, shop_id, order_id) SELECT md5('provider-' || i)::uuid, shop_id, id FROM filling`,
	`INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at)
	SELECT shop_id, id, n, CASE n WHEN 1 THEN '' ELSE 'created' END, CASE n WHEN 1 THEN 'created' ELSE status END, 'request', at FROM filling, generate_series(1, 2) n`,
	`INSERT INTO open_orders (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at)
	SELECT shop_id, id, 'fake', kind, status, false, at, at FROM filling WHERE status = 'processing'`,
	`DROP TABLE filling`,
}

func fill(tb testing.TB, orders int) *filled {
	tb.Helper()
	f := &filled{pool: storetest.Pool(tb), orders: orders, begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	ctx := tb.Context()
	conn, err := f.pool.Acquire(ctx)
	require.NoError(tb, err)
	defer conn.Release()
	exec := func(sql string, args ...any) {
		tb.Helper()
		_, err := conn.Exec(ctx, sql, args...)
		require.NoError(tb, err, sql)
	}
	exec("SET session_replication_role = replica")
	for i, sql := range fillOrders {
		if i == 2 {
			exec(sql, f.begin, orders)
			continue
		}
		exec(sql)
	}
	exec("RESET session_replication_role")
	exec("VACUUM ANALYZE")
	return f
}

func demoKeyring(tb testing.TB) *secrets.Keyring {
	tb.Helper()
	box, err := secrets.Open(secrets.DemoKeyset)
	require.NoError(tb, err)
	return box
}

// filters are the filters of the list of orders, each alone and with an empty answer.
func (f *filled) filters() map[string]payment.Filter {
	big, payouts, empty := filledShops[0], filledShops[1], filledShops[2]
	some, early := uuid.New(), f.begin.Add(10*24*time.Hour)
	return map[string]payment.Filter{
		"none":                      {Shop: big},
		"none, empty":               {Shop: empty},
		"kind":                      {Shop: big, Kind: gateway.KindRefund},
		"kind, empty":               {Shop: big, Kind: gateway.KindTransfer},
		"kind of other shops":       {Shop: payouts, Kind: gateway.KindPayment},
		"account":                   {Shop: big, Account: "EUR-1"},
		"account, empty":            {Shop: big, Account: "EUR-9"},
		"status succeeded":          {Shop: big, Status: payment.StatusSucceeded},
		"status failed":             {Shop: big, Status: payment.StatusFailed},
		"status canceled, empty":    {Shop: big, Status: payment.StatusCanceled},
		"status processing":         {Shop: big, Status: payment.StatusProcessing},
		"status authorized, empty":  {Shop: big, Status: payment.StatusAuthorized},
		"reference":                 {Shop: big, Reference: "r-1"},
		"reference, empty":          {Shop: big, Reference: "nobody's"},
		"provider_order_id, empty":  {Shop: big, ProviderOrderID: "nobody's"},
		"provider_reference":        {Shop: big, ProviderReference: "provider-1"},
		"provider_reference, empty": {Shop: big, ProviderReference: "nobody's"},
		"parent, empty":             {Shop: big, ParentID: &some},
		"an early day":              {Shop: big, CreatedFrom: early, CreatedTo: early.Add(24 * time.Hour)},
		"an early day, empty":       {Shop: empty, CreatedFrom: early, CreatedTo: early.Add(24 * time.Hour)},
		"days before all, empty":    {Shop: big, CreatedTo: f.begin.Add(-24 * time.Hour)},
		"an early day and a status": {Shop: big, Status: payment.StatusCanceled, CreatedFrom: early, CreatedTo: early.Add(24 * time.Hour)},
	}
}

// plan is what Postgres says of a statement that it ran.
type plan struct {
	Node     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Hit      int    `json:"Shared Hit Blocks"`
	Read     int    `json:"Shared Read Blocks"`
	Plans    []plan `json:"Plans"`
}

// scanned lists the tables that a plan reads whole.
func (p plan) scanned() (tables []string) {
	if p.Node == "Seq Scan" {
		tables = append(tables, p.Relation)
	}
	for _, below := range p.Plans {
		tables = append(tables, below.scanned()...)
	}
	return tables
}

func (f *filled) explain(ctx context.Context, tb testing.TB, sql string, args ...any) plan {
	tb.Helper()
	var out []byte
	require.NoError(tb, f.pool.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sql, args...).Scan(&out))
	var plans []struct{ Plan plan }
	require.NoError(tb, json.Unmarshal(out, &plans))
	return plans[0].Plan
}

// An index leads to every list, and an empty answer reads no more than a page of orders does.
func TestListsReadNoTableWhole(t *testing.T) {
	t.Parallel()
	f := fill(t, 30_000)
	const most = 400 // pages; all orders are some 1,500
	check := func(name, sql string, args ...any) {
		t.Helper()
		p := f.explain(t.Context(), t, sql, args...)
		for _, table := range p.scanned() {
			require.NotContains(t, []string{"orders", "order_transitions", "order_references", "order_names"}, table, name)
		}
		require.LessOrEqual(t, p.Hit+p.Read, most, name)
	}
	for name, filter := range f.filters() {
		sql, args, err := store.SearchSQL(filter)
		require.NoError(t, err)
		check(name, sql, args)
	}
	now := f.begin.Add(365 * 24 * time.Hour)
	var nobody *uuid.UUID
	check("gauges", db.Backlog)
	check("orders called", db.OrdersCalled, nobody, nobody, "provider-1", 100)
	check("stuck orders", db.StuckOrders, now, nobody, 100)
	check("stuck orders, counted", db.CountStuckOrders, now, nobody)
}

// What the filters answer is what reading every order finds.
func TestListsFindWhatReadingAllFinds(t *testing.T) {
	t.Parallel()
	f := fill(t, 3000)
	st := store.New(f.pool, store.Options{Keyring: demoKeyring(t)})
	for name, filter := range f.filters() {
		filter.Limit = 500
		page, err := st.Orders(t.Context(), filter)
		require.NoError(t, err, name)
		var want []uuid.UUID
		rows, err := f.pool.Query(t.Context(), `SELECT id FROM orders WHERE shop_id = $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR status = $3) AND ($4 = '' OR account_name = $4)
			AND ($5 = '' OR reference = $5) AND ($6 = '' OR provider_order_id = $6) AND ($7 = '' OR provider_reference = $7) AND ($8::uuid IS NULL OR parent_id = $8)
			AND ($9::timestamptz IS NULL OR created_at >= $9) AND ($10::timestamptz IS NULL OR created_at < $10) ORDER BY id DESC LIMIT 500`,
			filter.Shop, string(filter.Kind), string(filter.Status), filter.Account, filter.Reference, filter.ProviderOrderID, filter.ProviderReference, filter.ParentID,
			timeOrNull(filter.CreatedFrom), timeOrNull(filter.CreatedTo))
		require.NoError(t, err, name)
		want, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		require.NoError(t, err, name)
		require.Len(t, page.Items, len(want), name)
		for i, o := range page.Items {
			require.Equal(t, want[i], o.ID, name)
		}
		if page.Next != "" {
			filter.Cursor = page.Next
			next, err := st.Orders(t.Context(), filter)
			require.NoError(t, err, name)
			require.NotEmpty(t, next.Items, name)
			require.NotContains(t, want, next.Items[0].ID, name)
		}
	}
}

func timeOrNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// BenchmarkLists reads each list warm, among LIST_ORDERS orders, 30,000 if that is not set.
func BenchmarkLists(b *testing.B) {
	orders := 30_000
	if n := os.Getenv("LIST_ORDERS"); n != "" {
		var err error
		orders, err = strconv.Atoi(n)
		require.NoError(b, err)
	}
	f := fill(b, orders)
	st := store.New(f.pool, store.Options{Keyring: demoKeyring(b)})
	for name, filter := range f.filters() {
		b.Run(fmt.Sprintf("%d/%s", orders, name), func(b *testing.B) {
			for b.Loop() {
				_, err := st.Orders(b.Context(), filter)
				require.NoError(b, err)
			}
		})
	}
	b.Run(fmt.Sprintf("%d/gauges", orders), func(b *testing.B) {
		for b.Loop() {
			_, err := st.Gauges(b.Context())
			require.NoError(b, err)
		}
	})
}
