package idempotency

import (
	"bytes"
	"context"
	"maps"

	"payrelay/internal/payment"
)

// Along is an answer that may be kept in the same commit as what it tells of: that saves a commit of its own. It is a hint. Whoever
// writes the order may pass it over, and who sends the answer sees whether it was kept, and is still the same.
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

// Has reports whether this very answer was kept.
func (a *Along) Has(r Response) bool {
	k := a.Kept
	return k != nil && k.Status == r.Status && maps.Equal(k.Header, r.Header) && bytes.Equal(k.Body, r.Body)
}
