package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// The first account of a shop, currency and purpose is routed to. Linking another one moves nothing, until it is given a priority.
func TestLinkingMovesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t) // EUR-1 is the shop's
	routed := func() (names []string) {
		t.Helper()
		accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
		require.NoError(t, err)
		for _, a := range accounts {
			if a.Priority > 0 {
				names = append(names, a.Name)
			}
		}
		return names
	}
	create := func(name string, purpose payment.Purpose) {
		t.Helper()
		_, err := b.CreateAccount(t.Context(), store.NewAccount{Name: name, Provider: "fake", Currency: "EUR", Purpose: purpose, Shops: []string{"first"}})
		require.NoError(t, err)
	}
	create("AAA", payment.PurposeAny)
	create("AAB", payment.PurposePayments)
	require.Equal(t, []string{"EUR-1"}, routed())
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Len(t, accounts, 3, "they can be named")

	link := func(name string, r store.Routing) {
		t.Helper()
		got, err := b.LinkAccount(t.Context(), name, "first", r, false)
		require.NoError(t, err)
		require.Equal(t, store.Link{Account: name, Shop: "first", Priority: r.Priority}, got)
	}
	link("AAB", store.Routing{Given: true, Priority: 2})
	require.Equal(t, []string{"EUR-1", "AAB"}, routed())
	refused := func(name string, priority int, want string) {
		t.Helper()
		_, err := b.LinkAccount(t.Context(), name, "first", store.Routing{Given: true, Priority: priority}, true)
		require.ErrorContains(t, err, want)
		require.Equal(t, []string{"EUR-1", "AAB"}, routed())
	}
	refused("AAA", 1, "Account EUR-1 has priority 1 for EUR already, and each account has its own. Take another such as 3; or, to put AAA first, give EUR-1 a larger one before.")
	refused("AAA", 2, "Account AAB has priority 2")
	create("OUT", payment.PurposePayouts)
	link("OUT", store.Routing{Given: true, Priority: 2}) // AAB is for payments
	require.NoError(t, b.unlink(t, "OUT", "first", false))
	link("EUR-1", store.Routing{Given: true, Priority: 5})
	link("AAA", store.Routing{Given: true, Priority: 1})
	link("AAB", store.Routing{Given: true, Priority: 2})
	require.Equal(t, []string{"AAA", "AAB", "EUR-1"}, routed())
	repeated, err := b.LinkAccount(t.Context(), "EUR-1", "first", store.Routing{}, false)
	require.NoError(t, err)
	require.Equal(t, 5, repeated.Priority, "a link that is made again keeps its place")
	link("EUR-1", store.Routing{Given: true})
	require.Equal(t, []string{"AAA", "AAB"}, routed())
	require.NoError(t, b.unlink(t, "AAA", "first", false))
	require.Equal(t, []string{"AAB"}, routed())
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.unlink(t, "AAA", "first", false)))
	for _, wrong := range []int{-1, 1001} {
		_, err := b.LinkAccount(t.Context(), "AAA", "first", store.Routing{Given: true, Priority: wrong}, false)
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(err))
	}
}

// The last account that a shop sends orders to leaves its routing only by force.
func TestAShopIsNotLeftWithoutARoute(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.paid(t, "r-1", 1000)
	_, err := b.LinkAccount(t.Context(), "EUR-1", "first", store.Routing{Given: true}, false)
	require.ErrorContains(t, err, "no other in its routing that begins orders of EUR")
	require.ErrorContains(t, b.unlink(t, "EUR-1", "first", false), "no other in its routing that begins orders of EUR")

	_, err = b.CreateAccount(t.Context(), store.NewAccount{Name: "EUR-2", Provider: "fake", Currency: "EUR", Shops: []string{"first"}})
	require.NoError(t, err)
	require.Error(t, b.unlink(t, "EUR-1", "first", false), "one that must be named takes nothing over")
	_, err = b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	for _, mode := range []shop.Mode{shop.ModeDrain, shop.ModeOff} {
		require.NoError(t, b.SetAccountMode(t.Context(), "EUR-2", mode))
		require.ErrorContains(t, b.unlink(t, "EUR-1", "first", false), "Link or enable another first", "one that begins nothing takes nothing over")
	}
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-2", shop.ModeEnabled))
	require.NoError(t, b.unlink(t, "EUR-1", "first", false))
	require.NoError(t, b.unlink(t, "EUR-2", "first", false), "nothing was sent there")
	_, err = b.LinkAccount(t.Context(), "EUR-1", "first", store.Routing{}, false)
	require.NoError(t, err)
	require.NoError(t, b.unlink(t, "EUR-1", "first", true))
}

// A drained account gets no new order from the commit on, also from a replica that has not heard of it yet.
func TestADrainedAccountGetsNoOrder(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.draft(t, "r-1", 1000)
	another := store.New(b.pool, b.Options)
	require.NoError(t, another.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain)) // what is remembered here still says enabled
	_, _, err := b.CreateOrder(t.Context(), o)
	require.Equal(t, payment.CodeDisabled, payment.CodeOf(err))
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders"))
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Equal(t, shop.ModeDrain, accounts[0].Mode, "and is read anew")
}

func (b *fixture) unlink(t *testing.T, account, shop string, force bool) error {
	t.Helper()
	_, err := b.UnlinkAccount(t.Context(), account, shop, force)
	return err
}
