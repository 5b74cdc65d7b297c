package payment

import (
	"errors"
	"strconv"
	"time"

	"payrelay/internal/gateway"
)

// Everything that happens to an order comes by one of four methods, and each plans the next status poll with it: what we are
// about to do (intend), what somebody says (observe), what a poll brought (observePoll), and what must be verified first
// (verify).

// facts is what verification goes by of the order.
func (o *Order) facts() Facts {
	f := Facts{ID: o.ID, Sequence: o.Sequence, Status: o.Status, CreatedAt: o.CreatedAt, Modification: o.modificationPending()}
	if n := len(o.transitions); n > 0 {
		f.Decided = o.transitions[n-1].Source == SourceOperator
	}
	if o.Imported() && o.mayComeBack() {
		f.ReversibleSince = o.FinalizedAt
	}
	return f
}

// intend plans the first poll of what is about to be sent.
func (o *Order) intend(p Policy, at time.Time) {
	o.Verification = o.OnObservation(p, o.facts(), Apply, at)
}

// observe records an observation.
func (o *Order) observe(p Policy, r Observation) Verdict {
	verdict := o.Record(r)
	o.Verification = o.OnObservation(p, o.facts(), verdict, r.At)
	if verdict == Stale && r.Source == SourceAnswer && o.contradictedBy(r) {
		o.verify(r.At)
	}
	return verdict
}

// verify makes the order due for a poll, which settles what cannot be believed by itself.
func (o *Order) verify(at time.Time) { o.Verification = o.OnCallback(o.facts(), at) }

// statusPoll is a poll with its answer.
type statusPoll struct {
	Poll
	result    gateway.Result
	err       error
	operation gateway.Operation // what had been asked of the provider when the question went out
	name      string            // what the order was called there
	asOf      int               // the order's Sequence then
	since     time.Time         // where its schedule began then
}

// classify says what the answer is.
func (a statusPoll) classify() Answer {
	status := Status(a.result.Status)
	switch {
	case a.err == nil && status.Final():
		return AnswerEnded
	case a.err == nil && status.Valid():
		return AnswerShown
	case a.err == nil:
		return AnswerUnlisted
	case gateway.KindOf(a.err) == gateway.KindNotFound:
		return AnswerDenied
	case notVisible(a.err):
		return AnswerNotVisible
	}
	return AnswerNone
}

// notVisible reports whether a provider answered and showed nothing of a refund whose id was lost with its answer.
func notVisible(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Code == gateway.CodeNotVisible
}

// observePoll records what a status poll brought. The answer may have waited for long before it is recorded.
func (o *Order) observePoll(p Policy, a statusPoll) Verdict {
	before, sequence, conflicts := o.Verification, o.Sequence, o.Conflicts
	a.Answer = a.classify()
	// A schedule that began anew while the provider was asked loses none of its times to a poll of the one before.
	a.Due = a.Due && o.PollsSince.Equal(a.since)
	o.PollsDone++
	verdict := o.recordPoll(p, a)
	a.Stepped, a.Contradicted = o.Sequence != sequence, o.Conflicts != conflicts
	var gaveUp bool
	if o.Verification, gaveUp = o.OnPoll(p, o.facts(), a.Poll, before); gaveUp {
		o.contradict(Observation{Source: SourceStatusPoll, Status: StatusUnknown, At: a.Answered}, "a report called the order into question, and the provider could not tell for a day")
	}
	o.noteUnreadable(a.result.ProviderCharges, a.Answered)
	o.denyLateClaim(a.Answer, ObservationOf(a.result, SourceStatusPoll, a.asOf, a.Answered))
	return verdict
}

// recordPoll reads the answer to "what do you know of this order", and records it if it says anything.
func (o *Order) recordPoll(p Policy, a statusPoll) Verdict {
	switch {
	case !o.meantBy(a), o.showsOldHold(a):
		return Stale
	case o.deniesFromElsewhere(a):
		return o.deniedElsewhere(p, a)
	case o.deniesCommand(a):
		if a.result.Status != gateway.StatusAuthorized {
			a.result.Status = gateway.StatusRequiresAction
		}
		if !o.countDenial(p, a.Poll) {
			return Stale
		}
		return o.Record(ObservationOf(a.result, SourceStatusPoll, a.asOf, a.Answered))
	case a.err == nil:
		o.Verification = o.OnShown(o.facts())
		if o.inFlight(p, o.facts(), a.Answered) && a.Answer != AnswerEnded || o.leftToItsCall(p, Status(a.result.Status), a.Answered) {
			// The call's own answer may still come, and it knows more: a form's address, what a capture took.
			return Stale
		}
		return o.Record(o.withoutForm(ObservationOf(a.result, SourceStatusPoll, a.asOf, a.Answered)))
	case o.deniesOrder(a) && o.countDenial(p, a.Poll):
		return o.Record(o.neverReached(a))
	}
	return Stale
}

// meantBy reports whether a poll's answer is about the present attempt of the order, and was read as one about what is asked now: not
// about an attempt that has ended, or about a hold whose cancel was begun since.
func (o *Order) meantBy(a statusPoll) bool {
	return o.ProviderOrderID == a.name && o.Operation == a.operation
}

