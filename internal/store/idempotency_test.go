package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
)

func TestFirstAnswerIsReplayed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys, ctx := b.Idempotency(), t.Context()
	r, err := keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r)
	_, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrInProgress)
	_, err = keys.Begin(ctx, b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch)

	answer := idempotency.Response{Status: 201, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`{"url":"https://bank.example"}`)}
	require.NoError(t, keys.Finish(ctx, b.shop.ID, "k", answer))
	r, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Equal(t, &answer, r)
	_, err = keys.Begin(ctx, b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch)
	require.Error(t, keys.Finish(ctx, b.shop.ID, "k", idempotency.Response{Status: 500}), "the first answer stays")
	require.NoError(t, keys.Abandon(ctx, b.shop.ID, "k"))
	r, err = keys.Begin(ctx, b.shop.ID, "k", []byte("hash"), time.Minute)
	require.NoError(t, err)
	require.Equal(t, 201, r.Status, "an answer cannot be given up")
	require.Zero(t, b.count(t, "SELECT count(*) FROM idempotency_keys WHERE position('bank'::bytea in body) > 0"), "answers rest encrypted")

	other, _, _ := b.newShop(t, "other", "")
	r, err = keys.Begin(ctx, other.ID, "k", []byte("other"), time.Minute)
	require.NoError(t, err)
	require.Nil(t, r, "each shop has keys of its own")
}

func TestOneOfManyClaimsAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	claim := func() (won int) {
		errs := race(20, func(int) error {
			_, err := b.Idempotency().Begin(t.Context(), b.shop.ID, "k", []byte("hash"), time.Minute)
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
	_, err := b.Idempotency().Begin(t.Context(), b.shop.ID, "k", []byte("other"), time.Minute)
	require.ErrorIs(t, err, idempotency.ErrMismatch, "only the same request takes a claim over")
	require.Equal(t, 1, claim(), "a claim whose lease ran out is taken over by one")
	require.NoError(t, b.Idempotency().Abandon(t.Context(), b.shop.ID, "k"))
	require.Equal(t, 1, claim(), "and so is one that was given up")
}

func TestOldKeysAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, k := range []string{"old", "new"} {
		_, err := b.Idempotency().Begin(t.Context(), b.shop.ID, k, []byte("hash"), time.Minute)
		require.NoError(t, err)
		b.clock.Add(time.Hour)
	}
	n, err := b.Idempotency().Forget(t.Context(), b.clock.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = b.Idempotency().Begin(t.Context(), b.shop.ID, "old", []byte("another"), time.Minute)
	require.NoError(t, err)
}
