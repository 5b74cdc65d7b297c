package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// An answer is kept in the commit of the outcome that it tells of, and only by the claim that still stands.
func TestAnAnswerIsKeptWithItsOutcome(t *testing.T) {
	t.Parallel()
	succeed := func(b *fixture, reference string, a *idempotency.Along) *payment.Order {
		o, _, err := b.CreateOrder(t.Context(), b.draft(t, reference, 1000))
		require.NoError(t, err)
		ctx := idempotency.With(t.Context(), a)
		o, err = b.UpdateOrder(ctx, o.Key(), func(o *payment.Order) error {
			o.Record(b.newReport(payment.StatusSucceeded))
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, payment.StatusSucceeded, o.Status)
		return o
	}
	said := func(o *payment.Order) (idempotency.Response, error) {
		return idempotency.Response{Status: 201, Header: map[string]string{"Location": "/x"}, Body: []byte(o.Status)}, nil
	}

	b := newFixture(t)
	claim := func(key string) idempotency.Claim {
		c, first, err := b.Idempotency().Begin(t.Context(), b.shop.ID, key, []byte("hash"), time.Minute)
		require.NoError(t, err)
		require.Nil(t, first)
		return c
	}
	replay := func(key string) *idempotency.Response {
		_, first, err := b.Idempotency().Begin(t.Context(), b.shop.ID, key, []byte("hash"), time.Minute)
		require.True(t, err == nil || errors.Is(err, idempotency.ErrInProgress), err)
		return first
	}

	kept := &idempotency.Along{Claim: claim("kept"), Answer: said}
	o := succeed(b, "kept", kept)
	want, _ := said(o)
	require.Equal(t, &want, kept.Kept)
	require.Equal(t, &want, replay("kept"))
	require.Equal(t, 1, b.count(t, `SELECT count(DISTINCT x)::int FROM (
		SELECT xmin::text AS x FROM order_transitions WHERE to_status = 'succeeded' UNION ALL SELECT xmin::text FROM idempotency_keys) one`), "in one transaction")

	lost := &idempotency.Along{Claim: claim("lost"), Answer: said}
	lost.Claim.Owner = b.NewID()
	succeed(b, "lost", lost)
	require.Nil(t, lost.Kept, "another request has the claim")
	require.Nil(t, replay("lost"))

	failing := &idempotency.Along{Claim: claim("failing"), Answer: func(*payment.Order) (idempotency.Response, error) {
		return idempotency.Response{}, errors.New("no answer")
	}}
	succeed(b, "failing", failing)
	require.Nil(t, failing.Kept)

	refused := &idempotency.Along{Claim: claim("refused"), Answer: said}
	draft, _, err := b.CreateOrder(t.Context(), b.draft(t, "refused", 1000))
	require.NoError(t, err)
	_, err = b.UpdateOrder(idempotency.With(t.Context(), refused), draft.Key(), func(*payment.Order) error { return context.Canceled })
	require.Error(t, err)
	require.Nil(t, refused.Kept)
	require.Nil(t, replay("refused"), "nothing happened that could be told")
}
