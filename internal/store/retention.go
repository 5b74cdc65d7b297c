package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/store/internal/db"
)

const (
	// retentionBatch is how many rows one transaction removes at most.
	retentionBatch = 2000
	// retentionLease is for how long the one who removes keeps others away. Each batch renews it.
	retentionLease = 15 * time.Minute
	// retentionLimit bounds a step that reads a whole table or month. It ends before the lease does.
	retentionLimit = 10 * time.Minute
	// reservationKept is longer than any limit knows of an order.
	reservationKept = 3 * 24 * time.Hour
)

// ErrRetentionBusy is returned while another process removes what is old.
var ErrRetentionBusy = errors.New("another process is removing old rows now: try again when it is done")

// errRetentionLost says that the lease ran out under way. What was removed until then is counted.
var errRetentionLost = errors.New("the removal of old rows took longer than its lease, and another process has taken over")

// Retention says for how long things are kept.
type Retention struct {
	Payloads, Attempts, Calls, Callbacks, Reports, Answers, Requests time.Duration
}

// Removed is how many rows of a table were removed, or would be.
type Removed struct {
	Table string
	Rows  int64
	// Partitions are those that were dropped whole; their rows are counted, too.
	Partitions []string
}

// retentionRule says what is removed of a table.
type retentionRule struct {
	table string
	keep  func(Retention) time.Duration
	old   string // the rows to remove, of the table as t; $1 is the time before which they are old
	month bool   // the table is in partitions, which are dropped whole where all rows are to be removed
	whole string // what else must be so of each row before its partition is dropped: drop_partition refuses the others
	// batch removes up to a batch of rows. Without it they are deleted.
	batch func(s *Store, ctx context.Context, tx pgx.Tx, where string, args ...any) (int64, error)
}

// ofClosedOrders leaves out the rows of orders that are not final, wait for a status poll, or are in conflict.
const ofClosedOrders = ` AND NOT EXISTS (SELECT 1 FROM open_orders o WHERE o.shop_id = t.shop_id AND o.order_id = t.order_id)` + unheld

// unheld leaves out the rows of orders under a hold.
const unheld = ` AND NOT EXISTS (SELECT 1 FROM order_holds h WHERE h.shop_id = t.shop_id AND h.order_id = t.order_id)`

// ofDelivered leaves out the rows of notifications that are still to be delivered, or wait for an operator.
const ofDelivered = ` AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.shop_id = t.shop_id AND d.order_id = t.order_id AND d.sequence = t.sequence)` + unheld

