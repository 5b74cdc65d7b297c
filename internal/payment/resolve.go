package payment

import (
	"context"
	"fmt"

	"payrelay/internal/gateway"
)

// Resolution is an operator's decision about an order.
type Resolution struct {
	Status Status
	// Minor is how much moved, in minor units, of an order settled as succeeded; 0 is what was asked for.
	Minor int64
	// Reason and Operator go into the order's history.
	Reason, Operator string
}

// Resolve settles an order that is not final, or acknowledges the conflict of one that is, by an operator's decision.
// Of a capture or cancel that never took effect, the decision is "authorized": the money is still held. A final status is
// never changed: naming it again settles its conflict. Errors: CodeInvalid without a reason, CodeInvalidState.
func (s *Service) Resolve(ctx context.Context, key Key, d Resolution) (*Order, error) {
	if d.Reason == "" {
		return nil, &Error{Code: CodeInvalid, Message: "A decision needs a reason: it becomes part of the order's history."}
	}
	if d.Minor < 0 || d.Minor > 0 && d.Status != StatusSucceeded {
		return nil, &Error{Code: CodeInvalid, Message: "An amount goes with succeeded only, and is more than zero."}
	}
	if !d.Status.Final() && d.Status != StatusAuthorized {
		return nil, &Error{Code: CodeInvalid, Message: "An order is settled as succeeded, failed, canceled or, after a capture or cancel that took no effect, authorized."}
	}
	return s.Store.UpdateOrder(ctx, key, func(o *Order) error {
		now := s.Now()
		evidence := gateway.Evidence{"reason": d.Reason, "operator": d.Operator}
		if o.Status.Final() {
			if o.Status != d.Status {
				return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("The order is %s, and a final status is never changed. If money moved the other way, settle that with the provider and put it right with an order of its own.", o.Status)}
			}
			if o.Conflicts == 0 {
				return &Error{Code: CodeInvalidState, Message: "There is nothing to settle: the order is final and nothing contradicts it."}
			}
			o.Conflicts = 0
			o.conflicts = append(o.conflicts, Conflict{Cause: CauseOperator, Reason: "settled: " + d.Reason, Reported: d.Status, Evidence: evidence, At: now})
			return nil
		}
		if d.Status == StatusAuthorized && (o.Status != StatusProcessing || !o.commanded() || !o.held()) {
			return &Error{Code: CodeInvalidState, Message: "Only a payment with a capture or cancel under way can be settled as authorized: the money is still held."}
		}
		r := Report{Cause: CauseOperator, Status: d.Status, Reason: "Settled by an operator: " + d.Reason, Basis: o.Sequence, Evidence: evidence, At: now}
		if d.Minor > 0 {
			if d.Minor > o.Amount.Minor() || o.Kind == gateway.KindRefund && d.Minor != o.Amount.Minor() {
				return &Error{Code: CodeInvalid, Message: fmt.Sprintf("The amount is not within the order's %s.", o.Amount)}
			}
			r.Settled = &d.Minor
		}
		if d.Status == StatusFailed {
			r.Failure = &gateway.Failure{Category: gateway.FailureUnknown, Code: "operator", Message: "Settled by an operator.", Advice: gateway.AdviceContactProvider, Cascade: []gateway.CascadeError{}}
		}
		if o.Record(r) != Apply {
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("A %s %s cannot become %s.", o.Kind, o.Status, d.Status)}
		}
		o.Conflicts = 0
		s.Schedule.next(o, now)
		return nil
	})
}
