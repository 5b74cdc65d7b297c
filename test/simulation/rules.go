package simulation

import (
	"slices"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// checkTransition holds that history is one row a step, and that a call without an answer fails nothing.
func (w *world) checkTransition(r *record, t payment.Transition, o *payment.Order) {
	last := payment.Status("")
	if n := len(r.transitions); n > 0 {
		last = r.transitions[n-1].To
	}
	switch {
	case t.Sequence != len(r.transitions)+1 || t.From != last:
		w.violate("transition %d from %q follows %d rows that end in %q", t.Sequence, t.From, len(r.transitions), last)
	case !payment.Legal(t.From, t.To):
		w.violate("no step leads from %q to %q", t.From, t.To)
	case t.After == nil || t.After.Sequence != t.Sequence || t.After.Status != t.To:
		w.violate("the notification of transition %d shows another", t.Sequence)
	default:
		w.checkCause(r, t, o)
	}
}

// checkCause holds that what caused a step could cause it.
func (w *world) checkCause(r *record, t payment.Transition, o *payment.Order) {
	switch {
	case t.Source == payment.SourceCallback && lower(t):
		w.violate("a callback, whose age is not known, leads down from %s to %s", t.From, t.To)
	case (t.Source == payment.SourceAnswer || t.Source == payment.SourceStatusPoll) && lower(t) && w.lateAnswer(r):
		w.violate("a late answer leads down from %s to %s", t.From, t.To)
	case t.To == payment.StatusAuthorized && w.heldFalsely(o):
		w.violate("the money counts as held, and the provider has accepted a capture or cancel")
	case t.To == payment.StatusFailed && t.Source == payment.SourceAnswer && w.current != nil && w.current.lost:
		w.violate("a call without an answer became failed")
	}
}

// lateAnswer reports whether the order has changed since the call was sent whose answer is written down.
func (w *world) lateAnswer(r *record) bool {
	return w.current != nil && w.current.asOf >= 0 && w.current.asOf != r.order.Sequence
}

// lower reports whether a step leads down in the order of an order's life.
func lower(t payment.Transition) bool {
	rank := func(s payment.Status) int {
		return slices.Index([]payment.Status{
			payment.StatusCreated, payment.StatusUnknown, payment.StatusRequiresAction, payment.StatusProcessing, payment.StatusAuthorized,
		}, s)
	}
	return !t.To.Final() && rank(t.To) < rank(t.From)
}

// heldFalsely reports whether the provider has accepted a capture or cancel of an order.
func (w *world) heldFalsely(o *payment.Order) bool {
	d := w.provider.dealOf(o)
	return d != nil && d.modified
}

// checkSums holds what the database's constraints hold.
func (w *world) checkSums(r *record) {
	o := &r.order
	amount := o.Amount.Minor()
	switch {
	case o.Authorized < 0 || o.Authorized > amount, o.Captured < 0 || o.Captured > amount:
		w.violate("%d is held and %d captured of %d", o.Authorized, o.Captured, amount)
	case o.RefundReserved < 0 || o.Disputed < 0 || o.RefundReserved > o.Captured-o.Disputed:
		w.violate("refunds of %d are reserved and %d is disputed of %d", o.RefundReserved, o.Disputed, o.Captured)
	case o.Refunded < 0 || o.Refunded > o.RefundReserved:
		w.violate("%d is refunded of %d that are reserved", o.Refunded, o.RefundReserved)
	case o.Status != payment.StatusSucceeded && o.Captured != 0:
		w.violate("%d is captured of an order that is %s", o.Captured, o.Status)
	case o.Status.Final() != (o.FinalizedAt != nil):
		w.violate("an order that is %s has a wrong end", o.Status)
	case len(r.transitions) != o.Sequence || len(r.transitions) > 0 && r.transitions[o.Sequence-1].To != o.Status:
		w.violate("the order is %s at %d, and its history has %d rows", o.Status, o.Sequence, len(r.transitions))
	}
}

// checkVerification holds what the database's constraints hold of an order's verification.
func (w *world) checkVerification(o *payment.Order) {
	w.checkPending(o)
	switch {
	case o.Denials < 0 || (o.Denials > 0) != (o.FirstDenialAt != nil):
		w.violate("%d denials since %v", o.Denials, o.FirstDenialAt)
	case o.CommandAccepted && o.Operation != gateway.OpCapture && o.Operation != gateway.OpCancel:
		w.violate("a %s was accepted as a command", o.Operation)
	case o.FormLost && (o.Status != payment.StatusProcessing || o.NextAction != nil):
		w.violate("an order that is %s has lost its form", o.Status)
	case o.ReportedAmount != nil && (*o.ReportedAmount < 1 || *o.ReportedAmount > o.Amount.Minor()):
		w.violate("%d was reported of %d", *o.ReportedAmount, o.Amount.Minor())
	}
}

// checkPending holds what the database's constraints hold of a callback that waits to be verified.
func (w *world) checkPending(o *payment.Order) {
	switch {
	case o.PendingSince != nil && o.Status.Final():
		w.violate("an order that is %s keeps a pending verification", o.Status)
	case o.PendingStatus != "" && (o.PendingSince == nil || !o.PendingStatus.Final()):
		w.violate("pending is %s since %v", o.PendingStatus, o.PendingSince)
	}
}

// checkStep compares a change with the truth, at the instant of its commit.
func (w *world) checkStep(before *payment.Order, r *record) {
	o := &r.order
	d := w.provider.dealOf(o)
	if o.Conflicts > before.Conflicts && (d == nil || !d.mayConflict) {
		w.violate("an operator is called without a cause: %s", r.conflicts[len(r.conflicts)-1].Reason)
	}
	if before.Status.Final() && o.Status != before.Status {
		w.violate("a final status is left: %s became %s", before.Status, o.Status)
	}
	if !o.Status.Final() || before.Status == o.Status {
		return
	}
	if truth := w.provider.truth(d); !sameEnd(truth, o.Status) && (d == nil || !d.now().reversal) {
		w.violate("a false end: the order is %s, and the provider has it as %s", o.Status, truth)
	}
	if o.Status == payment.StatusSucceeded && o.Kind != gateway.KindPayoutCard && o.Captured != d.now().settled {
		w.violate("a false sum: %d is recorded, and the provider took %d", o.Captured, d.now().settled)
	}
}

// sameEnd reports whether two statuses say the same of the money: providers have one word for failed and canceled.
func sameEnd(a, b payment.Status) bool {
	return a.Final() && b.Final() && (a == payment.StatusSucceeded) == (b == payment.StatusSucceeded)
}

// dealOf returns what the provider has of an order, or nil.
func (p *provider) dealOf(o *payment.Order) *deal {
	for _, d := range p.deals {
		if d.id == o.ProviderOrderID || d.reference != "" && d.reference == o.ProviderReference {
			return d
		}
	}
	return nil
}

// truth is how an order stands at the provider, in the words of orders. What it does not have failed.
func (p *provider) truth(d *deal) payment.Status {
	switch {
	case d == nil:
		return payment.StatusFailed
	case d.now().status == gateway.StatusCanceled:
		return payment.StatusCanceled
	}
	return payment.Status(d.now().status)
}

// checkEnd judges the scenario when it is at rest.
func (w *world) checkEnd() {
	if len(w.violations) > 0 {
		return
	}
	for _, r := range w.store.orders {
		w.checkRest(r)
		w.checkNotifications(r)
		w.checkRefunds(r)
		w.checkSurplus(r)
	}
	for _, d := range w.provider.deals {
		w.checkDeal(d)
	}
}

// checkRest holds that no order is left behind.
func (w *world) checkRest(r *record) {
	o := &r.order
	d := w.provider.dealOf(o)
	if d != nil && o.Kind == gateway.KindTransfer && o.Status == payment.StatusSucceeded && o.Refunded != d.returned {
		w.violate("%d of the transfer is recorded as come back, and the provider gave back %d", o.Refunded, d.returned)
	}
	switch {
	case contradicted(o, d) && !recorded(o) && o.NextPollAt == nil:
		w.violate("the provider contradicted itself about the %s, which is %s, and no operator is called", o.Kind, o.Status)
	case o.Status.Final():
		return
	case o.NextPollAt == nil:
		w.violate("the %s is %s, and nobody asks about it any more", o.Kind, o.Status)
	case o.Status == payment.StatusAuthorized && d != nil && d.now().status == gateway.StatusAuthorized:
		return
	case w.undecidable(o, d):
		w.checkReason(o)
	default:
		w.violate("the %s is left behind: it is %s, and the provider has it as %s", o.Kind, o.Status, w.provider.truth(d))
	}
}

// recorded reports whether a contradiction is on record, for an operator or as a dispute.
func recorded(o *payment.Order) bool {
	return o.Conflicts > 0 || o.DisputesOpen > 0 || o.SupersededBy != nil
}

// checkReason holds that an order that waits for an operator says why.
func (w *world) checkReason(o *payment.Order) {
	if o.Status == payment.StatusUnknown && o.StatusReason == "" && o.Conflicts == 0 {
		w.violate("the %s waits for an operator without a reason", o.Kind)
	}
}

// contradicted reports whether the provider said something that an order's end does not agree with.
func contradicted(o *payment.Order, d *deal) bool {
	return d != nil && (d.mustConflict || d.reversalKnown && o.Status.Final() && o.Status != payment.StatusSucceeded)
}

// undecidable reports whether only an operator can tell how an order ended.
func (w *world) undecidable(o *payment.Order, d *deal) bool {
	switch {
	case d != nil && d.forgotten:
		return true
	case o.Kind == gateway.KindRefund && o.ProviderReference == "":
		return d == nil || !d.reported || len(w.store.refunds(w.store.find(payment.Key{Shop: o.ShopID, Order: *o.ParentID}))) > 1
	case o.Kind == gateway.KindPayout && (d == nil || d.unshown):
		return !w.manner(o).showsPayouts && (d == nil || !d.reported)
	case o.Operation == gateway.OpCapture && o.CaptureAmount < o.Amount.Minor():
		return !d.manner.namesSums // it took all, or a part, and names no sum
	}
	return false
}

func (w *world) manner(o *payment.Order) *manner {
	for i := range manners {
		if manners[i].name == o.Provider {
			return &manners[i]
		}
	}
	return nil
}

// checkNotifications holds that each transition but the first has its notification.
func (w *world) checkNotifications(r *record) {
	n := 0
	for _, t := range r.transitions {
		if t.To == payment.StatusCreated {
			continue
		}
		if n >= len(r.notifications) || r.notifications[n].sequence != t.Sequence || r.notifications[n].status != t.To {
			w.violate("transition %d to %s has no notification of its own", t.Sequence, t.To)
			return
		}
		n++
	}
	if n != len(r.notifications) {
		w.violate("%d notifications tell of %d transitions", len(r.notifications), n)
	}
	if n > 0 && r.order.Status == payment.StatusSucceeded && r.notifications[n-1].captured != r.order.Captured {
		w.violate("the last notification shows %d, and the order %d", r.notifications[n-1].captured, r.order.Captured)
	}
}

// checkRefunds holds that a payment's sums are those of its refunds.
func (w *world) checkRefunds(r *record) {
	if r.order.Kind != gateway.KindPayment {
		return
	}
	var reserved, refunded int64
	for _, f := range w.store.refunds(r) {
		switch f.order.Status { //nolint:exhaustive // the others are open
		case payment.StatusFailed, payment.StatusCanceled:
		case payment.StatusSucceeded:
			refunded += f.order.Amount.Minor()
			reserved += f.order.Amount.Minor()
		default:
			reserved += f.order.Amount.Minor()
		}
	}
	if r.order.RefundReserved != reserved || r.order.Refunded != refunded {
		w.violate("the payment has %d refunded and %d reserved, and its refunds %d and %d", r.order.Refunded, r.order.RefundReserved, refunded, reserved)
	}
}
