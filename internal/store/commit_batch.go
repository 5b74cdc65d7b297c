package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// byIndex has rows found by index also while the planner takes the tables for small: a plan that reads a whole table could be
// kept until the table is large. One plan is made of each statement: those for the rows at hand look cheaper, and cost more to make.
// On Citus a plan needs the shop's value to name the shard. It holds until the end of the transaction, also of one that is not begun
// by name.
func (b *batch) byIndex() string {
	plans := "force_generic_plan"
	if b.shop != nil {
		plans = "force_custom_plan"
	}
	return "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', '" + plans + "', true)"
}

// errUnwritten marks an error that the service found itself, before the commit.
var errUnwritten = errors.New("nothing was written")

// The statements of a batch's first round trip. None of them waits for a row that somebody has locked.
var (
	claimKeys = func() string {
		s := rowSetOf[db.ClaimIdempotencyKeyParams]()
		s.names[indexOf(s.names, "now")] = "created_at"
		return s.insert("idempotency_keys") + " ORDER BY u.shop_id, u.key ON CONFLICT (shop_id, key) DO NOTHING RETURNING owner"
	}()
	finishKeys = func() string {
		s := rowSetOf[db.FinishIdempotencyKeyParams]()
		return "UPDATE idempotency_keys k SET " + s.without("shop_id", "key", "owner").assignments() + " FROM " + s.from +
			" WHERE " + keyed("k", "shop_id", "key") + " AND k.owner = u.owner AND k.status IS NULL /* k of one shop */ RETURNING k.owner"
	}()
	// A reference that is taken, by a row or by another in the same statement, leaves its order out. Citus takes one part after the
	// other: the history comes before the order.
	insertOrders = func() string {
		all := rowSetOf[db.InsertOrderParams]()
		own := all.without("source", "provider_data", "at", "key_id")
		return `WITH u AS MATERIALIZED (SELECT ` + selected(all) + ` FROM ` + all.from + `), r AS (
    INSERT INTO order_references (shop_id, kind, reference, order_id, key_id, parent_id) SELECT shop_id, kind, reference, id, key_id, parent_id FROM u ORDER BY reference, shop_id, kind
    ON CONFLICT (reference, shop_id, kind) DO NOTHING RETURNING order_id
), t AS (
    INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at, captured, refunded, chain)
    SELECT u.shop_id, u.id, u.sequence, '', u.status, u.source, u.provider_data, u.at, u.amount_captured, u.amount_refunded, u.chain FROM u JOIN r ON r.order_id = u.id
), o AS (
    INSERT INTO orders (` + strings.Join(own.names, ", ") + `) SELECT u.` + strings.Join(own.names, ", u.") + ` FROM u JOIN r ON r.order_id = u.id
)
SELECT order_id FROM r`
	}()
	// A refund's payment is locked before the refund, which a batch does not do.
	lockOrders = func() string {
		columns, _, _ := strings.Cut(orderQuery, "FROM orders")
		return columns + `FROM (
    SELECT k.shop, k.of FROM unnest($1::uuid[], $2::uuid[]) AS k(shop, of)
    UNION SELECT c.shop_id, c.id FROM unnest($3::uuid[], $4::text[]) AS u(shop, provider_order_id)
    JOIN orders c ON ` + keyed("c", "provider_order_id") + ` AND (u.shop IS NULL OR c.shop_id = u.shop) /* c of one shop */
) AS u JOIN orders ON orders.shop_id = ANY (ARRAY[u.shop]) AND orders.id = u.of /* orders of one shop */
WHERE kind <> 'refund' ORDER BY u.shop, u.of FOR NO KEY UPDATE OF orders SKIP LOCKED`
	}()
)

const keptCallbacks = `SELECT c.dedupe_key, c.verdict FROM callback_keys c WHERE c.dedupe_key = ANY($1::bytea[]) /* c of one shop */`

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	panic("store: no column " + name)
}

// selected reads the columns of rows under their own names.
func selected(s rowSet) string {
	list := make([]string, len(s.names))
	for i, name := range s.names {
		list[i] = s.picks[i] + " AS " + name
	}
	return strings.Join(list, ", ")
}

