package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// A replica hears of a key that another one revoked, and of a new one at once.
func TestAKeyDiesEverywhere(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	old, fresh := shop.NewKey(), shop.NewKey()
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, old))
	_, err := other.Authenticate(t.Context(), shop.HashKey(old))
	require.NoError(t, err)

	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, fresh))
	revoked := time.Now()
	p, err := other.Authenticate(t.Context(), shop.HashKey(fresh))
	require.NoError(t, err, "a new key works at once")
	require.Equal(t, b.shop.ID, p.Shop.ID)
	require.Eventually(t, func() bool {
		_, err := other.Authenticate(t.Context(), shop.HashKey(old))
		return payment.CodeOf(err) == payment.CodeNotFound
	}, 5*time.Second, 10*time.Millisecond)
	require.Less(t, time.Since(revoked), 5*time.Second)
	_, err = b.Authenticate(t.Context(), shop.HashKey(old))
	require.ErrorIs(t, err, store.ErrUnknownKey, "here it is dead at once")
}

// A replica that had nothing to do for a while asks before it believes a key.
func TestAnIdleReplicaAsksFirst(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	key := shop.NewKey()
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, key))
	_, err := other.Authenticate(t.Context(), shop.HashKey(key))
	require.NoError(t, err)
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, shop.NewKey()))
	other.AgeDirectory(4*time.Second + time.Millisecond)
	_, err = other.Authenticate(t.Context(), shop.HashKey(key))
	require.ErrorIs(t, err, store.ErrUnknownKey)
}

// A directory that cannot be compared for too long is not believed.
func TestADirectoryThatIsTooOldIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := shop.NewKey()
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, key))
	_, err := b.Authenticate(t.Context(), shop.HashKey(key))
	require.NoError(t, err)
	b.exec(t, "ALTER TABLE directory RENAME TO away")
	_, err = b.Authenticate(t.Context(), shop.HashKey(key))
	require.Error(t, err)
	require.NotErrorIs(t, err, store.ErrUnknownKey, "nobody is told that a good key is bad")
	b.exec(t, "ALTER TABLE away RENAME TO directory")
	_, err = b.Authenticate(t.Context(), shop.HashKey(key))
	require.NoError(t, err)
}

// A database that was restored may have counted to the same number by other changes.
func TestARestoredDatabaseIsReadAnew(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := store.New(b.pool, b.Options)
	key := shop.NewKey()
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, key))
	_, err := other.Authenticate(t.Context(), shop.HashKey(key))
	require.NoError(t, err)
	b.exec(t, "DELETE FROM shop_keys")
	b.exec(t, "UPDATE directory SET generation = generation - 1")
	other.AgeDirectory(5 * time.Second)
	_, err = other.Authenticate(t.Context(), shop.HashKey(key))
	require.ErrorIs(t, err, store.ErrUnknownKey)
}

// Many requests at once ask once, and a flood of keys that nobody has asks seldom.
func TestTheDirectoryAsksSeldom(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := shop.NewKey()
	require.NoError(t, b.RotateKey(t.Context(), b.shop.Name, key))
	before := b.Comparisons()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := b.Authenticate(t.Context(), shop.HashKey(key))
			require.NoError(t, err)
			_, err = b.Authenticate(t.Context(), shop.HashKey(fmt.Sprint("wrong", i)))
			require.ErrorIs(t, err, store.ErrUnknownKey)
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
	_, err = b.ShopAccounts(t.Context(), b.shop.ID)
	require.Error(t, err, "the shop has the broken one too")
}
