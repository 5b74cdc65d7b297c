package store

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// Sender takes notifications to the shops, right after the commit that wrote them. It is no promise: the promise is in the
// database.
type Sender interface {
	// Room returns for how long a delivery to an address is to be leased by the commit that writes it. Zero means that it could
	// not be sent within that time.
	Room(address string) time.Duration
	// Deliver takes deliveries that are leased, and never waits.
	Deliver(leased ...*payment.Delivery)
	// Due hears of orders with notifications that are not leased, and never waits.
	Due(keys ...payment.Key)
}

// notificationRow is a notification to be written. With a lease it goes out right after the commit, if it goes to the address
// that this process expects.
type notificationRow struct {
	ShopID      uuid.UUID  `db:"shop_id"`
	OrderID     uuid.UUID  `db:"order_id"`
	Sequence    int32      `db:"sequence"`
	ID          uuid.UUID  `db:"id"`
	Type        string     `db:"type"`
	Payload     []byte     `db:"payload"`
	Digest      []byte     `db:"digest"` // of the payload, if the order was erased: then it is sent, and not kept
	Own         string     `db:"own"`    // the order's own address, "" for the shop's
	At          time.Time  `db:"at"`
	Expected    string     `db:"expected"`
	Destination string     `db:"destination"`
	LeasedUntil *time.Time `db:"leased_until"`
}

// insertNotifications is the last statement of a transaction: the feeds' rows are locked from here to the commit, sorted by shop.
// A notification without a shop has no address, which the table refuses. A delivery is born leased if nothing of its order is undelivered, and its address is neither switched off nor failing.
var insertNotifications = `WITH said AS MATERIALIZED (
    SELECT u.*, row_number() OVER (PARTITION BY u.shop_id ORDER BY u.order_id, u.sequence) AS place,
        count(*) OVER (PARTITION BY u.shop_id) AS places, row_number() OVER (PARTITION BY u.shop_id, u.order_id ORDER BY u.sequence) AS turn
    FROM ` + rowSetOf[notificationRow]().from + `
), raised AS (
    INSERT INTO feed_positions AS p (shop_id, position) SELECT shop_id, count(*) FROM said GROUP BY shop_id ORDER BY shop_id
    ON CONFLICT (shop_id) DO UPDATE SET position = p.position + excluded.position RETURNING p.shop_id, p.position
), addressed AS MATERIALIZED (
    SELECT u.*, coalesce(nullif(u.own, ''), s.notification_url) AS url, r.position - u.places + u.place AS position, s.name
    FROM said u JOIN raised r ON r.shop_id = u.shop_id LEFT JOIN shops s ON s.id = ANY (ARRAY[u.shop_id])
), leased AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.turn = 1 AND a.url = a.expected
        AND (SELECT count(*) FROM deliveries e WHERE e.shop_id = a.shop_id AND e.order_id = a.order_id /* e of one shop */) = 0
        AND (SELECT true FROM addresses_off x WHERE x.shop_id = a.shop_id AND md5(x.url) = md5(a.url) /* x of one shop */) IS NULL
        AND (SELECT true FROM failing_destinations f WHERE f.shop_id = a.shop_id AND f.destination = a.destination /* f of one shop */) IS NULL
    THEN a.leased_until END AS until
    FROM addressed a
), written AS (
    INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, payload_digest, url, created_at, position)
    SELECT shop_id, order_id, sequence, id, type, payload, digest, url, at, position FROM leased
), waiting AS (
    INSERT INTO deliveries (shop_id, order_id, sequence, state, url, attempts, next_attempt_at, leased_until, created_at)
    SELECT shop_id, order_id, sequence, 'pending', url, CASE WHEN until IS NULL THEN 0 ELSE 1 END, at, until, at FROM leased WHERE url <> ''
)
SELECT shop_id, order_id, sequence, url, until, name FROM leased ORDER BY order_id, sequence`

// news is a notification to be written, what is sent of it, what the log calls its order's account, and what signs it if it is
// born leased.
type news struct {
	notificationRow
	payload []byte
	account string
	secrets []gateway.Secret
	allow   []string // the internal addresses that it may go to
}