var retentionRules = []retentionRule{
	{ // an attempt says when it was delivered; one that nobody is sent to is old when its step is
		table: "notifications", keep: func(r Retention) time.Duration { return r.Payloads },
		batch: (*Store).removePayloads,
		old: "t.payload IS NOT NULL AND t.created_at < $1" + ofDelivered + ` AND NOT EXISTS (
			SELECT 1 FROM notification_attempts a WHERE a.shop_id = t.shop_id AND a.order_id = t.order_id AND a.sequence = t.sequence AND a.at >= $1)`,
	},
	{
		table: "notification_attempts", keep: func(r Retention) time.Duration { return r.Attempts }, month: true,
		old: "t.at < $1" + ofDelivered, whole: ofClosedOrders,
	},
	{
		table: "provider_calls", keep: func(r Retention) time.Duration { return r.Calls }, month: true,
		old: "t.last_at < $1" + ofClosedOrders,
	},
	{
		table: "callbacks", keep: func(r Retention) time.Duration { return r.Callbacks }, month: true,
		old: "t.received_at < $1" + ofClosedOrders,
	},
	{
		table: "callback_keys", keep: func(r Retention) time.Duration { return r.Callbacks },
		old: "t.received_at < $1 AND NOT EXISTS (SELECT 1 FROM callbacks c WHERE c.shop_id = t.shop_id AND c.order_id = t.order_id AND c.dedupe_key = t.dedupe_key)",
	},
	{
		table: "orderless_callbacks", keep: func(r Retention) time.Duration { return r.Callbacks },
		old: "t.received_at < $1",
	},
	{
		table: "idempotency_keys", keep: func(r Retention) time.Duration { return r.Answers },
		old: "t.created_at < $1",
	},
	{
		table: "request_log", keep: func(r Retention) time.Duration { return r.Requests }, month: true,
		old: "t.at < $1",
	},
	{
		table: "limit_reservations", keep: func(Retention) time.Duration { return reservationKept },
		old: "t.at < $1",
	},
	{ // what has left every window, with hashes of cards; a limit that is used again does the same
		table: "limit_uses", keep: func(Retention) time.Duration { return reservationKept },
		old: "t.begins_at < $1",
	},
	{
		table: "order_fingerprints", keep: func(Retention) time.Duration { return reservationKept },
		old: "t.at < $1",
	},
	{
		table: "payout_approvals", keep: func(Retention) time.Duration { return reservationKept },
		old: "t.expires_at < $1",
	},
	{ // before their report, one file's rows after the other
		table: "transaction_report_rows", keep: func(r Retention) time.Duration { return r.Reports },
		old: "EXISTS (SELECT 1 FROM transaction_reports r WHERE r.shop_id = t.shop_id AND r.id = t.report_id AND r.state IN ('ready', 'failed') AND r.updated_at < $1)" + unheld,
	},
	{
		table: "transaction_reports", keep: func(r Retention) time.Duration { return r.Reports },
		old: "t.state IN ('ready', 'failed') AND t.updated_at < $1 AND NOT EXISTS (SELECT 1 FROM transaction_report_rows w WHERE w.shop_id = t.shop_id AND w.report_id = t.id)",
	},
}

// Expired counts what Remove would remove now. It changes nothing.
func (s *Store) Expired(ctx context.Context, keep Retention) ([]Removed, error) {
	rules, err := s.rulesNow(ctx)
	if err != nil {
		return nil, err
	}
	var all []Removed
	for _, rule := range rules {
		tables, err := s.expiredTables(ctx, rule, rule.before(s.Now(), keep))
		if err != nil {
			return nil, err
		}
		found := Removed{Table: rule.table}
		for _, table := range tables {
			n, err := s.countOld(ctx, rule, table, rule.before(s.Now(), keep))
			if err != nil {
				return nil, err
			}
			found.Rows += n
		}
		all = append(all, found)
	}
	return all, nil
}

// LastRemoval is when the last Remove ended; long ago if there was none.
func (s *Store) LastRemoval(ctx context.Context) (at time.Time, err error) {
	err = s.read(ctx, "read when old rows were removed", func(ctx context.Context, q *db.Queries) (err error) {
		at, err = q.LastRetention(ctx)
		return err
	})
	return at, err
}

// Remove removes what is old, unless it was done within the pause before, and writes that to the audit log. One process at a time
// does it; ErrRetentionBusy is returned to the others. It may be stopped at any time: the next one goes on.
func (s *Store) Remove(ctx context.Context, keep Retention, pause time.Duration) ([]Removed, error) {
	run := removal{store: s, keep: keep}
	if claimed, err := run.claim(ctx, pause); err != nil || !claimed {
		return nil, err
	}
	defer run.release(ctx)
	rules, err := s.rulesNow(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, rule := range rules {
		removed, err := run.apply(ctx, rule)
		run.removed = append(run.removed, removed)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("remove old rows of %s: %w", rule.table, err))
		}
		if ctx.Err() != nil || errors.Is(err, errRetentionLost) {
			return run.removed, failed // the next one goes on
		}
	}
	return run.removed, errors.Join(failed, run.end(ctx, failed == nil))
}

// removal is one process's turn.
type removal struct {
	store   *Store
	keep    Retention
	held    time.Time // until when the lease is ours, which also tells it from another's
	removed []Removed
}

