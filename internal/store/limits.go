package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// reserveLimits is not generated: sqlc does not know what columns a function returns.
const reserveLimits = "SELECT limit_id, used_amount::text, used_orders, free_at FROM reserve_limits($1::uuid, $2::uuid, $3::uuid[], $4::bigint, $5::bytea, $6::timestamptz)"

// limitRow is a limit that an order goes beyond.
type limitRow struct {
	LimitID    uuid.UUID  `db:"limit_id"`
	UsedAmount string     `db:"used_amount"`
	UsedOrders int64      `db:"used_orders"`
	FreeAt     *time.Time `db:"free_at"`
}

// counting is what a new order is counted with. Without limits there is nothing of it, and the order may share its commit.
type counting struct {
	store *Store
	// limits are those that have bounds.
	limits map[uuid.UUID]payment.Limit
	// duplicate asks about an order that looks like another one, nil if nothing does.
	duplicate *payment.Limit
	// approval has the order wait for an operator, nil if nothing does.
	approval *payment.Limit
	// paused says that the order is a direct card payment of a shop that was paused.
	paused bool
	hits   []payment.LimitHit // of the last try
}

// countingOf returns what an order is counted with. The directory knows, so it costs nothing where no limit is set.
func (s *Store) countingOf(ctx context.Context, o *payment.Order) (*counting, error) {
	c := &counting{store: s}
	e, err := s.entries(ctx)
	if err != nil || len(e.limits)+len(e.paused) == 0 || !o.Begins() {
		return c, err
	}
	c.paused = o.CardFingerprint != nil && e.paused[o.ShopID]
	keyID := payment.KeyIDOf(ctx)
	for _, l := range e.limits {
		if l.Concerns(o, keyID) {
			c.add(l, o)
		}
	}
	return c, nil
}

func (c *counting) add(l payment.Limit, o *payment.Order) {
	switch l.Rule {
	case payment.LimitDuplicate:
		if o.Fingerprint != nil && (c.duplicate == nil || l.Enforced) {
			c.duplicate = &l
		}
	case payment.LimitApproval:
		if o.Amount.Minor() > l.Amount && (c.approval == nil || l.Enforced) {
			c.approval = &l
		}
	case payment.LimitCardDeclines:
		if o.CardFingerprint == nil {
			return
		}
		c.bound(l)
	case payment.LimitOrder, payment.LimitMinimum, payment.LimitHour, payment.LimitDay, payment.LimitDeclines, payment.LimitPause:
		c.bound(l)
	}
}

// bound adds a limit that has bounds.
func (c *counting) bound(l payment.Limit) {
	if c.limits == nil {
		c.limits = map[uuid.UUID]payment.Limit{}
	}
	c.limits[l.ID] = l
}

// any reports whether anything is asked about the order.
func (c *counting) any() bool {
	return len(c.limits) > 0 || c.duplicate != nil || c.approval != nil || c.paused
}

// admit asks everything that is asked about an order that was just inserted, and counts it. It is the last thing before the commit.
func (c *counting) admit(ctx context.Context, tx pgx.Tx, o *payment.Order) error {
	c.hits = nil
	if c.paused {
		return payment.CardPaymentsPaused()
	}
	q := db.New(tx)
	if err := c.claim(ctx, q, o); err != nil {
		return err
	}
	if err := c.reserve(ctx, tx, o); err != nil {
		return err
	}
	return c.useApproval(ctx, q, o)
}

// reserve counts an order with its limits.
func (c *counting) reserve(ctx context.Context, tx pgx.Tx, o *payment.Order) error {
	if len(c.limits) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(c.limits))
	for id := range c.limits {
		ids = append(ids, id)
	}
	now := c.store.Now()
	card := o.CardFingerprint
	if card == nil {
		card = []byte{}
	}
	found, err := tx.Query(ctx, reserveLimits, o.ShopID, o.ID, ids, o.Amount.Minor(), card, now)
	if err != nil {
		return err
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByName[limitRow])
	if err != nil {
		return err
	}
	var enforced []payment.LimitHit
	for _, r := range rows {
		hit := payment.LimitHit{
			Limit: c.limits[r.LimitID], Shop: o.ShopID, At: now, UsedAmount: wholeOf(r.UsedAmount), UsedOrders: r.UsedOrders, FreeAt: utc(r.FreeAt),
		}
		if hit.Rule == payment.LimitPause && o.CardFingerprint == nil {
			continue // a form of the provider is not paused
		}
		c.hits = append(c.hits, hit)
		if hit.Enforced {
			enforced = append(enforced, hit)
		}
	}
	if len(enforced) > 0 {
		return payment.LimitExceeded(enforced)
	}
	return nil
}

// errNotCounted takes back what was counted.
var errNotCounted = errors.New("the order is not counted")

