package faults

import (
	"cmp"
	"fmt"
	"slices"
)

// Kind is a kind of violation.
type Kind string

// The kinds of violation.
const (
	Lost              Kind = "lost"               // acknowledged, and gone
	NotIdempotent     Kind = "not_idempotent"     // a request sent again was worked on again, or another one was taken for it
	MissedConflict    Kind = "missed_conflict"    // a provider contradicted a final status, and no operator was called
	DoubleEffect      Kind = "double_effect"      // the provider did once more than was asked
	FalseFailed       Kind = "false_failed"       // failed here, and money moved or may yet
	FalsePaid         Kind = "false_paid"         // succeeded here, and no money moved
	NotSettled        Kind = "not_settled"        // the provider knows the end, and we do not
	AmountMismatch    Kind = "amount_mismatch"    // another sum here than there
	HistoryBroken     Kind = "history_broken"     // transitions with a gap, a step that is not legal, or a seal that does not hold
	NotAnswered       Kind = "not_answered"       // a shop that asked again and again was never answered
	NotificationGap   Kind = "notification_gap"   // a transition that the shop was not notified of
	NotificationOrder Kind = "notification_order" // notified in another order
	NotificationWrong Kind = "notification_wrong" // notified of something else
	InternalError     Kind = "internal_error"     // an answer of 500, which no fault excuses
	FalseConflict     Kind = "false_conflict"     // an operator was called although nothing contradicts
	NotAsked          Kind = "not_asked"          // an order, capture or cancel that no shop asked for
	AnswerWrong       Kind = "answer_wrong"       // a shop was shown what the order never was
	WronglyRefused    Kind = "wrongly_refused"    // a request was refused that nothing stands against
	NotRecovered      Kind = "not_recovered"      // long after the faults an order still does not get through
	TooFew            Kind = "too_few"            // so few orders were made that the run says little
	SentTwice         Kind = "sent_twice"         // a call that moves money went out more often than it was asked for
	ForgeryTaken      Kind = "forgery_taken"      // a callback was taken whose signature does not hold
	AttemptUnproven   Kind = "attempt_unproven"   // an order went to another account without the proof that nothing was done
	AttemptsDiffer    Kind = "attempts_differ"    // other attempts here than the shop is shown, or than the providers saw
	MissedDispute     Kind = "missed_dispute"     // money moved by itself, and there is no record of it
	FalseDispute      Kind = "false_dispute"      // a record of money that did not
	Died              Kind = "died"               // a process ended that no fault ended, or did not come back
	TooQuiet          Kind = "too_quiet"          // so few faults took effect that the verdict is worth nothing
)

// Violation is one broken promise.
type Violation struct {
	Kind  Kind
	Order string // our id, or the provider's, or a reference
	What  string
}

func (v Violation) String() string { return fmt.Sprintf("%s %s: %s", v.Kind, v.Order, v.What) }

// Result is what the checker found.
type Result struct {
	Violations []Violation
	// Operator lists orders that wait for an operator, as they must, because a guess could move the money twice: refunds
	// whose answer was lost and that no call can ask about, and payouts of UAPAY that it does not show.
	Operator []string
}

func (r *Result) add(kind Kind, order, format string, args ...any) {
	r.Violations = append(r.Violations, Violation{kind, order, fmt.Sprintf(format, args...)})
}

// Check compares the records of a snapshot.
func Check(b Snapshot) Result {
	var r Result
	x := index(b)
	x.answers(&r)
	for _, name := range x.Unanswered {
		r.add(NotAnswered, name, "the shop asked until %s after the faults and got no answer", clientLimit)
	}
	x.callbacks(&r)
	x.contradictions(&r)
	x.requests(&r)
	x.said(&r)
	x.refusals(&r)
	x.probes(&r)
	x.listings(&r)
	x.effects(&r)
	for _, row := range b.Rows {
		x.row(&r, row)
	}
	x.attempts(&r)
	x.disputes(&r)
	x.scheduled(&r)
	x.overlaps(&r)
	x.open(&r)
	x.sentTwice(&r)
	x.forgeries(&r)
	x.repeats(&r)
	x.quiet(&r)
	x.lives(&r)
	x.notices(&r)
	for _, f := range b.Altered {
		r.add(HistoryBroken, f.ID, "%s: %s", f.Table, f.What)
	}
	for _, c := range b.Crashes {
		r.add(InternalError, c.Where, "%s", c.What)
	}
	slices.SortStableFunc(r.Violations, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Order, b.Order)) })
	return r
}

