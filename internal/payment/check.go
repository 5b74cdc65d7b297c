package payment

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// Schedule is when an unfinished order is checked, as times since its last transition. After the last the step between
// the last two repeats. An order that waits for its customer or its shop begins at the third: nobody pays in three seconds,
// and whoever does is told of by a callback.
type Schedule []time.Duration

// waitingSkips is how many of the schedule's first times are left out for an order that waits for somebody but the provider.
const waitingSkips = 2

// DefaultSchedule looks soon after a change, then ever less often, then hourly.
var DefaultSchedule = Schedule{
	time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour,
}

// notFoundAnswers is how many answers in a row must say "no such order" before it is believed.
const notFoundAnswers = 3

// next sets when the order is checked next, with up to a tenth of jitter so that orders do not march in step.
func (s Schedule) next(o *Order, now time.Time) {
	if o.Status.Final() {
		o.NextPollAt = nil
		if o.resumeVerification(now); o.NextPollAt == nil && o.watched(now) {
			s.watch(o, now)
		}
		return
	}
	var at time.Time
	if o.PollsDone < len(s) {
		at = o.PollsSince.Add(s[o.PollsDone])
	} else {
		at = now.Add(s[len(s)-1] - s[max(len(s)-2, 0)])
	}
	if at.Before(now) { // late: a process was away
		at = now.Add(s[0])
	}
	at = at.Add(o.jitter(at.Sub(now) / 10))
	at = at.Truncate(time.Microsecond)
	o.NextPollAt = &at
}

// jitter is a part of limit. It follows from the order's id and from how far its schedule is: orders are spread, and the
// life of one can be repeated exactly.
func (o *Order) jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(o.ID[:])
	_, _ = h.Write(binary.AppendVarint(binary.AppendVarint(nil, int64(o.PollsDone)), int64(o.Sequence)))
	return time.Duration(h.Sum64() % uint64(limit)) //nolint:gosec // both are positive, and less than limit fits
}

// ahead reports whether the order's next check is the schedule's own and still to come. A lease of that check, which ends
// later, is no longer there then: the schedule began anew after it.
func (s Schedule) ahead(o *Order, now time.Time) bool {
	if o.NextPollAt == nil || o.PollsDone >= len(s) {
		return false
	}
	at := o.PollsSince.Add(s[o.PollsDone])
	return now.Before(at) && !o.NextPollAt.Before(at) && !o.NextPollAt.After(at.Add(s[o.PollsDone]/10))
}

// formLost tells a shop why nobody can pay an order that the provider has, and what to do.
const formLost = "The provider has the order, but the address of its form was lost with an answer, or may not be opened, so the customer cannot go on. " +
	"Give the order up with /cancel where the provider can, else wait until it ends by itself; only then start a new one."

// withoutForm returns a report that leaves the customer without a form as one that says so. A hosted order that the
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

// Check asks the provider about an order and records the answer. A final order is left alone, unless a callback put it in
// doubt. An error means that the
// answer could not be written down; that the provider could not be asked is no error, the order is checked again later.
func (s *Service) Check(ctx context.Context, key Key) (*Order, error) {
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Status.Final() && o.NextPollAt == nil {
		return o, nil
	}
	o, _, err = s.poll(ctx, o, true)
	return o, err
}

// Refresh asks the provider about an order now, beside its schedule. A final order is answered as it is stored, unless money of
// it could still come back.
func (s *Service) Refresh(ctx context.Context, key Key) (*Order, error) {
	ctx = context.WithoutCancel(ctx)
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Status.Final() && o.NextPollAt == nil && !o.mayComeBack() {
		return o, nil
	}
	o, _, err = s.poll(ctx, o, false)
	return o, err
}

