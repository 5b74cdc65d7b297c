package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// errTaken ends a transaction whose reference turned out to be taken.
var errTaken = errors.New("the reference is taken")

// CreateOrder implements payment.Store. It is one statement and one round trip, which it may share with others, unless the order is
// counted with limits.
func (s *Store) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	counting, err := s.countingOf(ctx, o)
	if err != nil {
		return nil, false, err
	}
	defer counting.tell(ctx)
	return s.create(ctx, o, func(p db.InsertOrderParams) error {
		if counting.any() {
			return s.insertCounted(ctx, o, p, counting)
		}
		w := write{doing: "create order", insert: &p}
		err := s.commit(ctx, &w)
		if errors.Is(err, errAlone) {
			err = s.commitAlone(ctx, &w)
		}
		if err == nil && !w.done {
			return errTaken
		}
		return err
	})
}

// insertCounted inserts an order and counts it with its limits, in a transaction of its own.
func (s *Store) insertCounted(ctx context.Context, o *payment.Order, p db.InsertOrderParams, counting *counting) error {
	return s.write(ctx, "create order", func(ctx context.Context, tx pgx.Tx) error {
		if err := insert(ctx, db.New(tx), p); err != nil {
			return err
		}
		return counting.reserve(ctx, tx, o)
	})
}

// CreateRefund implements payment.Store. It locks the payment first, so that refunds of one payment come one after the other.
func (s *Store) CreateRefund(ctx context.Context, o *payment.Order, check func(open []uuid.UUID) error) (*payment.Order, bool, error) {
	if o.ParentID == nil {
		return nil, false, errors.New("create refund: it has no payment")
	}
	counting, err := s.countingOf(ctx, o)
	if err != nil {
		return nil, false, err
	}
	defer counting.tell(ctx)
	var refused error
	created, isNew, err := s.create(ctx, o, func(p db.InsertOrderParams) error {
		return s.write(ctx, "create refund", func(ctx context.Context, tx pgx.Tx) error {
			open, err := lockRefunds(ctx, tx, o)
			if err != nil {
				return err
			}
			if refused = check(open); refused != nil {
				return refused
			}
			q := db.New(tx)
			if err := insert(ctx, q, p); err != nil {
				return err
			}
			reserved, refunded := o.ParentDelta()
			if err := moveParent(ctx, q, o, reserved, refunded); err != nil {
				return err
			}
			return counting.reserve(ctx, tx, o)
		})
	})
	switch {
	case refused != nil:
		return nil, false, refused
	case violates(err, "orders_refunds_within_captured"):
		return nil, false, &payment.Error{Code: payment.CodeRefundTooLarge, Message: "The refunds of this payment would exceed what was captured.", Err: err}
	}
	return created, isNew, err
}

// create has an order inserted, and finds the one whose reference it has if the reference is taken.
func (s *Store) create(ctx context.Context, o *payment.Order, insert func(db.InsertOrderParams) error) (*payment.Order, bool, error) {
	p, err := s.insertion(o)
	if err != nil {
		return nil, false, fmt.Errorf("create order: %w", err)
	}
	switch err := insert(p); {
	case errors.Is(err, errTaken):
		existing, err := s.OrderByReference(ctx, o.ShopID, o.Kind, o.Reference)
		return existing, false, err
	case err != nil:
		return nil, false, err
	}
	o.Saved()
	return o, true, nil
}

// insert writes an order, or returns errTaken.
func insert(ctx context.Context, q *db.Queries, p db.InsertOrderParams) error {
	n, err := q.InsertOrder(ctx, p)
	if err == nil && n == 0 {
		return errTaken
	}
	return err
}

// lockRefunds locks a refund's payment and returns the payment's open refunds, or errTaken if the reference is.
func lockRefunds(ctx context.Context, tx pgx.Tx, o *payment.Order) (open []uuid.UUID, err error) {
	type found struct {
		ID uuid.UUID `db:"id"`
	}
	var parent, taken *found
	var batch queue
	ask(&batch, &parent, db.LockOrder, o.ShopID, *o.ParentID)
	ask(&batch, &taken, db.ReferenceTaken, o.ShopID, string(o.Kind), o.Reference)
	batch.batch.Queue(db.OpenRefunds, o.ShopID, *o.ParentID).Query(func(rows pgx.Rows) (err error) {
		open, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	switch err := batch.send(ctx, tx); {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, errTaken
	case parent == nil:
		return nil, payment.ErrNotFound
	}
	return open, nil
}

// moveParent changes the sums of a refund's payment, whose row is locked already.
func moveParent(ctx context.Context, q *db.Queries, o *payment.Order, reserved, refunded int64) error {
	_, err := q.MoveParent(ctx, db.MoveParentParams{
		Reserved: reserved, Refunded: refunded, UpdatedAt: o.UpdatedAt, ShopID: o.ShopID, ID: *o.ParentID,
	})
	return err
}
