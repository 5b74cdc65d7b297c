package payment

import (
	"context"
	"errors"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/plural"
)

// ConfirmCode answers a payment's confirm_code action with what the customer typed. A wrong code is CodeWrongCode, and
// the order says how many attempts are left. A code that did not reach the provider, or that it did not try, is
// CodeProviderFailed, and one that cannot be given to it any more CodeInvalidState. None of them ends the order: only what
// the provider says of it does. After an answer that was lost the order is processing until the provider has said more.
func (s *Service) ConfirmCode(ctx context.Context, key Key, code gateway.Secret) (*Order, error) {
	return s.confirm(ctx, key, gateway.KindPayment, code)
}

func (s *Service) confirm(ctx context.Context, key Key, kind gateway.Kind, code gateway.Secret) (*Order, error) {
	o, to, err := s.existing(ctx, key, kind)
	if err != nil {
		return nil, err
	}
	if err := continues(ctx, to.account); err != nil {
		return nil, err
	}
	confirmer, ok := to.gateway.(gateway.CodeConfirmer)
	switch {
	case !ok:
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account asks for no codes."}
	case o.Status != StatusRequiresAction || o.NextAction == nil || o.NextAction.Type != gateway.ActionConfirmCode:
		return nil, &Error{Code: CodeInvalidState, Message: "This order does not wait for a code. Its next_action says what it waits for."}
	}
	done, callErr, err := s.attempt(ctx, o, attempt{operation: "confirm_code", read: confirmObservation, call: func(ctx context.Context) (gateway.Result, error) {
		return confirmer.ConfirmCode(ctx, o.Ref(), code)
	}})
	if err != nil {
		return nil, err
	}
	if callErr != nil {
		return done, notConfirmed(done, callErr)
	}
	if done.Status == StatusRequiresAction && done.NextAction != nil && done.NextAction.Type == gateway.ActionConfirmCode {
		return nil, wrongCode(done, nil)
	}
	return done, nil
}

// confirmObservation is what an answer to a code means. An error says nothing about the order, which the provider has: it stays
// as it is, or is processing and asked about soon if the code may have arrived. A callback that the last wrong code set off
// may come before the answer, which alone says why the order failed.
func confirmObservation(o *Order, result gateway.Result, err error, asOf int, now time.Time) Observation {
	if err == nil {
		if f := result.Failure; f != nil && f.Category == gateway.FailureAuthentication && o.Status == StatusFailed && o.Failure != nil && o.Failure.Category == gateway.FailureUnknown {
			o.Failure = f
		}
		return answerObservation(o, result, nil, asOf, now)
	}
	r := Observation{Source: SourceAnswer, AsOf: asOf, ProviderData: providerDataOf(result, err), At: now}
	if gateway.KindOf(err) == gateway.KindUnknown && !o.Status.Final() {
		o.Verification = o.OnCall(now)
		r.Status, r.Reason = StatusProcessing, codeLost
	}
	return r
}

// codeLost tells a shop why an order no longer waits for a code. A status poll tells whether it does again.
const codeLost = "The code may have been taken; the provider is being asked. Do not ask the customer again yet."

// notConfirmed says why a code did not get through, or nil if it may have: the order then tells what became of it.
func notConfirmed(o *Order, err error) error {
	if o.Status.Final() {
		return nil
	}
	switch gateway.KindOf(err) { //nolint:exhaustive // the others say nothing of the code
	case gateway.KindDeclined, gateway.KindInvalid:
		if clockOff(err) {
			return &Error{Code: CodeProviderFailed, Message: clockMessage + " The code was not tried.", Err: err}
		}
		if e, ok := errors.AsType[*gateway.Error](err); ok {
			switch e.Code {
			case gateway.CodeKeyLost:
				return &Error{Code: CodeInvalidState, Message: "The code cannot be given to the provider any more: the key that must go with it was lost with an answer. The payment ends by itself; start a new one after that.", Err: err}
			case gateway.CodeNotTried:
				return &Error{Code: CodeProviderFailed, Message: "The provider did not try the code, which may be right, and counted no attempt. Send it once more later; if that does not help, the payment ends by itself.", Err: err}
			}
		}
		return wrongCode(o, err)
	case gateway.KindNotSent, gateway.KindCredentials:
		return providerFailed("The code did not reach the provider, and was not tried. Send it again later.", err)
	}
	return nil
}

func wrongCode(o *Order, err error) error {
	message := "The code is wrong. Ask the customer again."
	if a := o.NextAction; a != nil && a.AttemptsLeft != nil {
		message = "The code is wrong. Ask the customer again: " + plural.Of(*a.AttemptsLeft, "attempt is", "attempts are") + " left."
	}
	return &Error{Code: CodeWrongCode, Message: message, Err: err}
}
