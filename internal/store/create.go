package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// errTaken ends a transaction whose reference turned out to be taken.
var errTaken = errors.New("the reference is taken")

// CreateOrder implements payment.Store. Without a parent to move it is one statement and one round trip.
func (s *Store) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	p, err := s.insertion(o)
	if err != nil {
		return nil, false, fmt.Errorf("create order: %w", err)
	}
	if o.Kind == gateway.KindRefund {
		err = s.createRefund(ctx, o, p)
	} else {
		err = s.read(ctx, "create order", func(ctx context.Context, q *db.Queries) error {
			n, err := q.InsertOrder(ctx, p)
			if err == nil && n == 0 {
				return errTaken
			}
			return err
		})
	}
	if errors.Is(err, errTaken) {
		existing, err := s.OrderByReference(ctx, o.ShopID, o.Kind, o.Reference)
		return existing, false, err
	}
	if err != nil {
		return nil, false, err
	}
	o.Saved()
	return o, true, nil
}

// createRefund locks the payment first, so that refunds of one payment come one after the other.
func (s *Store) createRefund(ctx context.Context, o *payment.Order, p db.InsertOrderParams) error {
	if o.ParentID == nil {
		return errors.New("create refund: it has no payment")
	}
	reserved, refunded := o.ParentDelta()
	err := s.write(ctx, "create refund", func(ctx context.Context, tx pgx.Tx) error {
		type found struct {
			ID uuid.UUID `db:"id"`
		}
		var parent, taken, open *found
		var batch queue
		ask(&batch, &parent, db.LockOrder, o.ShopID, *o.ParentID)
		ask(&batch, &taken, db.ReferenceTaken, o.ShopID, string(o.Kind), o.Reference)
		ask(&batch, &open, db.OpenRefund, o.ShopID, *o.ParentID)
		if err := batch.send(ctx, tx); err != nil {
			return err
		}
		switch {
		case taken != nil:
			return errTaken
		case parent == nil:
			return payment.ErrNotFound
		case open != nil:
			return payment.RefundInProgress()
		}
		if n, err := db.New(tx).InsertOrder(ctx, p); err != nil {
			return err
		} else if n == 0 {
			return errTaken
		}
		return moveParent(ctx, db.New(tx), o, reserved, refunded)
	})
	if violates(err, "orders_refunds_within_captured") {
		return &payment.Error{Code: payment.CodeRefundTooLarge, Message: "The refunds of this payment would exceed what was captured.", Err: err}
	}
	return err
}

// moveParent changes the sums of a refund's payment, whose row is locked already.
func moveParent(ctx context.Context, q *db.Queries, o *payment.Order, reserved, refunded int64) error {
	_, err := q.MoveParent(ctx, db.MoveParentParams{
		Reserved: reserved, Refunded: refunded, UpdatedAt: o.UpdatedAt, ShopID: o.ShopID, ID: *o.ParentID,
	})
	return err
}
