package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// CreateOrder implements payment.Store. It is one statement and one round trip, which it may share with others, unless the order is
// counted with limits or makes a mandate.
func (s *Store) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	counting, err := s.countingOf(ctx, o)
	if err != nil {
		return nil, false, err
	}
	defer counting.tell(ctx)
	return s.create(ctx, o, func(p db.InsertOrderParams) error {
		if counting.any() || o.Terms != nil {
			return s.insertCounted(ctx, o, p, counting)
		}
		w := write{doing: "create order", insert: &p}
		err := s.commit(ctx, &w)
		if errors.Is(err, errAlone) {
			err = s.commitAlone(ctx, &w)
		}
		if err == nil && !w.done {
			return payment.ErrReferenceTaken
		}
		return err
	})
}

// insertCounted inserts an order with the mandate that it makes, and counts it with its limits, in a transaction of its own.
func (s *Store) insertCounted(ctx context.Context, o *payment.Order, p db.InsertOrderParams, counting *counting) error {
	err := s.write(ctx, "create order", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		if err := insert(ctx, q, p); err != nil {
			return err
		}
		if err := s.insertMandate(ctx, q, o); err != nil {
			return err
		}
		return counting.admit(ctx, tx, o)
	})
	if errors.Is(err, errNotReleased) {
		return s.askApproval(ctx, o)
	}
	return err
}

// CreateRefund implements payment.Store. It locks the payment first, so that refunds of one payment come one after the other.
func (s *Store) CreateRefund(ctx context.Context, o *payment.Order, check func(payment.OtherRefunds) error) (*payment.Order, bool, error) {
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
			others, parent, err := s.lockRefunds(ctx, tx, o)
			if err != nil {
				return err
			}
			if refused = check(others); refused != nil {
				return refused
			}
			q := db.New(tx)
			if err := insert(ctx, q, p); err != nil {
				return err
			}
			reserved, refunded := o.ParentDelta()
			if err := s.moveParent(ctx, q, parent, o, reserved, refunded); err != nil {
				return err
			}
			return counting.admit(ctx, tx, o)
		})
	})
	switch {
	case refused != nil:
		return nil, false, refused
	case violates(err, "orders_refunds_within_captured"):
		return nil, false, &payment.Error{Code: payment.CodeRefundTooLarge, Message: "The refunds of this payment would exceed what was captured and not disputed.", Err: err}
	}
	return created, isNew, err
}

// create has an order inserted, and finds the one whose reference it has if the reference is taken.
func (s *Store) create(ctx context.Context, o *payment.Order, insert func(db.InsertOrderParams) error) (*payment.Order, bool, error) {
	p, err := s.insertion(ctx, o)
	if err != nil {
		return nil, false, fmt.Errorf("create order: %w", err)
	}
	switch err := insert(p); {
	case errors.Is(err, payment.ErrReferenceTaken):
		existing, err := s.OrderByReference(ctx, o.ShopID, o.Kind, o.Reference)
		return existing, false, err
	case err != nil:
		return nil, false, s.beginsNothing(err, o.AccountName)
	}
	o.Saved()
	return o, true, nil
}

// beginsNothing says in words why the database refuses that an order begins. What is remembered of its shop or account is older than that.
func (s *Store) beginsNothing(err error, account string) error {
	switch {
	case violates(err, "orders_account_begins"):
		err = payment.BeginsNothing(account)
	case violates(err, "orders_account_linked"):
		err = payment.TakenFromShop(account)
	case violates(err, "orders_shop_begins"):
		err = payment.CallerDrained()
	default:
		return err
	}
	s.directory.expire()
	return err
}

// insert writes an order, or returns payment.ErrReferenceTaken.
func insert(ctx context.Context, q *db.Queries, p db.InsertOrderParams) error {
	n, err := q.InsertOrder(ctx, p)
	if err == nil && n == 0 {
		return payment.ErrReferenceTaken
	}
	return err
}