// look asks the provider about an order and records the answer, which it returns as well: a zero one if there was none.
// scheduled says that the schedule's time has come; a look in between does not use up a step of it.
func (s *Service) poll(ctx context.Context, o *Order, scheduled bool) (saved *Order, reported gateway.Result, err error) {
	account, err := s.Store.Account(ctx, o.AccountID)
	if err != nil {
		return nil, gateway.Result{}, err
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, gateway.Result{}, err
	}
	ref, err := s.refOf(ctx, o)
	if err != nil {
		return nil, gateway.Result{}, err
	}
	basis, since, started, begin := o.Sequence, o.PollsSince, s.Now(), time.Now()
	scheduled = scheduled && !s.Schedule.ahead(o, started)
	callCtx, cancel := context.WithTimeout(s.CallContext(ctx, o.subject()), s.CheckTimeout)
	ended := s.BeginExternalCall(ctx)
	result, callErr := gw.gateway.Fetch(callCtx, ref)
	took := time.Since(begin)
	ended()
	cancel()
	faultpoint.Hit("check-answered")
	made := Call{Operation: "fetch", StartedAt: started, Duration: took, Outcome: outcomeOf(result, callErr), ProviderData: providerDataOf(result, callErr), Failed: callErr != nil}
	var verdict Verdict
	conflicts := 0
	saved, err = s.Store.UpdateOrder(ctx, o.Key(), func(o *Order) error {
		now, denied := s.Now(), o.Denials
		sequence, planned, steps, before, asked := o.Sequence, o.NextPollAt, o.PollsDone, o.Conflicts, o.PollsSince
		o.AddCall(made)
		o.PollsDone++
		if verdict = Stale; o.Operation == ref.Operation {
			verdict = s.recordCheck(o, gw.description, result, callErr, basis, started, now)
		} // else the answer was read as one about what was asked before: a hold, and not its cancel
		conflicts = len(o.NewConflicts())
		if callErr == nil && Status(result.Status).Valid() {
			o.verifiedAt(started, gw.description.VisibilityDelay)
		}
		s.Schedule.next(o, now)
		if o.FirstDenialAt != nil && o.NextPollAt != nil && (o.Denials > denied || o.Denials >= notFoundAnswers-1) {
			// The answers that settle it are due when the provider's delay has passed: soon, if it has and this was one more.
			at := s.provenAt(o, gw.description.VisibilityDelay)
			if soon := now.Add(s.Schedule[0]); o.Denials > denied && at.Before(soon) {
				at = soon
			}
			if at.After(now) && at.Before(*o.NextPollAt) {
				o.NextPollAt = &at
			}
		}
		if callErr != nil && !o.watched(now) && gateway.KindOf(callErr) != gateway.KindNotFound && (!notVisible(callErr) || now.Sub(o.PollsSince) <= notVisibleFor) {
			s.persist(o, now)
		}
		if o.PendingSince != nil && !o.Status.Final() {
			// Also between two steps that are wide by now: then it can be told.
			if at := o.PendingSince.Add(gw.description.VisibilityDelay); at.After(now) && at.Before(*o.NextPollAt) {
				o.NextPollAt = &at
			}
		}
		if o.Status.Final() && !o.watched(now) && planned != nil && o.Sequence == sequence && o.Conflicts == before {
			reported := callErr == nil && Status(result.Status).Final()
			s.followVerification(o, reported && !started.Before(o.PollsSince.Add(gw.description.VisibilityDelay)), gw.description.VisibilityDelay, now)
		}
		// A schedule that began anew while the provider was asked does not lose a step to a look of the one before.
		if due := scheduled && asked.Equal(since); !due && o.Sequence == sequence {
			o.PollsDone = steps
			if planned != nil && o.NextPollAt != nil && planned.Before(*o.NextPollAt) {
				o.NextPollAt = planned
			}
		}
		return nil
	})
	if err != nil {
		return nil, gateway.Result{}, err
	}
	s.Observe(Event{Provider: o.Provider, Source: SourceStatusPoll, Verdict: verdict, Conflicts: conflicts, Kind: o.Kind, Order: o.ID, Account: o.AccountName, CredentialsRefused: credentialsRefused(callErr)})
	if callErr != nil {
		return saved, gateway.Result{}, nil
	}
	return saved, result, nil
}

