package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// UpdateOrder implements payment.Store. If fn changed nothing, nothing is written.
func (s *Store) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	if s.Operator != nil { // its entry in the audit log belongs to the same transaction
		return s.updateAlone(ctx, key, fn)
	}
	w := write{doing: "update order", update: &key, judge: fn, along: idempotency.AlongOf(ctx)}
	err := s.commit(ctx, &w)
	if errors.Is(err, errAlone) {
		return s.updateAlone(ctx, key, fn)
	}
	if err != nil {
		return nil, err
	}
	w.order.Saved()
	if w.along != nil && w.done {
		w.along.Kept = w.answer
	}
	return w.order, nil
}

// updateAlone waits for the order's lock, and for that of a refund's payment.
func (s *Store) updateAlone(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	if _, err := s.distributed(ctx); err != nil { // else oneShop does not know
		return nil, err
	}
	var saved *payment.Order
	var refused error
	var all changes
	err := s.write(ctx, "update order", func(ctx context.Context, tx pgx.Tx) error {
		saved, refused = nil, nil
		var parent, row *db.Order
		var lock queue
		ask(&lock, &parent, db.LockParent, key.Shop, key.Order)
		ask(&lock, &row, db.OrderForUpdate, key.Shop, key.Order)
		if err := lock.send(ctx, tx); err != nil {
			return err
		}
		if row == nil {
			return payment.ErrNotFound
		}
		o, err := s.loaded(ctx, row, parent)
		if err != nil {
			return err
		}
		facts := orderFacts(o.Order)
		if refused = fn(o.Order); refused != nil {
			return refused
		}
		saved = o.Order
		if err := s.auditDecision(ctx, tx, facts, o.Order); err != nil {
			return err
		}
		all = changes{store: s, shop: s.oneShop(key.Shop)}
		if err := all.add(ctx, o); err != nil {
			return err
		}
		return all.send(ctx, tx)
	})
	if refused != nil {
		return nil, refused
	}
	switch {
	case violates(err, "provider_calls_pkey"):
		return nil, payment.ErrRecorded
	case violates(err, "disputes_case"):
		return nil, payment.ErrCaseTaken
	case violates(err, "dispute_steps_pkey") || violates(err, "dispute_steps_gapless"):
		return nil, &payment.Error{Code: payment.CodeInvalidState, Message: "The dispute has changed meanwhile. Nothing was written: read it again.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	saved.Saved()
	all.committed()
	return saved, nil
}

// auditDecision writes down what an operator decided about an order. before are its facts as they were.
func (s *Store) auditDecision(ctx context.Context, tx pgx.Tx, before map[string]any, o *payment.Order) error {
	if s.Operator == nil {
		return nil
	}
	q := db.New(tx)
	name, err := q.ShopName(ctx, o.ShopID)
	if err != nil {
		return err
	}
	if step := lastDisputeStep(o); step != nil {
		return s.audit(ctx, q, disputeAct(step, name, before, o))
	}
	done := act{action: "order resolve", kind: "order", object: o.ID.String(), shop: name, before: before, after: orderFacts(o)}
	if len(o.Transitions()) == 0 && len(o.NewConflicts()) == 0 { // nothing was decided: the provider is to be asked
		done.action = "order refresh"
	}
	return s.audit(ctx, q, done)
}
