package store

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

const (
	pageDefault = 50
	pageMost    = 500
)

// Order implements payment.Store.
func (s *Store) Order(ctx context.Context, key payment.Key) (*payment.Order, error) {
	return s.oneOrder(ctx, "load order", func(ctx context.Context, q *db.Queries) (db.Order, error) {
		return q.OrderByID(ctx, db.OrderByIDParams{ShopID: key.Shop, ID: key.Order})
	})
}

// OrderByReference implements payment.Store.
func (s *Store) OrderByReference(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string) (*payment.Order, error) {
	o, err := s.oneOrder(ctx, "load order by reference", func(ctx context.Context, q *db.Queries) (db.Order, error) {
		return q.OrderByReference(ctx, db.OrderByReferenceParams{ShopID: shop, Kind: string(kind), Reference: reference})
	})
	if err == nil && (o.Kind != kind || o.Reference != reference) {
		s.sealBroken(Finding{"order_references", o.ID.String(), "the reference was made to name another order"})
		return nil, payment.ErrFrozen
	}
	return o, err
}

func (s *Store) oneOrder(ctx context.Context, doing string, get func(context.Context, *db.Queries) (db.Order, error)) (*payment.Order, error) {
	var row db.Order
	err := s.read(ctx, doing, func(ctx context.Context, q *db.Queries) (err error) {
		row, err = get(ctx, q)
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	o, err := s.order(ctx, &row)
	if err != nil {
		return nil, err
	}
	if err := s.usable(o); err != nil {
		return nil, err
	}
	return o, nil
}

func (s *Store) orders(ctx context.Context, rows []db.Order) ([]*payment.Order, error) {
	orders := make([]*payment.Order, len(rows))
	for i := range rows {
		o, err := s.order(ctx, &rows[i])
		if err != nil {
			return nil, err
		}
		orders[i] = o
	}
	return orders, nil
}

// Orders implements payment.Store: newest first, which is the order of ids.
func (s *Store) Orders(ctx context.Context, f payment.Filter) (payment.Page[*payment.Order], error) {
	limit := pageSize(f.Limit)
	sql, args, err := search(f, limit)
	if err != nil {
		return payment.Page[*payment.Order]{}, err
	}
	var rows []db.Order
	err = s.retry(ctx, s.Limit, "search orders", func(ctx context.Context, conn *pgxpool.Conn) error {
		found, err := conn.Query(ctx, sql, args)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, pgx.RowToStructByName[db.Order])
		return err
	})
	if err != nil {
		return payment.Page[*payment.Order]{}, err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = base64.RawURLEncoding.EncodeToString(rows[limit-1].ID[:])
	}
	items, err := s.orders(ctx, rows)
	return payment.Page[*payment.Order]{Items: items, Next: next}, err
}

// orderQuery asks for whole orders; a test compares it with the table.
const orderQuery = `SELECT shop_id, id, kind, reference, request_hash, parent_id, superseded_by, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, amount_disputed, amount_overdrawn, disputes_open, flow, recurring, cascade, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status, chain, seal
FROM orders`

func pageSize(limit int) int {
	if limit <= 0 {
		return pageDefault
	}
	return min(limit, pageMost)
}

// History implements payment.Store.
func (s *Store) History(ctx context.Context, order payment.Key) ([]payment.Transition, error) {
	history, whole, err := s.StoredHistory(ctx, order)
	if err == nil && !whole {
		return nil, payment.ErrFrozen
	}
	return history, err
}

// StoredHistory returns an order's history as it is stored, and whether it is whole, and as it was written.
func (s *Store) StoredHistory(ctx context.Context, order payment.Key) (history []payment.Transition, whole bool, err error) {
	var rows []db.HistoryRow
	err = s.read(ctx, "load history", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.History(ctx, db.HistoryParams{ShopID: order.Shop, OrderID: order.Order})
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(rows) == 0 {
		return nil, false, payment.ErrNotFound
	}
	key, err := s.dataKey(order.Order, rows[0].DataKey)
	if errors.Is(err, errNoKeyset) {
		return nil, false, err
	}
	readable := err == nil
	if !readable {
		s.sealBroken(unreadable("orders", order.Order.String(), err))
	}
	history = make([]payment.Transition, len(rows))
	for i, r := range rows {
		t := r.OrderTransition
		providerData, err := openData(key, t.ProviderData, placeTransition)
		readable = readable && err == nil // the chain says which step was changed
		history[i] = payment.Transition{
			Sequence: int(t.Sequence), From: payment.Status(t.FromStatus), To: payment.Status(t.ToStatus),
			Source: payment.Source(t.Source), ProviderData: providerData, At: t.At.UTC(),
		}
	}
	whole, err = s.checkChain(ctx, rows)
	return history, whole && readable, err
}

// LeaseDuePolls returns up to limit of a provider's orders whose check is due, the longest due first. Each is due again after lease: a
// check that came to its end has set a time of its own by then, and one whose process died is made up for. Several
// processes may call it at once and never get the same order.
func (s *Store) LeaseDuePolls(ctx context.Context, provider string, limit int, lease time.Duration) ([]payment.Key, error) {
	var keys []payment.Key
	now := s.Now()
	err := s.leaseDue(ctx, due{
		doing: "lease due checks",
		shops: func(ctx context.Context, q *db.Queries, most int32) ([]uuid.UUID, error) {
			return q.ShopsOfDuePolls(ctx, db.ShopsOfDuePollsParams{Provider: provider, Now: now, MaxRows: most})
		},
		take: func(ctx context.Context, q *db.Queries, shop *uuid.UUID, most int32) (int, error) {
			rows, err := q.LeaseDuePolls(ctx, db.LeaseDuePollsParams{Provider: provider, Now: now, ShopID: shop, LeasedUntil: now.Add(lease), MaxRows: most})
			for _, r := range rows {
				keys = append(keys, payment.Key{Shop: r.ShopID, Order: r.ID})
			}
			return len(rows), err
		},
	}, limit)
	return keys, err
}
