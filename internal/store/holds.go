package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Hold keeps an order from being erased, and its rows from retention.
type Hold struct {
	Shop   string    `json:"shop"`
	Order  uuid.UUID `json:"order"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// AddHold puts an order under a hold. One that is there already is an error of CodeInvalidState.
func (s *Store) AddHold(ctx context.Context, order payment.Key, reason string) error {
	return s.write(ctx, "add a hold", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		if _, err := q.LockHeld(ctx, db.LockHeldParams{ShopID: order.Shop, ID: order.Order}); err != nil {
			return err
		}
		n, err := q.AddHold(ctx, db.AddHoldParams{ShopID: order.Shop, OrderID: order.Order, Reason: text(reason), At: s.Now()})
		if err != nil {
			return err
		}
		if n == 0 {
			return &payment.Error{Code: payment.CodeInvalidState, Message: "The order is under a hold already: 'server hold list' says why."}
		}
		return s.auditOrder(ctx, q, order, act{action: "hold add", after: map[string]any{"reason": reason}})
	})
}

// RemoveHold ends an order's hold. None is an error of CodeInvalidState.
func (s *Store) RemoveHold(ctx context.Context, order payment.Key) error {
	return s.write(ctx, "remove a hold", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		reason, err := q.RemoveHold(ctx, db.RemoveHoldParams{ShopID: order.Shop, OrderID: order.Order})
		if errors.Is(err, pgx.ErrNoRows) {
			return &payment.Error{Code: payment.CodeInvalidState, Message: "The order is under no hold: 'server hold list' names those that are."}
		}
		if err != nil {
			return err
		}
		return s.auditOrder(ctx, q, order, act{action: "hold remove", before: map[string]any{"reason": reason}, after: map[string]any{}})
	})
}

// Holds lists the holds, the oldest first.
func (s *Store) Holds(ctx context.Context) ([]Hold, error) {
	var rows []db.HoldsRow
	err := s.read(ctx, "list the holds", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Holds(ctx)
		return err
	})
	list := make([]Hold, len(rows))
	for i, r := range rows {
		list[i] = Hold{r.ShopName, r.OrderID, r.Reason, r.At.UTC()}
	}
	return list, err
}

// auditOrder writes an entry about an order.
func (s *Store) auditOrder(ctx context.Context, q *db.Queries, order payment.Key, a act) (err error) {
	a.kind, a.object = "order", order.Order.String()
	if a.shop, err = q.ShopName(ctx, order.Shop); err != nil {
		return err
	}
	return s.audit(ctx, q, a)
}
