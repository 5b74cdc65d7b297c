package payment

import (
	"fmt"

	"payrelay/internal/gateway"
)

// keepReportedAmount keeps the sum that a signed callback names of a captured part.
func (o *Order) keepReportedAmount(r Observation) {
	if r.Status == StatusSucceeded && r.Settled != nil && o.takesPart() {
		minor := *r.Settled
		o.ReportedAmount = &minor
	}
}

// asked is the sum that the provider was asked to move.
func (o *Order) asked() int64 {
	if o.Operation == gateway.OpCapture && o.CaptureAmount > 0 {
		return o.CaptureAmount
	}
	return o.Amount.Minor()
}

// takesPart reports whether the provider was asked for a part of the order's amount.
func (o *Order) takesPart() bool { return o.asked() < o.Amount.Minor() }

// impossibleSum says why the sum that an observation names cannot be what moved or is held, or "".
func (o *Order) impossibleSum(r Observation) string {
	if r.Settled == nil || o.Amount.Currency() == "" || r.Status != StatusSucceeded && r.Status != StatusAuthorized {
		return ""
	}
	if minor := *r.Settled; minor <= 0 || minor > o.Amount.Minor() {
		return fmt.Sprintf("the report names %d as settled of %d", minor, o.Amount.Minor())
	}
	return ""
}

// sumNotNamed tells a shop why a part that was captured is not booked.
const sumNotNamed = "The provider says that the capture is done, and names no sum. It may have taken all that was held instead of the part. " +
	"The provider is being asked; if it never says, an operator decides."

// needsSum reports whether a success of a captured part does not say how much was taken. Some installations ignore the sum
// of a capture and name none afterwards: what was asked for is no evidence of what moved.
func (o *Order) needsSum(r Observation) bool {
	return r.Status == StatusSucceeded && !o.Status.Final() && r.Source != SourceOperator && o.takesPart() &&
		(r.Settled == nil || o.impossibleSum(r) != "")
}

// judgeUnnamed judges a success of a captured part that names no sum, or none that can be.
func (o *Order) judgeUnnamed(r Observation) (Verdict, string) {
	if reason := o.impossibleSum(r); reason != "" {
		return Conflict, reason
	}
	// The answer to a capture names no sum at some providers, and the callback may be the hold's own, come late: a poll tells.
	if o.ReportedAmount != nil && r.Source != SourceAnswer {
		return Conflict, fmt.Sprintf("a callback says that %d was settled instead of %d, and the provider names no sum", *o.ReportedAmount, o.asked())
	}
	return Stale, "no sum is named of the part that was captured"
}

// settle returns the sum that a success or hold is booked with. One that cannot be is not: the order's own is. Whatever
// was named besides what was asked for, a person is told.
func (o *Order) settle(r Observation) int64 {
	asked := o.asked()
	switch reason := o.impossibleSum(r); {
	case r.Settled == nil, o.Amount.Currency() == "": // a payout card has no sum
		return asked
	case reason != "":
		o.contradict(r, fmt.Sprintf("%s; %d is recorded", reason, asked))
		return asked
	case *r.Settled != asked && r.Source != SourceOperator && r.Status == StatusAuthorized:
		o.contradict(r, fmt.Sprintf("%d is held instead of %d", *r.Settled, asked))
	case *r.Settled != asked && r.Source != SourceOperator:
		o.contradict(r, fmt.Sprintf("%d was settled instead of %d", *r.Settled, asked))
	}
	return *r.Settled
}

// mayBeTheHolds reports whether a callback may be the hold's own, come late: it names the sum that was held, and of the order a
// part was captured, or its capture failed.
func (o *Order) mayBeTheHolds(r Observation) bool {
	if r.Status != StatusSucceeded || r.Settled == nil || *r.Settled != o.Authorized || o.secondMovement(r) != "" {
		return false
	}
	return o.Status == StatusSucceeded && o.takesPart() && *r.Settled != o.Captured ||
		o.Status == StatusFailed && o.wasAuthorized() && o.Operation == gateway.OpCapture
}

// otherHold says in what way an observation of a hold is about other money than the hold on record, or "". Only a callback's sum is
// compared: a poll would say the same each time.
func (o *Order) otherHold(r Observation) string {
	switch {
	case r.Status != StatusAuthorized || !o.wasAuthorized():
		return ""
	case r.Source == SourceCallback && r.Settled != nil && *r.Settled != o.Authorized:
		return fmt.Sprintf("held with another sum than the one recorded: %d, and not %d", *r.Settled, o.Authorized)
	}
	return o.secondMovement(r)
}

// otherHoldUnderCommand reports whether a callback is about other money than the hold whose capture or cancel is under way. How
// that ends says nothing about such money, so it is not asked about first.
func (o *Order) otherHoldUnderCommand(r Observation) bool {
	return r.Source == SourceCallback && o.modificationPending() && !o.Status.Final() && o.otherHold(r) != ""
}

// released tells a shop why a hold that nobody canceled is gone.
const released = "The provider released the hold without being asked to. No money was taken; to charge the customer, start a new payment."

// reading is an observation as it reads for this order, where what the provider's words mean depends on what is on record.
func (o *Order) reading(r Observation) Observation {
	if o.wasAuthorized() && o.Operation == gateway.OpAuthorize && r.Source != SourceOperator {
		if r.Status == StatusFailed && unexplained(r.Failure) {
			r.Status, r.Failure = StatusCanceled, nil // a hold that ends and is not refused was let go
		}
		if r.Status == StatusCanceled && r.Reason == "" {
			r.Reason = released
		}
	}
	if o.ReportedAmount != nil && r.Status == StatusSucceeded && r.Settled == nil && o.confirms(r.Source) {
		r.Settled = o.ReportedAmount // a callback said so, and the provider confirms that it was done
	}
	return r
}

// confirms reports whether a success without a sum confirms the one that a callback named. The answer to a capture that has a recorded
// end says nothing of what was reported since.
func (o *Order) confirms(source Source) bool {
	if o.Status.Final() {
		return source == SourceStatusPoll
	}
	return (source == SourceStatusPoll || source == SourceAnswer) && *o.ReportedAmount == o.asked()
}

// settlesClaim reports whether the sum that a callback named is judged with an observation.
func (o *Order) settlesClaim(r Observation) bool {
	if r.Status != StatusSucceeded || r.Source == SourceCallback {
		return false
	}
	return r.Source != SourceAnswer || !o.needsSum(r) && (r.Settled != nil || !o.Status.Final())
}

// unexplained reports whether a failure has no cause that the provider named.
func unexplained(f *gateway.Failure) bool { return f == nil || f.Code == "" && len(f.Cascade) == 0 }