// countDenial counts a denial, and reports whether denials are believed by now.
func (o *Order) countDenial(p Policy, q Poll) (proof bool) {
	o.Verification, proof = o.OnDenial(p, o.facts(), q)
	return proof
}

// deniesCommand reports whether an answer shows the order as it was before its capture or cancel: the money is still held, or
// the order still unpaid. As with an order that is not found, only time and several answers prove that the command never
// arrived: it may be on its way, or not be visible yet. One that was answered did arrive.
func (o *Order) deniesCommand(a statusPoll) bool {
	return a.err == nil && o.modificationPending() && !o.Status.Final() && o.asBefore(a.result.Status)
}

// deniedAfterMove tells why an order does not end although the provider does not know it, or its command.
const deniedAfterMove = "The provider does not know of this. But the account's settings were changed after it was sent, so the provider may have it where it was sent. " +
	"Do not send it again: the operators must find out there, and settle it."

// deniesFromElsewhere reports whether an answer denies the order or its command, and may not come from where they were sent.
func (o *Order) deniesFromElsewhere(a statusPoll) bool {
	return (o.deniesCommand(a) || o.deniesOrder(a)) && o.askedElsewhere(o.facts(), a.Poll)
}

// deniedElsewhere keeps a denial by another installation than the call went to, or to another merchant. It proves nothing.
func (o *Order) deniedElsewhere(p Policy, a statusPoll) Verdict {
	if o.inFlight(p, o.facts(), a.Answered) {
		return Stale
	}
	verdict := Stale
	if o.Status == StatusCreated {
		verdict = o.Record(Observation{Source: SourceStatusPoll, Status: StatusUnknown, Reason: deniedAfterMove, AsOf: a.asOf, ProviderData: providerDataOf(a.result, a.err), At: a.Answered})
	}
	o.StatusReason, o.FormLost = deniedAfterMove, false
	return verdict
}

// showsOldHold reports whether an answer shows a hold after its cancel, and was asked for so soon that it may be from before.
func (o *Order) showsOldHold(a statusPoll) bool {
	return a.err == nil && o.Status.Final() && o.Operation == gateway.OpCancel && a.result.Status == gateway.StatusAuthorized &&
		a.Asked.Before(o.FinalizedAt.Add(a.VisibilityDelay))
}

// deniesOrder reports whether an answer denies an order that the provider is not known to have.
func (o *Order) deniesOrder(a statusPoll) bool {
	switch {
	case a.Answer != AnswerDenied: // the provider could not be asked, which says nothing about the order
		return false
	case o.Kind == gateway.KindRefund && o.ProviderReference == "": // it may know a refund by an id that was lost with its answer
		return false
	}
	return o.facts().deniable() // else it had it once: that it is gone proves nothing about money
}

// neverReached is the end of an order that the provider denied often and late enough.
func (o *Order) neverReached(a statusPoll) Observation {
	providerData := gateway.ProviderData{
		"outcome": "not_found", "answers": strconv.Itoa(o.Denials), "since": o.FirstDenialAt.Format(time.RFC3339),
	}
	if g, ok := errors.AsType[*gateway.Error](a.err); ok && g.Code != "" {
		providerData["code"] = g.Code
	}
	return Observation{
		Source: SourceStatusPoll, Status: StatusFailed, AsOf: a.asOf, ProviderData: providerData, At: a.Answered,
		Failure: &gateway.Failure{
			Category: gateway.FailureUnavailable, Code: codeNotFound, Advice: gateway.AdviceRetryLater, Cascade: []gateway.CascadeError{},
			Message: "The request never reached the provider: it has no such order, and said so several times.",
		},
	}
}

// contradictedBy reports whether something is going on at the provider, by an observation of unknown age, with an order that ended
// without money here. It may be old news; only the provider can tell. A refund's own answer tells that the provider took it:
// what ended the refund may have been about another one, for a callback names the payment alone.
func (o *Order) contradictedBy(r Observation) bool {
	if !o.endedWithoutMoney() {
		return false
	}
	return r.Status == StatusAuthorized && !o.wasAuthorized() ||
		r.Status == StatusProcessing && (o.neverArrived() || o.Kind == gateway.KindRefund && r.Source == SourceAnswer)
}

// formLost tells a shop why nobody can pay an order that the provider has, and what to do.
const formLost = "The provider has the order, but the address of its form was lost with an answer, or may not be opened, so the customer cannot go on. " +
	"Give the order up with /cancel where the provider can, else wait until it ends by itself; only then start a new one."

// withoutForm returns an observation that leaves the customer without a form as one that says so. A hosted order that the
// provider has and whose form nobody knows is not being paid, whatever the provider calls it.
func (o *Order) withoutForm(r Observation) Observation {
	switch {
	case r.NextAction != nil || o.NextAction != nil:
	case r.Status == StatusRequiresAction:
		r.Status, r.Reason, r.FormLost = StatusProcessing, formLost, true
	case r.Status == StatusProcessing && o.Flow == gateway.FlowHosted && !o.modificationPending():
		r.Reason, r.FormLost = formLost, true
	}
	return r
}
