package payment

import (
	"context"
	"time"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// Poll asks for the status of an order and records the answer. A final order is left alone, unless a callback about it is not
// verified. An error means that the answer could not be written down; that the provider could not be asked is no error, the
// order is polled again later.
func (s *Service) Poll(ctx context.Context, key Key) (*Order, error) {
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

// Refresh polls the status of an order now, beside its schedule. A final order is answered as it is stored, unless money of it
// could still come back.
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

// poll asks the provider about an order and records the answer, which it returns as well: a zero one if there was none.
// scheduled says that the schedule's time has come.
func (s *Service) poll(ctx context.Context, o *Order, scheduled bool) (saved *Order, shown gateway.Result, err error) {
	to, ref, err := s.pollee(ctx, o)
	if err != nil {
		return nil, gateway.Result{}, err
	}
	a := statusPoll{operation: ref.Operation, name: o.ProviderOrderID, asOf: o.Sequence, since: o.PollsSince}
	a.Asked, a.VisibilityDelay, a.MovedAt = s.Now(), to.description.VisibilityDelay, to.account.MovedAt
	a.Due = scheduled && !o.ahead(s.Schedule, a.Asked)
	var took time.Duration
	a.result, took, a.err = callProvider(ctx, s, o.subject(), s.CheckTimeout, func(ctx context.Context) (gateway.Result, error) {
		return to.gateway.Fetch(ctx, ref)
	})
	made := Call{
		Operation: "fetch", StartedAt: a.Asked, Duration: took, Outcome: outcomeOf(a.result, a.err),
		ProviderData: providerDataOf(a.result, a.err), Failed: a.err != nil,
	}
	faultpoint.Hit("check-answered")
	if err := s.recordScheduled(ctx, o, a.result.ScheduledCharges); err != nil { // before the poll, which is not made again once it is recorded
		return nil, gateway.Result{}, err
	}
	event := Event{Source: SourceStatusPoll, CredentialsRefused: credentialsRefused(a.err)}
	saved, err = s.Store.UpdateOrder(ctx, o.Key(), func(o *Order) error {
		o.AddCall(made)
		a.Answered = s.Now()
		event.Verdict = o.observePoll(s.policy(), a)
		event.Conflicts, event.Ended = len(o.NewConflicts()), o.endedNow()
		return nil
	})
	if err != nil {
		return nil, gateway.Result{}, err
	}
	event.Provider, event.Kind, event.Order, event.Account = o.Provider, o.Kind, o.ID, o.AccountName
	s.Observe(event)
	if a.err != nil {
		return saved, gateway.Result{}, nil
	}
	if !o.Status.Final() { // it was not known yet that the first payment succeeded
		err = s.recordScheduled(ctx, saved, a.result.ScheduledCharges)
	}
	return saved, a.result, err
}

// pollee returns whom to ask about an order, and by which name: a refund's has its payment's with it.
func (s *Service) pollee(ctx context.Context, o *Order) (target, gateway.Ref, error) {
	to, err := s.targetAt(ctx, o.AccountID)
	if err != nil {
		return target{}, gateway.Ref{}, err
	}
	ref := o.Ref()
	if o.ParentID != nil {
		parent, err := s.Store.Order(ctx, Key{o.ShopID, *o.ParentID})
		if err != nil {
			return target{}, gateway.Ref{}, err
		}
		p := parent.Ref()
		ref.Parent = &p
	}
	return to, ref, nil
}

// policy is what verification goes by.
func (s *Service) policy() Policy { return Policy{s.Schedule, s.ProviderTimeout} }
