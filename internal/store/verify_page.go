package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// sealFinding is what is found of a row with a broken seal.
const sealFinding = "the seal is broken: a column that steers money was changed"

// verifiedPage is some orders of a shop with all that is compared with them, as of one moment.
type verifiedPage struct {
	shop, until uuid.UUID
	orders      map[uuid.UUID]*db.Order
	histories   map[uuid.UUID][]db.OrderTransition
	notified    map[uuid.UUID]map[int32][]byte // payloads
	applied     map[uuid.UUID]int64            // callbacks
	unnamed     map[uuid.UUID]bool             // without a reference
	refunds     map[uuid.UUID]db.RefundsToVerifyRow
}

// readPage reads the orders after one until another, at most as many as a page has. until of the page is the last that it covers.
func readPage(ctx context.Context, q *db.Queries, shop, after, until uuid.UUID) (*verifiedPage, error) {
	p := &verifiedPage{
		shop: shop, until: until, orders: map[uuid.UUID]*db.Order{}, histories: map[uuid.UUID][]db.OrderTransition{}, notified: map[uuid.UUID]map[int32][]byte{},
		applied: map[uuid.UUID]int64{}, unnamed: map[uuid.UUID]bool{}, refunds: map[uuid.UUID]db.RefundsToVerifyRow{},
	}
	orders, err := q.OrdersToVerify(ctx, db.OrdersToVerifyParams{ShopID: shop, After: after, Until: until, MaxRows: verifyPage})
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(orders))
	for i := range orders {
		ids[i] = orders[i].ID
		p.orders[orders[i].ID] = &orders[i]
	}
	if len(orders) == verifyPage {
		p.until = ids[len(ids)-1]
	}
	return p, p.readRest(ctx, q, after, ids)
}

