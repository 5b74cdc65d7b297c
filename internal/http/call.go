package httpapi

import (
	"context"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// call is one call of the API. The middlewares fill it as they come, each its own part; an endpoint finds it complete.
type call struct {
	principal shop.Principal    // authenticate.go
	operation *operation        // authorize.go
	body      *parsed           // body.go; nil for a call without a body
	hash      []byte            // body.go
	path      map[string]string // validate.go
	query     map[string]any    // validate.go
}

// callOf returns the call that ctx belongs to.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(keyCall).(*call); ok {
		return c
	}
	return &call{}
}

func principal(ctx context.Context) shop.Principal { return callOf(ctx).principal }

// shopID is the shop that calls.
func shopID(ctx context.Context) uuid.UUID { return callOf(ctx).principal.Shop.ID }

func requestHash(ctx context.Context) []byte { return callOf(ctx).hash }

// id is what the address names. It was validated.
func (c *call) id() uuid.UUID {
	id, _ := uuid.Parse(c.path["id"])
	return id
}

// key names the order of the address among those of the shop.
func (c *call) key() payment.Key {
	return payment.Key{Shop: c.principal.Shop.ID, Order: c.id()}
}