// CheckLimits implements payment.Store: it counts the order, and takes that back.
func (s *Store) CheckLimits(ctx context.Context, o *payment.Order) error {
	c, err := s.countingOf(ctx, o)
	switch {
	case err != nil:
		return err
	case c.paused:
		return payment.CardPaymentsPaused()
	case len(c.limits) == 0:
		return nil
	}
	err = s.write(ctx, "check limits", func(ctx context.Context, tx pgx.Tx) error {
		if err := c.reserve(ctx, tx, o); err != nil {
			return err
		}
		return errNotCounted
	})
	if errors.Is(err, errNotCounted) {
		return nil
	}
	return err
}

// claim refuses an order that looks like another one, unless it is meant.
func (c *counting) claim(ctx context.Context, q *db.Queries, o *payment.Order) error {
	if c.duplicate == nil {
		return nil
	}
	now := c.store.Now()
	n, err := q.ClaimFingerprint(ctx, db.ClaimFingerprintParams{
		ShopID: o.ShopID, Fingerprint: o.Fingerprint, OrderID: o.ID, At: now, Old: now.Add(-payment.DuplicateWindow(o.Kind)),
	})
	if err != nil || n > 0 {
		return err
	}
	other, err := newestWithMoney(ctx, q, o)
	if err == nil && other == uuid.Nil {
		return q.InheritFingerprint(ctx, db.InheritFingerprintParams{ShopID: o.ShopID, Fingerprint: o.Fingerprint, OrderID: o.ID, At: now})
	}
	if err != nil {
		return err
	}
	allowed := o.AllowDuplicate || !c.duplicate.Enforced
	if allowed {
		err = q.JoinFingerprint(ctx, db.JoinFingerprintParams{ShopID: o.ShopID, Fingerprint: o.Fingerprint, OrderID: o.ID, At: now})
	}
	if err != nil || o.AllowDuplicate {
		return err
	}
	c.hits = append(c.hits, payment.LimitHit{Limit: *c.duplicate, Shop: o.ShopID, DuplicateOf: other})
	if allowed {
		return nil
	}
	return payment.PossibleDuplicate(o.Kind, other)
}

// newestWithMoney returns the newest order that asked for the same and may have moved money, uuid.Nil for none.
func newestWithMoney(ctx context.Context, q *db.Queries, o *payment.Order) (uuid.UUID, error) {
	same, err := q.FingerprintOrders(ctx, db.FingerprintOrdersParams{ShopID: o.ShopID, Fingerprint: o.Fingerprint})
	if err != nil {
		return uuid.Nil, err
	}
	without, err := q.OrdersWithoutMoney(ctx, db.OrdersWithoutMoneyParams{ShopID: o.ShopID, Orders: same})
	if err != nil {
		return uuid.Nil, err
	}
	for _, id := range same {
		if !slices.Contains(without, id) {
			return id, nil
		}
	}
	return uuid.Nil, nil
}

// tell tells of the limits that the order went beyond, once it is known what became of it.
func (c *counting) tell(ctx context.Context) {
	if c.store.LimitHit == nil {
		return
	}
	for _, hit := range c.hits {
		c.store.LimitHit(ctx, hit)
	}
}

// wholeOf reads a sum of sums. One that no order could have is shown as the largest.
func wholeOf(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 1<<63 - 1
	}
	return n
}

// counts reports whether an order may have been counted with a limit. If nobody knows, it may.
func (s *Store) counts() bool {
	e := s.directory.current.Load()
	return e == nil || len(e.limits) > 0
}

func limitOf(r db.Limit) payment.Limit {
	return payment.Limit{
		ID: r.ID, Scope: payment.LimitScope(r.Scope), ObjectID: r.ObjectID, Kind: gateway.Kind(r.Kind), Currency: money.Currency(r.Currency),
		Rule: payment.LimitRule(r.Rule), Amount: valueOf(r.Amount), Orders: valueOf(r.Orders), Enforced: r.Mode == modeEnforce,
	}
}

func valueOf(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

const (
	modeEnforce = "enforce"
	modeObserve = "observe"
)

func modeOf(l payment.Limit) string {
	if l.Enforced {
		return modeEnforce
	}
	return modeObserve
}

// allLimits are the limits as the directory keeps them.
func allLimits(ctx context.Context, q *db.Queries) ([]payment.Limit, error) {
	rows, err := q.Limits(ctx)
	list := make([]payment.Limit, len(rows))
	for i, r := range rows {
		list[i] = limitOf(r)
	}
	return list, err
}

// NamedLimit is a limit with the name of its shop or account, or the id of its key, as operators say it.
type NamedLimit struct {
	payment.Limit
	Name string
	// UsedAmount and UsedOrders are used of it now.
	UsedAmount, UsedOrders int64
}

// Limits lists the limits that operators have set.
func (s *Store) Limits(ctx context.Context) (list []NamedLimit, err error) {
	err = s.read(ctx, "list limits", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.NamedLimits(ctx, s.Now())
		for _, r := range rows {
			list = append(list, NamedLimit{limitOf(db.Limit{
				ID: r.ID, Scope: r.Scope, ObjectID: r.ObjectID, Kind: r.Kind, Currency: r.Currency, Rule: r.Rule, Amount: r.Amount, Orders: r.Orders, Mode: r.Mode,
			}), r.Name, wholeOf(r.UsedAmount), r.UsedOrders})
		}
		return err
	})
	return list, err
}

