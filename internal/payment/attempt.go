package payment

import (
	"context"
	"time"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// providerCall asks a provider for something about an order.
type providerCall func(context.Context) (gateway.Result, error)

// attempt is one call to a provider that may move money. What will be sent is written down before, and what came of it after.
type attempt struct {
	operation string
	call      providerCall
	// until is when the call is over: it begins only before, and is ended then. From then on polls may prove that it never
	// arrived, and a process that was paused or waited for the database in between must not make them wrong. Zero is for a
	// call that may come late, because it begins nothing.
	until time.Time
	// number counts the order's attempts at accounts, from 1. elsewhere is the next one: the order as it would go to another
	// account. nil if there is none.
	number    int
	elsewhere func(context.Context) (*Order, attempt, error)
	// failover says that the order may go there where nothing was sent, and cascade after which declines.
	failover bool
	cascade  Cascade
	// read says what the answer means; nil is answerObservation. It may run twice, each time on a new load of the order.
	read func(o *Order, result gateway.Result, err error, asOf int, now time.Time) Observation
}

// latest is until when a call that an order was written down for may be on its way.
func (s *Service) latest(o *Order) time.Time { return o.PollsSince.Add(s.ProviderTimeout) }

// begin is the one road to a provider for a new order: write it down, call with no transaction open, write down what came of
// it. It reports whether the order is new. The call's context outlives the caller's: whoever asked may go away, the money does
// not.
func (s *Service) begin(ctx context.Context, o *Order, a attempt) (*Order, bool, error) {
	stored, created, err := s.create(ctx, o)
	if err != nil {
		return nil, false, err
	}
	if !created {
		if !equalHash(stored.RequestHash, o.RequestHash) {
			return nil, false, errReferenceConflict
		}
		return stored, false, nil
	}
	faultpoint.Hit("order-written")
	done, _, err := s.attempt(ctx, stored, a)
	if err != nil {
		return nil, false, err
	}
	return done, true, nil
}

// attempt calls the provider about an order as it is stored now, and records what came of it. callErr is the call's own error,
// which the order has taken in.
func (s *Service) attempt(ctx context.Context, stored *Order, a attempt) (o *Order, callErr, err error) {
	ctx = context.WithoutCancel(ctx)
	started := s.Now()
	result, took, callErr := callProvider(ctx, s, stored.subject(), s.ProviderTimeout, s.inTime(a))
	calls := []Call{{
		ID: s.NewID(), Operation: a.operation, StartedAt: started, Duration: took,
		Outcome: outcomeOf(result, callErr), ProviderData: providerDataOf(result, callErr),
	}}
	s.countCall(stored, callErr)
	faultpoint.Hit("provider-answered")
	end := a.nothingDone(callErr)
	if a.mayBeDeclined(result, callErr) {
		var polls []Call
		result, end, polls = s.proveDecline(ctx, stored, a, result)
		calls = append(calls, polls...)
	}
	if moved, next, ok := s.goElsewhere(ctx, stored, a, end, calls, callErr); ok {
		return s.attempt(ctx, moved, next)
	}
	event := Event{Source: SourceAnswer, CredentialsRefused: credentialsRefused(callErr)}
	o, recorded, err := s.retryWrite(ctx, stored.Key(), func(o *Order) error {
		o.addCalls(calls)
		event.Verdict = s.recordAnswer(o, stored, a, result, callErr)
		event.Conflicts, event.Ended = len(o.NewConflicts()), o.endedNow()
		return nil
	})
	if err != nil {
		return nil, callErr, err
	}
	if recorded {
		event.Verdict, event.Conflicts, event.Ended = Repeat, 0, nil
	}
	faultpoint.Hit("outcome-written")
	event.Provider, event.Kind, event.Order, event.Account = o.Provider, o.Kind, o.ID, o.AccountName
	s.Observe(event)
	return o, callErr, nil
}

// inTime is an attempt's call, which begins only before until and ends then.
func (s *Service) inTime(a attempt) providerCall {
	if a.until.IsZero() {
		return a.call
	}
	return func(ctx context.Context) (gateway.Result, error) {
		left := a.until.Sub(s.Now())
		if left <= 0 {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: a.operation, Code: codeTooLate}
		}
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		return a.call(ctx)
	}
}

// recordAnswer records what came of an attempt. stored is the order as it was when the call began.
func (s *Service) recordAnswer(o, stored *Order, a attempt, result gateway.Result, callErr error) Verdict {
	switch overtaken := o.Operation != stored.Operation; {
	case overtaken && callErr != nil:
		return Stale // a capture or cancel was begun meanwhile, and this failure says nothing about it
	case overtaken:
		// This is not its answer, and what the adapter keeps of the order is newer than what this answer tells.
		result.State = unknownTo(o, result.State)
	case callErr == nil:
		o.Verification = o.OnAnswer(o.facts())
	}
	read := a.read
	if read == nil {
		read = answerObservation
	}
	r := read(o, result, callErr, stored.Sequence, s.Now())
	verdict := o.observe(s.policy(), r)
	if gateway.KindOf(callErr) == gateway.KindDuplicate {
		o.Verification = o.OnAcknowledgment(o.facts())
		o.contradict(r, "the provider had an order of this id before: somebody else uses our ids, or a request was repeated")
	}
	return verdict
}

// callProvider is the one place from which a provider is called. It says how long the call took.
func callProvider[T any](ctx context.Context, s *Service, of Subject, limit time.Duration, call func(context.Context) (T, error)) (T, time.Duration, error) {
	ctx, ended := s.BeginExternalCall(ctx, of)
	defer ended()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	answer, err := call(ctx)
	return answer, time.Since(begin), err
}

var errReferenceConflict = &Error{Code: CodeReferenceConflict, Message: "This reference was used before for another request. Send a new reference for a new order, or the first request again to get the first order."}

func equalHash(a, b []byte) bool { return string(a) == string(b) }
