package faults

import (
	"fmt"
	"slices"
	"strings"

	"payrelay/internal/payment"
)

// row compares one order with the provider's records.
func (x indexed) row(r *Result, row Row) {
	x.history(r, row)
	if row.Conflicts > 0 && !slices.ContainsFunc(x.Contradictions, func(c Contradiction) bool { return c.Order == row.ID }) {
		r.add(FalseConflict, row.ID, "%s %s waits for an operator: %s", row.Kind, row.Status, strings.Join(row.ConflictReasons, "; "))
	}
	if row.Kind == "refund" {
		x.refund(r, row)
		return
	}
	truth := decisive(x.orders[row.ProviderOrderID])
	if row.scheduled() {
		truth = x.charged(row)
	}
	x.end(r, row, truth)
	x.amounts(r, row, truth)
	x.sums(r, row)
}

// decisive is what a provider has of an order: of several tries to pay it, the one that moved money tells.
func decisive(list []Effect) Effect {
	truth := Effect{State: Absent}
	for i, e := range list {
		if i == 0 || e.moved() && !truth.moved() || e.State == Open && !truth.moved() {
			truth = e
		}
	}
	return truth
}

// end compares an order's status with how it stands at the provider.
func (x indexed) end(r *Result, row Row, truth Effect) {
	uapayPayout := row.Kind == "payout" && row.Provider == "uapay"
	want := map[State][]string{
		Absent: {"failed"}, Open: {"processing", "requires_action"}, Held: {"authorized"}, Paid: {"succeeded"}, Failed: {"failed"},
		Canceled: {"canceled"}, Empty: {"failed"},
	}[truth.State]
	if uapayPayout { // given up by us after its first step, which moves nothing, and lapsed there
		want = append(want, map[State][]string{Canceled: {"failed"}}[truth.State]...)
	}
	switch final := final(row.Status); {
	case slices.Contains(want, row.Status):
	case uapayPayout && row.ProviderReference == "" && !final && truth.State == Absent &&
		x.excused(row, "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete"):
		// The provider shows a payout that it has, and is not known to show every payout: that it shows none proves nothing.
		r.Operator = append(r.Operator, row.ID)
	case row.Status == "succeeded":
		r.add(FalsePaid, row.ID, "%s is succeeded here and %s at %s", row.Kind, truth.State, row.Provider)
	case final:
		r.add(FalseFailed, row.ID, "%s is %s here and %s at %s", row.Kind, row.Status, truth.State, row.Provider)
	default:
		r.add(NotSettled, row.ID, "%s is %s here and %s at %s%s", row.Kind, row.Status, truth.State, row.Provider, trail(row))
	}
}

// amounts compares an order's sums with what the provider moved or holds.
func (indexed) amounts(r *Result, row Row, truth Effect) {
	switch {
	case truth.State == Paid && row.Asked != truth.Sum:
		r.add(AmountMismatch, row.ID, "%d was asked for, and %s moved %d", row.Asked, row.Provider, truth.Sum)
	case row.Status == "succeeded" && truth.State == Paid && row.Captured != truth.Sum:
		r.add(AmountMismatch, row.ID, "captured %d here and %d at %s", row.Captured, truth.Sum, row.Provider)
	case row.Status == "authorized" && truth.State == Held && row.Authorized != truth.Sum:
		r.add(AmountMismatch, row.ID, "holds %d here and %d at %s", row.Authorized, truth.Sum, row.Provider)
	case row.Status != "succeeded" && row.Captured != 0:
		r.add(AmountMismatch, row.ID, "captured %d and is %s", row.Captured, row.Status)
	}
}

// sums compares a payment's sums with its refunds, here and there.
func (x indexed) sums(r *Result, row Row) {
	var refunded, reserved, open int64
	for _, c := range x.children[row.ID] {
		switch c.Status {
		case "succeeded":
			refunded += c.Amount
			reserved += c.Amount
		case "failed", "canceled":
		default:
			open += c.Amount
			reserved += c.Amount
		}
	}
	if row.Refunded != refunded || row.Reserved != reserved {
		r.add(AmountMismatch, row.ID, "says refunded %d and reserved %d, its refunds say %d and %d", row.Refunded, row.Reserved, refunded, reserved)
	}
	there := sumOf(x.refunds[row.ProviderOrderID], Paid)
	switch {
	case there == refunded+open && open > 0: // the refund that is under way, or waits for an operator, is in the provider's sum
	case there > refunded:
		r.add(FalseFailed, row.ID, "refunds of %d succeeded here, and %s gave back %d", refunded, row.Provider, there)
	case there < refunded:
		r.add(FalsePaid, row.ID, "refunds of %d succeeded here, and %s gave back %d", refunded, row.Provider, there)
	}
}

// refund compares one refund with the provider's, where the provider gives refunds an id.
func (x indexed) refund(r *Result, row Row) {
	truth := x.refundOf(row)
	final := final(row.Status)
	switch {
	case !final && !row.Answered && row.ProviderReference == "" && !x.provable(row, truth) && x.excused(row, "refund", "invoicer/payments/reverse"):
		r.Operator = append(r.Operator, row.ID)
	case !final:
		state := State("unknown")
		if truth != nil {
			state = truth.State
		}
		r.add(NotSettled, row.ID, "refund is %s here and %s at %s%s", row.Status, state, row.Provider, trail(row))
	case truth == nil: // the sums tell
	case row.Status == "succeeded" && truth.State != Paid:
		r.add(FalsePaid, row.ID, "refund is succeeded here and %s at %s", truth.State, row.Provider)
	case row.Status != "succeeded" && truth.State != Failed:
		r.add(FalseFailed, row.ID, "refund is %s here and %s at %s", row.Status, truth.State, row.Provider)
	case row.Status == "succeeded" && truth.Sum != row.Amount:
		r.add(AmountMismatch, row.ID, "refund of %d here and %d at %s", row.Amount, truth.Sum, row.Provider)
	}
}