// batch is writes that share a commit.
type batch struct {
	store  *Store
	shop   *uuid.UUID // set if all writes must be of one shop
	writes []*write
	rows   map[payment.Key]*db.Order // locked, by key
	kept   map[string]*keptVerdict
	used   map[payment.Key]bool // orders that a write of this batch is about
}

// commitBatch does writes in one transaction: in one round trip if none of them has an order to judge, else in two. A write that
// has to go alone has errAlone as its error; any other error of it is its own. An error of the batch means that none was done, or
// that nobody knows.
func (s *Store) commitBatch(ctx context.Context, conn *pgxpool.Conn, writes []*write) (err error) {
	b := batch{store: s, shop: s.oneShop(writes[0].shop()), writes: writes, rows: map[payment.Key]*db.Order{}, kept: map[string]*keptVerdict{}, used: map[payment.Key]bool{}}
	if !b.judges() { // statements that are sent together are a transaction
		var only pgx.Batch
		b.queueRows(&only)
		if err := conn.SendBatch(ctx, &only).Close(); err != nil {
			return err
		}
		faultpoint.Hit("batch-committed")
		return nil
	}
	defer func() {
		if err != nil {
			_, _ = conn.Exec(context.WithoutCancel(ctx), "rollback") // of a broken connection nothing is needed
		}
	}()
	var first pgx.Batch
	first.Queue("begin")
	b.queueRows(&first)
	b.queueLocks(&first)
	if err := conn.SendBatch(ctx, &first).Close(); err != nil {
		return err
	}
	faultpoint.Hit("batch-claimed")
	all, err := b.judgeAll(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnwritten, err)
	}
	faultpoint.Hit("batch-judged")
	if err := all.sendAndCommit(ctx, conn); err != nil {
		return err
	}
	faultpoint.Hit("batch-committed")
	all.committed()
	return nil
}

// judges reports whether a write of the batch has an order to judge.
func (b *batch) judges() bool {
	return slices.ContainsFunc(b.writes, func(w *write) bool { return w.update != nil || w.callback != nil })
}

// judgeAll has all orders judged and gathers what is to be written.
func (b *batch) judgeAll(ctx context.Context) (*changes, error) {
	all := changes{store: b.store, shop: b.shop, answered: map[uuid.UUID]*write{}}
	for _, w := range b.writes {
		if w.update == nil && w.callback == nil {
			continue
		}
		if err := b.judge(ctx, w, &all); err != nil {
			return nil, err
		}
	}
	return &all, nil
}

// queueRows queues what needs no judging: claims on keys, answers, new orders, deliveries.
func (b *batch) queueRows(q *pgx.Batch) {
	claims, finishes, orders := map[uuid.UUID]*write{}, map[uuid.UUID]*write{}, map[uuid.UUID]*write{}
	var claimed []db.ClaimIdempotencyKeyParams
	var finished []db.FinishIdempotencyKeyParams
	var inserted []db.InsertOrderParams
	delivered := map[payment.Key]*write{}
	var settled []deliveredRow
	for _, w := range b.writes {
		switch {
		case w.claim != nil:
			claimed, claims[w.claim.Owner] = append(claimed, *w.claim), w
		case w.finish != nil:
			finished, finishes[w.finish.Owner] = append(finished, *w.finish), w
		case w.delivered != nil:
			settled, delivered[w.delivered.key()] = append(settled, *w.delivered), w
		case w.insert != nil:
			inserted, orders[w.insert.ID] = append(inserted, *w.insert), w
		}
	}
	q.Queue(b.byIndex())
	queueMarked(q, b.shop, claimKeys, claimed, claims)
	queueMarked(q, b.shop, finishKeys, finished, finishes)
	queueMarked(q, b.shop, insertOrders, inserted, orders)
	queueDelivered(q, b.shop, settled, delivered)
}

