package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
)

func TestFirstAnswerIsReplayed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys, ctx := b.Idempotency(), t.Context()
	claim, r, err := keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r)
	_, _, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrInProgress)
	_, _, err = keys.Begin(ctx, b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch)

	answer := idempotency.Response{Status: 201, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`{"url":"https://bank.example"}`)}
	_, err = keys.Finish(ctx, claim, answer)
	require.NoError(t, err)
	_, r, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Equal(t, &answer, r)
	_, _, err = keys.Begin(ctx, b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch)
	stands, err := keys.Finish(ctx, claim, idempotency.Response{Status: 202, Body: []byte("newer")})
	require.NoError(t, err, "it may not have learned that it was kept")
	require.Equal(t, answer, stands, "a repeat has got the first")
	require.NoError(t, keys.Abandon(ctx, claim))
	_, r, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Equal(t, 201, r.Status, "an answer cannot be given up")
	require.Zero(t, b.count(t, "SELECT count(*) FROM idempotency_keys WHERE position('bank'::bytea in body) > 0"), "answers rest encrypted")

	other, _, _ := b.newShop(t, "other", "")
	_, r, err = keys.Begin(ctx, other.ID, "k", []byte("other"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r, "each shop has keys of its own")
}

func TestOneOfManyClaimsAKey(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var mine atomic.Pointer[idempotency.Claim]
	claim := func() (won int) {
		errs := race(20, func(int) error {
			c, _, err := b.Idempotency().Begin(t.Context(), b.shop.ID, "k", []byte("hash"), time.Minute)
			if err == nil {
				mine.Store(&c)
			}
			return err
		})
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, idempotency.ErrInProgress) {
				require.NoError(t, err)
			}
		}
		return won
	}
	require.Equal(t, 1, claim())
	b.clock.Add(time.Minute)
	_, _, err := b.Idempotency().Begin(t.Context(), b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch, "only the same request takes a claim over")
	require.Equal(t, 1, claim(), "a claim whose lease ran out is taken over by one")
	require.NoError(t, b.Idempotency().Abandon(t.Context(), *mine.Load()))
	require.Equal(t, 1, claim(), "and so is one that was given up")
}

// TestAClaimHasOneOwner: a request that outlasts its lease has lost its claim to the repeat that took it over, and whatever
// it does with it then must not touch that one's.
func TestAClaimHasOneOwner(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys, ctx := b.Idempotency(), t.Context()
	slow, r, err := keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r)
	b.clock.Add(time.Minute)
	second, r, err := keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r)

	require.NoError(t, keys.Abandon(ctx, slow))
	_, _, err = keys.Begin(ctx, b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch, "the second is still at work")
	_, err = keys.Finish(ctx, slow, idempotency.Response{Status: 503})
	require.Error(t, err)
	_, _, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrInProgress)
	require.Error(t, keys.Renew(ctx, slow, time.Hour))

	_, err = keys.Finish(ctx, second, idempotency.Response{Status: 201, Body: []byte("{}")})
	require.NoError(t, err)
	_, r, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Equal(t, 201, r.Status)

	late, _, err := keys.Begin(ctx, b.shop.ID, "late", []byte("hash"), time.Minute)
	require.NoError(t, err)
	b.clock.Add(time.Hour)
	_, err = keys.Finish(ctx, late, idempotency.Response{Status: 201})
	require.NoError(t, err, "late, but nobody took it over")
}

func TestAClaimIsRenewedByItsOwner(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	i, hash := b.Idempotency(), []byte("hash")
	claim, _, err := i.Begin(t.Context(), b.shop.ID, "k", hash, 15*time.Second)
	require.NoError(t, err)
	for range 3 {
		b.clock.Add(10 * time.Second)
		err = i.Renew(t.Context(), claim, 15*time.Second)
		require.NoError(t, err)
		_, _, err = i.Begin(t.Context(), b.shop.ID, "k", hash, 15*time.Second)
		require.ErrorIs(t, err, idempotency.ErrInProgress)
	}
	b.clock.Add(15 * time.Second) // the process died
	next, _, err := i.Begin(t.Context(), b.shop.ID, "k", hash, 15*time.Second)
	require.NoError(t, err)
	err = i.Renew(t.Context(), claim, time.Hour)
	require.Error(t, err, "it is another's by now")
	_, err = i.Finish(t.Context(), claim, idempotency.Response{Status: 201, Body: []byte("{}")})
	require.Error(t, err)
	_, err = i.Finish(t.Context(), next, idempotency.Response{Status: 200, Body: []byte("{}")})
	require.NoError(t, err)
	err = i.Renew(t.Context(), next, time.Hour)
	require.Error(t, err, "what has its answer is over")
}