// refundOf is what the provider has of a refund, nil if it cannot be told from others.
func (x indexed) refundOf(row Row) (truth *Effect) {
	parent := x.byID[row.Parent]
	if parent == nil || row.Reference == "" {
		return nil
	}
	for i, e := range x.refunds[parent.ProviderOrderID] {
		if e.Reference == row.Reference {
			truth = &x.refunds[parent.ProviderOrderID][i]
		}
	}
	return truth
}

// provable reports whether something proves how a refund ended although its answer was lost: a callback that was
// acknowledged tells of it; or UAPAY, which gives refunds no id, shows that nothing of the payment is left, and the refund
// was asked for.
func (x indexed) provable(row Row, truth *Effect) bool {
	parent := x.byID[row.Parent]
	if truth != nil && truth.Acknowledged && parent != nil {
		// The callback names the payment alone, and has no id that tells it from another refund's of that sum, whose callback may still come.
		return count(x.refunds[parent.ProviderOrderID], func(e Effect) bool { return e.Sum == truth.Sum }) == 1
	}
	if row.Provider != "uapay" || row.Called == nil || parent == nil {
		return false
	}
	var there int64
	for _, e := range x.refunds[parent.ProviderOrderID] {
		there += e.Sum
	}
	return there == parent.Captured
}

// trail tells an order's history in one line.
func trail(row Row) string {
	var b strings.Builder
	for _, s := range row.Steps {
		fmt.Fprintf(&b, " %d:%s/%s", s.Sequence, s.To, s.Cause)
	}
	return b.String()
}

// history holds an order's transitions to the table of legal steps, without a gap.
func (x indexed) history(r *Result, row Row) {
	last, callbacks := "", 0
	for i, s := range row.Steps {
		if s.Sequence != i+1 || s.From != last {
			r.add(HistoryBroken, row.ID, "transition %d from %q follows %d transitions that end in %q", s.Sequence, s.From, i, last)
		}
		if !x.Legal[[2]string{s.From, s.To}] {
			r.add(HistoryBroken, row.ID, "no step leads from %q to %q", s.From, s.To)
		}
		if s.Cause == "callback" && (i >= 2 || !x.takenOver(row)) { // the callback that began it is kept with its parent
			callbacks++
		}
		last = s.To
	}
	if len(row.Steps) != row.Sequence || last != row.Status {
		r.add(HistoryBroken, row.ID, "is %s at sequence %d, and its %d transitions end in %q", row.Status, row.Sequence, len(row.Steps), last)
	}
	// Each callback is judged once: what it led to stays written beside it, and what is written beside it was done.
	if callbacks != row.Applied {
		r.add(HistoryBroken, row.ID, "%d transitions were caused by callbacks, and %d callbacks are kept that led to one", callbacks, row.Applied)
	}
}

// overlaps finds refunds of one payment that were open at the same time: a callback that names the payment alone could
// be about either. A refund's call tells when it was there: it can wait for the one before after it got its CreatedAt.
// Where the provider keeps its own times these tell, to the instant: the next may come only when the one before had ended there.
func (x indexed) overlaps(r *Result) {
	for id, list := range x.refunds {
		timed := slices.DeleteFunc(slices.Clone(list), func(e Effect) bool { return e.Started.IsZero() })
		slices.SortFunc(timed, func(a, b Effect) int { return a.Started.Compare(b.Started) })
		for i := 1; i < len(timed); i++ {
			if before, after := timed[i-1], timed[i]; before.Ended.IsZero() || before.Ended.After(after.Started) {
				r.add(DoubleEffect, x.ours(id), "refunds %s and %s were under way at %s at the same time", before.Reference, after.Reference, after.Provider)
			}
		}
	}
	for payment, list := range x.children {
		called := slices.DeleteFunc(slices.Clone(list), func(row *Row) bool { return row.Called == nil })
		slices.SortFunc(called, func(a, b *Row) int { return a.Called.Compare(*b.Called) })
		for i := 1; i < len(called); i++ {
			before, after := called[i-1], called[i]
			if before.FinalizedAt == nil || before.FinalizedAt.After(after.Called.Add(clockSlack)) {
				r.add(DoubleEffect, payment, "refunds %s and %s were under way at the same time", before.ID, after.ID)
			}
		}
	}
}

// scheduled reports whether the provider made the charge by its own schedule.
func (row Row) scheduled() bool {
	return row.Parent != "" && strings.Contains(row.Reference, payment.ProviderChargeMark)
}

// charged is what the provider has of a charge that it made by its own schedule.
func (x indexed) charged(row Row) Effect {
	if parent := x.byID[row.Parent]; parent != nil {
		for _, e := range x.Effects {
			if e.Kind == kindScheduled && e.ID == parent.ProviderOrderID && e.ChargeID == row.ProviderReference {
				return e
			}
		}
	}
	return Effect{State: Absent}
}

// scheduled holds the orders for charges by a provider's schedule to its record: each is of one charge, and no two of the same.
func (x indexed) scheduled(r *Result) {
	seen := map[string]bool{}
	for _, row := range x.Rows {
		if !row.scheduled() {
			continue
		}
		if x.charged(row).State == Absent {
			r.add(NotAsked, row.ID, "%s made no charge %q", row.Provider, row.ProviderReference)
		}
		if name := row.Parent + " " + row.ProviderReference; seen[name] {
			r.add(DoubleEffect, row.ID, "another order is of the same charge %q", row.ProviderReference)
		} else {
			seen[name] = true
		}
	}
}