// Unsettled lists the orders that are not yet where the provider's records say they must end.
func Unsettled(b Snapshot) []Violation {
	var r Result
	x := index(b)
	for _, row := range b.Rows {
		x.row(&r, row)
	}
	return slices.DeleteFunc(r.Violations, func(v Violation) bool { return v.Kind != NotSettled })
}

// indexed is the snapshot with ways to find things.
type indexed struct {
	Snapshot
	byID       map[string]*Row     // our id
	byProvider map[string]*Row     // provider order id, refunds left out
	before     map[string]*Row     // provider order id of an attempt that ended
	byName     map[[3]string]*Row  // shop, kind, reference
	orders     map[string][]Effect // provider order id → orders of the ledger
	refunds    map[string][]Effect // provider order id of the payment → refunds of the ledger
	children   map[string][]*Row   // our id of the payment → refunds of the database
}

func index(b Snapshot) indexed {
	x := indexed{
		Snapshot: b, byID: map[string]*Row{}, byProvider: map[string]*Row{}, before: map[string]*Row{}, byName: map[[3]string]*Row{},
		orders: map[string][]Effect{}, refunds: map[string][]Effect{}, children: map[string][]*Row{},
	}
	for i := range b.Rows {
		row := &b.Rows[i]
		x.byID[row.ID], x.byName[[3]string{row.Shop, row.Kind, row.Reference}] = row, row
		if row.Kind == "refund" {
			x.children[row.Parent] = append(x.children[row.Parent], row)
			continue
		}
		x.byProvider[row.ProviderOrderID] = row
		for _, e := range row.Ended {
			x.before[e.ProviderOrderID] = row
		}
	}
	for _, e := range b.Effects {
		if e.Kind == "refund" {
			x.refunds[e.ID] = append(x.refunds[e.ID], e)
			continue
		}
		if e.Kind != kindUnasked && e.Kind != kindScheduled {
			x.orders[e.ID] = append(x.orders[e.ID], e)
		}
	}
	return x
}

// answers finds what shops were answered and is not there, or is another order.
func (x indexed) answers(r *Result) {
	for _, a := range x.Answers {
		row := x.byName[[3]string{a.Shop, a.Kind, a.Reference}]
		switch {
		case row == nil:
			r.add(Lost, a.Reference, "the shop was answered order %s, and there is none of this reference", a.Order)
		case row.ID != a.Order:
			r.add(Lost, a.Reference, "the shop was answered order %s, and the reference is now order %s", a.Order, row.ID)
		default:
			x.replayed(r, a)
		}
		if a.OtherBody != "" && a.OtherBody != "idempotency_mismatch" {
			r.add(NotIdempotent, a.Reference, "another request with the same Idempotency-Key: %s", a.OtherBody)
		}
		if a.OtherOrder != "" && a.OtherOrder != "reference_conflict" {
			r.add(NotIdempotent, a.Reference, "another request with the same reference: %s", a.OtherOrder)
		}
	}
}

// replayed finds a request that was sent again and was not answered as it was the first time.
func (x indexed) replayed(r *Result, a Answer) {
	switch {
	case a.ReplayStatus != 0 && (a.ReplayStatus >= 300 || a.Replayed != a.Order):
		r.add(Lost, a.Reference, "the same request with the same Idempotency-Key was answered %d order %q, and order %s before", a.ReplayStatus, a.Replayed, a.Order)
	case x.Unkept[a.RequestID]:
	case a.Changed || a.Verbatim && a.ReplayStatus != a.Status:
		r.add(Lost, a.Reference, "the first answer was replayed with another text, or with %d instead of %d", a.ReplayStatus, a.Status)
	case a.ReplayStatus != 0 && a.Keyed && !a.Verbatim:
		r.add(NotIdempotent, a.Reference, "the same request with the same Idempotency-Key was answered anew (the first was request %s)", a.RequestID)
	}
}

