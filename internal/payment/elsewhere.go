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
// nothing was sent or done. It stays created meanwhile, and the shop hears nothing of it. The proof is written down in the
// transaction that moves the order, before the next call; after an unknown outcome nothing ever goes elsewhere.

// A request makes at most mostAttempts, and begins none when it has taken failoverWithin.
const (
	mostAttempts   = 3
	failoverWithin = 20 * time.Second
)

// EndedAttempt is an attempt of an order at an account that is over, because nothing was sent.
type EndedAttempt struct {
	Number          int // from 1
	Provider        string
	AccountID       uuid.UUID
	AccountName     string
	ProviderOrderID string // our name of the order there
	Reason          string // not_sent, or the provider's code
	At              time.Time
}

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

// errOvertaken says that something else happened to the order during its call.
var errOvertaken = errors.New("the order has gone on")

// goElsewhere moves an order to the next account after a call that proves that nothing was done. It reports false if there is no
// next one, or if it could not be written down: then the call's outcome is the order's.
func (s *Service) goElsewhere(ctx context.Context, stored *Order, a attempt, made Call, callErr error) (moved *Order, next attempt, ok bool) {
	reason, proven := nothingDone(callErr)
	if !proven || a.elsewhere == nil || s.Now().Sub(stored.CreatedAt) > failoverWithin {
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
		o.AddCall(made)
		o.moveTo(target, a.number, reason, s.policy(), s.Now())
		return nil
	})
	if err != nil || moved.ProviderOrderID != target.ProviderOrderID {
		return nil, attempt{}, false
	}
	faultpoint.Hit("order-moved")
	s.Observe(Event{
		Provider: stored.Provider, Kind: stored.Kind, Order: stored.ID, Account: stored.AccountName, Elsewhere: moved.AccountName, Reason: reason,
		CredentialsRefused: credentialsRefused(callErr),
	})
	next.until = s.latest(moved)
	return moved, next, true
}

// moveTo ends the order's attempt, and gives it the account of target. Polls begin anew.
func (o *Order) moveTo(target *Order, number int, reason string, p Policy, at time.Time) {
	o.ended = append(o.ended, EndedAttempt{number, o.Provider, o.AccountID, o.AccountName, o.ProviderOrderID, reason, at})
	o.Provider, o.AccountID, o.AccountName, o.ProviderOrderID = target.Provider, target.AccountID, target.AccountName, target.ProviderOrderID
	o.UpdatedAt, o.Verification = at, Verification{PollsSince: at}
	o.intend(p, at)
}