// addNotifications adds one notification for each new transition. That an order was created is known to whoever created it.
func (c *changes) addNotifications(o *lockedOrder) error {
	if c.store.Render == nil {
		return nil
	}
	for _, t := range o.Transitions() {
		if t.To == payment.StatusCreated {
			continue
		}
		as := t.After
		if as == nil {
			as = o.Order
		}
		id := c.store.NewID()
		typ, payload, err := c.store.Render(as, t, id)
		if err != nil {
			return fmt.Errorf("render the notification: %w", err)
		}
		row := notificationRow{
			ShopID: o.ShopID, OrderID: o.ID, Sequence: int32(t.Sequence), ID: id, Type: typ, Payload: o.key.Seal(payload, placePayload), //nolint:gosec // a count
			Own: o.NotificationURL, At: c.store.Now(),
		}
		if o.key == nil {
			digest := sha256.Sum256(payload)
			row.Digest = digest[:]
		}
		n := news{notificationRow: row, payload: payload, account: o.AccountName}
		c.store.leaseAtBirth(&n)
		c.notifications = append(c.notifications, n)
	}
	return nil
}

// leaseAtBirth asks for a lease if the address and the shop's secrets are known and there is room.
func (s *Store) leaseAtBirth(n *news) {
	e := s.directory.current.Load()
	if s.Sender == nil || e == nil || time.Since(e.comparedAt) > directoryStale {
		return
	}
	address := n.Own
	if address == "" {
		address = e.shops[n.ShopID].NotificationURL
	}
	secrets, err := liveSecrets(e.secrets[n.ShopID], s.Now())
	if address == "" || err != nil || len(secrets) == 0 {
		return
	}
	if lease := s.Sender.Room(address); lease > 0 {
		until := n.At.Add(lease)
		n.Expected, n.Destination, n.LeasedUntil, n.secrets, n.allow = address, payment.Destination(address), &until, secrets, e.shops[n.ShopID].AllowCIDRs
	}
}

// queueNotifications queues the statement that writes notifications, if there are any.
func (c *changes) queueNotifications(batch *pgx.Batch) {
	c.born, c.waiting = nil, nil
	if len(c.notifications) == 0 {
		return
	}
	rows := make([]notificationRow, len(c.notifications))
	for i, n := range c.notifications {
		rows[i] = n.notificationRow
	}
	sql, args := narrowed(insertNotifications, arrays(rows), c.shop)
	batch.Queue(sql, args...).Query(c.readWritten)
}

// readWritten reads what became of the notifications.
func (c *changes) readWritten(rows pgx.Rows) error {
	type place struct {
		payment.Key
		sequence int32
	}
	byPlace := make(map[place]*news, len(c.notifications))
	for i := range c.notifications {
		n := &c.notifications[i]
		byPlace[place{payment.Key{Shop: n.ShopID, Order: n.OrderID}, n.Sequence}] = n
	}
	for rows.Next() {
		var p place
		var until *time.Time
		d := &payment.Delivery{Attempt: 1}
		if err := rows.Scan(&p.Shop, &p.Order, &p.sequence, &d.URL, &until, &d.Shop); err != nil {
			return err
		}
		n := byPlace[p]
		if n == nil {
			return fmt.Errorf("a notification was written of which nobody knows: %d of order %s", p.sequence, p.Order)
		}
		if until != nil {
			d.Key, d.Sequence, d.LeasedUntil = p.Key, int(p.sequence), until.UTC()
			d.AllowCIDRs = n.allow
			d.ID, d.Account, d.Payload, d.CreatedAt, d.Secrets = n.ID, n.account, n.payload, n.At, n.secrets
			c.born = append(c.born, d)
		} else if w := len(c.waiting); d.URL != "" && (w == 0 || c.waiting[w-1] != p.Key) {
			c.waiting = append(c.waiting, p.Key)
		}
	}
	return rows.Err()
}

// committed has the notifications sent that wait for it.
func (c *changes) committed() {
	if c.store.Sender == nil {
		return
	}
	if len(c.born) > 0 {
		c.store.Sender.Deliver(c.born...)
	}
	if len(c.waiting) > 0 {
		c.store.Sender.Due(c.waiting...)
	}
}