// SetLimit sets a limit, or changes its sums and its mode. What was counted with it stays.
func (s *Store) SetLimit(ctx context.Context, to NamedLimit) error {
	return s.changeLimit(ctx, "set a limit", to, func(q *db.Queries, p db.SetLimitParams, before *db.Limit) (act, error) {
		done := act{action: "limit set", after: limitFacts(to.Limit)}
		if before != nil {
			done.before = limitFacts(limitOf(*before))
		}
		_, err := q.SetLimit(ctx, p)
		return done, err
	})
}

// RemoveLimit takes a limit away, with what was counted.
func (s *Store) RemoveLimit(ctx context.Context, which NamedLimit) error {
	return s.changeLimit(ctx, "remove a limit", which, func(q *db.Queries, _ db.SetLimitParams, before *db.Limit) (act, error) {
		if before == nil {
			return act{}, &payment.Error{Code: payment.CodeNotFound, Message: "No such limit was set. 'server limit list' names those that are."}
		}
		_, err := q.RemoveLimit(ctx, before.ID)
		return act{action: "limit remove", before: limitFacts(limitOf(*before)), after: map[string]any{"removed": true}}, err
	})
}

// changeLimit finds what a limit is of and how it was before, and has it changed.
func (s *Store) changeLimit(ctx context.Context, doing string, l NamedLimit, change func(*db.Queries, db.SetLimitParams, *db.Limit) (act, error)) error {
	return s.act(ctx, doing, limitOwnerOf(l), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, of, err := s.limited(ctx, q, l)
		if err != nil {
			return act{}, err
		}
		p := db.SetLimitParams{
			ID: s.NewID(), Scope: string(l.Scope), ObjectID: id, Kind: string(l.Kind), Currency: string(l.Currency), Rule: string(l.Rule),
			Amount: orNull(l.Amount), Orders: orNull(l.Orders), Mode: modeOf(l.Limit),
		}
		rows, err := q.LimitBefore(ctx, db.LimitBeforeParams{Scope: p.Scope, ObjectID: p.ObjectID, Kind: p.Kind, Currency: p.Currency, Rule: p.Rule})
		if err != nil {
			return act{}, err
		}
		var before *db.Limit
		if len(rows) > 0 {
			before = &rows[0]
		}
		done, err := change(q, p, before)
		done.kind, done.object, done.shop = of.kind, of.object, of.shop
		return done, err
	})
}

// limitOwnerOf finds whose rows a limit is among.
func limitOwnerOf(l NamedLimit) ownerOf {
	switch l.Scope {
	case payment.LimitShop:
		return shopNamed(l.Name)
	case payment.LimitKey:
		return shopOfKey(l.Name)
	case payment.LimitAccount:
		return accountNamed(l.Name)
	case payment.LimitGlobal:
	}
	return nobody
}

// limited locks what a limit is of. It returns the id that orders name it by, and what the audit log names.
func (s *Store) limited(ctx context.Context, q *db.Queries, l NamedLimit) (id string, of act, err error) {
	switch l.Scope {
	case payment.LimitGlobal:
		return "", act{kind: "limits", object: string(payment.LimitGlobal)}, nil
	case payment.LimitShop:
		owner, err := lockShop(ctx, q, l.Name)
		return owner.String(), act{kind: "shop", object: l.Name, shop: l.Name}, err
	case payment.LimitKey:
		key, err := q.LockKey(ctx, text(l.Name))
		if errors.Is(err, pgx.ErrNoRows) {
			err = &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("There is no key %q. 'server key list' shows all.", l.Name)}
		}
		return l.Name, act{kind: "key", object: l.Name, shop: key.Shop}, err
	case payment.LimitAccount:
		account, err := s.lockAccount(ctx, q, l.Name)
		return account.ID.String(), act{kind: "account", object: l.Name}, err
	}
	return "", act{}, fmt.Errorf("no scope of a limit: %s", l.Scope)
}

func limitFacts(l payment.Limit) map[string]any {
	return map[string]any{"kind": l.Kind, "currency": l.Currency, "rule": l.Rule, "amount": l.Amount, "orders": l.Orders, "mode": modeOf(l)}
}