// contradictions holds each provider's change of mind to a conflict.
func (x indexed) contradictions(r *Result) {
	for _, c := range x.Contradictions {
		if row := x.byID[c.Order]; c.Acknowledged && row != nil && row.Conflicts == 0 {
			r.add(MissedConflict, c.Order, "%s is %s, the provider said otherwise afterwards, and no operator was called", row.Kind, row.Status)
		}
	}
}

func (x indexed) callbacks(r *Result) {
	for _, a := range x.Callbacks {
		if !x.Kept[a.Account+"/"+a.Key] {
			r.add(Lost, a.Key[:min(16, len(a.Key))], "a callback was acknowledged and is not kept")
		}
	}
}

// listings holds statements to what the provider makes of them.
func (x indexed) listings(r *Result) {
	for _, l := range x.Listings {
		switch {
		case l.State == "":
			r.add(Lost, l.ID, "a statement was acknowledged and is not there")
		case l.State != "ready" && l.State != "failed":
			r.add(NotSettled, l.ID, "a statement is %s", l.State)
		case l.State == "failed" && !l.Fails:
			r.add(FalseFailed, l.ID, "a statement failed that the provider makes")
		case l.State == "ready" && l.Fails:
			r.add(FalsePaid, l.ID, "a statement is ready that the provider does not make")
		case l.State == "ready" && !l.File:
			r.add(Lost, l.ID, "a statement is ready and its file cannot be read")
		}
	}
}

// moved reports whether money is, was or may be on its way.
func (e Effect) moved() bool { return e.State == Paid || e.State == Held }

// effects finds what the provider did without an order of ours, or twice.
func (x indexed) effects(r *Result) {
	named := map[string][]Effect{}
	for id, list := range x.orders {
		row := x.byProvider[id]
		if row == nil && x.before[id] == nil { // attempts tell of the others
			for _, e := range list { // also one that failed: it was sent before it was written down
				r.add(Lost, id, "the provider has a %s of %d that is %s, and the database has no such order (reference %q)", e.Kind, e.Sum, e.State, e.Reference)
			}
		}
		for _, e := range list {
			if e.Reference != "" && e.moved() && !x.paidLate(e.ID) {
				named[e.Kind+" "+e.Reference] = append(named[e.Kind+" "+e.Reference], e)
			}
		}
		if n := count(list, Effect.moved); n > 1 {
			r.add(DoubleEffect, id, "the provider moved money %d times for one order", n)
		}
	}
	for name, list := range named {
		if len(list) > 1 {
			r.add(DoubleEffect, name, "the provider moved money %d times for one request of the shop", len(list))
		}
	}
	for id, list := range x.refunds {
		x.refundEffects(r, id, list)
	}
}

func (x indexed) refundEffects(r *Result, id string, list []Effect) {
	payment := x.byProvider[id]
	if payment == nil {
		return // reported already
	}
	for _, e := range list {
		if e.Reference != "" && !slices.ContainsFunc(x.children[payment.ID], func(c *Row) bool { return c.Reference == e.Reference }) {
			r.add(Lost, e.Reference, "the provider has a refund of %d that is %s, and the database has no such refund", e.Sum, e.State)
		}
	}
	here, there := int64(0), sumOf(list, Paid, Open)
	for _, c := range x.children[payment.ID] {
		if c.Status != "failed" && c.Status != "canceled" {
			here += c.Amount
		}
	}
	if there > here {
		r.add(DoubleEffect, payment.ID, "the provider gave back %d, and refunds of %d were asked for and did not fail", there, here)
	}
	seen := map[string]int{}
	for _, e := range list {
		if e.Reference != "" && e.State != Failed {
			if seen[e.Reference]++; seen[e.Reference] == 2 {
				r.add(DoubleEffect, e.Reference, "the provider gave money back more than once for one refund")
			}
		}
	}
}

// sumOf adds up the effects that are in one of the states.
func sumOf(list []Effect, states ...State) (sum int64) {
	for _, e := range list {
		if slices.Contains(states, e.State) {
			sum += e.Sum
		}
	}
	return sum
}

func count[T any](list []T, match func(T) bool) (n int) {
	for _, v := range list {
		if match(v) {
			n++
		}
	}
	return n
}
