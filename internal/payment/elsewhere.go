package payment

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// An order that names no account goes to the next one of the shop's routing, in the same request, if the account proves that
// nothing was sent or done, or that the payment was declined (see Cascade). It stays created meanwhile, and the shop hears nothing of
// it. The proof is written down in the transaction that moves the order, before the next call; after an unknown outcome nothing ever
// goes elsewhere.

// mostAttempts is how many attempts a request makes at most. It begins none when it has taken Config.FailoverWithin.
const mostAttempts = 3

// DefaultFailoverWithin is how long after an order was created an attempt at another account may begin, if nothing else is set.
const DefaultFailoverWithin = 20 * time.Second

// EndedAttempt is an attempt of an order at an account that is over: nothing was sent, or it was declined.
type EndedAttempt struct {
	Number          int // from 1
	Provider        string
	AccountID       uuid.UUID
	AccountName     string
	ProviderOrderID string // our name of the order there
	Reason          string // not_sent, another word for why nothing was done, or a reason of a decline
	FailureCode     string // the provider's, of a decline
	At              time.Time
}

// Declined reports whether the attempt ended because of a decline.
func (a EndedAttempt) Declined() bool { return ending{reason: a.Reason}.declined() }

// EndedAttempts returns an order's attempts but for the present one, in their order.
func (s *Service) EndedAttempts(ctx context.Context, key Key) ([]EndedAttempt, error) {
	return s.Store.EndedAttempts(ctx, key)
}

// NewEndedAttempts returns the attempts that ended since the order was loaded.
func (o *Order) NewEndedAttempts() []EndedAttempt { return o.ended }

// nothingDone reports whether a failed call proves that nothing was sent or done because of the account, and says why. A request
// that the provider refused is none: elsewhere it would hide a fault of the shop's.
func nothingDone(err error) (reason string, proven bool) {
	e, ok := errors.AsType[*gateway.Error](err)
	if !ok {
		return "", false
	}
	switch e.Kind { //nolint:exhaustive // the others prove nothing, or are about the request
	case gateway.KindNotSent:
		if e.Code == gateway.CodeNotSigned {
			return e.Code, true
		}
		return codeNotSent, e.Code != codeTooLate
	case gateway.KindCredentials:
		return "credentials_refused", true
	case gateway.KindDeclined:
		return e.Code, e.Code == gateway.CodeUnanswered
	}
	return "", false
}

// nothingDone is how an attempt ended whose call proves that nothing was sent or done, if the order may go elsewhere then.
func (a attempt) nothingDone(callErr error) ending {
	reason, proven := nothingDone(callErr)
	if !proven || !a.failover {
		return ending{}
	}
	return ending{reason: reason}
}

// errOvertaken says that something else happened to the order during its call.
var errOvertaken = errors.New("the order has gone on")

// goElsewhere moves an order to the next account after an attempt that is proven to be over. It reports false if there is no
// next one, or if it could not be written down: then the call's outcome is the order's.
func (s *Service) goElsewhere(ctx context.Context, stored *Order, a attempt, end ending, calls []Call, callErr error) (moved *Order, next attempt, ok bool) {
	if end.reason == "" || a.elsewhere == nil || s.Now().Sub(stored.CreatedAt) > s.FailoverWithin {
		return nil, attempt{}, false
	}
	target, next, err := a.elsewhere(ctx)
	if err != nil {
		return nil, attempt{}, false
	}
	moved, _, err = s.retryWrite(ctx, stored.Key(), func(o *Order) error {
		if o.Sequence != stored.Sequence || o.ProviderOrderID != stored.ProviderOrderID {
			return errOvertaken
		}
		o.addCalls(calls)
		o.moveTo(target, a.number, end, s.policy(), s.Now())
		return nil
	})
	if err != nil || moved.ProviderOrderID != target.ProviderOrderID {
		return nil, attempt{}, false
	}
	faultpoint.Hit("order-moved")
	s.Observe(Event{
		Provider: stored.Provider, Kind: stored.Kind, Order: stored.ID, Account: stored.AccountName, Elsewhere: moved.AccountName, Reason: end.reason,
		Ended: stored.declinedAttempt(end), CredentialsRefused: credentialsRefused(callErr),
	})
	next.until = s.latest(moved)
	if next.cascade = a.cascade; end.declined() {
		next.cascade = CascadeNone
	}
	return moved, next, true
}

// moveTo ends the order's attempt, and gives it the account of target. Polls begin anew.
func (o *Order) moveTo(target *Order, number int, end ending, p Policy, at time.Time) {
	o.ended = append(o.ended, EndedAttempt{number, o.Provider, o.AccountID, o.AccountName, o.ProviderOrderID, end.reason, end.code, at})
	o.Provider, o.AccountID, o.AccountName, o.ProviderOrderID = target.Provider, target.AccountID, target.AccountName, target.ProviderOrderID
	o.ProviderReference, o.BankReferences, o.ProviderState, o.PaymentMethod = "", nil, nil, nil // of the attempt that is over
	o.UpdatedAt, o.Verification = at, Verification{PollsSince: at}
	o.intend(p, at)
}
