package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
// could still come back, or may have moved after it had ended without any.
func (s *Service) Refresh(ctx context.Context, key Key) (*Order, error) {
	ctx = context.WithoutCancel(ctx)
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Status.Final() && o.NextPollAt == nil && !o.mayComeBack() && !o.mayBePaidLate(SourceStatusPoll) {
		return o, nil
	}
	o, _, err = s.poll(ctx, o, false)
	return o, err
}

// AskAbout makes an order due for a poll, in any status, as a callback does that only a poll can prove: an operator heard that
// money moved, and no callback said so. With the number of an attempt that has ended, an order of its own is made of that attempt and polled.
// Errors: CodeNotFound, CodeInvalidState.
func (s *Service) AskAbout(ctx context.Context, key Key, number int, reason, operator string) (*Order, error) {
	attempt, err := s.endedAttemptToAsk(ctx, key, number)
	if err != nil {
		return nil, err
	}
	asked, err := s.Store.UpdateOrder(ctx, key, func(o *Order) error {
		r := Observation{Source: SourceOperator, Status: StatusUnknown, ProviderData: gateway.ProviderData{"reason": reason, "operator": operator}, At: s.Now()}
		switch {
		case attempt != nil:
			r.Reason = fmt.Sprintf("Attempt %d may have been paid after it had ended.", number)
			o.takeOver(*attempt, r, false)
		case o.SupersededBy != nil && o.Kind != gateway.KindRefund:
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Order %s carries the money of this one. Ask about that one.", o.SupersededBy)}
		default:
			o.verify(r.At)
		}
		return nil
	})
	if errors.Is(err, ErrReferenceTaken) { // by a callback, since the attempt was looked for
		if _, taken := s.endedAttemptToAsk(ctx, key, number); taken != nil {
			err = taken
		}
	}
	return asked, err
}

// endedAttemptToAsk returns an order's attempt of a number, which has ended and was not taken over yet; nil for number 0.
func (s *Service) endedAttemptToAsk(ctx context.Context, key Key, number int) (*EndedAttempt, error) {
	if number == 0 {
		return nil, nil //nolint:nilnil // the order itself is asked about
	}
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	attempts, err := s.Store.EndedAttempts(ctx, key)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(attempts, func(a EndedAttempt) bool { return a.Number == number })
	if i < 0 {
		return nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("The order has no attempt %d that has ended. Without the number the order itself is asked about.", number)}
	}
	late, err := s.Store.Orders(ctx, Filter{Shop: key.Shop, Reference: fmt.Sprintf("%s%s%d", o.Reference, LateSuffix, number), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(late.Items) > 0 {
		return nil, &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Order %s shows what became of attempt %d. Ask about that one.", late.Items[0].ID, number)}
	}
	return &attempts[i], nil
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
	if err := s.recordProviderCharges(ctx, o, a.result.ProviderCharges); err != nil { // before the poll, which is not made again once it is recorded
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
		err = s.recordProviderCharges(ctx, saved, a.result.ProviderCharges)
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