// readRest reads what belongs to the orders, or to orders that are missing.
func (p *verifiedPage) readRest(ctx context.Context, q *db.Queries, after uuid.UUID, ids []uuid.UUID) error {
	history, err := q.TransitionsToVerify(ctx, db.TransitionsToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, t := range history {
		p.histories[t.OrderID] = append(p.histories[t.OrderID], t)
	}
	notified, err := q.NotificationsToVerify(ctx, db.NotificationsToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, n := range notified {
		if p.notified[n.OrderID] == nil {
			p.notified[n.OrderID] = map[int32][]byte{}
		}
		p.notified[n.OrderID][n.Sequence] = n.Payload
	}
	applied, err := q.AppliedCallbacksToVerify(ctx, db.AppliedCallbacksToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, a := range applied {
		p.applied[a.OrderID] = a.Applied
	}
	unnamed, err := q.ReferencesToVerify(ctx, db.ReferencesToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, id := range unnamed {
		p.unnamed[id] = true
	}
	refunds, err := q.RefundsToVerify(ctx, db.RefundsToVerifyParams{ShopID: p.shop, Payments: ids})
	for _, r := range refunds {
		p.refunds[r.PaymentID] = r
	}
	return err
}

// compare reports every difference of a page.
func (v *verification) compare(ctx context.Context, p *verifiedPage) error {
	sealer, err := v.store.sealer(ctx)
	if err != nil {
		return err
	}
	for id, row := range p.orders {
		o, err := v.store.facts(ctx, row)
		if err != nil {
			v.found(Finding{"orders", id.String(), "the row cannot be read: " + err.Error()})
			continue
		}
		if o.Frozen {
			v.found(Finding{"orders", id.String(), sealFinding})
		}
		v.encrypted(p, o, row)
		if p.unnamed[id] {
			v.found(Finding{"order_references", id.String(), "no reference names the order"})
		}
		history := p.histories[id]
		v.done.Transitions += len(history)
		if step, what := brokenStep(sealer, history); what != "" {
			v.found(Finding{"order_transitions", fmt.Sprintf("%s/%d", id, step), what})
		}
		v.end(p, row, history)
		v.steps(p, id, history)
	}
	for id := range p.histories {
		if p.orders[id] == nil {
			v.found(Finding{"orders", id.String(), "the order is missing, and its history is there"})
		}
	}
	for id := range p.notified {
		if p.orders[id] == nil && p.histories[id] == nil {
			v.found(Finding{"orders", id.String(), "the order is missing, and its notifications are there"})
		}
	}
	return nil
}

// encrypted verifies that what is encrypted of an order can be read, and that an order without its key was erased.
func (v *verification) encrypted(p *verifiedPage, o *payment.Order, row *db.Order) {
	if row.DataKey == nil && !v.erased[row.ID] {
		v.found(Finding{"orders", row.ID.String(), "the data key is missing, and the audit log has no receipt of an erasure"})
	}
	key, err := v.store.dataKey(row.ID, row.DataKey)
	if err != nil {
		v.found(unreadable("orders", row.ID.String(), err))
		return
	}
	if err := readParts(o, row, key); err != nil {
		v.found(unreadable("orders", row.ID.String(), err))
	}
	for sequence, payload := range p.notified[row.ID] {
		if _, err := key.Open(payload, placePayload); err != nil {
			v.found(unreadable("notifications", fmt.Sprintf("%s/%d", row.ID, sequence), err))
		}
	}
}

// end verifies that an order is as its history ends, and its sums as its refunds make them.
func (v *verification) end(p *verifiedPage, row *db.Order, history []db.OrderTransition) {
	report := func(format string, args ...any) {
		v.found(Finding{"orders", row.ID.String(), fmt.Sprintf(format, args...)})
	}
	if len(history) == 0 {
		report("the history is missing")
		return
	}
	last := history[len(history)-1]
	switch {
	case row.Sequence != last.Sequence:
		report("the order is at step %d, and its history ends with %d", row.Sequence, last.Sequence)
		return
	case row.Status != last.ToStatus || string(row.Chain) != string(last.Chain):
		report("the order is not as its history ends, which is %s", last.ToStatus)
		return
	case row.AmountCaptured != last.Captured:
		report("the captured sum is %d, and by the history %d", row.AmountCaptured, last.Captured)
	}
	reserved, refunded := last.Refunded, last.Refunded
	if row.Kind == string(gateway.KindPayment) { // before its success no refund of ours can have been
		end := history[slices.IndexFunc(history, func(t db.OrderTransition) bool { return t.ToStatus == last.ToStatus })]
		reserved, refunded = end.Refunded+p.refunds[row.ID].Reserved, end.Refunded+p.refunds[row.ID].Refunded
	}
	if row.AmountRefunded != refunded {
		report("the refunded sum is %d, and by the history and the refunds %d", row.AmountRefunded, refunded)
	}
	if row.AmountReserved != reserved {
		report("the sum reserved for refunds is %d, and by the refunds %d", row.AmountReserved, reserved)
	}
}

// steps verifies that notifications and callbacks tell of the steps of the history, and of no others.
func (v *verification) steps(p *verifiedPage, id uuid.UUID, history []db.OrderTransition) {
	known, byCallback := map[int32]bool{}, int64(0)
	for _, t := range history {
		known[t.Sequence] = true
		if t.Source == string(payment.SourceCallback) {
			byCallback++
		}
		if _, notified := p.notified[id][t.Sequence]; t.Sequence > 1 && v.store.Render != nil && !notified {
			v.found(Finding{"notifications", fmt.Sprintf("%s/%d", id, t.Sequence), "the notification of a step is missing"})
		}
	}
	for sequence := range p.notified[id] {
		if !known[sequence] {
			v.found(Finding{"order_transitions", fmt.Sprintf("%s/%d", id, sequence), "the step is missing, and its notification is there"})
		}
	}
	if p.applied[id] > byCallback {
		v.found(Finding{"order_transitions", id.String(), fmt.Sprintf("%d callbacks were applied, and the history has %d steps of callbacks", p.applied[id], byCallback)})
	}
}
