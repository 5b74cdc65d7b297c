package payment

import (
	"time"

	"payrelay/internal/gateway"
)

// Verification is what status polls of one order have found so far, and when the next one is due.
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

// acknowledge records that the provider has the order: it signed a callback about it, or declined a second one of the same
// id. Only while a denial could end the order is there anything to record.
func (o *Order) acknowledge() {
	if (o.Status == StatusCreated || o.Status == StatusUnknown) && !o.Acknowledged {
		o.Acknowledged = true
		o.Denials, o.FirstDenialAt = 0, nil
	}
}

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
	o.PollsDone = 0
	o.Denials, o.FirstDenialAt = 0, nil
	if o.Status.Final() || o.awaitsOthers() {
		o.PollsSince = now
	}
	o.NextPollAt = &now
}

// pendVerification keeps it with an order that has not ended that a callback is not verified yet. reported is the end that
// the callback names.
func (o *Order) pendVerification(reported Status, at time.Time) {
	if o.Status.Final() {
		return
	}
	if !reported.Final() {
		reported = ""
	}
	if o.PendingSince != nil && o.PendingStatus != reported {
		reported = "" // two reports of two ends: neither end settles both
	}
	o.PendingSince, o.PendingStatus = &at, reported
}

// verifiedAt settles a pending verification when the provider was asked late enough to know what it is about.
func (o *Order) verifiedAt(started time.Time, delay time.Duration) {
	if o.PendingSince != nil && !started.Before(o.PendingSince.Add(delay)) {
		o.PendingSince, o.PendingStatus = nil, ""
	}
}

// resumeVerification makes an order that has just ended due for a poll again, if a callback is not verified yet. An end that
// is the one it named settles it, and so does an operator.
func (o *Order) resumeVerification(now time.Time) {
	if o.PendingSince == nil {
		return
	}
	since, reported := *o.PendingSince, o.PendingStatus
	o.PendingSince, o.PendingStatus = nil, ""
	as := reported.Final() && (reported == StatusSucceeded) == (o.Status == StatusSucceeded)
	decided := len(o.transitions) > 0 && o.transitions[len(o.transitions)-1].Source == SourceOperator
	if as || decided {
		return
	}
	o.PollsSince, o.PollsDone, o.NextPollAt = since, 0, &now
}

// followDoubt goes on asking about a final order that a signed report put in doubt, and that no answer has contradicted. The
// first answers may be older than what the report tells of: settled says that this one was asked for after the provider's
// delay, and that it confirms how the order ended. When no answer tells for a day, an operator is called.
func (s *Service) followVerification(o *Order, settled bool, delay time.Duration, now time.Time) {
	switch {
	case settled:
		o.NextPollAt = nil
		return
	case o.PollsDone > verificationPolls:
		o.contradict(Observation{Source: SourceStatusPoll, Status: StatusUnknown, At: now}, "a report put the order in doubt, and the provider could not tell for a day")
		return
	}
	at := now.Add(longestPause)
	if o.PollsDone < len(s.Schedule) {
		if next := o.PollsSince.Add(s.Schedule[o.PollsDone]); next.After(now) && next.Before(at) {
			at = next
		}
	}
	if last := o.PollsSince.Add(delay); last.After(now) && last.Before(at) {
		at = last
	}
	o.NextPollAt = &at
}

// doubtTries is how often the provider is asked about a final order in doubt while it does not tell: for a day.
const verificationPolls = 24 * int(time.Hour/longestPause)
