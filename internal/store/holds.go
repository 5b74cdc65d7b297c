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
	return s.act(ctx, "add a hold", shopOfOrder(order), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		if _, err := q.LockHeld(ctx, db.LockHeldParams{ShopID: order.Shop, ID: order.Order}); err != nil {
			return act{}, err
		}
		n, err := q.AddHold(ctx, db.AddHoldParams{ShopID: order.Shop, OrderID: order.Order, Reason: text(reason), At: s.Now()})
		if err != nil {
			return act{}, err
		}
		if n == 0 {
			return act{}, &payment.Error{Code: payment.CodeInvalidState, Message: "The order is under a hold already: 'server hold list' says why."}
		}
		return aboutOrder(ctx, q, order, act{action: "hold add", after: map[string]any{"reason": reason}})
	})
}

// RemoveHold ends an order's hold. None is an error of CodeInvalidState.
func (s *Store) RemoveHold(ctx context.Context, order payment.Key) error {
	return s.act(ctx, "remove a hold", shopOfOrder(order), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		reason, err := q.RemoveHold(ctx, db.RemoveHoldParams{ShopID: order.Shop, OrderID: order.Order})
		if errors.Is(err, pgx.ErrNoRows) {
			return act{}, &payment.Error{Code: payment.CodeInvalidState, Message: "The order is under no hold: 'server hold list' names those that are."}
		}
		if err != nil {
			return act{}, err
		}
		return aboutOrder(ctx, q, order, act{action: "hold remove", before: map[string]any{"reason": reason}, after: map[string]any{}})
	})
}

func shopOfOrder(order payment.Key) ownerOf {
	return func(context.Context, *db.Queries) (uuid.UUID, error) { return order.Shop, nil }
}

// missingHold returns one of the orders that is under a hold by the audit log, whatever the table says.
func (s *Store) missingHold(ctx context.Context, q *db.Queries, shop uuid.UUID, orders []uuid.UUID) (*uuid.UUID, error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, err
	}
	said, err := checkedSeals(ctx, q, sealer, shop)
	if err != nil {
		return nil, err
	}
	for i, id := range orders {
		if _, held := said[rowName(tableHolds, id.String())]; held {
			return &orders[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
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
func (s *Store) auditOrder(ctx context.Context, q *db.Queries, order payment.Key, a act) error {
	a, err := aboutOrder(ctx, q, order, a)
	if err != nil {
		return err
	}
	return s.audit(ctx, q, a)
}

func aboutOrder(ctx context.Context, q *db.Queries, order payment.Key, a act) (act, error) {
	var err error
	a.kind, a.object = "order", order.Order.String()
	a.shop, err = q.ShopName(ctx, order.Shop)
	return a, err
}
