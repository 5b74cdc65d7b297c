package payment

import (
	"context"
	"fmt"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/plural"
)

// Resolution is an operator's decision about an order.
type Resolution struct {
	Status Status
	// Minor is how much moved, in minor units, of an order settled as succeeded; 0 is what was asked for, or all that was
	// held if that is less.
	Minor int64
	// Force settles also an order about which nothing is open. The history says so.
	Force bool
	// Seen is how many contradictions of the order the operator knows of, nil if that was not said. More are not settled.
	Seen *int
	// Reason and Operator go into the order's history.
	Reason, Operator string
}

// Resolve settles an order whose outcome is unknown, or acknowledges the conflict of one that is final, by an operator's
// decision. An order that waits for its customer or shop is open only if something contradicts it.
// Of a capture or cancel that never took effect, the decision is "authorized": the money is still held. A final status is
// never changed: naming it again settles its conflict. "succeeded" of an order that ended without money says that money moved after all,
// which another order carries, or for a refund a dispute. Errors: CodeInvalid without a reason, CodeInvalidState.
// It returns how many contradictions it settled, too.
func (s *Service) Resolve(ctx context.Context, key Key, d Resolution) (o *Order, settled int, err error) {
	if err := d.valid(); err != nil {
		return nil, 0, err
	}
	o, err = s.Store.UpdateOrder(ctx, key, func(o *Order) error {
		if settled = o.Conflicts; d.Seen != nil && settled > *d.Seen {
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("%s this order, and you have seen %d. Nothing was changed: look at it again.", plural.Of(settled, "report contradicts", "reports contradict"), *d.Seen)}
		}
		decide := d.settle
		switch {
		case d.Status == StatusSucceeded && o.endedWithoutMoney() && (o.carriesLate() || o.Kind == gateway.KindRefund):
			decide = d.movedLate
		case o.Status.Final():
			decide = d.acknowledge
		}
		if err := decide(o, s.policy(), s.Now()); err != nil {
			return err
		}
		o.Conflicts = 0
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return o, settled, nil
}

// valid says what is wrong with the decision itself, whatever the order.
func (d Resolution) valid() error {
	switch {
	case d.Reason == "":
		return &Error{Code: CodeInvalid, Message: "A decision needs a reason: it becomes part of the order's history."}
	case d.Minor < 0 || d.Minor > 0 && d.Status != StatusSucceeded:
		return &Error{Code: CodeInvalid, Message: "An amount goes with succeeded only, and is more than zero."}
	case !d.Status.Final() && d.Status != StatusAuthorized:
		return &Error{Code: CodeInvalid, Message: "An order is settled as succeeded, failed, canceled or, after a capture or cancel that took no effect, authorized."}
	}
	return nil
}

// providerData is what the history keeps of the decision.
func (d Resolution) providerData() gateway.ProviderData {
	return gateway.ProviderData{"reason": d.Reason, "operator": d.Operator}
}

// acknowledge settles the contradictions of a final order. Its status and sums stay.
func (d Resolution) acknowledge(o *Order, _ Policy, now time.Time) error {
	switch {
	case o.Status != d.Status:
		return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("The order is %s, and a final status is never changed. If money moved the other way, settle that with the provider and put it right with an order of its own.", o.Status)}
	case d.Minor > 0:
		return &Error{Code: CodeInvalid, Message: "The order is final, and its sums are never changed. Leave the amount out; put right what moved otherwise with an order of its own."}
	case o.Conflicts == 0:
		return &Error{Code: CodeInvalidState, Message: "There is nothing to settle: the order is final and nothing contradicts it."}
	}
	d.closeConflicts(o, now)
	return nil
}

// closeConflicts keeps that the decision settled what contradicts an order which has ended.
func (d Resolution) closeConflicts(o *Order, now time.Time) {
	o.conflicts = append(o.conflicts, ConflictRecord{Source: SourceOperator, Reason: "settled: " + d.Reason, Reported: d.Status, ProviderData: d.providerData(), At: now})
}

