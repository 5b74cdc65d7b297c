package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// The statements that write any number of rows.
var (
	insertTransitions = rowSetOf[db.InsertTransitionParams]().insert("order_transitions")
	insertCallbacks   = rowSetOf[db.InsertCallbackParams]().insert("callbacks")
	updateOrders      = func() string {
		s := rowSetOf[db.UpdateOrderParams]()
		return "UPDATE orders o SET " + s.without("shop_id", "id", "loaded_sequence").assignments() + " FROM " + s.from +
			" WHERE o.shop_id = u.shop_id AND o.id = u.id AND o.sequence = u.loaded_sequence /* o of one shop */"
	}()
	insertCalls = func() string {
		s := rowSetOf[db.InsertCallParams]()
		s.names, s.picks = append(s.names, "last_at"), append(s.picks, "u.started_at")
		return s.insert("provider_calls")
	}()
	// The last of a transaction: the feeds' rows are locked from here to the commit, sorted by shop.
	insertNotifications = `WITH said AS MATERIALIZED (
    SELECT u.*, row_number() OVER (PARTITION BY u.shop_id ORDER BY u.order_id, u.sequence) AS place,
        count(*) OVER (PARTITION BY u.shop_id) AS places
    FROM ` + rowSetOf[db.InsertNotificationParams]().from + `
), raised AS (
    INSERT INTO feed_positions AS p (shop_id, position) SELECT shop_id, count(*) FROM said GROUP BY shop_id ORDER BY shop_id
    ON CONFLICT (shop_id) DO UPDATE SET position = p.position + excluded.position RETURNING p.shop_id, p.position
), written AS (
    INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at, position)
    SELECT s.id, u.order_id, u.sequence, u.id, u.type, u.payload, coalesce(nullif(u.url, ''), s.notification_url), u.at, r.position - u.places + u.place
    FROM said u JOIN raised r ON r.shop_id = u.shop_id JOIN shops s ON s.id = u.shop_id
    RETURNING shop_id, order_id, sequence, url, created_at
), waiting AS (
    INSERT INTO deliveries (shop_id, order_id, sequence, state, url, next_attempt_at, created_at)
    SELECT shop_id, order_id, sequence, 'pending', url, created_at, created_at FROM written WHERE url <> ''
)
SELECT shop_id, order_id, url <> '' AS waits FROM written`
)

// changes are rows to be written about orders whose rows, and those of their parents, are locked. All go out in one round trip,
// each kind in one statement; what is rare has a statement a row.
type changes struct {
	store         *Store
	shop          *uuid.UUID // set if all rows must be of one shop
	transitions   []db.InsertTransitionParams
	orders        []db.UpdateOrderParams
	callbacks     []db.InsertCallbackParams
	calls         []db.InsertCallParams
	notifications []db.InsertNotificationParams
	rare          queue
	waiting       []payment.Key // whose notification waits for a delivery, known after send
}

// add gathers what an order gathered since it was loaded from row. An error adds nothing.
func (c *changes) add(ctx context.Context, row *db.Order, before db.UpdateOrderParams, o *payment.Order) error {
	own := changes{store: c.store}
	after, err := changeable(o)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(before, after) {
		sealed, err := c.store.sealChanged(row, before, after)
		if err != nil {
			return err
		}
		own.orders = append(own.orders, sealed)
	}
	if err := errors.Join(own.addTransitions(o), own.addCalls(o), own.addNotifications(o)); err != nil {
		return err
	}
	c.orders, c.transitions, c.calls, c.notifications = append(c.orders, own.orders...), append(c.transitions, own.transitions...),
		append(c.calls, own.calls...), append(c.notifications, own.notifications...)
	return c.addRare(ctx, o)
}

// sealChanged is the new row. What is encrypted and did not change keeps its ciphertext.
func (s *Store) sealChanged(row *db.Order, before, after db.UpdateOrderParams) (db.UpdateOrderParams, error) {
	sealed := after
	if bytes.Equal(before.ProviderState, after.ProviderState) {
		sealed.ProviderState = nil
	}
	if bytes.Equal(before.NextAction, after.NextAction) {
		sealed.NextAction = nil
	}
	if err := s.sealOrder(&sealed); err != nil {
		return sealed, err
	}
	if bytes.Equal(before.ProviderState, after.ProviderState) {
		sealed.ProviderState = row.ProviderState
	}
	if bytes.Equal(before.NextAction, after.NextAction) {
		sealed.NextAction = row.NextAction
	}
	sealed.LoadedSequence = row.Sequence
	return sealed, nil
}

func (c *changes) addTransitions(o *payment.Order) error {
	for _, t := range o.Transitions() {
		providerData, err := toJSONObject(t.ProviderData)
		if err != nil {
			return err
		}
		c.transitions = append(c.transitions, db.InsertTransitionParams{
			ShopID: o.ShopID, OrderID: o.ID, Sequence: int32(t.Sequence), FromStatus: string(t.From), ToStatus: string(t.To), //nolint:gosec // a count
			Source: string(t.Source), ProviderData: providerData, At: t.At,
		})
	}
	return nil
}

