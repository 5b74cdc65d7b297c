package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// The states of a notification.
const (
	statePending      = "pending"       // waits for its turn or its next attempt
	stateHeld         = "held"          // its address answered 410; holds back those behind it until an operator resumes
	stateDeadLettered = "dead_lettered" // given up on until an operator sends it again; holds back those behind it
	stateDelivered    = "delivered"     // by an attempt that is recorded, or was removed for its age
	stateUnrecorded   = "unrecorded"    // nothing delivers it, and no attempt did
)

// LeaseDelivery implements payment.Outbox. Every lease counts as an attempt, also one whose process died.
func (s *Store) LeaseDelivery(ctx context.Context, key payment.Key, lease time.Duration, room func(url string) time.Time) (*payment.Delivery, time.Time, error) {
	delivery, repeated, err := s.leaseOnce(ctx, key, lease, room)
	if errors.Is(err, errAnotherShop) { // it was changed a moment ago, or past the service
		if _, err := s.entriesSince(ctx, time.Now()); err != nil {
			return nil, time.Time{}, err
		}
		if delivery, repeated, err = s.leaseOnce(ctx, key, lease, room); errors.Is(err, errAnotherShop) {
			err = frozenShop()
		}
	}
	if payment.CodeOf(err) == payment.CodeShopFrozen { // the finding was logged
		repeated, err = s.putOffFrozen(ctx, key)
	}
	return delivery, repeated, err
}

// putOffFrozen puts off the oldest notification of an order whose shop is frozen, and returns until when. Somebody who holds the
// lease keeps it.
func (s *Store) putOffFrozen(ctx context.Context, key payment.Key) (later time.Time, err error) {
	now := s.Now()
	err = s.write(ctx, "put off a delivery", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		oldest, err := q.OldestUndelivered(ctx, db.OldestUndeliveredParams{ShopID: key.Shop, OrderID: key.Order})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return err
		case oldest.State != statePending:
			return nil
		case oldest.LeasedUntil != nil && oldest.LeasedUntil.After(now):
			later = oldest.LeasedUntil.UTC()
			return nil
		}
		later = now.Add(frozenPause)
		_, err = q.NotificationFailed(ctx, db.NotificationFailedParams{
			State: statePending, NextAttemptAt: later, WaitsFor: waitsFor(oldest.Url), FailedAt: now,
			ShopID: key.Shop, OrderID: key.Order, Sequence: oldest.Sequence, Attempt: oldest.Attempts,
		})
		return err
	})
	return later, err
}

// errAnotherShop says that a shop's row is not as the directory knows it.
var errAnotherShop = errors.New("the shop was changed")

