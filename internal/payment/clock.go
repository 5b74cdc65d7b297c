package payment

import (
	"errors"

	"payrelay/internal/gateway"
)

// clockMessage tells shops and operators of gateway.CodeClock.
const clockMessage = "The provider refused the call because its clock and ours differ by more than it allows; the operators must set this machine's clock."

// clockOff reports whether a provider refused a call because of the time in it.
func clockOff(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Kind == gateway.KindDeclined && e.Code == gateway.CodeClock
}
