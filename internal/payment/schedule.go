package payment

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
)

// Schedule is when an unfinished order is polled, as times since its last transition. After the last the step between
// the last two repeats. An order that waits for its customer or its shop begins at the third: nobody pays in three seconds,
// and whoever does is told of by a callback.
type Schedule []time.Duration

// DefaultSchedule asks soon after a change, then ever less often, then hourly.
var DefaultSchedule = Schedule{
	time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour,
}

const (
	// waitingSkips is how many of the schedule's first times are left out for an order that waits for somebody but the provider.
	waitingSkips = 2
	// longestPause is between two polls while the provider cannot be asked, or does not tell.
	longestPause = 2 * time.Minute
	// notVisibleFor is for how long an answer that does not show a refund is taken for one that may be old. From then on it
	// counts as an answer: most of these refunds wait for a callback or a person.
	notVisibleFor = 10 * time.Minute
	// verificationPolls is how often the provider is asked about a final order while it does not tell: for a day.
	verificationPolls = 24 * int(time.Hour/longestPause)
	// watchedFor is for how long an imported transfer is asked about after it succeeded, and longestWatch how long the pauses
	// between two polls get: each is half as long as the time since the success.
	watchedFor   = 30 * 24 * time.Hour
	longestWatch = 24 * time.Hour
)

// clocksApart is how far the clocks of replicas may be apart, generously.
const clocksApart = time.Hour

// LatestPoll is the latest time that a plan made until now gives to the next poll of an order.
func LatestPoll(final bool, now time.Time) time.Time {
	longest := longestWatch
	if !final {
		longest = DefaultSchedule[len(DefaultSchedule)-1] * 11 / 10 // with the jitter
	}
	return now.Add(longest + clocksApart)
}

// OnObservation plans the next poll after an observation was judged, or after an intent was written down as if it had been
// applied. What changes nothing of a final order leaves its plan alone: a poll may be due because a callback is not verified.
func (v Verification) OnObservation(p Policy, f Facts, verdict Verdict, now time.Time) Verification {
	if f.Status.Final() && verdict != Apply {
		return v
	}
	return v.plan(p, f, now)
}

// OnPoll plans the poll after one that was answered. before is the verification as the answer found it. gaveUp says that the
// provider did not tell for a day about a final order: an operator is called.
func (v Verification) OnPoll(p Policy, f Facts, q Poll, before Verification) (after Verification, gaveUp bool) {
	if v.PendingSince != nil && q.understood() && !q.Asked.Before(v.PendingSince.Add(q.VisibilityDelay)) {
		v = v.withoutPending() // it was asked for late enough to know what the callback is about
	}
	v = v.plan(p, f, q.Answered)
	switch {
	case !f.Status.Final():
		v = v.hasten(p, f, q, before)
	case f.watched(q.Answered), before.NextPollAt == nil, q.Stepped, q.Contradicted:
		// There is nothing to verify of this end, or it was planned already.
	default:
		v, gaveUp = v.verifyEnd(p, q)
	}
	if !q.Due && !q.Stepped { // it uses up none of the schedule
		v.PollsDone = before.PollsDone
		if before.NextPollAt != nil && v.NextPollAt != nil && before.NextPollAt.Before(*v.NextPollAt) {
			v.NextPollAt = before.NextPollAt
		}
	}
	return v, gaveUp
}

// plan sets the next poll by the schedule, with up to a tenth of jitter so that orders do not march in step.
func (v Verification) plan(p Policy, f Facts, now time.Time) Verification {
	if f.Status.Final() {
		return v.planAfterEnd(p, f, now)
	}
	var at time.Time
	if s := p.Schedule; v.PollsDone < len(s) {
		at = v.PollsSince.Add(s[v.PollsDone])
	} else {
		at = now.Add(s[len(s)-1] - s[max(len(s)-2, 0)])
	}
	if at.Before(now) { // late: a process was away
		at = now.Add(p.Schedule[0])
	}
	at = at.Add(v.jitter(f, at.Sub(now)/10)).Truncate(time.Microsecond)
	v.NextPollAt = &at
	return v
}

