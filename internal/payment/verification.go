package payment

import (
	"time"

	"github.com/google/uuid"
)

// Verification is what status polls of one order have found so far, and when the next one is due. It is a value: each method
// takes one and returns the next, reads no clock, and does no I/O. Everything that happens to an order reaches it by one of the
// methods whose names begin with On; Order.observe, Order.observePoll, Order.intend and Order.verify call them.
//
// The rules of proof:
//   - A denial ("no such order", or a hold that still stands during its capture) proves nothing by itself. Several in a row do,
//     if the last was asked for so late that no call was under way and the provider's visibility delay had passed.
//   - Nothing that the provider has acknowledged can be denied.
//   - A denial counts only if it comes from where the call went: of an account that was moved to another installation or merchant
//     after the call it proves nothing, however often it comes. Then an operator decides.
//   - A callback that cannot be believed by itself stays pending until a poll that was asked for late enough, also beyond the
//     order's end.
type Verification struct {
	// NextPollAt is when the provider is asked next, nil if it is not.
	NextPollAt *time.Time
	// PollsSince is where the schedule of polls began; PollsDone is how many of its times are over, or were left out.
	PollsSince time.Time
	PollsDone  int
	// Denials counts the answers in a row that deny that the last call arrived, from FirstDenialAt on.
	Denials       int
	FirstDenialAt *time.Time
	// Acknowledged says that the provider itself has named the order, so that no denial of it is believed.
	Acknowledged bool
	// CommandAccepted says that the provider answered the last capture or cancel: it arrived, and a hold that still stands
	// says only that it has not been carried out yet.
	CommandAccepted bool
	// PendingSince is since when a callback waits for its verification, nil if none does. PendingStatus is the end that it
	// named, "" if it named none that can be believed.
	PendingSince  *time.Time
	PendingStatus Status
}

// Facts is what verification goes by of an order.
type Facts struct {
	ID        uuid.UUID // orders are spread by it; those without one are not
	Sequence  int
	Status    Status
	CreatedAt time.Time
	// Modification says that a capture or cancel is under way.
	Modification bool
	// Decided says that an operator made the last step.
	Decided bool
	// ReversibleSince is when an imported transfer succeeded whose money may still come back, nil for every other order.
	ReversibleSince *time.Time
}

// Policy is what verification goes by of the service.
type Policy struct {
	Schedule Schedule
	// ProviderTimeout is for how long a call may be under way.
	ProviderTimeout time.Duration
}

// Answer is what a status poll brought.
type Answer string

// The answers.
const (
	AnswerShown      Answer = "shown"      // the order, in a status that is understood
	AnswerEnded      Answer = "ended"      // the order, at its end
	AnswerUnlisted   Answer = "unlisted"   // the order, in a status that is not understood
	AnswerDenied     Answer = "denied"     // no such order
	AnswerNotVisible Answer = "notVisible" // a refund whose id was lost is not shown, which proves nothing
	AnswerNone       Answer = "none"       // the provider could not be asked
)

// Poll is one status poll.
type Poll struct {
	// Asked is when the question went out: the answer is as old as that. Answered is when it is recorded.
	Asked, Answered time.Time
	// VisibilityDelay is for how long this provider's denials, and its old news, prove nothing.
	VisibilityDelay time.Duration
	Answer          Answer
	// Due says that the schedule's own time had come; a poll in between uses up none of it.
	Due bool
	// MovedAt is when the account that was asked last moved to another installation or merchant, nil for never.
	MovedAt *time.Time
	// Stepped and Contradicted say what the answer did to the order.
	Stepped, Contradicted bool
}

// moveKnownWithin is within which time of an account's move every process calls it as it is then, on machines whose clocks differ.
const moveKnownWithin = time.Minute

// denialsNeeded is how many answers in a row must deny an order before it is believed.
const denialsNeeded = 3

// OnStep is after a step of the order: the schedule begins anew, or is over.
func (v Verification) OnStep(f Facts, at time.Time) Verification {
	v = v.withoutDenials()
	if f.Status.Final() {
		v.NextPollAt = nil
		return v
	}
	v = v.OnCall(at)
	if f.awaitsOthers() {
		v.PollsDone = waitingSkips
	}
	return v
}

// OnCall is when a call may have moved the order along without a step: the schedule begins anew.
func (v Verification) OnCall(at time.Time) Verification {
	v.PollsSince, v.PollsDone = at, 0
	return v
}

// OnCommand is when a capture or cancel is about to be sent.
func (v Verification) OnCommand(at time.Time) Verification {
	v.CommandAccepted = false
	return v.OnCall(at)
}

// OnAnswer is when the provider has answered a call about the order.
func (v Verification) OnAnswer(f Facts) Verification {
	v.CommandAccepted = v.CommandAccepted || f.Modification
	return v
}