func (r *removal) claim(ctx context.Context, pause time.Duration) (claimed bool, err error) {
	err = r.store.read(ctx, "begin to remove old rows", func(ctx context.Context, q *db.Queries) error {
		now := r.store.Now()
		r.held = now.Add(retentionLease)
		n, err := q.ClaimRetention(ctx, db.ClaimRetentionParams{LeasedUntil: r.held, Now: now, LastBefore: now.Add(-pause)})
		if err != nil || n == 1 {
			claimed = n == 1
			return err
		}
		last, err := q.LastRetention(ctx)
		if err == nil && !last.After(now.Add(-pause)) {
			err = ErrRetentionBusy
		}
		return err
	})
	return claimed, err
}

// apply removes what a rule says, in as many transactions as it takes.
func (r *removal) apply(ctx context.Context, rule retentionRule) (Removed, error) {
	removed, before := Removed{Table: rule.table}, rule.before(r.store.Now(), r.keep)
	tables, err := r.store.expiredTables(ctx, rule, before)
	if err != nil {
		return removed, err
	}
	var failed error
	for _, table := range tables { // what one month fails at keeps no other from going
		if err := r.table(ctx, rule, table, before, &removed); err != nil {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil || errors.Is(failed, errRetentionLost) {
			break
		}
	}
	return removed, failed
}

// table removes what a rule says of its table, or of one partition, and adds that to removed.
func (r *removal) table(ctx context.Context, rule retentionRule, table string, before time.Time, removed *Removed) error {
	if rule.month {
		n, dropped, err := r.drop(ctx, rule, table, before)
		if err != nil {
			return err
		}
		if dropped {
			removed.Rows, removed.Partitions = removed.Rows+n, append(removed.Partitions, table)
			return nil
		}
	}
	for {
		n, err := r.batch(ctx, rule, table, before)
		removed.Rows += n
		if err != nil || n < retentionBatch {
			return err
		}
	}
}

// batch removes up to a batch of rows in one transaction.
func (r *removal) batch(ctx context.Context, rule retentionRule, table string, before time.Time) (n int64, err error) {
	err = r.step(ctx, rule, before, func(ctx context.Context, tx pgx.Tx) (int64, error) {
		if rule.batch != nil {
			n, err = rule.batch(r.store, ctx, tx, rule.old, before)
			return n, err
		}
		tag, err := tx.Exec(ctx, rule.remove(table), before)
		n = tag.RowsAffected()
		return n, err
	})
	return n, err
}

// drop drops a partition if all of its rows are to be removed. Nobody writes to it meanwhile.
func (r *removal) drop(ctx context.Context, rule retentionRule, table string, before time.Time) (n int64, dropped bool, err error) {
	if needed, err := r.store.anyKept(ctx, r.store.pool, rule, table, before); err != nil || needed {
		return 0, false, err
	}
	err = r.step(ctx, rule, before, func(ctx context.Context, tx pgx.Tx) (int64, error) {
		n, dropped = 0, false
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+partitionLockLimit+"'; LOCK TABLE "+table+" IN SHARE MODE"); err != nil {
			return 0, err
		}
		if needed, err := r.store.anyKept(ctx, tx, rule, table, before); err != nil || needed {
			return 0, err
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return 0, err
		}
		_, err := tx.Exec(ctx, "SELECT drop_partition($1)", table)
		dropped = err == nil
		return n, err
	})
	return n, dropped && err == nil, err
}

// step does something in a transaction that also renews the lease and counts what was removed.
func (r *removal) step(ctx context.Context, rule retentionRule, before time.Time, do func(ctx context.Context, tx pgx.Tx) (int64, error)) error {
	until := r.store.Now().Add(retentionLease)
	err := r.store.writeWithin(ctx, retentionLimit, "remove old rows", func(ctx context.Context, tx pgx.Tx) error {
		n, err := do(ctx, tx)
		if err != nil {
			return err
		}
		counted, err := db.New(tx).CountRemoved(ctx, db.CountRemovedParams{LeasedUntil: until, HeldUntil: r.held, Name: rule.table, Rows: n, Before: before})
		if err == nil && counted == 0 {
			err = errRetentionLost
		}
		return err
	})
	if err == nil {
		r.held = until
	}
	return err
}

// release gives the lease back, unless the run's end has done so.
func (r *removal) release(ctx context.Context) {
	_ = r.store.read(context.WithoutCancel(ctx), "end the removal of old rows", func(ctx context.Context, q *db.Queries) error {
		return q.ReleaseRetention(ctx, r.held)
	})
}

