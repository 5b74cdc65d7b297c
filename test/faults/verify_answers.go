package faults

import (
	"cmp"
	"fmt"
	"slices"
)

// requests compares orders and the provider's sums with what the shops wrote into their requests: the server's own
// record of what it was asked for proves nothing about the server.
func (x indexed) requests(r *Result) {
	asked, commands := map[[3]string]Request{}, map[string][]Request{}
	for _, q := range x.Requests {
		if q.Reference == "" {
			commands[q.Order] = append(commands[q.Order], q)
			continue
		}
		asked[[3]string{q.Shop, q.Kind, q.Reference}] = q
	}
	for _, row := range x.Rows {
		q, ok := asked[[3]string{row.Shop, row.Kind, row.Reference}]
		switch {
		case !ok && (x.takenOver(row) || row.scheduled()):
			continue
		case !ok:
			r.add(NotAsked, row.ID, "no shop asked for this %s of %d (reference %q)", row.Kind, row.Amount, row.Reference)
			continue
		case q.Order != row.Parent:
			r.add(NotAsked, row.ID, "this %s was asked for of payment %q, and is of payment %q", row.Kind, q.Order, row.Parent)
		case q.Amount != row.Amount || q.Currency != "" && q.Currency != row.Currency:
			r.add(AmountMismatch, row.ID, "the shop asked for %d %s, and the order is of %d %s", q.Amount, q.Currency, row.Amount, row.Currency)
		}
		x.taken(r, row, q, commands[row.ID])
	}
}

// taken compares what the provider did about one order with the shop's request for it and the commands that followed.
func (x indexed) taken(r *Result, row Row, q Request, commands []Request) {
	captures := capturesOf(q, commands)
	for _, e := range x.effectsOf(row) {
		if !e.moved() {
			continue
		}
		if e.Currency != "" && row.Currency != "" && e.Currency != row.Currency {
			r.add(AmountMismatch, row.ID, "the order is in %s, and %s moved %s", row.Currency, row.Provider, e.Currency)
		}
		switch {
		case q.Manual && e.State == Paid:
			captured(r, row, e, captures)
		case e.Sum != q.Amount:
			r.add(AmountMismatch, row.ID, "the shop asked for %d, and %s moved %d", q.Amount, row.Provider, e.Sum)
		}
	}
	held := slices.ContainsFunc(row.Steps, func(s Step) bool { return s.To == "authorized" })
	if row.Status == "canceled" && held && !slices.ContainsFunc(commands, func(c Request) bool { return c.Kind == "cancel" }) {
		r.add(NotAsked, row.ID, "a hold was given up, and no shop asked for that")
	}
}

// captured compares what the provider took of a hold with the captures that the shop asked for.
func captured(r *Result, row Row, e Effect, captures []int64) {
	switch {
	case len(captures) == 0:
		r.add(NotAsked, row.ID, "%s took %d that were held, and no shop asked for a capture", row.Provider, e.Sum)
	case !slices.Contains(captures, e.Sum):
		r.add(AmountMismatch, row.ID, "captures of %v were asked for, and %s took %d", captures, row.Provider, e.Sum)
	}
}

// effectsOf is what the provider did about one order.
func (x indexed) effectsOf(row Row) []Effect {
	if row.Kind != "refund" {
		return x.orders[row.ProviderOrderID]
	}
	parent := x.byID[row.Parent]
	if parent == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(x.refunds[parent.ProviderOrderID]), func(e Effect) bool { return e.Reference != row.Reference })
}

// capturesOf are the sums of the captures that a shop asked for. A capture without a sum is of all.
func capturesOf(q Request, commands []Request) (sums []int64) {
	for _, c := range commands {
		if c.Kind == "capture" {
			sums = append(sums, cmp.Or(c.Amount, q.Amount))
		}
	}
	return sums
}

