package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// timelines are the queries whose answers make an order's timeline; $1 is its id or its reference.
var timelines = []struct{ name, sql string }{
	{"order", `SELECT to_jsonb(o) - 'request_hash' - 'provider_state' - 'next_action' FROM orders o WHERE o.id::text = $1 OR o.reference = $1 OR o.parent_id::text = $1`},
	{"transition", `SELECT to_jsonb(t) - 'shop_id' FROM order_transitions t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.sequence`},
	{"call", `SELECT to_jsonb(t) - 'shop_id' - 'id' FROM provider_calls t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.started_at`},
	{"callback", `SELECT to_jsonb(t) - 'shop_id' FROM callbacks t JOIN orders o ON o.provider_order_id = t.provider_order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.received_at`},
	{"conflict", `SELECT to_jsonb(t) - 'shop_id' - 'id' FROM order_conflicts t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.at`},
	{"notification", `SELECT to_jsonb(t) - 'shop_id' - 'payload' FROM notifications t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.sequence`},
	{"delivery", `SELECT to_jsonb(t) - 'shop_id' FROM deliveries t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.sequence`},
	{"attempt", `SELECT to_jsonb(t) - 'shop_id' FROM notification_attempts t JOIN orders o ON o.id = t.order_id WHERE o.id::text = $1 OR o.reference = $1 ORDER BY t.sequence, t.attempt`},
}

// tell writes down everything that is known about the orders of violations, before the database is gone.
func (r *run) printTimelines(ctx context.Context, violations []Violation) error {
	file, err := os.Create(filepath.Join(r.dir, "orders.txt"))
	if err != nil {
		return fmt.Errorf("print the orders' timelines: %w", err)
	}
	defer func() { _ = file.Close() }()
	conn, err := pgx.Connect(ctx, r.direct)
	if err != nil {
		return fmt.Errorf("print the orders' timelines: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	reported := map[string]bool{}
	for _, v := range violations {
		if reported[v.Order] || len(reported) > 50 {
			continue
		}
		reported[v.Order] = true
		fmt.Fprintf(file, "== %s\n", v)
		for _, s := range timelines {
			rows, err := conn.Query(ctx, s.sql, v.Order)
			if err != nil {
				return fmt.Errorf("ask for the %s of an order: %w", s.name, err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
			if err != nil {
				return fmt.Errorf("ask for the %s of an order: %w", s.name, err)
			}
			for _, line := range lines {
				fmt.Fprintf(file, "%s %s\n", s.name, line)
				r.tellSimulator(file, s.name, line)
			}
		}
	}
	return nil
}

// tellSimulator adds the provider's side of an order.
func (r *run) tellSimulator(file *os.File, name string, row json.RawMessage) {
	var o struct {
		ID string `json:"provider_order_id"`
	}
	if name != "order" || json.Unmarshal(row, &o) != nil {
		return
	}
	if t, ok := r.simulators.SmartCore().Order(o.ID); ok {
		text, _ := json.Marshal(map[string]any{"order": t, "refunds": r.simulators.SmartCore().Refunds(o.ID), "requests": r.simulators.SmartCore().Requests(o.ID)}) // plain values
		fmt.Fprintf(file, "simulator %s\n", text)
	}
	if t, ok := r.simulators.UAPAY().Order(o.ID); ok {
		text, _ := json.Marshal(map[string]any{"order": t, "requests": r.simulators.UAPAY().Requests(o.ID)}) // plain values
		fmt.Fprintf(file, "simulator %s\n", text)
	}
}
