package httpapi

import (
	"context"
	"errors"
	"net/http"

	"payrelay/internal/http/internal/bind"
	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// endpoint carries out one operation. Its call passed every middleware.
type endpoint func(ctx context.Context, c *call) (reply, error)

// serve answers with what an endpoint returns.
func (s *server) serve(do endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := do(r.Context(), callOf(r.Context()))
		if err == nil {
			err = answer.write(w)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// taking gives an endpoint its body as a model. One that was left out is an empty model.
func taking[Body any](do func(context.Context, *call, *Body) (reply, error)) endpoint {
	return func(ctx context.Context, c *call) (reply, error) {
		var b Body
		if c.body != nil {
			if err := bind.To(c.body.value, &b); err != nil {
				return reply{}, unreadable(err)
			}
		}
		return do(ctx, c, &b)
	}
}

// asking gives an endpoint its query as a model.
func asking[Query any](do func(context.Context, *call, Query) (reply, error)) endpoint {
	return func(ctx context.Context, c *call) (reply, error) {
		var q Query
		if err := bind.To(c.query, &q); err != nil {
			return reply{}, unreadable(err)
		}
		return do(ctx, c, q)
	}
}

// making answers with the order that a body made, or had made before. The answer of a new one may be kept with its outcome.
func making[Body any](do func(context.Context, *Body) (*payment.Order, bool, error)) endpoint {
	return taking(func(ctx context.Context, _ *call, b *Body) (reply, error) {
		idempotency.Offer(ctx, func(o *payment.Order) (idempotency.Response, error) { return renderOrder(o, true).kept() })
		o, isNew, err := do(ctx, b)
		return orderReply(ctx, o, isNew, err)
	})
}

// makingFrom is making for an order that comes from the one in the address.
func makingFrom[Body any](do func(context.Context, payment.Key, *Body) (*payment.Order, bool, error)) endpoint {
	return taking(func(ctx context.Context, c *call, b *Body) (reply, error) {
		o, isNew, err := do(ctx, c.key(), b)
		return orderReply(ctx, o, isNew, err)
	})
}

// changing answers with the order in the address after something was done to it.
func changing[Body any](do func(context.Context, payment.Key, *Body) (*payment.Order, error)) endpoint {
	return taking(func(ctx context.Context, c *call, b *Body) (reply, error) {
		o, err := do(ctx, c.key(), b)
		return orderReply(ctx, o, false, err)
	})
}

// showing answers with the order in the address.
func showing(do func(context.Context, payment.Key) (*payment.Order, error)) endpoint {
	return func(ctx context.Context, c *call) (reply, error) {
		o, err := do(ctx, c.key())
		return orderReply(ctx, o, false, err)
	}
}

// unreadable is a value that is valid and does not fit its model, such as a number of more than 64 bits.
func unreadable(err error) error {
	e, ok := errors.AsType[*bind.Error](err)
	if !ok {
		return err
	}
	return problems{{Field: orBody(fieldName(e.Field)), Message: "must be " + e.Want}}.err()
}
