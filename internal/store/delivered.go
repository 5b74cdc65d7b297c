package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/payment"
)

// deliveredRow is a delivery that the shop has taken.
type deliveredRow struct {
	ShopID      uuid.UUID `db:"shop_id"`
	OrderID     uuid.UUID `db:"order_id"`
	Sequence    int32     `db:"sequence"`
	Attempt     int32     `db:"attempt"`
	At          time.Time `db:"at"`
	DurationMs  int64     `db:"duration_ms"`
	HTTPStatus  int32     `db:"http_status"`
	MovedTo     string    `db:"moved_to"`
	Destination string    `db:"destination"`
	SettledAt   time.Time `db:"settled_at"`
}

func (r *deliveredRow) key() payment.Key { return payment.Key{Shop: r.ShopID, Order: r.OrderID} }

// afterDelivery is what is to be done when a delivery is settled.
type afterDelivery struct {
	more    bool // the order has another one
	failing bool // attempts at the destination failed before
}

// settleDelivered writes attempts that were taken, and settles their notifications, of each order one. Whoever says so is right, also
// after the lease has gone to somebody else, or after another answer to the same attempt. What waited behind one is due. No state is
// named, lest the plan read the whole index of pending ones.
var settleDelivered = `WITH u AS MATERIALIZED (SELECT ` + selected(rowSetOf[deliveredRow]()) + ` FROM ` + rowSetOf[deliveredRow]().from + `), attempted AS (
    INSERT INTO notification_attempts AS a (shop_id, order_id, sequence, attempt, at, duration_ms, http_status, moved_to)
    SELECT shop_id, order_id, sequence, attempt, at, duration_ms, http_status, moved_to FROM u ORDER BY shop_id, order_id
    ON CONFLICT (shop_id, order_id, sequence, attempt) DO UPDATE SET at = excluded.at, http_status = excluded.http_status, error = ''
    WHERE a.error <> ''
), behind AS (
    UPDATE deliveries b SET next_attempt_at = u.settled_at FROM u
    WHERE ` + keyed("b", "shop_id", "order_id") + ` AND b.sequence > u.sequence AND b.state NOT IN ('dead_lettered', 'held') AND b.attempts = b.attempts_before
        AND b.next_attempt_at > u.settled_at /* b of one shop */
), settled AS (
    DELETE FROM deliveries d USING u WHERE ` + keyed("d", "shop_id", "order_id", "sequence") + ` /* d of one shop */
    RETURNING d.shop_id, d.order_id, d.sequence
)
SELECT u.shop_id, u.order_id,
    (SELECT count(*) > 0 FROM deliveries m WHERE m.shop_id = u.shop_id AND m.order_id = u.order_id AND m.sequence <> u.sequence AND m.state NOT IN ('dead_lettered', 'held') /* m of one shop */) AS more,
    (SELECT true FROM failing_destinations f WHERE f.shop_id = u.shop_id AND f.destination = u.destination /* f of one shop */) IS NOT NULL AS failing
FROM u JOIN settled USING (shop_id, order_id, sequence)`

// queueDelivered queues the statement that settles deliveries, if there are any.
func queueDelivered(q *pgx.Batch, shop *uuid.UUID, rows []deliveredRow, writes map[payment.Key]*write) {
	if len(rows) == 0 {
		return
	}
	sql, args := narrowed(settleDelivered, arrays(rows), shop)
	q.Queue(sql, args...).Query(func(found pgx.Rows) error {
		for found.Next() {
			var key payment.Key
			var after afterDelivery
			if err := found.Scan(&key.Shop, &key.Order, &after.more, &after.failing); err != nil {
				return err
			}
			if w := writes[key]; w != nil {
				w.done, w.after = true, after
			}
		}
		return found.Err()
	})
}

// delivered settles a notification that the shop has taken, in a commit that it may share. The first success at a destination that
// failed wakes what waits for it, in a transaction of its own: if that is lost, the next success does it.
func (s *Store) delivered(ctx context.Context, d *payment.Delivery, a payment.Attempt) (more bool, err error) {
	row, destination := attemptRow(d, a), payment.Destination(d.URL)
	w := write{doing: "finish a delivery", delivered: &deliveredRow{
		ShopID: row.ShopID, OrderID: row.OrderID, Sequence: row.Sequence, Attempt: row.Attempt, At: row.At, DurationMs: row.DurationMs,
		HTTPStatus: row.HttpStatus, MovedTo: row.MovedTo, Destination: destination, SettledAt: s.Now(),
	}}
	err = s.commit(ctx, &w)
	if errors.Is(err, errAlone) {
		err = s.commitAlone(ctx, &w)
	}
	if err != nil || !w.after.failing {
		return w.after.more, err
	}
	return w.after.more, s.write(ctx, "wake what waits for a destination", func(ctx context.Context, tx pgx.Tx) error {
		return s.recovered(ctx, tx, d.Key.Shop, destination)
	})
}

// leaseRow names a lease.
type leaseRow struct {
	ShopID   uuid.UUID `db:"shop_id"`
	OrderID  uuid.UUID `db:"order_id"`
	Sequence int32     `db:"sequence"`
	Attempt  int32     `db:"attempt"`
}

// returnDeliveries gives up leases, unless somebody else has a newer one.
var returnDeliveries = `UPDATE deliveries d SET leased_until = NULL, attempts = d.attempts - 1 FROM ` + rowSetOf[leaseRow]().from + `
WHERE ` + keyed("d", "shop_id", "order_id", "sequence") + ` AND d.attempts = u.attempt
    AND d.state = 'pending' AND d.leased_until IS NOT NULL`

// ReturnDeliveries gives up leases under which nothing was sent: their deliveries are due again, and no attempt is counted.
func (s *Store) ReturnDeliveries(ctx context.Context, leased []*payment.Delivery) error {
	rows := make([]leaseRow, len(leased))
	for i, d := range leased {
		rows[i] = leaseRow{d.Key.Shop, d.Key.Order, int32(d.Sequence), int32(d.Attempt)} //nolint:gosec // counts
	}
	return s.retry(ctx, s.Limit, "return deliveries", func(ctx context.Context, conn *pgxpool.Conn) error { // one statement is a transaction of its own
		_, err := conn.Exec(ctx, returnDeliveries, arrays(rows)...)
		return err
	})
}