// movedLate says that money of an order moved which had ended without any. It takes the road of a poll that says so.
func (d Resolution) movedLate(o *Order, p Policy, now time.Time) error {
	r := Observation{Source: SourceOperator, Status: d.Status, AsOf: o.Sequence, ProviderData: d.providerData(), At: now}
	open := o.Conflicts > 0
	switch {
	case o.SupersededBy != nil:
		return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("What moved of this order is on record: %s carries it. To settle a conflict, name the status %s that the order has.", o.SupersededBy, o.Status)}
	case !open && !d.Force:
		return &Error{Code: CodeInvalidState, Message: "Nothing says that money of this order moved. Have the provider asked: server order refresh. If it cannot tell and you know better, decide with --force; the history will say so."}
	case !open:
		r.ProviderData["forced"] = "true"
	}
	settled, err := d.sum(o)
	if err != nil {
		return err
	}
	if r.Settled = settled; settled == nil {
		asked := o.asked()
		r.Settled = &asked
	}
	if verdict, reason := o.Judge(r); verdict != Apply {
		return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("This cannot be written down of the %s: %s.", o.Kind, reason)}
	}
	o.observe(p, r)
	if open {
		d.closeConflicts(o, now)
	}
	return nil
}

// settle gives an open order the status of the decision.
func (d Resolution) settle(o *Order, p Policy, now time.Time) error {
	r := Observation{Source: SourceOperator, Status: d.Status, Reason: "Settled by an operator: " + d.Reason, AsOf: o.Sequence, ProviderData: d.providerData(), At: now}
	if o.awaitsOthers() && o.Conflicts == 0 {
		if !d.Force {
			return &Error{Code: CodeInvalidState, Message: nothingPending[o.Status]}
		}
		r.ProviderData["forced"] = "true"
	}
	if d.Status == StatusAuthorized && (o.Status != StatusProcessing || !o.modificationPending() || !o.wasAuthorized()) {
		return &Error{Code: CodeInvalidState, Message: "Only a payment with a capture or cancel under way can be settled as authorized: the money is still held."}
	}
	var err error
	if r.Settled, err = d.sum(o); err != nil {
		return err
	}
	if d.Status == StatusFailed {
		r.Failure = &gateway.Failure{Category: gateway.FailureUnknown, Code: "operator", Message: "Settled by an operator.", Advice: gateway.AdviceContactProvider, Cascade: []gateway.CascadeError{}}
	}
	if o.observe(p, r) != Apply {
		return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("A %s %s cannot become %s.", o.Kind, o.Status, d.Status)}
	}
	return nil
}

// sum is how much moved by the decision, nil for what was asked for. It is never more than the order is about, or than was held.
func (d Resolution) sum(o *Order) (*int64, error) {
	most := o.Amount
	if o.wasAuthorized() {
		most = money.New(o.Authorized, o.Amount.Currency())
	}
	switch {
	case d.Minor > most.Minor() || d.Minor > 0 && o.Kind == gateway.KindRefund && d.Minor != o.Amount.Minor():
		return nil, &Error{Code: CodeInvalid, Message: fmt.Sprintf("The amount is not within the %s that the order is about, or that was held.", most)}
	case d.Minor > 0:
		return &d.Minor, nil
	case d.Status == StatusSucceeded && o.asked() > most.Minor():
		held := most.Minor()
		return &held, nil
	}
	return nil, nil //nolint:nilnil // no sum of its own is an answer
}

// nothingPending says why an order that waits is not for an operator to settle, and what to do instead.
var nothingPending = map[Status]string{
	StatusAuthorized: "Nothing about this payment is open: its money is held, and a decision here would not release it. " +
		"Capture or cancel it through the API. If you know better, decide with --force; the history will say so.",
	StatusRequiresAction: "Nothing about this order is open: it waits for its customer, who may still pay, and a decision here would not stop that. " +
		"It ends by itself, or by a cancel through the API where the provider has one. If you know better, decide with --force; the history will say so.",
}
