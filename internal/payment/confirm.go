package payment

import (
	"context"
	"fmt"
	"time"

	"payrelay/internal/gateway"
)

// ConfirmCode answers a payment's confirm_code action with what the customer typed. A wrong code is CodeWrongCode, and
// the order says how many attempts are left. A code that did not reach the provider is CodeProviderFailed. Neither ends
// the order: only what the provider says of it does.
func (s *Service) ConfirmCode(ctx context.Context, key Key, code gateway.Secret) (*Order, error) {
	return s.confirm(ctx, key, gateway.KindPayment, code)
}

func (s *Service) confirm(ctx context.Context, key Key, kind gateway.Kind, code gateway.Secret) (*Order, error) {
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Kind != kind {
		return nil, ErrNotFound
	}
	account, err := s.Store.Account(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, err
	}
	confirmer, ok := gw.gateway.(gateway.CodeConfirmer)
	switch {
	case !ok:
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account asks for no codes."}
	case o.Status != StatusRequiresAction || o.NextAction == nil || o.NextAction.Type != gateway.ActionConfirmCode:
		return nil, &Error{Code: CodeInvalidState, Message: "This order does not wait for a code. Its next_action says what it waits for."}
	}
	var callErr error
	done, err := s.askFor(context.WithoutCancel(ctx), o, "confirm_code", func(ctx context.Context) (gateway.Result, error) {
		var result gateway.Result
		result, callErr = confirmer.ConfirmCode(ctx, o.Ref(), code)
		return result, callErr
	}, confirmReport)
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

// confirmReport is what an answer to a code means. An error says nothing about the order, which the provider has: it stays
// as it is, and is asked about soon if the code may have arrived.
func confirmReport(o *Order, result gateway.Result, err error, basis int, now time.Time) Report {
	if err == nil {
		return answerReport(o, result, nil, basis, now)
	}
	if gateway.KindOf(err) == gateway.KindUnknown && !o.Status.Final() {
		o.ChecksSince, o.Checks = now, 0
	}
	return Report{Cause: CauseAnswer, Basis: basis, Evidence: evidenceOf(result, err), At: now}
}

// notConfirmed says why a code did not get through, or nil if it may have: the order then tells what became of it.
func notConfirmed(o *Order, err error) error {
	if o.Status.Final() {
		return nil
	}
	switch gateway.KindOf(err) { //nolint:exhaustive // the others say nothing of the code
	case gateway.KindRefused, gateway.KindInvalid:
		if clockOff(err) {
			return &Error{Code: CodeProviderFailed, Message: clockMessage + " The code was not tried.", Err: err}
		}
		return wrongCode(o, err)
	case gateway.KindNotSent, gateway.KindCredentials:
		return &Error{Code: CodeProviderFailed, Message: "The code did not reach the provider, and was not tried. Send it again later.", Err: err}
	}
	return nil
}

func wrongCode(o *Order, err error) error {
	message := "The code is wrong. Ask the customer again."
	if a := o.NextAction; a != nil && a.AttemptsLeft != nil {
		message = fmt.Sprintf("The code is wrong. Ask the customer again: %d attempts are left.", *a.AttemptsLeft)
	}
	return &Error{Code: CodeWrongCode, Message: message, Err: err}
}
