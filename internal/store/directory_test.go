package store_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// A replica hears of a key that another one revoked, and of a new one at once.
func TestAKeyDiesEverywhere(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	old, fresh := shop.NewKey(), shop.NewKey()
	b.replaceKey(t, old)
	_, err := other.Authenticate(t.Context(), old, netip.Addr{})
	require.NoError(t, err)

	b.replaceKey(t, fresh)
	revoked := time.Now()
	p, err := other.Authenticate(t.Context(), fresh, netip.Addr{})
	require.NoError(t, err, "a new key works at once")
	require.Equal(t, b.shop.ID, p.Shop.ID)
	require.Eventually(t, func() bool {
		_, err := other.Authenticate(t.Context(), old, netip.Addr{})
		return err != nil && keyReason(t, err) == shop.KeyRevoked
	}, 5*time.Second, 10*time.Millisecond)
	require.Less(t, time.Since(revoked), 5*time.Second)
	_, err = b.Authenticate(t.Context(), old, netip.Addr{})
	require.Equal(t, shop.KeyRevoked, keyReason(t, err), "here it is dead at once")
}

// A replica that had nothing to do for a while asks before it believes a key.
func TestAnIdleReplicaAsksFirst(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	key := shop.NewKey()
	b.replaceKey(t, key)
	_, err := other.Authenticate(t.Context(), key, netip.Addr{})
	require.NoError(t, err)
	b.replaceKey(t, shop.NewKey())
	other.AgeDirectory(4*time.Second + time.Millisecond)
	_, err = other.Authenticate(t.Context(), key, netip.Addr{})
	require.Equal(t, shop.KeyRevoked, keyReason(t, err))
}

// A directory that cannot be compared for too long is not believed.
func TestADirectoryThatIsTooOldIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := shop.NewKey()
	b.replaceKey(t, key)
	_, err := b.Authenticate(t.Context(), key, netip.Addr{})
	require.NoError(t, err)
	b.exec(t, "ALTER TABLE directory RENAME TO away")
	_, err = b.Authenticate(t.Context(), key, netip.Addr{})
	require.Error(t, err)
	var refused *shop.KeyError
	require.NotErrorAs(t, err, &refused, "nobody is told that a good key is bad")
	b.exec(t, "ALTER TABLE away RENAME TO directory")
	_, err = b.Authenticate(t.Context(), key, netip.Addr{})
	require.NoError(t, err)
}

// A database that was restored may have counted to the same number by other changes.
func TestARestoredDatabaseIsReadAnew(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	key := shop.NewKey()
	b.replaceKey(t, key)
	_, err := other.Authenticate(t.Context(), key, netip.Addr{})
	require.NoError(t, err)
	b.exec(t, "DELETE FROM shop_keys")
	b.exec(t, "UPDATE directory SET generation = generation - 1")
	other.AgeDirectory(5 * time.Second)
	_, err = other.Authenticate(t.Context(), key, netip.Addr{})
	require.Equal(t, shop.KeyUnknown, keyReason(t, err))
}

// Many requests at once ask once, and a flood of keys that nobody has asks seldom.
func TestTheDirectoryAsksSeldom(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := shop.NewKey()
	b.replaceKey(t, key)
	before := b.Comparisons()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := b.Authenticate(t.Context(), key, netip.Addr{})
			require.NoError(t, err)
			_, err = b.Authenticate(t.Context(), shop.NewKey(), netip.Addr{})
			require.Equal(t, shop.KeyUnknown, keyReason(t, err))
			_, err = b.Authenticate(t.Context(), fmt.Sprint("wrong", i), netip.Addr{})
			require.Equal(t, shop.KeyMalformed, keyReason(t, err))
		})
	}
	wg.Wait()
	require.Less(t, b.Comparisons()-before, int64(40))
}

// One account that cannot be read hurts no other.
func TestAnAccountThatCannotBeReadHurtsNoOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, err := b.CreateAccount(t.Context(), store.NewAccount{Name: "UAH-1", Provider: "fake", Currency: "UAH", Shops: []string{b.shop.Name}})
	require.NoError(t, err)
	b.exec(t, "UPDATE accounts SET callback_token = 'no ciphertext' WHERE name <> 'UAH-1'")
	a, err := b.Account(t.Context(), other.ID)
	require.NoError(t, err)
	require.Equal(t, "UAH-1", a.Name)
	a, err = b.AccountByCallbackToken(t.Context(), other.CallbackToken.Reveal())
	require.NoError(t, err)
	require.Equal(t, other.ID, a.ID)
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Equal(t, "EUR-1", accounts[0].Name)
	require.Error(t, accounts[0].Unusable)
	require.NoError(t, accounts[1].Unusable, "the shop goes on with the other")
	all, err := b.Accounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"EUR-1", "UAH-1"}, []string{all[0].Name, all[1].Name})
	require.ErrorContains(t, all[0].Unusable, "read account EUR-1")
	require.NoError(t, all[1].Unusable)
}
