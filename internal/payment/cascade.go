package payment

import (
	"context"
	"time"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// A direct payment by card that is declined goes to the next account in the same request, where its shop asks for that and the
// decline is of a class that another account may help with. The provider must show, asked after the call, that the attempt is
// over for good. The card is in the request alone, so nothing cascades later. At most one decline of an order does so.

// Cascade says which declines let an order go to another account.
type Cascade string

// The values. Issuer includes provider.
const (
	CascadeNone     Cascade = ""
	CascadeProvider Cascade = "provider" // those for the provider's own trouble
	CascadeIssuer   Cascade = "issuer"   // also those of the card's issuer
)

// The reasons of attempts that ended because of a decline. internal/store has the same words in the schema.
const (
	ReasonDeclinedByProvider = "declined_by_provider"
	ReasonDeclinedByIssuer   = "declined_by_issuer"
)

// defaultDeclinePolls are the pauses before the polls that are to show that a declined attempt is over.
var defaultDeclinePolls = []time.Duration{300 * time.Millisecond, 700 * time.Millisecond}

// reason is why a declined attempt ends, "" if its decline lets nothing go elsewhere.
func (c Cascade) reason(f *gateway.Failure) string {
	switch {
	case f == nil || c == CascadeNone:
		return ""
	case f.Retry == gateway.RetryOtherAccount:
		return ReasonDeclinedByProvider
	case f.Retry == gateway.RetryIssuer && c == CascadeIssuer:
		return ReasonDeclinedByIssuer
	}
	return ""
}

// cascades is which of a payment's declines may lead elsewhere. A hold that came late would be nobody's, the token of a wallet is good
// for one account, and an order that names its account goes nowhere else.
func (in NewPayment) cascades() Cascade { //nolint:gocritic // as the other methods
	if in.Account != "" || in.Flow != gateway.FlowDirect || in.Manual || in.Method.Card == nil {
		return CascadeNone
	}
	return in.Cascade
}

// ending is why an attempt is over, where that is proven. The zero value is for one that may not be.
type ending struct {
	reason string
	code   string // the provider's, of a decline
	// category is that of the decline.
	category gateway.FailureCategory
}

// declined reports whether an attempt ended because of a decline.
func (e ending) declined() bool {
	return e.reason == ReasonDeclinedByProvider || e.reason == ReasonDeclinedByIssuer
}

// mayBeDeclined reports whether an answer may be followed by the proof of a decline that lets the order go elsewhere. A form in the
// answer says nothing yet: the customer has not seen it, and a provider may send one with each payment.
func (a attempt) mayBeDeclined(answer gateway.Result, callErr error) bool {
	if a.cascade == CascadeNone || a.elsewhere == nil || callErr != nil {
		return false
	}
	switch answer.Status {
	case gateway.StatusFailed:
		return a.cascade.reason(answer.Failure) != ""
	case gateway.StatusProcessing:
		return true
	case gateway.StatusRequiresAction:
		return answer.NextAction != nil && answer.NextAction.Type == gateway.ActionRedirect
	case gateway.StatusAuthorized, gateway.StatusSucceeded, gateway.StatusCanceled:
	}
	return false
}

// proveDecline asks the provider about an attempt until it shows how it ended, or waits for the customer, or the polls are used up.
// It returns the answer with what is known now, why the attempt is over if that is proven, and the polls.
func (s *Service) proveDecline(ctx context.Context, stored *Order, a attempt, answer gateway.Result) (known gateway.Result, end ending, polls []Call) {
	gw, ref, err := s.pollee(ctx, stored)
	if err != nil || !gw.description.FailedIsFinal {
		return answer, ending{}, nil
	}
	for i, pause := range s.DeclinePolls {
		if s.Now().Sub(stored.CreatedAt) > s.FailoverWithin {
			break
		}
		if answer.Status != gateway.StatusFailed || i > 0 {
			wait(pause)
		}
		asked := s.Now()
		shown, took, err := callProvider(ctx, s, stored.subject(), s.CheckTimeout, func(ctx context.Context) (gateway.Result, error) {
			return gw.gateway.Fetch(ctx, ref)
		})
		polls = append(polls, Call{
			ID: s.NewID(), Operation: "fetch", StartedAt: asked, Duration: took, Outcome: outcomeOf(shown, err), ProviderData: providerDataOf(shown, err), Failed: err != nil,
		})
		switch {
		case err != nil || shown.Status == gateway.StatusProcessing:
			continue
		case shown.Status == gateway.StatusFailed:
			known = shown.After(answer)
			return known, a.ending(known.Failure, answer.Failure), polls
		case shown.Status == gateway.StatusSucceeded:
			return shown.After(answer), ending{}, polls
		}
		return answer, ending{}, polls
	}
	return answer, ending{}, polls
}

// ending is why an attempt is over whose decline was shown. What the answer to the call said counts as well.
func (a attempt) ending(shown, answered *gateway.Failure) ending {
	reason := a.cascade.reason(shown)
	if answered != nil && reason != "" {
		if first := a.cascade.reason(answered); first != ReasonDeclinedByProvider {
			reason = first
		}
	}
	if reason == "" {
		return ending{}
	}
	faultpoint.Hit("decline-proven")
	return ending{reason, shown.Code, shown.Category}
}

// wait pauses a request.
func wait(pause time.Duration) {
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	<-timer.C
}

// leftToItsCall reports whether an end without money is left to the call that began the order: it may go on at another account. If
// nobody is there any more who made the call, polls settle the order when the call's time is over.
func (o *Order) leftToItsCall(p Policy, end Status, now time.Time) bool {
	return o.Cascade != CascadeNone && o.Status == StatusCreated && (end == StatusFailed || end == StatusCanceled) && o.inFlight(p, o.facts(), now)
}
