package payment

import (
	"context"
	"errors"
	"time"

	"payrelay/internal/gateway"
)

// The codes of failures that are ours: the provider is not known to have the order.
const (
	codeNotSent  = "not_sent"
	codeNotFound = "not_found"
	codeTooLate  = "too_late" // the time for the call was over before it began
)

// answerObservation is what a provider's answer to a call that may move money means.
func answerObservation(o *Order, result gateway.Result, err error, asOf int, now time.Time) Observation {
	if err == nil {
		r := o.withoutForm(ObservationOf(result, SourceAnswer, asOf, now))
		if o.Status == StatusCreated && !r.Status.Valid() {
			r.Status, r.Reason = notListed(o)
		}
		return r
	}
	r := Observation{Source: SourceAnswer, AsOf: asOf, State: result.State, ProviderData: providerDataOf(result, err), At: now}
	if o.modificationPending() {
		return o.commandFailed(r, err)
	}
	return createFailed(r, err)
}

// createFailed is what a failed call that begins an order means.
func createFailed(r Observation, err error) Observation {
	code := "no_answer"
	if e, ok := errors.AsType[*gateway.Error](err); ok && e.Code != "" {
		code = e.Code
	}
	fail := func(category gateway.FailureCategory, advice gateway.Advice, code, message string) Observation {
		r.Status = StatusFailed
		r.Failure = &gateway.Failure{Category: category, Code: code, Message: message, Advice: advice, Cascade: []gateway.CascadeError{}}
		return r
	}
	switch gateway.KindOf(err) {
	case gateway.KindNotSent:
		if code == gateway.CodeNotSigned {
			return fail(gateway.FailureUnavailable, gateway.AdviceContactProvider, code, "The provider's answer was not signed with this account's key, so nothing was sent of this order. The operators must compare the account's secret with the provider's.")
		}
		return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, codeNotSent, "The provider could not be reached, and nothing was sent to it.")
	case gateway.KindCredentials:
		return fail(gateway.FailureUnavailable, gateway.AdviceContactProvider, code, "The provider refused this account's credentials. Nothing happened to the money; the operators were told.")
	case gateway.KindDeclined:
		if clockOff(err) {
			return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, code, clockMessage+" Nothing happened to the money.")
		}
		if code == gateway.CodeUnanswered {
			return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, code, "The provider did not answer the first of two steps, which moves no money, and the second was not taken. Nothing happened to the money.")
		}
		return fail(gateway.FailureInvalid, gateway.AdviceFixRequest, code, "The provider refused the request."+faults(err))
	case gateway.KindInvalid, gateway.KindUnsupported:
		return fail(gateway.FailureInvalid, gateway.AdviceFixRequest, code, "The provider cannot do this. Nothing was sent to it.")
	case gateway.KindUnknown, gateway.KindDuplicate, gateway.KindNotFound, gateway.KindRejected, gateway.KindInvalidSignature:
		r.Status, r.Reason = StatusUnknown, "The provider gave no answer that can be believed. It is being asked."
		if gateway.KindOf(err) == gateway.KindDuplicate {
			r.Reason = "The provider has an order of this id already. It is being asked about it."
		}
	}
	return r
}

// commandFailed is what a failed call for a capture or cancel means.
func (o *Order) commandFailed(r Observation, err error) Observation {
	// A capture or cancel that did not happen leaves the money held.
	switch gateway.KindOf(err) {
	case gateway.KindNotSent, gateway.KindCredentials, gateway.KindDeclined, gateway.KindInvalid, gateway.KindUnsupported:
		r.Status, r.Reason = StatusAuthorized, "The provider did not do the "+string(o.Operation)+"; the money is still held."
		if !o.wasAuthorized() {
			r.Status, r.Reason = StatusRequiresAction, "The provider did not give the payment up; it can still be paid."
		}
		if clockOff(err) {
			r.Reason = clockMessage + " The money is still held."
		}
	case gateway.KindUnknown, gateway.KindNotFound, gateway.KindDuplicate, gateway.KindRejected, gateway.KindInvalidSignature:
		r.Status = StatusUnknown // no step: the order stays processing and is asked about
	}
	return r
}

// notListed is what an order becomes whose first answer names a state that is not listed, and why. A transfer that was found
// is with the provider; whether it took what was sent, only a state that is understood tells.
func notListed(o *Order) (Status, string) {
	if o.Imported() {
		return StatusProcessing, "The provider names a state that is not listed. It is being asked."
	}
	return StatusUnknown, "The provider answered with a state that is not listed. It is being asked."
}

// faults says which members of a request a provider did not accept, behind a space, or "".
func faults(err error) (text string) {
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		for _, f := range e.Fields {
			text += " " + f.Field + " " + f.Message + "."
		}
	}
	return text
}

func outcomeOf(r gateway.Result, err error) string {
	if err != nil {
		return gateway.KindOf(err).String()
	}
	if r.Status == "" {
		return "not_understood"
	}
	return string(r.Status)
}

func providerDataOf(r gateway.Result, err error) gateway.ProviderData {
	if err == nil {
		return r.ProviderData
	}
	e := gateway.ProviderData{"outcome": gateway.KindOf(err).String()}
	if g, ok := errors.AsType[*gateway.Error](err); ok {
		for k, v := range g.ProviderData {
			e[k] = v
		}
		if g.Code != "" {
			e["code"] = g.Code
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e["timeout"] = "true"
	}
	return e
}
