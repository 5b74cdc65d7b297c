package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// When an account's calls go to another installation or merchant, the account says since when, and the operator hears what is open.
func TestAnAccountKnowsWhenItWasMoved(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	moves := func(before, after payment.Account) bool {
		return before.Settings["url"] != after.Settings["url"] || before.Secrets["secret"] != after.Secrets["secret"]
	}
	set := func(name, value string) store.AccountSet {
		t.Helper()
		a, err := b.SetAccount(t.Context(), "EUR-1", store.AccountChange{Settings: map[string]string{name: value}, Moves: moves}, fits)
		require.NoError(t, err)
		return a
	}
	movedAt := func() *time.Time {
		t.Helper()
		a, err := b.Account(t.Context(), b.account.ID)
		require.NoError(t, err)
		return a.MovedAt
	}
	b.create(t, "open-1", 100)
	b.create(t, "open-2", 100)
	require.False(t, set("other", "yes").Moved)
	require.Nil(t, movedAt())
	a := set("url", "https://elsewhere.example")
	require.True(t, a.Moved)
	require.Equal(t, []string{"2 × payment created"}, a.Open)
	first := b.clock.Now()
	require.Equal(t, first, *movedAt())

	b.clock.Add(time.Hour)
	require.False(t, set("url", "https://elsewhere.example").Moved, "as it is")
	require.Equal(t, first, *movedAt())
	require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", secretMap{"secret": "new"}, false, fits))
	promoted, err := b.PromoteSecrets(t.Context(), "EUR-1", false, moves)
	require.NoError(t, err)
	require.True(t, promoted.Moved)
	require.Equal(t, []string{"2 × payment created"}, promoted.Open)
	require.Equal(t, first.Add(time.Hour), *movedAt())
	require.Equal(t, gateway.Secret("new"), promoted.Secrets["secret"])
}
