package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// What all replicas count together demotes an account on each of them, once, and restores it when its calls are answered again.
func TestReplicasAgreeWhichAccountIsDemoted(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	replicas := []*store.Store{b.Store, store.New(b.pool, b.Options)}
	count := func(outcome payment.CallOutcome, n int) {
		for i := range n {
			replicas[i%2].CountCall(b.account.ID, outcome)
		}
	}
	// judge has each replica judge, twice, and returns the changes that were made and whether the account is demoted on each.
	judge := func() (changes []store.AccountHealth, demoted []bool) {
		t.Helper()
		for range 2 {
			for _, r := range replicas {
				made, err := r.JudgeHealth(t.Context())
				require.NoError(t, err)
				changes = append(changes, made...)
			}
		}
		for _, r := range replicas {
			accounts, err := r.ShopAccounts(t.Context(), b.shop.ID)
			require.NoError(t, err)
			demoted = append(demoted, accounts[0].Demoted)
		}
		return changes, demoted
	}
	both := func(demoted bool) []bool { return []bool{demoted, demoted} }
	since := b.clock.Now()

	changes, demoted := judge()
	require.Empty(t, changes, "nothing happened")
	require.Equal(t, both(false), demoted)
	require.Zero(t, b.count(t, "SELECT count(*) FROM account_health"))

	count(payment.CallAnswered, 45)
	changes, demoted = judge()
	require.Empty(t, changes)
	require.Equal(t, both(false), demoted)

	count(payment.CallUnknown, 8) // no replica knows of enough by its own counts
	count(payment.CallNotSent, 8)
	changes, demoted = judge()
	require.Equal(t, []store.AccountHealth{{Account: "EUR-1", Health: payment.Health{Demoted: true, ChangedAt: since, Calls: 61, Failed: 16}}}, changes)
	require.Equal(t, both(true), demoted)
	require.InDelta(t, 1, testutil.ToFloat64(b.HealthCollector()), 0)
	late := store.New(b.pool, b.Options)
	require.NoError(t, late.LoadHealth(t.Context()))
	accounts, err := late.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.True(t, accounts[0].Demoted, "a replica that started later knows it, too")

	b.clock.Add(4 * time.Minute)
	count(payment.CallAnswered, 20)
	changes, _ = judge()
	require.Empty(t, changes, "one change in five minutes")
	b.clock.Add(time.Minute)
	changes, demoted = judge()
	require.Len(t, changes, 1)
	require.False(t, changes[0].Demoted)
	require.EqualValues(t, 20, changes[0].Calls)
	require.Equal(t, both(false), demoted)
	require.InDelta(t, 0, testutil.ToFloat64(b.HealthCollector()), 0)

	b.clock.Add(payment.HealthKept + time.Minute)
	count(payment.CallAnswered, 1)
	judge()
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM account_health"), "old minutes are removed")
}

// Nobody calls an account that is demoted: after an hour nothing is known against it any more.
func TestADemotionEndsAlsoWithoutCalls(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for range 50 {
		b.CountCall(b.account.ID, payment.CallUnknown)
	}
	changes, err := b.JudgeHealth(t.Context())
	require.NoError(t, err)
	require.Len(t, changes, 1)
	b.clock.Add(59 * time.Minute)
	changes, err = b.JudgeHealth(t.Context())
	require.NoError(t, err)
	require.Empty(t, changes)
	b.clock.Add(time.Minute)
	changes, err = b.JudgeHealth(t.Context())
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.False(t, changes[0].Demoted)
}

// Where accounts are not demoted any more, none is shown as if it was, and a service that demotes them again begins anew.
func TestDemotionsEndWhenTheyAreSwitchedOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for range 50 {
		b.CountCall(b.account.ID, payment.CallUnknown)
	}
	changes, err := b.JudgeHealth(t.Context())
	require.NoError(t, err)
	require.Len(t, changes, 1)
	known, err := b.AccountsHealth(t.Context())
	require.NoError(t, err)
	require.True(t, known[b.account.ID].Demoted)

	b.clock.Add(time.Second)
	var log strings.Builder
	off := store.New(b.pool, b.Options)
	off.EndDemotions(t.Context(), zerolog.New(&log))
	require.Contains(t, log.String(), `"account":"EUR-1"`)
	known, err = off.AccountsHealth(t.Context())
	require.NoError(t, err)
	require.Equal(t, payment.Health{ChangedAt: b.clock.Now()}, known[b.account.ID].Health, "what commands and routing read")
	require.NoError(t, off.LoadHealth(t.Context()))
	accounts, err := off.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.False(t, accounts[0].Demoted)

	log.Reset()
	off.EndDemotions(t.Context(), zerolog.New(&log))
	require.Empty(t, log.String(), "nothing is left to restore")
	b.clock.Add(payment.HealthWindow + time.Minute)
	changes, err = b.JudgeHealth(t.Context())
	require.NoError(t, err)
	require.Empty(t, changes, "what was counted before says nothing any more")
}
