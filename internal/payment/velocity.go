package payment

import (
	"slices"
	"time"

	"payrelay/internal/gateway"
)

// issuerDeclines are the failures that count against those who try cards out. What was not sent, timeouts, abandoned forms and what we
// or the provider refused are none of them.
var issuerDeclines = []gateway.FailureCategory{gateway.FailureDeclined, gateway.FailureFunds, gateway.FailureFraud}

// DeclinedByIssuer reports whether the order is a payment that the card's issuer declined.
func (o *Order) DeclinedByIssuer() bool {
	return o.Kind == gateway.KindPayment && o.Status == StatusFailed && o.Failure != nil && !o.neverArrived() && slices.Contains(issuerDeclines, o.Failure.Category)
}

// tooManyDeclines refuses a payment of a card or a shop of which issuers declined too many.
func tooManyDeclines(hit LimitHit) error {
	e := &Error{Code: CodeVelocityExceeded, RetryAfter: velocityRetry, Message: "Issuers declined too many payments " + limitWords[hit.Scope] + " in the last hour. Nothing was stored or sent. Stop whoever tries cards out, and send the same again after Retry-After seconds."}
	if hit.Rule == LimitCardDeclines {
		e.Message = "Issuers declined this card too often in the last 24 hours. Nothing was stored or sent. Ask the customer for another card."
	}
	if hit.FreeAt != nil {
		e.RetryAfter = max(time.Second, hit.FreeAt.Sub(hit.At))
	}
	return e
}

// velocityRetry is when to send a payment again where nobody can say.
const velocityRetry = time.Hour

// CardPaymentsPaused refuses a direct card payment of a shop that was paused.
func CardPaymentsPaused() error {
	return &Error{Code: CodeCardPaymentsPaused, Message: "Direct card payments of this shop are paused, because issuers declined too many. Nothing was stored or sent. Send the customer to the provider's form, which works, and ask the operators."}
}