func (c *changes) addCalls(o *payment.Order) error {
	for _, call := range o.NewCalls() {
		if call.Failed {
			continue
		}
		providerData, err := toJSONObject(call.ProviderData)
		if err != nil {
			return err
		}
		c.calls = append(c.calls, db.InsertCallParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: c.store.orNew(call.ID), Operation: call.Operation, Outcome: call.Outcome,
			StartedAt: call.StartedAt, DurationMs: call.Duration.Milliseconds(), ProviderData: providerData,
		})
	}
	return nil
}

// addNotifications adds one notification for each new transition. That an order was created is known to whoever created it.
func (c *changes) addNotifications(o *payment.Order) error {
	if c.store.Render == nil {
		return nil
	}
	for _, t := range o.Transitions() {
		if t.To == payment.StatusCreated {
			continue
		}
		as := t.After
		if as == nil {
			as = o
		}
		id := c.store.NewID()
		typ, payload, err := c.store.Render(as, t, id)
		if err != nil {
			return fmt.Errorf("render the notification: %w", err)
		}
		c.notifications = append(c.notifications, db.InsertNotificationParams{
			ShopID: o.ShopID, OrderID: o.ID, Sequence: int32(t.Sequence), ID: id, Type: typ, Payload: string(payload), //nolint:gosec // a count
			Url: o.NotificationURL, At: c.store.Now(),
		})
	}
	return nil
}

// addRare adds the parent's sums, contradictions, and questions that failed: one that failed as the one before it did becomes
// part of that one's row.
func (c *changes) addRare(ctx context.Context, o *payment.Order) error {
	statements := db.New(&c.rare)
	if reserved, refunded := o.ParentDelta(); reserved != 0 || refunded != 0 {
		if o.ParentID == nil {
			return errors.New("the order has no parent whose sums could change")
		}
		if err := moveParent(ctx, statements, o, reserved, refunded); err != nil {
			return err
		}
	}
	for _, conflict := range o.NewConflicts() {
		providerData, err := toJSONObject(conflict.ProviderData)
		if err != nil {
			return err
		}
		if _, err := statements.InsertConflict(ctx, db.InsertConflictParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: c.store.NewID(), Source: string(conflict.Source), Reported: string(conflict.Reported), Reason: text(conflict.Reason),
			ProviderData: providerData, At: conflict.At,
		}); err != nil {
			return err
		}
	}
	for _, call := range o.NewCalls() {
		if !call.Failed {
			continue
		}
		providerData, err := toJSONObject(call.ProviderData)
		if err != nil {
			return err
		}
		if _, err := statements.CountFailedCall(ctx, db.CountFailedCallParams{
			ShopID: o.ShopID, OrderID: o.ID, ID: c.store.orNew(call.ID), Operation: call.Operation, Outcome: call.Outcome,
			StartedAt: call.StartedAt, DurationMs: call.Duration.Milliseconds(), ProviderData: providerData,
		}); err != nil {
			return err
		}
	}
	return nil
}

// send writes everything. Whoever commits it calls committed then. The history comes before the status that it leads to.
func (c *changes) send(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	queueRows(&batch, c.shop, insertTransitions, c.transitions)
	queueRows(&batch, c.shop, updateOrders, c.orders)
	queueRows(&batch, c.shop, insertCallbacks, c.callbacks)
	queueRows(&batch, c.shop, insertCalls, c.calls)
	batch.QueuedQueries = append(batch.QueuedQueries, c.rare.batch.QueuedQueries...)
	c.waiting = nil
	if len(c.notifications) > 0 {
		batch.Queue(insertNotifications, arrays(c.notifications)...).Query(c.readWaiting)
	}
	if batch.Len() > 0 {
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
	}
	return nil
}

// committed has the notifications sent that wait for it.
func (c *changes) committed() {
	if len(c.waiting) > 0 && c.store.Deliver != nil {
		c.store.Deliver(c.waiting...)
	}
}

// readWaiting reads what became of the notifications.
func (c *changes) readWaiting(rows pgx.Rows) error {
	written := 0
	for rows.Next() {
		var key payment.Key
		var waits bool
		if err := rows.Scan(&key.Shop, &key.Order, &waits); err != nil {
			return err
		}
		written++
		if n := len(c.waiting); waits && (n == 0 || c.waiting[n-1] != key) {
			c.waiting = append(c.waiting, key)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("write notifications: %w", err)
	}
	return wantRows(written, len(c.notifications), insertNotifications)
}

// queueRows queues a statement over rows, unless there are none. It must change as many.
func queueRows[T any](batch *pgx.Batch, shop *uuid.UUID, sql string, rows []T) {
	if len(rows) == 0 {
		return
	}
	sql, args := narrowed(sql, arrays(rows), shop)
	batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		return wantRows(int(tag.RowsAffected()), len(rows), sql)
	})
}

func wantRows(changed, want int, sql string) error {
	if changed == want {
		return nil
	}
	first, _, _ := bytes.Cut([]byte(sql), []byte(" ("))
	return fmt.Errorf("a statement that must change %d rows changed %d: %s", want, changed, first)
}

// orNew returns an id, or a new one for none.
func (s *Store) orNew(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return s.NewID()
	}
	return id
}
