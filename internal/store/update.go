package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// UpdateOrder implements payment.Store. If fn changed nothing, nothing is written.
func (s *Store) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	var saved *payment.Order
	var refused error
	err := s.write(ctx, "update order", func(ctx context.Context, tx pgx.Tx) error {
		saved, refused = nil, nil
		var parent *lockedParent
		var row *db.Order
		var lock queue
		ask(&lock, &parent, db.LockParent, key.Shop, key.Order)
		ask(&lock, &row, db.OrderForUpdate, key.Shop, key.Order)
		if err := lock.send(ctx, tx); err != nil {
			return err
		}
		if row == nil {
			return payment.ErrNotFound
		}
		o, before, err := s.loaded(row)
		if err != nil {
			return err
		}
		if refused = fn(o); refused != nil {
			return refused
		}
		saved = o
		return s.save(ctx, tx, row, before, o, &queue{})
	})
	if refused != nil {
		return nil, refused
	}
	if violates(err, "provider_calls_pkey") {
		return nil, payment.ErrRecorded
	}
	if err != nil {
		return nil, err
	}
	saved.Saved()
	return saved, nil
}

// orNew returns an id, or a new one for none.
func (s *Store) orNew(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return s.NewID()
	}
	return id
}

// lockedParent is a refund's payment.
type lockedParent struct {
	ID uuid.UUID `db:"id"`
}

// loaded returns a locked row as an order, and what it is compared with afterwards.
func (s *Store) loaded(row *db.Order) (*payment.Order, db.UpdateOrderParams, error) {
	o, err := s.order(row)
	if err != nil {
		return nil, db.UpdateOrderParams{}, err
	}
	before, err := changeable(o)
	return o, before, err
}

// save writes what the order gathered since it was loaded from row, behind what is in q already, in one round trip, and
// queues a delivery if a notification waits for one. Order and parent are locked.
func (s *Store) save(ctx context.Context, tx pgx.Tx, row *db.Order, before db.UpdateOrderParams, o *payment.Order, q *queue) error {
	statements := db.New(q)
	after, err := changeable(o)
	if err != nil {
		return err
	}
	if err := s.queueHistory(ctx, statements, o); err != nil { // before the status that it leads to
		return err
	}
	if !reflect.DeepEqual(before, after) {
		if err := s.queueUpdate(ctx, statements, row, before, after); err != nil {
			return err
		}
	}
	if reserved, refunded := o.ParentDelta(); reserved != 0 || refunded != 0 {
		if o.ParentID == nil {
			return errors.New("the order has no parent whose sums could change")
		}
		if err := moveParent(ctx, statements, o, reserved, refunded); err != nil {
			return err
		}
	}
	waiting, err := s.queueNotifications(q, o)
	if err != nil {
		return err
	}
	if err := q.send(ctx, tx); err != nil {
		return err
	}
	if *waiting > 0 && s.Jobs != nil {
		if err := s.Jobs.InsertNotify(ctx, tx, o.Key()); err != nil {
			return fmt.Errorf("queue the delivery: %w", err)
		}
	}
	return nil
}

// queueUpdate queues the order's own row. What is encrypted and did not change keeps its ciphertext.
func (s *Store) queueUpdate(ctx context.Context, statements *db.Queries, row *db.Order, before, after db.UpdateOrderParams) error {
	sealed := after
	if err := s.sealOrder(&sealed); err != nil {
		return err
	}
	if bytes.Equal(before.ProviderState, after.ProviderState) {
		sealed.ProviderState = row.ProviderState
	}
	if bytes.Equal(before.NextAction, after.NextAction) {
		sealed.NextAction = row.NextAction
	}
	sealed.LoadedSequence = row.Sequence
	_, err := statements.UpdateOrder(ctx, sealed)
	return err
}

// queueHistory queues the new transitions, conflicts and calls.
func (s *Store) queueHistory(ctx context.Context, statements *db.Queries, o *payment.Order) error {
	for _, t := range o.Transitions() {
		providerData, err := toJSONObject(t.ProviderData)
		if err != nil {
			return err
		}
		if _, err := statements.InsertTransition(ctx, db.InsertTransitionParams{
			ShopID: o.ShopID, OrderID: o.ID, Sequence: int32(t.Sequence), FromStatus: string(t.From), ToStatus: string(t.To), //nolint:gosec // a count
			Source: string(t.Source), ProviderData: providerData, At: t.At,
		}); err != nil {
			return err
		}
	}
	for _, c := range o.NewConflicts() {
		providerData, err := toJSONObject(c.ProviderData)
		if err != nil {
			return err
		}
		if _, err := statements.InsertConflict(ctx, db.InsertConflictParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: s.NewID(), Source: string(c.Source), Reported: string(c.Reported), Reason: text(c.Reason),
			ProviderData: providerData, At: c.At,
		}); err != nil {
			return err
		}
	}
	for _, c := range o.NewCalls() {
		providerData, err := toJSONObject(c.ProviderData)
		if err != nil {
			return err
		}
		if err := s.queueCall(ctx, statements, o, c, providerData); err != nil {
			return err
		}
	}
	return nil
}

// queueCall queues a call. A question that failed as the one before it did becomes part of that one's row.
func (s *Store) queueCall(ctx context.Context, statements *db.Queries, o *payment.Order, c payment.Call, providerData []byte) error {
	id, took := s.orNew(c.ID), c.Duration.Milliseconds()
	var err error
	if c.Failed {
		_, err = statements.CountFailedCall(ctx, db.CountFailedCallParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: id, Operation: c.Operation, Outcome: c.Outcome, StartedAt: c.StartedAt, DurationMs: took, ProviderData: providerData,
		})
	} else {
		_, err = statements.InsertCall(ctx, db.InsertCallParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: id, Operation: c.Operation, Outcome: c.Outcome, StartedAt: c.StartedAt, DurationMs: took, ProviderData: providerData,
		})
	}
	return err
}

// queueNotifications queues one notification for each new transition and returns where the number of those that wait
// for a delivery will stand once the queue was sent. That an order was created is known to whoever created it.
func (s *Store) queueNotifications(q *queue, o *payment.Order) (waiting *int, err error) {
	waiting = new(int)
	if s.Render == nil {
		return waiting, nil
	}
	for _, t := range o.Transitions() {
		if t.To == payment.StatusCreated {
			continue
		}
		as := t.After
		if as == nil {
			as = o
		}
		id := s.NewID()
		typ, payload, err := s.Render(as, t, id)
		if err != nil {
			return nil, fmt.Errorf("render the notification: %w", err)
		}
		q.batch.Queue(db.InsertNotification, o.ID, t.Sequence, id, typ, string(payload), o.NotificationURL, s.Now(), o.ShopID).
			QueryRow(func(row pgx.Row) error {
				var state string
				if err := row.Scan(&state); err != nil {
					return fmt.Errorf("write the notification: %w", err)
				}
				if state == statePending {
					*waiting++
				}
				return nil
			})
	}
	return waiting, nil
}