// OnAcknowledgment is when the provider has the order: it signed a callback about it, showed it, or declined a second one of the
// same id. Only while a denial could end the order is there anything to record.
func (v Verification) OnAcknowledgment(f Facts) Verification {
	if f.deniable() && !v.Acknowledged {
		v = v.withoutDenials()
		v.Acknowledged = true
	}
	return v
}

// OnShown is when a poll has shown the order: it breaks a row of denials. That is on record even if nothing else of the answer
// is, for an older denial may be written down after it.
func (v Verification) OnShown(f Facts) Verification {
	return v.OnAcknowledgment(f).withoutDenials()
}

// OnDenial counts one more answer that denies that the last call arrived, and reports whether such answers are believed by now:
// several in a row, of which the last one was asked for late enough. One that was asked for before the call says nothing, and
// no number of them makes untrue that the provider has acknowledged it.
func (v Verification) OnDenial(p Policy, f Facts, q Poll) (after Verification, proof bool) {
	acknowledged := v.Acknowledged
	if f.Modification {
		acknowledged = v.CommandAccepted
	}
	if acknowledged || q.Asked.Before(v.PollsSince) || v.askedElsewhere(f, q) {
		return v, false
	}
	v.Denials++
	if v.FirstDenialAt == nil {
		v.FirstDenialAt = &q.Answered
	}
	return v, v.Denials >= denialsNeeded && !q.Asked.Before(v.provableAt(p, f, q.VisibilityDelay))
}

// provableAt is from when on a question whose answer denies a call is late enough: the provider's delay after both the first
// such answer and the end of any call that may still have been under way.
func (v Verification) provableAt(p Policy, f Facts, delay time.Duration) time.Time {
	at := v.calledAt(f).Add(p.ProviderTimeout + delay)
	if since := v.FirstDenialAt.Add(delay); since.After(at) {
		at = since
	}
	return at
}

// calledAt is when the call was made that a denial is about.
func (v Verification) calledAt(f Facts) time.Time {
	if f.Modification {
		return v.PollsSince
	}
	return f.CreatedAt
}

// askedElsewhere reports whether a poll may have asked another installation than the call went to, or as another merchant.
func (v Verification) askedElsewhere(f Facts, q Poll) bool {
	return q.MovedAt != nil && !v.calledAt(f).After(q.MovedAt.Add(moveKnownWithin))
}

// OnCallback is when a callback came that cannot be believed by itself, or an answer that contradicts the order's end. The order
// is due for a poll, and for some more soon: the first answer may be wrong, or old. For one that is final or waits the schedule
// begins anew. While a call may be under way its times are counted from that call, on which proofs rest, and those that are over
// are made up for, a second apart. Denials count anew: those of before know nothing of what the callback tells.
func (v Verification) OnCallback(f Facts, at time.Time) Verification {
	v = v.withoutDenials()
	v.PollsDone = 0
	if f.Status.Final() || f.awaitsOthers() {
		v.PollsSince = at
	}
	v.NextPollAt = &at
	return v
}

// OnPending keeps it that a callback is not verified yet, with an order that has not ended. end is the end that it names.
func (v Verification) OnPending(f Facts, end Status, at time.Time) Verification {
	switch {
	case f.Status.Final():
		return v
	case !end.Final():
		end = ""
	}
	if v.PendingSince != nil && v.PendingStatus != end {
		end = "" // two callbacks of two ends: neither end settles both
	}
	v.PendingSince, v.PendingStatus = &at, end
	return v
}

// inFlight reports whether a call that moves the order along may still be under way, in this process or another.
func (v Verification) inFlight(p Policy, f Facts, now time.Time) bool {
	return (f.Status == StatusCreated || f.Modification) && now.Sub(v.PollsSince) < p.ProviderTimeout
}

func (v Verification) withoutDenials() Verification {
	v.Denials, v.FirstDenialAt = 0, nil
	return v
}

func (v Verification) withoutPending() Verification {
	v.PendingSince, v.PendingStatus = nil, ""
	return v
}

// deniable reports whether a denial may still end the order: the provider is not known to have it.
func (f Facts) deniable() bool { return f.Status == StatusCreated || f.Status == StatusUnknown }

// awaitsOthers reports whether the next step is the customer's or the shop's, and not the provider's.
func (f Facts) awaitsOthers() bool {
	return (f.Status == StatusRequiresAction || f.Status == StatusAuthorized) && !f.Modification
}

// watched reports whether the order is asked about although it succeeded. The provider does not call us about an imported
// transfer, so nothing else would tell that its money came back.
func (f Facts) watched(now time.Time) bool {
	return f.ReversibleSince != nil && now.Sub(*f.ReversibleSince) < watchedFor
}
