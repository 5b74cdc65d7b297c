package httpapi

import (
	"context"
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

func (f *finishes) Finish(ctx context.Context, c idempotency.Claim, r idempotency.Response) error {
	f.n.Add(1)
	return f.memory.Finish(ctx, c, r)
}

func TestAnAnswerThatWasKeptWithItsOutcomeIsNotKeptTwice(t *testing.T) {
	t.Parallel()
	keys := &finishes{memory: &memory{rows: map[string]*kept{}}}
	var change func(*idempotency.Response)
	b := setup(t, func(c *Config) {
		c.Idempotency = keys
		c.Orders = alongOrders{c.Orders.(*book), func(a *idempotency.Along, o *payment.Order) {
			answer, err := a.Answer(o)
			require.NoError(t, err)
			change(&answer)
			require.NoError(t, keys.memory.Finish(t.Context(), a.Claim, answer))
			a.Kept = &answer
		}}
	})
	for name, test := range map[string]struct {
		change func(*idempotency.Response)
		alone  int32
	}{
		"same":           {func(*idempotency.Response) {}, 0},
		"another body":   {func(r *idempotency.Response) { r.Body = []byte("{}") }, 1},
		"another status": {func(r *idempotency.Response) { r.Status = 202 }, 1},
		"another header": {func(r *idempotency.Response) { r.Header = nil }, 1},
	} {
		keys.n.Store(0)
		change = test.change
		first := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", name)
		require.Equal(t, 201, first.Code, name)
		require.Equal(t, test.alone, keys.n.Load(), name)
		repeat := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", name)
		require.Equal(t, first.Code, repeat.Code, name)
		require.Equal(t, first.Body.String(), repeat.Body.String(), name)
		require.Equal(t, first.Header().Get("Location"), repeat.Header().Get("Location"), name)
	}
}
