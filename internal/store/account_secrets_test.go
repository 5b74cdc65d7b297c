package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type secretMap = map[string]gateway.Secret

func fits(payment.Account) error { return nil }

func TestSecretsAreStagedPromotedAndRetired(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	account := func() payment.Account {
		t.Helper()
		a, err := b.Account(t.Context(), b.account.ID)
		require.NoError(t, err)
		return a
	}
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.PromoteSecrets(t.Context(), "EUR-1")), "nothing is staged")
	var seen payment.Account
	require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{"secret": "new", "more": "m"}, func(a payment.Account) error { seen = a; return nil }))
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, seen.Secrets, "it is checked as it will be")
	a := account()
	require.Equal(t, secretMap{"secret": "hunter2"}, a.Secrets, "calls use the current one")
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, a.Staged)

	require.NoError(t, b.PromoteSecrets(t.Context(), "EUR-1"))
	a = account()
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, a.Secrets)
	require.Equal(t, secretMap{"secret": "hunter2"}, a.Previous)
	require.Nil(t, a.Staged)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RetireSecrets(t.Context(), "EUR-1", false)), "callbacks may still be signed with it")
	b.clock.Add(store.PreviousSecretsKept)
	require.NoError(t, b.RetireSecrets(t.Context(), "EUR-1", false))
	require.Nil(t, account().Previous)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RetireSecrets(t.Context(), "EUR-1", false)), "there is none")

	// A second rotation pushes the one before out.
	for _, secret := range []gateway.Secret{"newer", "newest"} {
		require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{"secret": secret}, fits))
		require.NoError(t, b.PromoteSecrets(t.Context(), "EUR-1"))
	}
	a = account()
	require.Equal(t, secretMap{"secret": "newest", "more": "m"}, a.Secrets)
	require.Equal(t, secretMap{"secret": "newer"}, a.Previous)
	require.NoError(t, b.RetireSecrets(t.Context(), "EUR-1", true), "after a leak")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.StageSecrets(t.Context(), "nobody", secretMap{"secret": "x"}, fits)))
}

func TestTwoCallbackAddressesLiveDuringARotation(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	known := func(token gateway.Secret) bool {
		t.Helper()
		a, err := b.AccountByCallbackToken(t.Context(), token.Reveal())
		if err == nil {
			require.Equal(t, b.account.ID, a.ID)
		}
		return err == nil
	}
	first := b.account.CallbackToken
	a, err := b.RotateCallbackToken(t.Context(), "EUR-1", time.Hour)
	require.NoError(t, err)
	second := a.CallbackToken
	require.NotEqual(t, first, second)
	stored, err := b.Account(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, second, stored.CallbackToken)
	require.True(t, known(first))
	require.True(t, known(second))
	_, err = b.RotateCallbackToken(t.Context(), "EUR-1", time.Hour)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "two at most")

	b.clock.Add(time.Hour)
	require.False(t, known(first))
	a, err = b.RotateCallbackToken(t.Context(), "EUR-1", time.Hour)
	require.NoError(t, err)
	third := a.CallbackToken
	a, err = b.RotateCallbackToken(t.Context(), "EUR-1", 0)
	require.NoError(t, err, "after a leak nobody waits")
	require.Equal(t, []bool{false, false, true}, []bool{known(second), known(third), known(a.CallbackToken)})
}