// end gives the lease back and writes the entry of the audit log. What failed in part is due again at once.
func (r *removal) end(ctx context.Context, whole bool) error {
	return r.store.write(ctx, "write down what was removed", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		sums, err := q.EndRetention(ctx, db.EndRetentionParams{Now: r.store.Now(), HeldUntil: r.held, Whole: whole})
		if errors.Is(err, pgx.ErrNoRows) {
			return errRetentionLost
		}
		if err != nil {
			return err
		}
		return r.store.audit(ctx, q, act{action: "retention run", kind: "retention", object: "all", after: json.RawMessage(sums)})
	})
}

// asker is a pool, connection or transaction.
type asker interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// anyKept reports whether a partition has a row that keeps it from being dropped.
func (s *Store) anyKept(ctx context.Context, q asker, rule retentionRule, table string, before time.Time) (kept bool, err error) {
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+" t WHERE NOT ("+rule.old+rule.whole+"))", before).Scan(&kept)
	return kept, err
}

func (s *Store) countOld(ctx context.Context, rule retentionRule, table string, before time.Time) (n int64, err error) {
	err = s.retry(ctx, retentionLimit, "count old rows of "+table, func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM "+table+" t WHERE "+rule.old, before).Scan(&n)
	})
	return n, err
}

// expiredTables returns where a rule may find something: its table, or the partitions of months that are over.
func (s *Store) expiredTables(ctx context.Context, rule retentionRule, before time.Time) (tables []string, err error) {
	if !rule.month {
		return []string{rule.table}, nil
	}
	months, err := s.partitions(ctx, rule.table)
	for _, m := range months {
		if !m.ends.After(before) {
			tables = append(tables, m.name)
		}
	}
	return tables, err
}

// before is the time before which rows are old.
func (rule retentionRule) before(now time.Time, keep Retention) time.Time {
	return now.Add(-rule.keep(keep))
}

// remove is the statement that deletes a batch.
func (rule retentionRule) remove(table string) string {
	return fmt.Sprintf("DELETE FROM %s t WHERE t.ctid = ANY (ARRAY(SELECT t.ctid FROM %[1]s t WHERE %s LIMIT %d))", table, rule.old, retentionBatch)
}

// removePayloads puts a digest in the place of up to a batch of payloads. where names the notifications, as t.
func (s *Store) removePayloads(ctx context.Context, tx pgx.Tx, where string, args ...any) (int64, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT t.shop_id, t.order_id, t.sequence, t.payload, o.data_key FROM notifications t
		JOIN orders o ON o.shop_id = t.shop_id AND o.id = t.order_id WHERE t.payload IS NOT NULL AND %s LIMIT %d`, where, retentionBatch), args...)
	if err != nil {
		return 0, err
	}
	type row struct {
		ShopID   uuid.UUID
		OrderID  uuid.UUID
		Sequence int32
		Payload  []byte
		DataKey  []byte
	}
	old, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return 0, err
	}
	var shops, orders []uuid.UUID
	var sequences []int32
	var digests [][]byte
	for _, r := range old {
		digest := []byte{} // of one that was altered: nobody can say what it was
		payload, whole, err := s.usablePayload(r.OrderID, r.Sequence, r.DataKey, r.Payload)
		if err != nil {
			return 0, err
		}
		if whole {
			sum := sha256.Sum256(payload)
			digest = sum[:]
		}
		shops, orders, sequences, digests = append(shops, r.ShopID), append(orders, r.OrderID), append(sequences, r.Sequence), append(digests, digest)
	}
	tag, err := tx.Exec(ctx, `UPDATE notifications n SET payload = NULL, payload_digest = u.digest
		FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bytea[]) AS u(shop_id, order_id, sequence, digest)
		WHERE n.shop_id = u.shop_id AND n.order_id = u.order_id AND n.sequence = u.sequence AND n.payload IS NOT NULL`, shops, orders, sequences, digests)
	return tag.RowsAffected(), err
}
