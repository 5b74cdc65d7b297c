package payment

import (
	"strings"
	"time"

	"payrelay/internal/gateway"
)

const (
	// stateNamed is the member of ProviderState that remembers that the provider itself has named the order.
	stateAcknowledged = stateOurs + "named"
	// stateDoubted is the member that remembers a doubt about an order that had not ended: since when, and after a blank
	// which end was reported, if any.
	statePendingVerification = stateOurs + "doubted"
)

// name remembers that the provider has the order: it signed a callback about it, or refused a second one of the same id. Its
// "no such order" proves nothing from then on. Only while such an answer could end the order is there anything to remember.
func (o *Order) acknowledge() {
	if (o.Status == StatusCreated || o.Status == StatusUnknown) && !o.acknowledged() {
		o.mark(stateAcknowledged, "true")
		o.NotFound, o.NotFoundSince = 0, nil
	}
}

// named reports whether the provider has named the order while its call had no answer yet.
func (o *Order) acknowledged() bool { return o.ProviderState[stateAcknowledged] != "" }

// doubtedBy reports whether something is going on at the provider, by a report of unknown age, with an order that ended
// without money here. It may be old news; only the provider can tell. A refund's own answer tells that the provider took it:
// what ended the refund may have been about another one, for a callback names the payment alone.
func (o *Order) contradictedBy(r Observation) bool {
	if !o.endedWithoutMoney() {
		return false
	}
	return r.Status == StatusAuthorized && !o.wasAuthorized() ||
		r.Status == StatusProcessing && (o.neverArrived() || o.Kind == gateway.KindRefund && r.Source == SourceAnswer)
}

// doubt makes the order due for a check, and for some more soon: the first answer may be wrong, or old. For one that is
// final or waits the schedule begins anew. While a call may be under way its times are counted from that call, on which
// proofs rest, and those that are over are made up for, a second apart. The answers that deny the call count anew: those of
// before know nothing of what the report tells.
func (o *Order) verifySoon(now time.Time) {
	o.Checks = 0
	o.NotFound, o.NotFoundSince = 0, nil
	if o.Status.Final() || o.awaitsOthers() {
		o.ChecksSince = now
	}
	o.NextCheckAt = &now
}

// remember keeps a doubt with an order that has not ended. reported is the end that the doubted report names, "" if it names
// none that can be believed.
func (o *Order) pendVerification(reported Status, at time.Time) {
	if o.Status.Final() {
		return
	}
	if _, before, open := o.pendingVerification(); open && before != reported {
		reported = "" // two reports of two ends: neither end settles both
	}
	o.mark(statePendingVerification, gateway.Secret(at.Format(time.RFC3339Nano)+" "+string(reported)))
}

// remembered returns the doubt that is kept with the order, and whether there is one.
func (o *Order) pendingVerification() (since time.Time, reported Status, open bool) {
	at, end, _ := strings.Cut(o.ProviderState[statePendingVerification].Reveal(), " ")
	since, err := time.Parse(time.RFC3339Nano, at)
	return since, Status(end), err == nil
}

// lookedAfter forgets the doubt that is kept with the order when the provider was asked late enough to know what it is about.
func (o *Order) verifiedAt(started time.Time, delay time.Duration) {
	if since, _, open := o.pendingVerification(); open && !started.Before(since.Add(delay)) {
		o.mark(statePendingVerification, "")
	}
}

// resume makes an order that has just ended due for a check again, if it was put in doubt before and nobody has looked late
// enough since. An end that is the reported one settles the doubt, and so does an operator.
func (o *Order) resumeVerification(now time.Time) {
	since, reported, open := o.pendingVerification()
	if !open {
		return
	}
	o.mark(statePendingVerification, "")
	as := reported.Final() && (reported == StatusSucceeded) == (o.Status == StatusSucceeded)
	decided := len(o.transitions) > 0 && o.transitions[len(o.transitions)-1].Source == SourceOperator
	if as || decided {
		return
	}
	o.ChecksSince, o.Checks, o.NextCheckAt = since, 0, &now
}

// followDoubt goes on asking about a final order that a signed report put in doubt, and that no answer has contradicted. The
// first answers may be older than what the report tells of: settled says that this one was asked for after the provider's
// delay, and that it confirms how the order ended. When no answer tells for a day, an operator is called.
func (s *Service) followVerification(o *Order, settled bool, delay time.Duration, now time.Time) {
	switch {
	case settled:
		o.NextCheckAt = nil
		return
	case o.Checks > verificationPolls:
		o.contradict(Observation{Source: SourceStatusPoll, Status: StatusUnknown, At: now}, "a report put the order in doubt, and the provider could not tell for a day")
		return
	}
	at := now.Add(longestPause)
	if o.Checks < len(s.Schedule) {
		if next := o.ChecksSince.Add(s.Schedule[o.Checks]); next.After(now) && next.Before(at) {
			at = next
		}
	}
	if last := o.ChecksSince.Add(delay); last.After(now) && last.Before(at) {
		at = last
	}
	o.NextCheckAt = &at
}

// doubtTries is how often the provider is asked about a final order in doubt while it does not tell: for a day.
const verificationPolls = 24 * int(time.Hour/longestPause)
