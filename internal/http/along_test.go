package httpapi

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// alongOrders keeps the answer with the order, as the store does.
type alongOrders struct {
	*book
	keep func(*idempotency.Along, *payment.Order)
}

func (o alongOrders) CreatePayment(ctx context.Context, in payment.NewPayment) (*payment.Order, bool, error) {
	made, isNew, err := o.book.CreatePayment(ctx, in)
	if a := idempotency.AlongOf(ctx); a != nil && err == nil {
		o.keep(a, made)
	}
	return made, isNew, err
}

// finishes counts how often an answer was kept on its own.
type finishes struct {
	*memory
	n atomic.Int32
}

func (f *finishes) Finish(ctx context.Context, c idempotency.Claim, r idempotency.Response) (idempotency.Response, error) {
	f.n.Add(1)
	return f.memory.Finish(ctx, c, r)
}

// What is sent is what was kept first, in the commit of its outcome, whether or not the request learned of it: a repeat may have got
// it already.
func TestTheFirstAnswerKeptIsTheOneSent(t *testing.T) {
	t.Parallel()
	keys := &finishes{memory: &memory{rows: map[string]*kept{}}}
	var change func(*idempotency.Response)
	heard := true
	b := setup(t, func(c *Config) {
		c.Idempotency = keys
		c.Orders = alongOrders{c.Orders.(*book), func(a *idempotency.Along, o *payment.Order) {
			answer, err := a.Answer(o)
			require.NoError(t, err)
			change(&answer)
			answer, err = keys.memory.Finish(t.Context(), a.Claim, answer)
			require.NoError(t, err)
			if heard {
				a.Kept = &answer
			}
		}}
	})
	for name, test := range map[string]struct {
		change func(*idempotency.Response)
		same   bool
	}{
		"same":           {func(*idempotency.Response) {}, true},
		"another body":   {func(r *idempotency.Response) { r.Body = []byte(`{"first":true}`) }, false},
		"another status": {func(r *idempotency.Response) { r.Status = 202 }, false},
		"another header": {func(r *idempotency.Response) { r.Header = map[string]string{"Content-Type": "application/json"} }, false},
	} {
		for _, heard = range []bool{true, false} {
			key := fmt.Sprint(name, heard)
			keys.n.Store(0)
			change = test.change
			first := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", key)
			require.Equal(t, heard, keys.n.Load() == 0, "it is not kept twice")
			repeat := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", key)
			require.Equal(t, first.Code, repeat.Code, key)
			require.Equal(t, first.Body.String(), repeat.Body.String(), key)
			require.Equal(t, first.Header().Get("Location"), repeat.Header().Get("Location"), key)
			require.Equal(t, test.same, first.Code == 201 && first.Header().Get("Location") != "" && first.Body.Len() > 20, key)
		}
	}
}
