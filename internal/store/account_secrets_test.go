package store_test

import (
	"encoding/json"
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
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(promote(t, b, false)), "nothing is staged")
	var seen payment.Account
	require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{"secret": "new", "more": "m"}, false, func(a payment.Account) error { seen = a; return nil }))
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, seen.Secrets, "it is checked as it will be")
	a := account()
	require.Equal(t, secretMap{"secret": "hunter2"}, a.Secrets, "calls use the current one")
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, a.Staged)

	require.NoError(t, promote(t, b, false))
	a = account()
	require.Equal(t, secretMap{"secret": "new", "more": "m"}, a.Secrets)
	require.Equal(t, secretMap{"secret": "hunter2"}, a.Previous)
	require.Nil(t, a.Staged)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RetireSecrets(t.Context(), "EUR-1", false)), "callbacks may still be signed with it")
	b.clock.Add(store.PreviousSecretsKept)
	require.NoError(t, b.RetireSecrets(t.Context(), "EUR-1", false))
	require.Nil(t, account().Previous)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RetireSecrets(t.Context(), "EUR-1", false)), "there is none")

	require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{"secret": "newer"}, false, fits))
	require.NoError(t, promote(t, b, false))
	require.NoError(t, b.RetireSecrets(t.Context(), "EUR-1", true), "after a leak")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.StageSecrets(t.Context(), "nobody", secretMap{"secret": "x"}, false, fits)))
}

// A staged secret may be installed at the provider: another one takes its place only if the operator says so, and the audit log names
// what was lost.
func TestAStagedSecretIsNotReplacedByAccident(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	stage := func(replace bool, secrets secretMap) error {
		return b.StageSecrets(t.Context(), "EUR-1", secrets, replace, fits)
	}
	staged := func(want secretMap) {
		t.Helper()
		a, err := b.Account(t.Context(), b.account.ID)
		require.NoError(t, err)
		require.Equal(t, want, a.Staged)
	}
	last := func() (after struct{ Staged, Replaced map[string]string }) {
		t.Helper()
		var row []byte
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT after FROM audit_log WHERE action = 'account secret stage' ORDER BY seq DESC LIMIT 1").Scan(&row))
		require.NoError(t, json.Unmarshal(row, &after))
		return after
	}
	require.NoError(t, stage(false, secretMap{"secret": "first"}))
	first := last().Staged["secret"]
	require.NotEmpty(t, first)

	err := stage(false, secretMap{"secret": "second", "more": "m"})
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "secret is staged for EUR-1")
	require.ErrorContains(t, err, "--replace")
	staged(secretMap{"secret": "first"})
	require.NoError(t, stage(false, secretMap{"secret": "first"}), "the same value again is a repeat")
	require.NoError(t, stage(false, secretMap{"more": "m"}), "one of another name")
	staged(secretMap{"secret": "first", "more": "m"})
	require.Empty(t, last().Replaced)

	require.NoError(t, stage(true, secretMap{"secret": "second"}))
	staged(secretMap{"secret": "second", "more": "m"})
	require.Equal(t, map[string]string{"secret": first}, last().Replaced)
}

// A second promotion while callbacks may still be signed with the previous secret would delete that one.
func TestASecondPromotionWaitsForCallbacksSignedBefore(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	stage := func(name string, secret gateway.Secret) {
		t.Helper()
		require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{name: secret}, true, fits))
	}
	has := func(current, previous secretMap) {
		t.Helper()
		a, err := b.Account(t.Context(), b.account.ID)
		require.NoError(t, err)
		require.Equal(t, []secretMap{current, previous}, []secretMap{a.Secrets, a.Previous})
	}
	stage("secret", "second")
	require.NoError(t, promote(t, b, false))
	until := b.clock.Now().Add(store.PreviousSecretsKept)

	b.clock.Add(store.PreviousSecretsKept - time.Minute)
	stage("secret", "third")
	err := promote(t, b, false)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, until.UTC().Format(time.RFC3339))
	require.ErrorContains(t, err, "--force")
	has(secretMap{"secret": "second"}, secretMap{"secret": "hunter2"})

	stage("secret", "hunter2")
	require.NoError(t, promote(t, b, false), "back to the one before, which is not lost")
	has(secretMap{"secret": "hunter2"}, secretMap{"secret": "second"})

	stage("secret", "third")
	require.Error(t, promote(t, b, false))
	require.NoError(t, promote(t, b, true), "the operator insists")
	has(secretMap{"secret": "third"}, secretMap{"secret": "hunter2"})

	b.clock.Add(store.PreviousSecretsKept)
	stage("secret", "fourth")
	require.NoError(t, promote(t, b, false), "nobody signs with the previous one any more")
	has(secretMap{"secret": "fourth"}, secretMap{"secret": "third"})
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

// promote promotes the staged secrets of EUR-1.
func promote(t *testing.T, b *fixture, force bool) error {
	t.Helper()
	_, err := b.PromoteSecrets(t.Context(), "EUR-1", force, nil)
	return err
}
