package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/plural"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// sealFinding is what is found of a row with a broken seal.
const sealFinding = "the seal is broken: a column that steers money was changed"

// verifiedPage is some orders of a shop with all that is compared with them, as of one moment.
type verifiedPage struct {
	shop, until uuid.UUID
	orders      map[uuid.UUID]*db.Order
	histories   map[uuid.UUID][]db.OrderTransition
	attempts    map[uuid.UUID][]db.OrderAttempt
	notified    map[uuid.UUID][]db.NotificationsToVerifyRow
	applied     map[uuid.UUID]int64 // callbacks
	unnamed     map[uuid.UUID]bool  // without a reference
	unfound     map[uuid.UUID]bool  // by a name of the provider or a bank
	conflicts   map[uuid.UUID][]db.ConflictsToVerifyRow
	refunds     map[uuid.UUID]db.RefundsToVerifyRow
	remnants    []db.RemnantsToVerifyRow // of orders that are gone
	unmandated  []uuid.UUID              // payments whose mandates are gone
	imported    map[uuid.UUID]bool       // parents that nobody can import again
	undone      []db.WorkToVerifyRow     // orders that are not polled, and notifications that are not sent
}

// readPage reads the orders after one until another, at most as many as a page has. until of the page is the last that it covers.
func readPage(ctx context.Context, q *db.Queries, shop, after, until uuid.UUID) (*verifiedPage, error) {
	p := &verifiedPage{
		shop: shop, until: until, orders: map[uuid.UUID]*db.Order{}, histories: map[uuid.UUID][]db.OrderTransition{}, attempts: map[uuid.UUID][]db.OrderAttempt{},
		notified: map[uuid.UUID][]db.NotificationsToVerifyRow{}, applied: map[uuid.UUID]int64{}, unnamed: map[uuid.UUID]bool{},
		unfound: map[uuid.UUID]bool{}, imported: map[uuid.UUID]bool{}, conflicts: map[uuid.UUID][]db.ConflictsToVerifyRow{}, refunds: map[uuid.UUID]db.RefundsToVerifyRow{},
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
	attempts, err := q.AttemptsToVerify(ctx, db.AttemptsToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, a := range attempts {
		p.attempts[a.OrderID] = append(p.attempts[a.OrderID], a)
	}
	notified, err := q.NotificationsToVerify(ctx, db.NotificationsToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, n := range notified {
		p.notified[n.OrderID] = append(p.notified[n.OrderID], n)
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
	if err := p.readMore(ctx, q, after); err != nil {
		return err
	}
	refunds, err := q.RefundsToVerify(ctx, db.RefundsToVerifyParams{ShopID: p.shop, Payments: ids})
	for _, r := range refunds {
		p.refunds[r.PaymentID] = r
	}
	return err
}

// readMore reads what people find orders by, and what waits for them.
func (p *verifiedPage) readMore(ctx context.Context, q *db.Queries, after uuid.UUID) error {
	unfound, err := q.NamesToVerify(ctx, db.NamesToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, id := range unfound {
		p.unfound[id] = true
	}
	conflicts, err := q.ConflictsToVerify(ctx, db.ConflictsToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	for _, c := range conflicts {
		p.conflicts[c.OrderID] = append(p.conflicts[c.OrderID], c)
	}
	if err != nil {
		return err
	}
	if p.remnants, err = q.RemnantsToVerify(ctx, db.RemnantsToVerifyParams{ShopID: p.shop, After: after, Until: p.until}); err != nil {
		return err
	}
	imported, err := q.ImportedOrdersToVerify(ctx, db.ImportedOrdersToVerifyParams{ShopID: p.shop, After: after, Until: p.until})
	if err != nil {
		return err
	}
	for _, id := range imported {
		p.imported[id] = true
	}
	p.unmandated, err = q.UnmandatedPayments(ctx, db.UnmandatedPaymentsParams{ShopID: p.shop, After: after, Until: p.until})
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
		v.names(p, row)
		v.nextPoll(row)
		if parentOfMandate(o) && !p.imported[id] {
			v.found(Finding{"imported_orders", id.String(), "nothing keeps the parent of this mandate from being imported again"})
		}
		history := p.histories[id]
		v.done.Transitions += len(history)
		if step, what := brokenStep(sealer, history, p.moved(id)); what != "" {
			v.found(Finding{"order_transitions", fmt.Sprintf("%s/%d", id, step), what})
		}
		v.attempts(sealer, p, id)
		v.end(p, row, history)
		v.steps(p, id, history)
	}
	v.missing(p)
	return nil
}

// nextPoll reports a poll that is put off beyond any plan: nobody would ask the provider for as long.
func (v *verification) nextPoll(row *db.Order) {
	if at := row.NextPollAt; at != nil && at.After(payment.LatestPoll(row.FinalizedAt != nil, v.store.Now())) {
		v.found(Finding{"orders", row.ID.String(), fmt.Sprintf("its next poll is at %s, and no plan puts it off so far", at.UTC().Format(time.RFC3339))})
	}
}

// missing reports what is not there, although something else of a page names it.
func (v *verification) missing(p *verifiedPage) {
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
	for id := range p.attempts {
		if p.orders[id] == nil {
			v.found(Finding{"orders", id.String(), "the order is missing, and its attempts are there"})
		}
	}
	for _, u := range p.undone {
		v.found(undoneFinding(u))
	}
	for _, id := range p.unmandated {
		v.found(Finding{"mandates", id.String(), "the mandate of this payment is missing"})
	}
	for _, r := range p.remnants {
		v.found(Finding{"orders", r.OrderID.String(), "the order is missing, and " + r.NamedIn + " names it"})
	}
}

func undoneFinding(u db.WorkToVerifyRow) Finding {
	if u.MissingIn == "open_orders" {
		return Finding{u.MissingIn, u.ID.String(), "the row by which the order is polled and listed is not as the order, or is missing"}
	}
	return Finding{u.MissingIn, fmt.Sprintf("%s/%d", u.ID, u.Sequence), "the notification was not delivered, and nobody is to deliver it"}
}

// moved is the chain of an order's newest attempt that ended, nil for none.
func (p *verifiedPage) moved(order uuid.UUID) []byte {
	attempts := p.attempts[order]
	if len(attempts) == 0 {
		return nil
	}
	return attempts[len(attempts)-1].Chain
}

// attempts verifies the attempts of an order that ended.
func (v *verification) attempts(sealer *seal.Sealer, p *verifiedPage, order uuid.UUID) {
	var before []byte
	if history := p.histories[order]; len(history) > 0 {
		before = history[0].Chain
	}
	if number, what := brokenAttempt(sealer, before, p.attempts[order]); what != "" {
		v.found(Finding{"order_attempts", fmt.Sprintf("%s/%d", order, number), what})
	}
}

// names verifies what people find an order by, and what waits for them.
func (v *verification) names(p *verifiedPage, row *db.Order) {
	if p.unnamed[row.ID] {
		v.found(Finding{"order_references", row.ID.String(), "no reference names the order with its parent"})
	}
	if p.unfound[row.ID] {
		v.found(Finding{"order_names", row.ID.String(), "the order is not found by a name that its provider or a bank gave it"})
	}
	if int(row.Conflicts) > len(p.conflicts[row.ID]) {
		v.found(Finding{"order_conflicts", row.ID.String(), fmt.Sprintf("%s for an operator, and %s there", plural.Of(row.Conflicts, "conflict waits", "conflicts wait"), plural.Of(len(p.conflicts[row.ID]), "is", "are"))})
	}
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
	v.notifications(p, row, key)
	for _, c := range p.conflicts[row.ID] {
		if _, err := openData(key, c.ProviderData, placeConflict); err != nil {
			v.found(unreadable("order_conflicts", fmt.Sprintf("%s/%s", row.ID, c.ID), err))
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
	case row.Status != last.ToStatus || string(row.Chain) != string(chainEnd(history, p.moved(row.ID))):
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
	known, notified, byCallback := map[int32]bool{}, map[int32]bool{}, int64(0)
	for _, n := range p.notified[id] {
		notified[n.Sequence] = true
	}
	for _, t := range history {
		known[t.Sequence] = true
		if t.Source == string(payment.SourceCallback) {
			byCallback++
		}
		if t.Sequence > 1 && v.store.Render != nil && !notified[t.Sequence] {
			v.found(Finding{"notifications", fmt.Sprintf("%s/%d", id, t.Sequence), "the notification of a step is missing"})
		}
	}
	for sequence := range notified {
		if !known[sequence] {
			v.found(Finding{"order_transitions", fmt.Sprintf("%s/%d", id, sequence), "the step is missing, and its notification is there"})
		}
	}
	if p.applied[id] > byCallback {
		v.found(Finding{"order_transitions", id.String(), fmt.Sprintf("%s applied, and the history has %s of callbacks", plural.Of(p.applied[id], "callback was", "callbacks were"), plural.Of(byCallback, "step", "steps"))})
	}
}
