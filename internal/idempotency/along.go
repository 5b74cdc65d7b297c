package idempotency

import (
	"context"

	"payrelay/internal/payment"
)

// Along is an answer that may be kept in the same commit as what it tells of: that saves a commit of its own. It is a hint: whoever
// writes the order may pass it over. An answer that was kept is the one to send, for a repeat may have got it already.
type Along struct {
	Claim Claim
	// Answer is what would be answered with an order as it is written.
	Answer func(o *payment.Order) (Response, error)
	// Kept is the answer that was kept, once it is durable.
	Kept *Response
}

type alongKey struct{}

// With carries an answer to whoever writes the order.
func With(ctx context.Context, a *Along) context.Context {
	return context.WithValue(ctx, alongKey{}, a)
}

// Offer says how an answer is made, if there is one that may be kept along.
func Offer(ctx context.Context, answer func(o *payment.Order) (Response, error)) {
	if a, ok := ctx.Value(alongKey{}).(*Along); ok {
		a.Answer = answer
	}
}

// AlongOf returns the answer that ctx carries, nil if there is none to be made.
func AlongOf(ctx context.Context) *Along {
	if a, ok := ctx.Value(alongKey{}).(*Along); ok && a.Answer != nil {
		return a
	}
	return nil
}
