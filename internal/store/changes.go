package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// The statements that write any number of rows.
var (
	insertTransitions = rowSetOf[db.InsertTransitionParams]().insert("order_transitions")
	insertCallbacks   = rowSetOf[db.InsertCallbackParams]().insert("callbacks")
	// The database itself counts the rows: the commit may be sent along.
	updateOrders = func() string {
		s := rowSetOf[db.UpdateOrderParams]()
		return "WITH changed AS (UPDATE orders o SET " + s.without("shop_id", "id", "loaded_sequence").assignments() + " FROM " + s.from +
			" WHERE " + keyed("o", "shop_id", "id") + " AND o.sequence = u.loaded_sequence /* o of one shop */ RETURNING 1) " +
			"SELECT CASE WHEN count(*) <> cardinality($1::text[]) THEN violated('orders_changed', 'an order is not as it was when it was read')::text END FROM changed"
	}()
	insertCalls = func() string {
		s := rowSetOf[db.InsertCallParams]()
		s.names, s.picks = append(s.names, "last_at"), append(s.picks, "u.started_at")
		return s.insert("provider_calls")
	}()
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
	notifications []news
	answers       []db.FinishIdempotencyKeyParams // to claims on keys
	answered      map[uuid.UUID]*write            // by the claim's owner
	ended         []*payment.Order                // that moved no money
	late          queue                           // orders for money that nobody asked for here, as they begin
	rare          queue
	born          []*payment.Delivery // to be sent after the commit, known after send, like waiting
	waiting       []payment.Key       // orders with a notification that is not leased
}

// add gathers what an order gathered since it was loaded. An error adds nothing.
func (c *changes) add(ctx context.Context, o *lockedOrder) error {
	own := changes{store: c.store}
	if err := errors.Join(own.addChange(ctx, o), own.addCalls(o), own.addNotifications(o)); err != nil {
		return err
	}
	if o.EndsWithoutMoney() && c.store.counts() {
		c.ended = append(c.ended, o.Order)
	}
	c.orders, c.transitions, c.calls, c.notifications = append(c.orders, own.orders...), append(c.transitions, own.transitions...),
		append(c.calls, own.calls...), append(c.notifications, own.notifications...)
	if err := c.addLate(ctx, o); err != nil {
		return err
	}
	if err := c.addRare(ctx, o); err != nil {
		return err
	}
	return c.addPayment(ctx, o)
}

// addChange adds an order's new transitions, and its row if that changes.
func (c *changes) addChange(ctx context.Context, o *lockedOrder) error {
	after, err := changeable(o.Order)
	if err != nil || reflect.DeepEqual(o.before, after) && len(o.NewEndedAttempts()) == 0 { // a transition changes the row, another account its seal
		return err
	}
	sealOrder(&after, o.key)
	after.LoadedSequence = o.row.Sequence
	_, chain, err := c.store.endedAttempts(ctx, o)
	if err != nil {
		return err
	}
	if c.transitions, after.Chain, err = c.store.transitions(ctx, chain, o.key, o.Order); err != nil {
		return err
	}
	sealer, err := c.store.sealer(ctx)
	if err != nil {
		return err
	}
	after.Seal = sealer.Seal(sealedOrder(o.Order, after.Chain))
	c.orders = []db.UpdateOrderParams{after}
	return nil
}

func (c *changes) addCalls(o *lockedOrder) error {
	for _, call := range o.NewCalls() {
		if call.Failed {
			continue
		}
		providerData, err := sealData(o.key, call.ProviderData, placeCall)
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

// addRare adds the parent's sums, contradictions, the run of a mandate's schedule, and questions that failed: one that failed as the one before it did becomes
// part of that one's row.
func (c *changes) addRare(ctx context.Context, o *lockedOrder) error {
	statements := db.New(&c.rare)
	if reserved, refunded := o.ParentDelta(); reserved != 0 || refunded != 0 {
		if o.parent == nil {
			return errors.New("the order has no parent whose sums could change")
		}
		if err := c.store.moveParent(ctx, statements, o.parent, o.Order, reserved, refunded); err != nil {
			return err
		}
	}
	if err := c.addDisputes(ctx, statements, o.Order); err != nil {
		return err
	}
	if err := errors.Join(c.store.moveOrder(ctx, statements, o), runSchedule(ctx, statements, o.Order)); err != nil {
		return err
	}
	for _, conflict := range o.NewConflicts() {
		providerData, err := sealData(o.key, conflict.ProviderData, placeConflict)
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
		providerData, err := sealData(o.key, call.ProviderData, placeCall)
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

// send writes everything. Whoever commits it calls committed then.
func (c *changes) send(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	c.queue(&batch)
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// sendAndCommit writes everything and commits it in one round trip, on a connection whose transaction has begun. The first
// statement that fails ends the transaction, and no later one is done, the commit included. What is rare is counted here, and so
// has a round trip before the commit.
func (c *changes) sendAndCommit(ctx context.Context, conn *pgxpool.Conn) error {
	var batch pgx.Batch
	c.queue(&batch)
	if c.rare.batch.Len() > 0 {
		if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		batch = pgx.Batch{}
	}
	batch.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return fmt.Errorf("%w: the database answered a commit with %s", errUnwritten, tag)
		}
		return nil
	})
	return conn.SendBatch(ctx, &batch).Close()
}

// queue queues what is to be written. The history comes before the status that it leads to.
func (c *changes) queue(batch *pgx.Batch) {
	batch.QueuedQueries = append(batch.QueuedQueries, c.late.batch.QueuedQueries...)
	queueRows(batch, c.shop, insertTransitions, c.transitions)
	queueRows(batch, c.shop, updateOrders, c.orders)
	queueRows(batch, c.shop, insertCallbacks, c.callbacks)
	queueRows(batch, c.shop, insertCalls, c.calls)
	queueMarked(batch, c.shop, finishKeys, c.answers, c.answered)
	batch.QueuedQueries = append(batch.QueuedQueries, c.rare.batch.QueuedQueries...)
	c.queueNotifications(batch)
	c.queueReleases(batch)
}

// queueReleases takes orders that moved no money out of their limits, last: what it locks, every other order waits for.
func (c *changes) queueReleases(batch *pgx.Batch) {
	if len(c.ended) == 0 {
		return
	}
	var shops, ids []uuid.UUID
	var declined []bool
	for _, o := range c.ended {
		shops, ids, declined = append(shops, o.ShopID), append(ids, o.ID), append(declined, o.DeclinedByIssuer())
	}
	batch.Queue(db.ReleaseLimits, shops, ids, declined, c.store.Now())
}

// queueRows queues a statement over rows, unless there are none. It changes as many, or fails.
func queueRows[T any](batch *pgx.Batch, shop *uuid.UUID, sql string, rows []T) {
	if len(rows) > 0 {
		sql, args := narrowed(sql, arrays(rows), shop)
		batch.Queue(sql, args...)
	}
}

// orNew returns an id, or a new one for none.
func (s *Store) orNew(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return s.NewID()
	}
	return id
}