// lockRefunds locks a refund's payment, and returns it and its other refunds, or payment.ErrReferenceTaken if the reference is.
func (s *Store) lockRefunds(ctx context.Context, tx pgx.Tx, o *payment.Order) (others payment.OtherRefunds, parent *db.Order, err error) {
	type found struct {
		ID uuid.UUID `db:"id"`
	}
	var taken *found
	var batch queue
	ask(&batch, &parent, db.OrderForUpdate, o.ShopID, *o.ParentID)
	ask(&batch, &taken, db.ReferenceTaken, o.ShopID, string(o.Kind), o.Reference)
	var refunds []*db.Order
	var witness *paymentWitness
	askAll(&batch, func(rows []*db.Order) { refunds = rows }, db.RefundRows, o.ShopID, *o.ParentID)
	ask(&batch, &witness, db.PaymentWitness, o.ShopID, *o.ParentID)
	switch err := batch.send(ctx, tx); {
	case err != nil:
		return others, nil, err
	case taken != nil:
		return others, nil, payment.ErrReferenceTaken
	case parent == nil:
		return others, nil, payment.ErrNotFound
	}
	if f := witness.against(parent); f != nil {
		s.sealBroken(*f)
		return others, nil, payment.ErrFrozen
	}
	others, err = s.otherRefunds(ctx, parent, refunds)
	return others, parent, err
}

// paymentWitness is what else says how a payment stands. An older row of it has a seal that holds.
type paymentWitness struct {
	Head       []byte     `db:"head"`
	DisputedAt int32      `db:"disputed_at"`
	Lost       *uuid.UUID `db:"lost"`
}

// against returns what is found of a payment whose row is not as the witness says, nil for nothing.
func (w *paymentWitness) against(row *db.Order) *Finding {
	switch {
	case w.Lost != nil:
		return &Finding{"orders", w.Lost.String(), lostRefund(row.ID)}
	case !bytes.Equal(w.Head, row.Chain), w.DisputedAt > row.Sequence:
		return &Finding{"orders", row.ID.String(), "the history and the disputes go further than the row: an older row was put back"}
	}
	return nil
}

// otherRefunds returns how the refunds of a locked payment stand. All must be as payrelay wrote them, and the payment's row must count
// them: an older row of it has a seal that holds.
func (s *Store) otherRefunds(ctx context.Context, parent *db.Order, refunds []*db.Order) (others payment.OtherRefunds, err error) {
	var sum int64
	for _, row := range refunds {
		r, err := s.facts(ctx, row)
		if err == nil {
			err = s.usable(r)
		}
		if err != nil {
			return others, err
		}
		if r.Contested() {
			others.Contested, others.ContestedMinor = append(others.Contested, r.ID), others.ContestedMinor+r.Amount.Minor()
		}
		if r.Status == payment.StatusFailed || r.Status == payment.StatusCanceled {
			continue
		}
		sum += r.Amount.Minor()
		if r.FinalizedAt == nil {
			others.Open = append(others.Open, r.ID)
		}
	}
	if sum > parent.AmountReserved {
		s.sealBroken(Finding{"orders", parent.ID.String(), "the refunds add up to more than the row says: an older row was put back"})
		return others, payment.ErrFrozen
	}
	others.Left = parent.AmountCaptured - parent.AmountReserved - parent.AmountDisputed
	return others, nil
}

// lostRefund is what is found of a refund whose row was removed.
func lostRefund(payment uuid.UUID) string {
	return "the order is missing, and its reference says that it is a refund of " + payment.String()
}

// moveParent changes the sums of a refund's payment, whose row is locked since it was read.
func (s *Store) moveParent(ctx context.Context, q *db.Queries, parent *db.Order, o *payment.Order, reserved, refunded int64) error {
	p, err := s.facts(ctx, parent)
	if err == nil {
		err = s.usable(p)
	}
	if err != nil {
		return err
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	if reserved > 0 && p.DisputesOpen > o.SettlesDisputes {
		return payment.PaymentDisputed()
	}
	p.MoveRefunds(reserved, refunded)
	_, err = q.MoveParent(ctx, db.MoveParentParams{
		AmountReserved: p.RefundReserved, AmountRefunded: p.Refunded, AmountDisputed: p.Disputed, AmountOverdrawn: p.Overdrawn, UpdatedAt: o.UpdatedAt, Seal: sealer.Seal(sealedOrder(p, parent.Chain)), ShopID: p.ShopID, ID: p.ID,
	})
	return err
}
