package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// VerifyScope says what is verified. The zero value is everything.
type VerifyScope struct {
	// Since leaves out orders that were created before.
	Since time.Time
	// Order is the only order that is verified.
	Order *payment.Key
	// Rate is how many orders a second are read at most; 0 is as fast as it goes.
	Rate int
}

// Verified is how much was verified.
type Verified struct {
	Orders      int `json:"orders"`
	Transitions int `json:"transitions"`
	Events      int `json:"events"`
}

const (
	// verifyPage is how many orders are read in one transaction, verifyPositions how many places of a feed.
	verifyPage      = 500
	verifyPositions = 10_000
	// verifyLimit bounds the reading of a page.
	verifyLimit = time.Minute
)

// verification is a run of VerifyOrders.
type verification struct {
	store *Store
	scope VerifyScope
	found func(Finding)
	done  Verified
	// erased are the orders with a receipt in the audit log, up to the entry receiptsTo.
	erased     map[uuid.UUID]bool
	receiptsTo int64
	// anchors are events that were the newest of a shop's feed, by their places, as the audit log says.
	anchors map[uuid.UUID]map[int64]uuid.UUID
}

// VerifyOrders compares orders, their histories and the feeds with each other and with their seals. It changes nothing. found hears
// of every difference.
func (s *Store) VerifyOrders(ctx context.Context, scope VerifyScope, found func(Finding)) (Verified, error) {
	v := verification{store: s, scope: scope, found: found}
	if err := s.LoadSealKey(ctx); err != nil {
		return v.done, err
	}
	if scope.Order != nil {
		before := uuidBefore(scope.Order.Order)
		_, err := v.page(ctx, scope.Order.Shop, before, scope.Order.Order)
		return v.done, err
	}
	if err := v.serviceKeys(ctx); err != nil {
		return v.done, err
	}
	for _, verify := range []func(context.Context) error{v.uses, v.pauses, v.readAnchors} {
		if err := verify(ctx); err != nil {
			return v.done, err
		}
	}
	var shop uuid.UUID
	for {
		next, err := v.nextShop(ctx, shop)
		if err != nil || next == nil {
			return v.done, err
		}
		shop = *next
		for _, verify := range []func(context.Context, uuid.UUID) error{v.orders, v.feed, v.anchored, v.releases, v.mandates, v.disputes, v.lost, v.reservations} {
			if err := verify(ctx, shop); err != nil {
				return v.done, err
			}
		}
	}
}

// lost verifies that the orders of all references are there.
func (v *verification) lost(ctx context.Context, shop uuid.UUID) error {
	return v.store.readWithin(ctx, verifyLimit, "read references", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.LostOrders(ctx, shop)
		for _, r := range rows {
			what := "the order is missing, and its reference is there"
			if r.Kind == string(gateway.KindRefund) && r.ParentID != nil {
				what = lostRefund(*r.ParentID)
			}
			v.found(Finding{"orders", r.OrderID.String(), what})
		}
		if err != nil {
			return err
		}
		unknown, err := q.LostFingerprints(ctx, shop)
		for _, id := range unknown {
			v.found(Finding{"orders", id.String(), "the order is missing, and order_fingerprints names it"})
		}
		return err
	})
}

func (v *verification) nextShop(ctx context.Context, after uuid.UUID) (*uuid.UUID, error) {
	var text string
	err := v.store.read(ctx, "find the next shop", func(ctx context.Context, q *db.Queries) (err error) {
		text, err = q.NextShopToVerify(ctx, after)
		return err
	})
	if err != nil || text == "" {
		return nil, err
	}
	shop, err := uuid.Parse(text)
	return &shop, err
}