// said holds every answer that showed an order to the order's history and sums.
func (x indexed) said(r *Result) {
	for _, s := range x.Views {
		row := x.byID[s.Order]
		if row == nil {
			r.add(Lost, s.Order, "the shop was shown a %s that does not exist (reference %q)", s.Kind, s.Reference)
			continue
		}
		if wrong := untrue(s, *row); wrong != "" {
			r.add(AnswerWrong, s.Order, "the shop was shown %s in an answer of %d%s", wrong, s.HTTP, trail(*row))
		}
	}
}

// untrue says what of an answer the order never was, or "".
func untrue(s View, row Row) string {
	switch {
	case !row.was(s.Status, s.Sequence):
		return fmt.Sprintf("%s at sequence %d", s.Status, s.Sequence)
	case final(s.Status) && s.Status != row.Status:
		return s.Status + ", which is final, and it is " + row.Status
	case s.HTTP == 202 && s.Status != "unknown", s.HTTP == 201 && s.Status == "unknown":
		return s.Status
	case s.Shop != row.Shop || s.Kind != row.Kind || s.Reference != row.Reference:
		return fmt.Sprintf("a %s with reference %q that is a %s of reference %q", s.Kind, s.Reference, row.Kind, row.Reference)
	case s.Amount != row.Amount || s.Currency != row.Currency:
		return fmt.Sprintf("%d %s of %d %s", s.Amount, s.Currency, row.Amount, row.Currency)
	}
	return untrueSum(s, row)
}

// untrueSum says which sum of an answer the order never had, or "".
func untrueSum(s View, row Row) string {
	captured := int64(0)
	if s.Status == "succeeded" {
		captured = row.Captured
	}
	switch {
	case s.Captured != captured:
		return fmt.Sprintf("captured %d of %d", s.Captured, captured)
	case s.Authorized != row.Authorized && (s.Authorized != 0 || s.Status == "authorized"):
		return fmt.Sprintf("a hold of %d, which is of %d", s.Authorized, row.Authorized)
	case s.Refunded < 0 || s.Refunded > row.Refunded:
		return fmt.Sprintf("refunded %d of %d", s.Refunded, row.Refunded)
	}
	return ""
}

// was reports whether a transition of the order led to a status.
func (row Row) was(status string, sequence int) bool {
	return sequence >= 1 && sequence <= len(row.Steps) && row.Steps[sequence-1].To == status
}

// refusals finds requests that were refused and should not have been, and the other way round.
func (x indexed) refusals(r *Result) {
	for _, f := range x.Refusals {
		switch {
		case slices.Contains(f.Expected, f.Code):
		case f.Code == "invalid_state" && x.left(f.Order, f.While): // a provider's check said meanwhile that it is at work again
		case f.Code == accepted:
			r.add(DoubleEffect, f.Name, "was accepted with %d, and should have been refused with %v", f.Status, f.Expected)
		default:
			r.add(WronglyRefused, f.Name, "was refused with %d %s, expected %v", f.Status, f.Code, f.Expected)
		}
	}
}

// left reports whether an order left a status without a request of the shop.
func (x indexed) left(order, status string) bool {
	row := x.byID[order]
	return row != nil && slices.ContainsFunc(row.Steps, func(s Step) bool { return s.From == status && (s.Cause == "check" || s.Cause == "callback") })
}

// probes finds what still does not work although every fault is long over.
func (x indexed) probes(r *Result) {
	for _, p := range x.Probes {
		if p.Trouble != "" {
			r.add(NotRecovered, fmt.Sprintf("%s through replica %d", p.What, p.Replica), "%s; tried for %s after everything was settled", p.Trouble, recoverLimit)
		}
	}
}

// tooFew says so if clearly fewer of the plan's orders are in the rows than the shops asked for, or "".
func tooFew(plan Plan, rows []Row) string {
	names := map[string]bool{}
	for _, o := range plan.Orders {
		if o.Script != "statement" {
			names[o.Name] = true
		}
	}
	made := count(rows, func(r Row) bool { return r.Kind != "refund" && names[r.Reference] })
	if floor := (len(names)*95 + 99) / 100; made < floor {
		return fmt.Sprintf("%d of %d orders were made, and %d are the least that a run may have", made, len(names), floor)
	}
	return ""
}