func (s *Store) leaseOnce(ctx context.Context, key payment.Key, lease time.Duration, room func(url string) time.Time) (delivery *payment.Delivery, repeated time.Time, err error) {
	secrets, err := s.WebhookSecrets(ctx, key.Shop)
	if err != nil {
		return nil, time.Time{}, err
	}
	e, err := s.entries(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	err = s.write(ctx, "lease a delivery", func(ctx context.Context, tx pgx.Tx) (err error) {
		delivery, repeated, err = s.lease(ctx, tx, key, e.shops[key.Shop], lease, room)
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	if delivery == nil {
		return nil, repeated, nil
	}
	delivery.Secrets = secrets
	if delivery.Payload == nil {
		err = s.renderErased(ctx, delivery)
	}
	return delivery, repeated, err
}

// renderErased makes the payload of a step that came after its order was erased: none is kept.
func (s *Store) renderErased(ctx context.Context, d *payment.Delivery) error {
	var item payment.FeedItem
	err := s.addOld(ctx, &item, d.Key, d.Sequence)
	if err == nil {
		_, d.Payload, err = s.Render(item.Order, item.Transition, d.ID)
	}
	return err
}

func (s *Store) lease(ctx context.Context, tx pgx.Tx, key payment.Key, of shop.Shop, lease time.Duration, room func(url string) time.Time) (*payment.Delivery, time.Time, error) {
	var oldest *db.OldestUndeliveredRow
	var order *db.Order
	var batch queue
	ask(&batch, &oldest, db.OldestUndelivered, key.Shop, key.Order)
	ask(&batch, &order, db.OrderByID, key.Shop, key.Order)
	if err := batch.send(ctx, tx); err != nil {
		return nil, time.Time{}, err
	}
	now := s.Now()
	switch {
	case oldest == nil, oldest.State == stateDeadLettered:
		return nil, time.Time{}, nil
	case oldest.Own == "" && oldest.Url != of.NotificationURL, !slices.Equal(oldest.AllowCidrs, of.AllowCIDRs):
		return nil, time.Time{}, errAnotherShop // what is signed goes where the checked row says
	case oldest.Off:
		repeated, err := s.hold(ctx, tx, key, oldest.Url)
		return nil, repeated, err
	case oldest.State == stateHeld:
		return nil, time.Time{}, nil
	case oldest.LeasedUntil != nil && oldest.LeasedUntil.After(now):
		return nil, oldest.LeasedUntil.UTC(), nil
	case oldest.NextAttemptAt.After(now):
		return nil, oldest.NextAttemptAt.UTC(), nil
	}
	payload, whole, err := s.usablePayload(key.Order, oldest.Sequence, oldest.DataKey, oldest.Payload)
	if err != nil {
		return nil, time.Time{}, err
	}
	later := now.Add(frozenPause)
	if whole {
		later, err = s.putOff(ctx, order, func() time.Time { return room(oldest.Url) })
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	if !later.IsZero() { // written down, or the sweep would take it for forgotten
		_, err := db.New(tx).NotificationFailed(ctx, db.NotificationFailedParams{
			State: statePending, NextAttemptAt: later, WaitsFor: waitsFor(oldest.Url), FailedAt: now,
			ShopID: key.Shop, OrderID: key.Order, Sequence: oldest.Sequence, Attempt: oldest.Attempts,
		})
		return nil, later, err
	}
	until := now.Add(lease)
	var write queue
	if _, err := db.New(&write).LeaseDelivery(ctx, db.LeaseDeliveryParams{LeasedUntil: &until, Url: oldest.Url, ShopID: key.Shop, OrderID: key.Order, Sequence: oldest.Sequence}); err != nil {
		return nil, time.Time{}, err
	}
	return &payment.Delivery{
		Key: key, Shop: oldest.ShopName, Account: oldest.AccountName, Sequence: int(oldest.Sequence), ID: oldest.ID, URL: oldest.Url, Moved: oldest.Url != oldest.MadeFor, Payload: payload,
		Attempt: int(oldest.Attempts) + 1, AttemptsBefore: int(oldest.AttemptsBefore), CreatedAt: oldest.CreatedAt.UTC(), AllowCIDRs: oldest.AllowCidrs, LeasedUntil: until,
	}, time.Time{}, write.send(ctx, tx)
}

// frozenPause is how much later a notification of a frozen order or shop is thought of again.
const frozenPause = 10 * time.Minute

// putOff returns when a notification may be thought of again: zero for now. None of a frozen order is sent.
func (s *Store) putOff(ctx context.Context, order *db.Order, room func() time.Time) (time.Time, error) {
	if order == nil {
		return room(), nil
	}
	o, err := s.facts(ctx, order)
	switch {
	case err != nil:
		return time.Time{}, err
	case o.Frozen:
		return s.Now().Add(frozenPause), nil
	}
	return room(), nil
}

const (
	// dueGrace is for how long whoever wrote a notification has it to itself: it is sent right after the commit.
	dueGrace = 500 * time.Millisecond
	// behindPause is when a notification behind another one of its order is read again. It is due at once when that one was
	// delivered.
	behindPause = 15 * time.Second
)

// DueDeliveries returns up to limit orders of which a notification is due and not being sent: its next attempt has come, or the
// process that wrote or sent it is gone. Several processes may get the same order; one of them leases the notification. more
// reports that there may be others.
func (s *Store) DueDeliveries(ctx context.Context, limit int) (keys []payment.Key, more bool, err error) {
	now, found := s.Now(), 0
	err = s.leaseDue(ctx, due{
		doing: "find due deliveries",
		shops: func(ctx context.Context, q *db.Queries, most int32) ([]uuid.UUID, error) {
			return q.ShopsOfDueDeliveries(ctx, db.ShopsOfDueDeliveriesParams{Now: now, Due: now.Add(-dueGrace), MaxRows: most})
		},
		take: func(ctx context.Context, q *db.Queries, shop *uuid.UUID, most int32) (int, error) {
			rows, err := q.DueDeliveries(ctx, db.DueDeliveriesParams{Now: now, Due: now.Add(-dueGrace), ShopID: shop, Later: now.Add(behindPause), MaxRows: most})
			for _, r := range rows {
				if r.Oldest {
					keys = append(keys, payment.Key{Shop: r.ShopID, Order: r.OrderID})
				}
			}
			found += len(rows)
			return len(rows), err
		},
	}, limit)
	return keys, found >= limit, err
}

// FinishDelivery implements payment.Outbox. An attempt whose lease has gone to somebody else is kept as evidence, and
// settles the notification only if it was delivered. A 410 of an address where the notification would not go any more
// switches nothing off: it is sent to the present one at once.
func (s *Store) FinishDelivery(ctx context.Context, d *payment.Delivery, a payment.Attempt) (more bool, err error) {
	if a.Delivered {
		return s.delivered(ctx, d, a)
	}
	return a.Gone, s.write(ctx, "finish a delivery", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := db.New(tx).InsertAttempt(ctx, attemptRow(d, a)); err != nil {
			return err
		}
		if a.Gone {
			off, err := switchOff(ctx, tx, d, s.Now())
			if err != nil || off {
				return err
			}
		}
		return s.failed(ctx, tx, d, a)
	})
}

// attemptRow is the row of an attempt.
func attemptRow(d *payment.Delivery, a payment.Attempt) db.InsertAttemptParams {
	row := db.InsertAttemptParams{
		ShopID: d.Key.Shop, OrderID: d.Key.Order, Sequence: int32(d.Sequence), Attempt: int32(d.Attempt), At: a.At, //nolint:gosec // counts
		DurationMs: a.Duration.Milliseconds(), HttpStatus: int32(a.HTTPStatus), Error: text(a.Error), //nolint:gosec // an HTTP status
	}
	if d.Moved {
		row.MovedTo = d.URL
	}
	return row
}

// failed plans the next attempt, or gives the notification up.
func (s *Store) failed(ctx context.Context, tx pgx.Tx, d *payment.Delivery, a payment.Attempt) error {
	now := s.Now()
	p := db.NotificationFailedParams{
		State: statePending, NextAttemptAt: a.RetryAt, WaitsFor: waitsFor(d.URL), FailedAt: now,
		ShopID: d.Key.Shop, OrderID: d.Key.Order, Sequence: int32(d.Sequence), Attempt: int32(d.Attempt), //nolint:gosec // counts
	}
	switch {
	case a.Gone:
		p.NextAttemptAt = now
	case a.RetryAt.IsZero():
		p.State, p.NextAttemptAt = stateDeadLettered, now
	}
	if !a.NotBefore.IsZero() {
		p.NotBefore = &a.NotBefore
	}
	q := db.New(tx)
	if _, err := q.NotificationFailed(ctx, p); err != nil {
		return err
	}
	return q.DestinationFailed(ctx, db.DestinationFailedParams{ShopID: d.Key.Shop, Destination: *p.WaitsFor, Down: downAfter})
}

func waitsFor(url string) *string {
	destination := payment.Destination(url)
	return &destination
}
