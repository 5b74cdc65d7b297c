package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// OrdersCalled returns up to limit orders that people call so, the newest first: by id, by the shop's reference, by our id at
// the provider, by the provider's, or by a bank's reference such as an RRN. They are of all shops, or of one. An id that
// payrelay itself gave names one order, whatever other shops call theirs.
func (s *Store) OrdersCalled(ctx context.Context, name string, shop *uuid.UUID, limit int) ([]*payment.Order, error) {
	args := db.OrdersCalledParams{Name: text(name), ShopID: shop, MaxRows: int32(limit)} //nolint:gosec // a page
	if id, err := uuid.Parse(name); err == nil {
		args.ID = &id
	}
	var rows []db.Order
	err := s.read(ctx, "find orders", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.OrdersCalled(ctx, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(rows) > 1 && (rows[0].ProviderOrderID == args.Name || args.ID != nil && rows[0].ID == *args.ID) {
		rows = rows[:1]
	}
	return s.orders(ctx, rows)
}

// StuckOrders returns the orders of all shops, or of one, that may need a person: those in conflict, and those that are not final and
// did not change for at least older. Conflicts come first, then what may never have arrived, then what the provider has not
// ended, then what waits for a customer or a shop; of each the longest unchanged first. more counts those beyond limit.
func (s *Store) StuckOrders(ctx context.Context, shop *uuid.UUID, older time.Duration, limit int) (orders []*payment.Order, more int, err error) {
	var rows []db.Order
	var all int64
	err = s.read(ctx, "load stuck orders", func(ctx context.Context, q *db.Queries) (err error) {
		before := s.Now().Add(-older)
		if rows, err = q.StuckOrders(ctx, db.StuckOrdersParams{Before: before, ShopID: shop, MaxRows: int32(limit)}); err != nil || len(rows) < limit { //nolint:gosec // a page
			all = int64(len(rows))
			return err
		}
		all, err = q.CountStuckOrders(ctx, db.CountStuckOrdersParams{Before: before, ShopID: shop})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	orders, err = s.orders(ctx, rows)
	return orders, max(0, int(all)-len(rows)), err
}

// OpenOrders returns the orders that keep an account from being closed, of all shops or of one: those that are not final, are polled, or
// are in conflict. The longest unchanged come first.
func (s *Store) OpenOrders(ctx context.Context, account string, shop *uuid.UUID, limit int) ([]*payment.Order, error) {
	var rows []db.Order
	err := s.read(ctx, "load open orders", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.OpenOrdersAt(ctx, db.OpenOrdersAtParams{AccountName: account, ShopID: shop, MaxRows: int32(limit)}) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.orders(ctx, rows)
}

// Calls returns the calls made to the provider about an order, the oldest first.
func (s *Store) Calls(ctx context.Context, order payment.Key) ([]payment.Call, error) {
	var rows []db.CallsRow
	err := s.read(ctx, "load calls", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Calls(ctx, db.CallsParams{ShopID: order.Shop, OrderID: order.Order})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	said, err := s.evidenceOf(order.Order, rows[0].DataKey, "provider_calls", placeCall)
	if err != nil {
		return nil, err
	}
	calls := make([]payment.Call, len(rows))
	for i, r := range rows {
		calls[i] = payment.Call{
			Operation: r.Operation, Outcome: r.Outcome, StartedAt: r.StartedAt.UTC(),
			Duration: time.Duration(r.DurationMs) * time.Millisecond, ProviderData: said.open(r.ProviderData), Count: int(r.Calls), LastAt: r.LastAt.UTC(),
		}
	}
	return calls, nil
}

// Conflicts returns the reports that contradicted an order, the oldest first.
func (s *Store) Conflicts(ctx context.Context, order payment.Key) ([]payment.ConflictRecord, error) {
	var rows []db.ConflictsRow
	err := s.read(ctx, "load conflicts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Conflicts(ctx, db.ConflictsParams{ShopID: order.Shop, OrderID: order.Order})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	said, err := s.evidenceOf(order.Order, rows[0].DataKey, "order_conflicts", placeConflict)
	if err != nil {
		return nil, err
	}
	conflicts := make([]payment.ConflictRecord, len(rows))
	for i, r := range rows {
		conflicts[i] = payment.ConflictRecord{
			Source: payment.Source(r.Source), Reason: r.Reason, Reported: payment.Status(r.Reported), ProviderData: said.open(r.ProviderData), At: r.At.UTC(),
		}
	}
	return conflicts, nil
}

// KeptCallback is a callback and what became of it.
type KeptCallback struct {
	AccountID       uuid.UUID
	ProviderOrderID string
	Verdict         payment.Verdict
	Reason          string
	Reported        string
	ProviderData    gateway.ProviderData
	ReceivedAt      time.Time
}

// CallbacksOf returns the callbacks about an order, the oldest first.
func (s *Store) CallbacksOf(ctx context.Context, order payment.Key) ([]KeptCallback, error) {
	var rows []db.CallbacksOfRow
	err := s.read(ctx, "load callbacks", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.CallbacksOf(ctx, db.CallbacksOfParams{ShopID: order.Shop, OrderID: order.Order})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	said, err := s.evidenceOf(order.Order, rows[0].DataKey, "callbacks", placeCallback)
	if err != nil {
		return nil, err
	}
	callbacks := make([]KeptCallback, len(rows))
	for i, r := range rows {
		callbacks[i] = KeptCallback{
			AccountID: r.AccountID, ProviderOrderID: r.ProviderOrderID, Verdict: payment.Verdict(r.Verdict), Reason: r.Reason,
			Reported: r.Reported, ProviderData: said.open(r.ProviderData), ReceivedAt: r.ReceivedAt.UTC(),
		}
	}
	return callbacks, nil
}

// OrderlessCallback is an authentic callback that no order is known for.
type OrderlessCallback struct {
	Account, Provider string
	ProviderOrderID   string
	Reported          string
	ProviderData      gateway.ProviderData
	ReceivedAt        time.Time
}

// CallbacksWithoutOrder returns up to limit callbacks that are about no order we know, the newest first.
func (s *Store) CallbacksWithoutOrder(ctx context.Context, limit int) ([]OrderlessCallback, error) {
	var rows []db.CallbacksWithoutOrderRow
	err := s.read(ctx, "load callbacks without an order", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.CallbacksWithoutOrder(ctx, int32(limit)) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return nil, err
	}
	callbacks := make([]OrderlessCallback, len(rows))
	for i, r := range rows {
		providerData, err := providerDataOf(r.ProviderData)
		if err != nil {
			return nil, err
		}
		callbacks[i] = OrderlessCallback{
			Account: r.AccountName, Provider: r.Provider, ProviderOrderID: r.ProviderOrderID, Reported: r.Reported, ProviderData: providerData,
			ReceivedAt: r.ReceivedAt.UTC(),
		}
	}
	return callbacks, nil
}

// Notification is one notification as operators see it.
type Notification struct {
	Key      payment.Key
	Sequence int // of the transition it tells of
	ID       uuid.UUID
	Type     string
	URL      string
	// State is pending, delivered, dead_lettered, held, feed or unrecorded.
	State         string
	Attempts      int
	NextAttemptAt time.Time
	DeliveredAt   *time.Time
	CreatedAt     time.Time
}

// NotificationsOf returns an order's notifications in the order of its history.
func (s *Store) NotificationsOf(ctx context.Context, key payment.Key) ([]Notification, error) {
	var rows []db.NotificationsOfRow
	var removedBefore time.Time
	err := s.read(ctx, "load notifications", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.NotificationsOf(ctx, db.NotificationsOfParams{ShopID: key.Shop, OrderID: key.Order})
		if err == nil && slices.ContainsFunc(rows, func(r db.NotificationsOfRow) bool { return r.State == stateUnrecorded }) {
			removedBefore, err = q.AttemptsRemovedBefore(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]Notification, len(rows))
	for i, r := range rows {
		list[i] = Notification{
			Key: key, Sequence: int(r.Sequence), ID: r.ID, Type: r.Type, URL: r.Url, State: r.State, Attempts: int(r.Attempts),
			NextAttemptAt: r.NextAttemptAt.UTC(), CreatedAt: r.CreatedAt.UTC(),
		}
		if r.DeliveredAt.Unix() > 0 {
			list[i].DeliveredAt = utc(&r.DeliveredAt)
		}
		if r.State == stateUnrecorded && r.CreatedAt.Before(removedBefore) {
			list[i].State = stateDelivered // the attempt that proved it was removed for its age
		}
	}
	return list, nil
}

// DeadLetteredNotifications returns up to limit notifications that were given up on, of all shops or of one.
func (s *Store) DeadLetteredNotifications(ctx context.Context, shop *uuid.UUID, limit int) ([]Notification, error) {
	var rows []db.DeadLetteredNotificationsRow
	err := s.read(ctx, "load dead-lettered notifications", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.DeadLetteredNotifications(ctx, db.DeadLetteredNotificationsParams{ShopID: shop, MaxRows: int32(limit)}) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]Notification, len(rows))
	for i, r := range rows {
		list[i] = Notification{
			Key: payment.Key{Shop: r.ShopID, Order: r.OrderID}, Sequence: int(r.Sequence), ID: r.ID, Type: r.Type, URL: r.Url,
			State: stateDeadLettered, Attempts: int(r.Attempts), NextAttemptAt: r.NextAttemptAt.UTC(), CreatedAt: r.CreatedAt.UTC(),
		}
	}
	return list, nil
}

// ResendNotification makes a notification due now, whatever became of it before, with all its retries before it. An earlier
// one of the order that is dead-lettered still holds it back. One without an address, or whose address is switched off, is an
// error of CodeInvalidState.
func (s *Store) ResendNotification(ctx context.Context, key payment.Key, sequence int) error {
	return s.write(ctx, "send a notification again", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		n, err := q.ResendNotification(ctx, db.ResendNotificationParams{At: s.Now(), ShopID: key.Shop, OrderID: key.Order, Sequence: int32(sequence)}) //nolint:gosec // a count
		if err != nil {
			return err
		}
		if n == 0 {
			payload, err := q.NotificationHasPayload(ctx, db.NotificationHasPayloadParams{ShopID: key.Shop, OrderID: key.Order, Sequence: int32(sequence)}) //nolint:gosec // a count
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				return payment.ErrNotFound
			case err != nil:
				return err
			case !payload:
				return &payment.Error{Code: payment.CodeInvalidState, Message: "The notification is too old to be sent again: its payload was removed. The shop finds it in its event feed, or reads the order."}
			}
			return &payment.Error{Code: payment.CodeInvalidState, Message: "The notification has nowhere to go: the shop has no notification URL, or its address answered 410 and is switched off. Set one, or resume, first."}
		}
		name, err := q.ShopName(ctx, key.Shop)
		if err != nil {
			return err
		}
		return s.audit(ctx, q, act{action: "order resend", kind: "order", object: key.Order.String(), shop: name, after: map[string]any{"sequence": sequence}})
	})
}

// DeliveryAttempt is one attempt to deliver a notification.
type DeliveryAttempt struct {
	Sequence, Attempt int
	At                time.Time
	Duration          time.Duration
	HTTPStatus        int // 0: no answer
	Error             string
}

// Attempts returns the attempts to deliver an order's notifications, in the order of its history.
func (s *Store) Attempts(ctx context.Context, key payment.Key) ([]DeliveryAttempt, error) {
	var rows []db.AttemptsRow
	err := s.read(ctx, "load attempts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Attempts(ctx, db.AttemptsParams{ShopID: key.Shop, OrderID: key.Order})
		return err
	})
	if err != nil {
		return nil, err
	}
	attempts := make([]DeliveryAttempt, len(rows))
	for i, r := range rows {
		attempts[i] = DeliveryAttempt{
			Sequence: int(r.Sequence), Attempt: int(r.Attempt), At: r.At.UTC(), Duration: time.Duration(r.DurationMs) * time.Millisecond,
			HTTPStatus: int(r.HttpStatus), Error: r.Error,
		}
	}
	return attempts, nil
}