// queueMarked queues a statement over rows, which returns the ids of those that found their place.
func queueMarked[T any](q *pgx.Batch, shop *uuid.UUID, sql string, rows []T, writes map[uuid.UUID]*write) {
	if len(rows) == 0 {
		return
	}
	sql, args := narrowed(sql, arrays(rows), shop)
	q.Queue(sql, args...).Query(func(found pgx.Rows) error {
		ids, err := pgx.CollectRows(found, pgx.RowTo[uuid.UUID])
		for _, id := range ids {
			if w := writes[id]; w != nil {
				w.done = true
			}
		}
		return err
	})
}

// queueLocks queues the locks of the orders to be judged, and then the question which callbacks were kept before: it sees what
// was committed by whoever had a lock before.
func (b *batch) queueLocks(q *pgx.Batch) {
	var shops, ids []uuid.UUID
	var callbackShops []*uuid.UUID
	var names []string
	var keys [][]byte
	for _, w := range b.writes {
		switch {
		case w.update != nil:
			shops, ids = append(shops, w.update.Shop), append(ids, w.update.Order)
		case w.callback != nil:
			names, keys = append(names, text(w.callback.ProviderOrderID)), append(keys, w.callback.DedupeKey)
			callbackShops = append(callbackShops, w.callbackShop)
		}
	}
	sql, args := narrowed(lockOrders, []any{shops, ids, callbackShops, names}, b.shop)
	q.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[db.Order])
		for _, row := range found {
			b.rows[payment.Key{Shop: row.ShopID, Order: row.ID}] = row
		}
		return err
	})
	if len(names) > 0 {
		sql, args := narrowed(keptCallbacks, []any{keys}, b.shop)
		q.Queue(sql, args...).Query(b.readKept)
	}
}

func (b *batch) readKept(rows pgx.Rows) error {
	for rows.Next() {
		var key []byte
		var kept keptVerdict
		if err := rows.Scan(&key, &kept.Verdict); err != nil {
			return err
		}
		b.kept[string(key)] = &kept
	}
	return rows.Err()
}

// judge has an order judged and gathers what is to be written. An error is the batch's; the write's own is in it.
func (b *batch) judge(ctx context.Context, w *write, all *changes) error {
	if w.callback != nil {
		if w.kept = b.kept[string(w.callback.DedupeKey)]; w.kept != nil {
			return nil
		}
	}
	row := b.rowOf(w)
	if row == nil || b.used[payment.Key{Shop: row.ShopID, Order: row.ID}] {
		w.err = errAlone
		return nil
	}
	b.used[payment.Key{Shop: row.ShopID, Order: row.ID}] = true
	o, err := b.store.loaded(ctx, row, nil)
	if err == nil {
		err = w.run(o.Order)
	}
	if err != nil || w.panicked != nil {
		w.err = err
		return nil
	}
	w.order = o.Order
	if w.callback != nil {
		kept, err := keptCallback(w.callback, o, w.verdict)
		if err != nil {
			return err
		}
		all.callbacks = append(all.callbacks, kept)
	}
	if w.answer != nil {
		row, err := b.store.answerRow(w.along.Claim, *w.answer)
		if err != nil {
			return err
		}
		all.answers, all.answered[row.Owner] = append(all.answers, *row), w
	}
	return all.add(ctx, o)
}

// run runs judge and keeps a panic for the caller.
func (w *write) run(o *payment.Order) error {
	defer func() { w.panicked = recover() }()
	if err := w.judge(o); err != nil {
		return err
	}
	if err := w.gone(); err != nil {
		return translate(w.doing, err)
	}
	if w.along != nil && len(o.NewEndedAttempts()) == 0 { // else the request goes on at another account
		if answer, err := w.along.Answer(o); err == nil { // else whoever answers says what is wrong
			w.answer = &answer
		}
	}
	return nil
}

// rowOf returns the locked row that a write is about, nil if there is none that a batch can take.
func (b *batch) rowOf(w *write) *db.Order {
	if w.update != nil {
		return b.rows[*w.update]
	}
	var of *db.Order
	for _, row := range b.rows {
		if row.ProviderOrderID != text(w.callback.ProviderOrderID) || row.AccountID != w.callback.AccountID || row.SupersededBy != nil {
			continue
		}
		if of != nil || w.callback.Kind == gateway.KindRefund {
			return nil
		}
		of = row
	}
	return of
}
