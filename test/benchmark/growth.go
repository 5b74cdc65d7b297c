package benchmark

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// variant is one of the services that lives are measured with in turn.
type variant struct {
	name    string // behind the names of its figures
	service *service
	conn    *pgx.Conn
}

// fillChunk is how many orders a transaction fills at most.
const fillChunk = 100_000

// fillStatements write the orders $1 to $2 of $3, the last of them at the time $4 in milliseconds. They are as retention leaves
// them: without payloads, attempts, calls and callbacks. One of a hundred waits for its customer. Triggers are off, so each
// statement writes what they would.
var fillStatements = []string{
	`INSERT INTO orders (shop_id, id, kind, reference, request_hash, status, operation, sequence, amount, currency, amount_captured, flow, provider, account_id, account_name,
		provider_order_id, provider_reference, bank_references, data_key, details, created_at, updated_at, finalized_at, next_poll_at, polls_since, seal)
	SELECT shop_id, id, 'payment', 'filled-' || i, sha256(int8send(i)), CASE WHEN open THEN 'requires_action' ELSE 'succeeded' END, 'sale', CASE WHEN open THEN 2 ELSE 3 END,
		1000, 'EUR', CASE WHEN open THEN 0 ELSE 1000 END, 'hosted', 'smartcore', account_id, 'EUR-bench', 'pr-' || md5(i::text), 'provider-' || md5(i::text),
		CASE WHEN NOT open THEN jsonb_build_object(lpad(i::text, 12, '3'), 'succeeded') END, sha256(int8send(i)) || sha256(int8send(-i)), decode(repeat(md5(i::text), 20), 'hex'), at, at,
		CASE WHEN NOT open THEN at END, CASE WHEN open THEN now() + interval '1 day' END, at, substr(sha256(int8send(i)), 1, 16) FROM filling`,
	`INSERT INTO order_references (shop_id, kind, reference, order_id) SELECT shop_id, 'payment', 'filled-' || i, id FROM filling`,
	`INSERT INTO order_names (name_hash, shop_id, order_id) SELECT md5(name)::uuid, shop_id, id FROM filling
		CROSS JOIN LATERAL (SELECT 'provider-' || md5(i::text) AS name UNION ALL SELECT lpad(i::text, 12, '3') WHERE NOT open) names`,
	`INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at)
	SELECT shop_id, id, n, (ARRAY['', 'created', 'requires_action'])[n], (ARRAY['created', 'requires_action', 'succeeded'])[n], 'callback',
		CASE WHEN n > 1 THEN sha256(int8send(i)) || sha256(int8send(i + n)) END, at FROM filling, generate_series(1, CASE WHEN open THEN 2 ELSE 3 END) n`,
	`INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload_digest, url, created_at, position)
	SELECT shop_id, id, n, gen_random_uuid(), 'payment.succeeded', sha256(int8send(i)), 'http://127.0.0.1/notifications', at, 2 * i + n FROM filling, generate_series(2, CASE WHEN open THEN 2 ELSE 3 END) n`,
	`INSERT INTO open_orders (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at)
	SELECT shop_id, id, 'smartcore', 'payment', 'requires_action', false, at, now() + interval '1 day' FROM filling WHERE open`,
	`INSERT INTO feed_positions (shop_id, position) SELECT shop_id, max(2 * i + 3) FROM filling GROUP BY shop_id
		ON CONFLICT (shop_id) DO UPDATE SET position = excluded.position`,
}

// filling is the orders that the statements write: their times are spread over half a year.
const filling = `WITH filling AS (
	SELECT i, s.id AS shop_id, a.id AS account_id, i % 100 = 0 AS open, to_timestamp(ms / 1000.0) AS at,
		(lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid AS id
	FROM (SELECT i, $4::bigint - ($3::bigint - i) * 15552000000 / $3::bigint AS ms FROM generate_series($1::bigint, $2::bigint) i) numbered
		CROSS JOIN (SELECT id FROM shops WHERE name = 'bench') s CROSS JOIN (SELECT id FROM accounts WHERE name = 'EUR-bench') a
) `

// fill writes orders of the past half year.
func fill(ctx context.Context, conn *pgx.Conn, orders int) error {
	last := time.Now().Add(-time.Hour).UnixMilli()
	if _, err := conn.Exec(ctx, "SET session_replication_role = replica"); err != nil {
		return fmt.Errorf("switch triggers off: %w", err)
	}
	for from := 1; from <= orders; from += fillChunk {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, sql := range fillStatements {
				if _, err := tx.Exec(ctx, filling+sql, from, min(from+fillChunk-1, orders), orders, last); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("fill orders: %w", err)
		}
	}
	for _, sql := range []string{"RESET session_replication_role", "VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// buildFilled makes a service for each number of orders.
func (b *measurement) buildFilled(ctx context.Context) error {
	for _, orders := range b.Orders {
		fmt.Fprintf(b.Log, "filling %d orders\n", orders)
		name := fmt.Sprintf("orders_%d", orders)
		url, err := b.db.create(ctx, name)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.Dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
		f := &variant{name: fmt.Sprintf(", among %d", orders)}
		if f.service, err = newService(ctx, b.Server, dir, url, b.provider, b.shop); err != nil {
			return err
		}
		if f.conn, err = connectTo(ctx, url); err != nil {
			return err
		}
		b.closers = append(b.closers, f.service.stop, func() { _ = f.conn.Close(context.WithoutCancel(ctx)) })
		if err := f.service.start(ctx); err != nil { // makes its keys: none is made beside orders
			return err
		}
		f.service.stop()
		if err := fill(ctx, f.conn, orders); err != nil {
			return err
		}
		b.variants = append(b.variants, f)
	}
	return nil
}