// planAfterEnd plans a poll of an order that has ended only if a callback is not verified yet, or if its money may come back.
// An end that is the one the callback named verifies it, and so does an operator.
func (v Verification) planAfterEnd(p Policy, f Facts, now time.Time) Verification {
	pending := v
	v = v.withoutPending()
	v.NextPollAt = nil
	asNamed := pending.PendingStatus.Final() && (pending.PendingStatus == StatusSucceeded) == (f.Status == StatusSucceeded)
	switch {
	case pending.PendingSince != nil && !asNamed && !f.Decided:
		v.PollsSince, v.PollsDone, v.NextPollAt = *pending.PendingSince, 0, &now
	case f.watched(now):
		shortest := p.Schedule[min(waitingSkips, len(p.Schedule)-1)]
		at := now.Add(min(max(now.Sub(*f.ReversibleSince)/2, shortest), longestWatch)).Truncate(time.Microsecond)
		v.NextPollAt = &at
	}
	return v
}

// hasten brings the next poll of an unfinished order forward, to the earliest time that a rule asks for.
func (v Verification) hasten(p Policy, f Facts, q Poll, before Verification) Verification {
	now := q.Answered
	if denied := v.Denials > before.Denials; denied || v.Denials >= denialsNeeded-1 {
		// The answers that settle it are due when the provider's delay has passed: soon, if it has and this was one more.
		at := v.provableAt(p, f, q.VisibilityDelay)
		if soon := now.Add(p.Schedule[0]); denied && at.Before(soon) {
			at = soon
		}
		v = v.notAfter(at, now)
	}
	if q.Answer == AnswerNone || q.Answer == AnswerNotVisible && now.Sub(v.PollsSince) <= notVisibleFor {
		// The schedule counts answers. The longer there are none, the longer the pauses, so that what is learned late is late
		// by an eighth of the outage, or two minutes.
		pause := min(max(now.Sub(v.PollsSince)/8, p.Schedule[0]), longestPause)
		pause += v.jitter(f, pause/4)
		v = v.notAfter(now.Add(pause).Truncate(time.Microsecond), now)
	}
	if v.PendingSince != nil { // also between two times that are wide by now: then it can be told
		v = v.notAfter(v.PendingSince.Add(q.VisibilityDelay), now)
	}
	return v
}

// verifyEnd goes on asking about a final order of which a callback said otherwise, and that no answer has contradicted. The first
// answers may be older than what the callback tells of: an answer settles it that was asked for after the provider's delay, and
// that confirms how the order ended.
func (v Verification) verifyEnd(p Policy, q Poll) (after Verification, gaveUp bool) {
	knows := v.PollsSince.Add(q.VisibilityDelay)
	switch {
	case q.Answer == AnswerEnded && !q.Asked.Before(knows):
		return v, false
	case v.PollsDone > verificationPolls:
		return v, true
	}
	at := q.Answered.Add(longestPause)
	v.NextPollAt = &at
	for _, after := range p.Schedule[min(v.PollsDone, len(p.Schedule)):] {
		v = v.notAfter(v.PollsSince.Add(after), q.Answered) // the first that is still to come: a poll may take long
	}
	return v.notAfter(knows, q.Answered), false
}

// notAfter brings the next poll forward to a time that is still to come.
func (v Verification) notAfter(at, now time.Time) Verification {
	if at.After(now) && at.Before(*v.NextPollAt) {
		v.NextPollAt = &at
	}
	return v
}

// ahead reports whether the next poll is the schedule's own and still to come. A lease of that poll, which ends later, is no
// longer there then: the schedule began anew after it.
func (v Verification) ahead(s Schedule, now time.Time) bool {
	if v.NextPollAt == nil || v.PollsDone >= len(s) {
		return false
	}
	at := v.PollsSince.Add(s[v.PollsDone])
	return now.Before(at) && !v.NextPollAt.Before(at) && !v.NextPollAt.After(at.Add(s[v.PollsDone]/10))
}

// jitter is a part of limit. It follows from the order's id and from how far its schedule is: orders are spread, and the
// life of one can be repeated exactly.
func (v Verification) jitter(f Facts, limit time.Duration) time.Duration {
	if limit <= 0 || f.ID == uuid.Nil {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(f.ID[:])
	_, _ = h.Write(binary.AppendVarint(binary.AppendVarint(nil, int64(v.PollsDone)), int64(f.Sequence)))
	return time.Duration(h.Sum64() % uint64(limit)) //nolint:gosec // both are positive, and less than limit fits
}

// understood reports whether an answer shows the order in a status that is understood.
func (q Poll) understood() bool { return q.Answer == AnswerShown || q.Answer == AnswerEnded }
