package payment

import (
	"context"
	"fmt"

	"payrelay/internal/gateway"
)

// ConfirmCode answers a confirm_code action with what the customer typed. A wrong code is CodeWrongCode, and the order
// says how many attempts are left.
func (s *Service) ConfirmCode(ctx context.Context, key Key, code gateway.Secret) (*Order, error) {
	o, gw, _, err := s.parent(ctx, key)
	if err != nil {
		return nil, err
	}
	confirmer, ok := gw.gateway.(gateway.CodeConfirmer)
	switch {
	case !ok:
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account asks for no codes."}
	case o.Status != StatusRequiresAction || o.NextAction == nil || o.NextAction.Type != gateway.ActionConfirmCode:
		return nil, &Error{Code: CodeInvalidState, Message: "This payment does not wait for a code. Its next_action says what it waits for."}
	}
	var callErr error
	done, err := s.ask(context.WithoutCancel(ctx), o, "confirm_code", func(ctx context.Context) (gateway.Result, error) {
		var result gateway.Result
		result, callErr = confirmer.ConfirmCode(ctx, o.Ref(), code)
		return result, callErr
	})
	if err != nil {
		return nil, err
	}
	refused := callErr != nil && gateway.KindOf(callErr) == gateway.KindRefused && !done.Status.Final()
	asksAgain := callErr == nil && done.Status == StatusRequiresAction && done.NextAction != nil && done.NextAction.Type == gateway.ActionConfirmCode
	if refused || asksAgain {
		message := "The code is wrong. Ask the customer again."
		if a := done.NextAction; a != nil && a.AttemptsLeft != nil {
			message = fmt.Sprintf("The code is wrong. Ask the customer again: %d attempts are left.", *a.AttemptsLeft)
		}
		return nil, &Error{Code: CodeWrongCode, Message: message, Err: callErr}
	}
	return done, nil
}