// orders verifies a shop's orders, a page after the other.
func (v *verification) orders(ctx context.Context, shop uuid.UUID) error {
	after := uuid.Nil
	if !v.scope.Since.IsZero() {
		after = uuidBefore(firstID(v.scope.Since))
	}
	for {
		started := time.Now()
		last, err := v.page(ctx, shop, after, uuid.Max)
		if err != nil || last == nil {
			return err
		}
		after = *last
		if v.scope.Rate > 0 {
			if err := pause(ctx, time.Until(started.Add(verifyPage*time.Second/time.Duration(v.scope.Rate)))); err != nil {
				return err
			}
		}
	}
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// page verifies the orders of a page. It returns the last one, or nil if there are none after it.
func (v *verification) page(ctx context.Context, shop, after, until uuid.UUID) (*uuid.UUID, error) {
	var p *verifiedPage
	err := v.store.snapshot(ctx, "verify orders", func(ctx context.Context, q *db.Queries) (err error) {
		p, err = v.readPage(ctx, q, shop, after, until)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := v.compare(ctx, p); err != nil {
		return nil, err
	}
	v.done.Orders += len(p.orders)
	if len(p.orders) < verifyPage {
		return nil, nil //nolint:nilnil // there are no more
	}
	return &p.until, nil
}

// snapshot runs fn, which reads only, on one state of the database.
func (s *Store) snapshot(ctx context.Context, doing string, fn func(ctx context.Context, q *db.Queries) error) error {
	return s.writeWithin(ctx, verifyLimit, doing, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"); err != nil {
			return err
		}
		return fn(ctx, db.New(tx))
	})
}

// readPage reads a page, and the receipts of erasures if it has an order without its key.
func (v *verification) readPage(ctx context.Context, q *db.Queries, shop, after, until uuid.UUID) (*verifiedPage, error) {
	p, err := readPage(ctx, q, shop, after, until)
	if err != nil {
		return nil, err
	}
	p.undone, err = q.WorkToVerify(ctx, db.WorkToVerifyParams{ShopID: shop, After: after, Until: p.until, Since: v.store.Now().Add(-24 * time.Hour)})
	if err != nil {
		return nil, err
	}
	for _, o := range p.orders {
		if o.DataKey == nil {
			return p, v.readReceipts(ctx, q)
		}
	}
	return p, nil
}

// readReceipts reads the receipts behind those that are known. The seals of their entries are checked with the audit log.
func (v *verification) readReceipts(ctx context.Context, q *db.Queries) error {
	if v.erased == nil {
		v.erased = map[uuid.UUID]bool{}
	}
	for {
		entries, err := q.ErasuresAfter(ctx, db.ErasuresAfterParams{AfterSeq: v.receiptsTo, MaxRows: auditPage})
		if err != nil {
			return err
		}
		for _, e := range entries {
			v.receiptsTo = e.Seq
			var receipt Receipt
			if json.Unmarshal(e.After, &receipt) != nil {
				continue // not one that payrelay wrote
			}
			for _, o := range receipt.Orders {
				v.erased[o.ID] = true
			}
		}
		if len(entries) < auditPage {
			return nil
		}
	}
}

// releases verifies that payrelay wrote the payouts of a shop that wait, and that operators decided about those that were.
func (v *verification) releases(ctx context.Context, shop uuid.UUID) error {
	return v.store.snapshot(ctx, "read payouts that wait", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.ShopApprovals(ctx, shop)
		for i := range rows {
			written, err := v.store.asWritten(ctx, q, &rows[i])
			if err != nil {
				return err
			}
			if !written {
				v.found(Finding{"payout_approvals", rows[i].ID.String(), approvalFinding})
			}
		}
		return err
	})
}

// mandates verifies that payrelay wrote the terms of a shop's mandates, and what was decided about them.
func (v *verification) mandates(ctx context.Context, shop uuid.UUID) error {
	sealer, err := v.store.sealer(ctx)
	if err != nil {
		return err
	}
	return v.store.readWithin(ctx, verifyLimit, "read mandates", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.ShopMandates(ctx, shop)
		for _, r := range rows {
			if m := mandateRow(r); !m.asWritten(sealer) {
				v.found(Finding{"mandates", m.Mandate.ID.String(), mandateFinding})
			}
		}
		if err != nil {
			return err
		}
		return v.mandateRuns(ctx, q, shop)
	})
}

// mandateRuns verifies that no run of a schedule is put off beyond its period.
func (v *verification) mandateRuns(ctx context.Context, q *db.Queries, shop uuid.UUID) error {
	runs, err := q.RunsToVerify(ctx, shop)
	for _, r := range runs {
		var schedule payment.MandateSchedule
		if json.Unmarshal([]byte(r.Schedule), &schedule) != nil {
			continue // the mandate's seal says so
		}
		if r.DueAt.After(schedule.LatestRun(r.CountsFrom, v.store.Now())) {
			v.found(Finding{"mandate_runs", r.ID.String(), fmt.Sprintf("its schedule runs next at %s, which is beyond its period", r.DueAt.UTC().Format(time.RFC3339))})
		}
	}
	return err
}

// feed verifies that a shop's feed has all its places, from the first to the last that was given.
func (v *verification) feed(ctx context.Context, shop uuid.UUID) error {
	var last int64
	err := v.store.read(ctx, "read the end of a feed", func(ctx context.Context, q *db.Queries) (err error) {
		last, err = q.LastFeedPosition(ctx, shop)
		return err
	})
	if err != nil {
		return err
	}
	at := int64(0)
	for {
		var positions []int64
		err := v.store.read(ctx, "read a feed", func(ctx context.Context, q *db.Queries) (err error) {
			positions, err = q.FeedPositions(ctx, db.FeedPositionsParams{ShopID: shop, After: at, MaxRows: verifyPositions})
			return err
		})
		if err != nil {
			return err
		}
		v.done.Events += len(positions)
		for _, position := range positions {
			if position != at+1 {
				v.found(Finding{"notifications", shop.String(), fmt.Sprintf("the events %d to %d of the shop's feed are missing", at+1, position-1)})
			}
			at = position
		}
		if len(positions) < verifyPositions {
			break
		}
	}
	var counted int64
	err = v.store.read(ctx, "read the end of a feed", func(ctx context.Context, q *db.Queries) (err error) {
		counted, err = q.LastFeedPosition(ctx, shop)
		return err
	})
	if err != nil {
		return err
	}
	if counted < at {
		v.found(Finding{"feed_positions", shop.String(), fmt.Sprintf("the feed's counter is at %d, and its last event at %d", counted, at)})
	}
	if at < last {
		v.found(Finding{"notifications", shop.String(), fmt.Sprintf("the events %d to %d of the shop's feed are missing", at+1, last)})
	}
	return nil
}

// firstID is the least id that an order of that time can have.
func firstID(at time.Time) (id uuid.UUID) {
	ms := uint64(max(at.UnixMilli(), 0)) //nolint:gosec // not negative
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // one of its bytes
	}
	return id
}

// uuidBefore is the greatest id before another.
func uuidBefore(id uuid.UUID) uuid.UUID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			break
		}
	}
	return id
}