// recordCheck records an answer to "what do you know of this order", which was asked when started says: the answer may have
// waited for long before it is recorded.
func (s *Service) recordCheck(o *Order, d gateway.Description, result gateway.Result, err error, basis int, started, now time.Time) Verdict {
	if err == nil && o.modificationPending() && !o.Status.Final() && o.asBefore(result.Status) {
		// The money is still held, or the order still unpaid. As with an order that is not found, only time and several
		// answers prove that the command never arrived: it may be on its way, or not be visible yet. One that was answered
		// did arrive.
		if !o.wasAuthorized() {
			result.Status = gateway.StatusRequiresAction
		}
		if o.CommandAccepted || !s.proven(o, d.VisibilityDelay, started, now) {
			return Stale
		}
		return o.Record(ObservationOf(result, SourceStatusPoll, basis, now))
	}
	if err == nil {
		o.acknowledge() // also if nothing is recorded of it yet: an older denial may be written down after it
		o.Denials, o.FirstDenialAt = 0, nil
		if s.inFlight(o, now) && !Status(result.Status).Final() {
			// The call's own answer may still come, and it knows more: a form's address, what a capture took.
			return Stale
		}
		return o.Record(o.withoutForm(ObservationOf(result, SourceStatusPoll, basis, now)))
	}
	if gateway.KindOf(err) != gateway.KindNotFound {
		return Stale // could not ask; says nothing about the order
	}
	if o.Kind == gateway.KindRefund && o.ProviderReference == "" {
		return Stale // a provider may know a refund by an id that was lost with its answer: never guessed
	}
	if o.Status != StatusCreated && o.Status != StatusUnknown {
		// The provider had it once. That it is gone proves nothing about money.
		return Stale
	}
	if o.Acknowledged {
		return Stale // it said otherwise, and no number of denials makes that untrue
	}
	if !s.proven(o, d.VisibilityDelay, started, now) {
		return Stale
	}
	providerData := gateway.ProviderData{
		"outcome": "not_found", "answers": strconv.Itoa(o.Denials), "since": o.FirstDenialAt.Format(time.RFC3339),
	}
	if g, ok := errors.AsType[*gateway.Error](err); ok && g.Code != "" {
		providerData["code"] = g.Code
	}
	return o.Record(Observation{
		Source: SourceStatusPoll, Status: StatusFailed, AsOf: basis, ProviderData: providerData, At: now,
		Failure: &gateway.Failure{
			Category: gateway.FailureUnavailable, Code: codeNotFound, Advice: gateway.AdviceRetryLater, Cascade: []gateway.CascadeError{},
			Message: "The request never reached the provider: it has no such order, and said so several times.",
		},
	})
}

// notVisible reports whether a provider answered and showed nothing of a refund whose id was lost with its answer.
func notVisible(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Code == gateway.CodeNotVisible
}

// notVisibleFor is for how long such an answer is taken for one that may be old. From then on it counts as an answer, and the
// schedule goes its way: most of these refunds wait for a callback or a person.
const notVisibleFor = 10 * time.Minute

// persist brings the next check forward when the provider could not be asked: the schedule counts answers. The longer that
// goes on, the longer the pauses, so that what is learned late is late by an eighth of the outage, or two minutes.
func (s *Service) persist(o *Order, now time.Time) {
	if o.NextPollAt == nil {
		return
	}
	pause := min(max(now.Sub(o.PollsSince)/8, s.Schedule[0]), longestPause)
	pause += o.jitter(pause / 4)
	if at := now.Add(pause).Truncate(time.Microsecond); at.Before(*o.NextPollAt) {
		o.NextPollAt = &at
	}
}

// longestPause is between two checks while the provider cannot be asked.
const longestPause = 2 * time.Minute

// proven counts one more answer that denies that the last call arrived, and reports whether such answers are believed by
// now: several in a row, of which the last one was asked for late enough. One that was asked for before the call says
// nothing about it.
func (s *Service) proven(o *Order, delay time.Duration, started, now time.Time) bool {
	if started.Before(o.PollsSince) {
		return false
	}
	o.Denials++
	if o.FirstDenialAt == nil {
		o.FirstDenialAt = &now
	}
	return o.Denials >= notFoundAnswers && !started.Before(s.provenAt(o, delay))
}

// provenAt is from when on a question whose answer denies a call is late enough: the provider's delay after both the first such answer and
// the end of any call that may still have been under way.
func (s *Service) provenAt(o *Order, delay time.Duration) time.Time {
	asked := o.CreatedAt
	if o.modificationPending() {
		asked = o.PollsSince
	}
	at := asked.Add(s.ProviderTimeout + delay)
	if since := o.FirstDenialAt.Add(delay); since.After(at) {
		at = since
	}
	return at
}

// inFlight reports whether a call that moves the order along may still be under way, in this process or another.
func (s *Service) inFlight(o *Order, now time.Time) bool {
	return (o.Status == StatusCreated || o.modificationPending()) && now.Sub(o.PollsSince) < s.ProviderTimeout
}

// refOf returns the order's name towards the provider, with its parent's.
func (s *Service) refOf(ctx context.Context, o *Order) (gateway.Ref, error) {
	ref := o.Ref()
	if o.ParentID != nil {
		parent, err := s.Store.Order(ctx, Key{o.ShopID, *o.ParentID})
		if err != nil {
			return gateway.Ref{}, err
		}
		p := parent.Ref()
		ref.Parent = &p
	}
	return ref, nil
}
