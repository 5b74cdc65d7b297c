package payment

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/shop"
)

type modeKey struct{}

// WithMode returns a context for what a caller asks whose shop or key is switched off to that mode.
func WithMode(ctx context.Context, mode shop.Mode) context.Context {
	return context.WithValue(ctx, modeKey{}, mode)
}

// ModeOf returns the mode of WithMode.
func ModeOf(ctx context.Context) shop.Mode {
	mode, _ := ctx.Value(modeKey{}).(shop.Mode)
	return mode
}

// begins refuses a new order while the caller or the account begins none. Whatever an earlier request with the same reference made
// is answered before.
func begins(ctx context.Context, a Account) error {
	switch caller := ModeOf(ctx); {
	case caller == shop.ModeDrain:
		return CallerDrained()
	case caller == shop.ModeOff:
		return callerOff()
	case a.Mode == shop.ModeClosed:
		return accountClosed(a.Name)
	case a.Mode == shop.ModeDrain || a.Mode == shop.ModeOff:
		return BeginsNothing(a.Name)
	}
	return nil
}

// BeginsNothing refuses a new order for an account that is drained or off.
func BeginsNothing(account string) error {
	return &Error{
		Code: CodeDisabled, Message: "The account " + account + " begins nothing new at the moment. Nothing was stored or sent. Use another account, or ask the operators.",
		Fields: []gateway.FieldError{{Field: "account", Message: "begins nothing new at the moment"}},
	}
}

// TakenFromShop refuses a new order for an account that the shop may not use any more.
func TakenFromShop(account string) error {
	return &Error{
		Code: CodeDisabled, Message: "The account " + account + " was taken from this shop, so nothing begins there, nor is a mandate charged. Nothing was stored or sent. Use another account, or ask the operators: 'server account link' gives it back.",
		Fields: []gateway.FieldError{{Field: "account", Message: "was taken from this shop"}},
	}
}

// CallerDrained refuses a new order of a shop or key that is drained.
func CallerDrained() error {
	return &Error{Code: CodeDisabled, Message: "This shop or key begins nothing new at the moment. Nothing was stored or sent. Orders that are there go on, and can be captured, canceled and refunded. Ask the operators."}
}

// continues refuses a step of an order, or its refund, while the caller or the account is off.
func continues(ctx context.Context, a Account) error {
	switch {
	case ModeOf(ctx) == shop.ModeOff:
		return callerOff()
	case a.Mode == shop.ModeClosed:
		return accountClosed(a.Name)
	case a.Mode == shop.ModeOff:
		return &Error{Code: CodeDisabled, Message: "The account " + a.Name + " is switched off, and nothing was sent to its provider. The order can be read, and is polled. Ask the operators."}
	}
	return nil
}

// accountClosed refuses everything that would move money at a closed account. What the provider says of old orders is still taken.
func accountClosed(account string) error {
	return &Error{
		Code: CodeDisabled, Message: "The account " + account + " is closed for good. Nothing was stored or sent. Its orders can be read. For new orders use another account; for a refund ask the operators.",
		Fields: []gateway.FieldError{{Field: "account", Message: "is closed"}},
	}
}

func callerOff() error {
	return &Error{Code: CodeDisabled, Message: "This shop is switched off, and nothing was sent to a provider. Orders can be read. Ask the operators."}
}
