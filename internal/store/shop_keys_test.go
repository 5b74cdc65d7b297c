package store_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// replaceKey gives the fixture's shop another key in place of its own.
func (b *fixture) replaceKey(t *testing.T, fresh string) {
	t.Helper()
	_, err := b.RotateKey(t.Context(), keyID(t, b.key), fresh, 0)
	require.NoError(t, err)
	b.key = fresh
}

func keyID(t *testing.T, key string) string {
	t.Helper()
	id, err := shop.ParseKey(key)
	require.NoError(t, err)
	return id
}

func keyReason(t *testing.T, err error) shop.KeyReason {
	t.Helper()
	var refused *shop.KeyError
	require.ErrorAs(t, err, &refused)
	return refused.Reason
}

// reason is why a key is refused, "" if it works.
func (b *fixture) reason(t *testing.T, key string, from ...string) shop.KeyReason {
	t.Helper()
	var addr netip.Addr
	if len(from) > 0 {
		addr = netip.MustParseAddr(from[0])
	}
	if _, err := b.Authenticate(t.Context(), key, addr); err != nil {
		return keyReason(t, err)
	}
	return ""
}

func TestKeySaysWhoCalls(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	p, err := b.Authenticate(t.Context(), b.key, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, shop.Principal{Shop: b.shop, KeyID: keyID(t, b.key), Scopes: shop.Scopes, ExpiresAt: b.clock.Now().Add(shop.PayoutKeyLife), Mode: shop.ModeEnabled}, p)
	require.Zero(t, b.count(t, "SELECT count(*) FROM shop_keys k WHERE k::text LIKE '%' || $1 || '%'", b.key[20:]))

	// A key whose id is right and whose secret is not.
	forged := shop.NewKey()
	b.exec(t, "UPDATE shop_keys SET id = $1", keyID(t, forged))
	require.Equal(t, shop.KeyUnknown, b.reason(t, forged))
}

// A row that somebody wrote into the database opens nothing: the hash is keyed.
func TestForgedKeyRowOpensNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := shop.NewKey()
	for _, guess := range [][]byte{shop.KeyMAC(nil, key), shop.KeyMAC([]byte("api_key"), key)} {
		b.exec(t, "DELETE FROM shop_keys WHERE id = $1", keyID(t, key))
		b.exec(t, "INSERT INTO shop_keys (shop_id, id, mac, scopes, created_at, expires_at) VALUES ($1, $2, $3, '{payouts}', now(), '2099-01-01')", b.shop.ID, keyID(t, key), guess)
		require.Equal(t, shop.KeyUnknown, b.reason(t, key))
	}
}

func TestShopHasSeveralKeys(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var keys []string
	for range shop.MaxLiveKeys - 1 {
		key := shop.NewKey()
		k, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: key, Name: "reader", Scopes: []shop.Scope{shop.ScopeRead}})
		require.NoError(t, err)
		require.Equal(t, b.clock.Now().Add(shop.KeyLife), k.ExpiresAt)
		keys = append(keys, key)
	}
	p, err := b.Authenticate(t.Context(), keys[0], netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, []shop.Scope{shop.ScopeRead}, p.Scopes)
	_, err = b.CreateKey(t.Context(), "first", store.NewKey{Key: shop.NewKey(), Scopes: shop.Scopes})
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "one too many")
	_, err = b.RotateKey(t.Context(), keyID(t, keys[0]), shop.NewKey(), time.Hour)
	require.NoError(t, err, "a rotation is no further key")
	require.NoError(t, b.RevokeKey(t.Context(), keyID(t, keys[1])))
	_, err = b.CreateKey(t.Context(), "first", store.NewKey{Key: shop.NewKey(), Scopes: shop.Scopes})
	require.NoError(t, err)
	_, err = b.CreateKey(t.Context(), "nobody", store.NewKey{Key: shop.NewKey(), Scopes: shop.Scopes})
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
	list, err := b.ShopKeys(t.Context(), "first")
	require.NoError(t, err)
	require.Len(t, list, shop.MaxLiveKeys+2)
}

func TestRotatedKeyWorksForItsOverlap(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old, fresh := shop.NewKey(), shop.NewKey()
	_, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: old, Name: "reader", Scopes: []shop.Scope{shop.ScopeRead}, AllowCIDRs: []string{"10.0.0.0/8"}})
	require.NoError(t, err)
	b.clock.Add(100 * 24 * time.Hour)
	require.NoError(t, b.SetKeyMode(t.Context(), keyID(t, old), shop.ModeOff))
	_, err = b.RotateKey(t.Context(), keyID(t, old), fresh, 24*time.Hour)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "the successor of a key that is off would work")
	require.NoError(t, b.SetKeyMode(t.Context(), keyID(t, old), shop.ModeEnabled))
	made, err := b.RotateKey(t.Context(), keyID(t, old), fresh, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, "reader", made.Name)
	require.Equal(t, []shop.Scope{shop.ScopeRead}, made.Scopes)
	require.Equal(t, []string{"10.0.0.0/8"}, made.AllowCIDRs)
	require.Equal(t, b.clock.Now().Add(shop.KeyLife), made.ExpiresAt)
	require.Empty(t, b.reason(t, old, "10.0.0.1"))
	require.Empty(t, b.reason(t, fresh, "10.0.0.1"))
	_, err = b.RotateKey(t.Context(), keyID(t, old), shop.NewKey(), 0)
	require.ErrorContains(t, err, "was rotated before")
	b.clock.Add(24 * time.Hour)
	require.Equal(t, shop.KeyExpired, b.reason(t, old, "10.0.0.1"))
	require.Empty(t, b.reason(t, fresh, "10.0.0.1"))
}

func TestKeyIsBoundToItsNetworks(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	_, err := b.NarrowKey(t.Context(), keyID(t, b.key), store.Narrowing{AllowCIDRs: []string{"192.0.2.0/24"}})
	require.NoError(t, err)
	require.Empty(t, b.reason(t, b.key, "192.0.2.7"))
	require.Equal(t, shop.KeyNetwork, b.reason(t, b.key, "198.51.100.7"))
	require.Equal(t, shop.KeyNetwork, b.reason(t, b.key), "an address that nobody knows")
}

func TestKeyIsOnlyNarrowed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	id := keyID(t, b.key)
	narrow := func(n store.Narrowing) error {
		_, err := b.NarrowKey(t.Context(), id, n)
		return err
	}
	end := b.clock.Now().Add(time.Hour)
	require.NoError(t, narrow(store.Narrowing{Scopes: []shop.Scope{shop.ScopeRead, shop.ScopeRefunds}, AllowCIDRs: []string{"10.0.0.0/8"}, ExpiresAt: end}))
	require.NoError(t, narrow(store.Narrowing{AllowCIDRs: []string{"10.1.0.0/16"}}))
	for _, wider := range []store.Narrowing{
		{Scopes: []shop.Scope{shop.ScopePayouts}}, {AllowCIDRs: []string{"10.0.0.0/8"}}, {AllowCIDRs: []string{"10.1.0.0/16", "0.0.0.0/0"}}, {ExpiresAt: end.Add(1)},
	} {
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(narrow(wider)), wider)
	}
	p, err := b.Authenticate(t.Context(), b.key, netip.MustParseAddr("10.1.2.3"))
	require.NoError(t, err)
	require.Equal(t, []shop.Scope{shop.ScopeRead, shop.ScopeRefunds}, p.Scopes)
	require.Equal(t, end, p.ExpiresAt)
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.RevokeKey(t.Context(), "nobody")))
	require.NoError(t, b.RevokeKey(t.Context(), id))
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RevokeKey(t.Context(), id)))
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(narrow(store.Narrowing{Scopes: []shop.Scope{shop.ScopeRead}})))
}

// After a leak an operator sees what was done with a key, and from where.
func TestWhatAKeyDid(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	id := keyID(t, b.key)
	asked := payment.WithKeyID(t.Context(), id)
	ids := []string{}
	for i, key := range []string{id, "", id} {
		o := b.draft(t, fmt.Sprint("order-", i), 700)
		_, _, err := b.CreateOrder(payment.WithKeyID(t.Context(), key), o)
		require.NoError(t, err)
		ids = append(ids, o.ID.String())
		b.clock.Add(time.Hour)
	}
	for _, from := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"} {
		_, err := b.Authenticate(asked, b.key, netip.MustParseAddr(from))
		require.NoError(t, err)
	}
	require.NoError(t, b.WriteKeyUses(t.Context()))
	require.NoError(t, b.WriteKeyUses(t.Context()), "with nothing to write")

	a, err := b.ActivityOfKey(t.Context(), id, time.Time{})
	require.NoError(t, err)
	addresses := []string{}
	for _, r := range a.Addresses {
		require.Equal(t, b.clock.Now().Truncate(time.Minute), r.Last)
		addresses = append(addresses, r.Address.String())
	}
	require.ElementsMatch(t, []string{"192.0.2.7", "2001:db8::", "2001:db8:0:1::"}, addresses, "of IPv6 the network of a customer")
	require.Equal(t, []store.KeySum{{Kind: "payment", Currency: "EUR", Orders: 2, Amount: "1400"}}, a.Sums)
	require.Len(t, a.Orders, 2)
	require.Equal(t, []string{ids[2], ids[0]}, []string{a.Orders[0].ID.String(), a.Orders[1].ID.String()}, "the newest first")
	require.Equal(t, "order-2", a.Orders[0].Reference)
	require.EqualValues(t, 700, *a.Orders[0].Amount)

	a, err = b.ActivityOfKey(t.Context(), id, b.clock.Now().Add(-90*time.Minute))
	require.NoError(t, err)
	require.Len(t, a.Orders, 1)
	a, err = b.ActivityOfKey(t.Context(), id, b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Empty(t, a.Orders)
	require.Empty(t, a.Addresses)
	_, err = b.ActivityOfKey(t.Context(), "nobody", time.Time{})
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
}

// Whoever has a key can make up addresses, and fills no table with them.
func TestAKeyHasSoManyAddresses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for round := range 2 {
		for i := range 1100 {
			_, err := b.Authenticate(t.Context(), b.key, netip.AddrFrom4([4]byte{10, byte(round), byte(i >> 8), byte(i)}))
			require.NoError(t, err)
		}
		require.NoError(t, b.WriteKeyUses(t.Context()))
	}
	require.Equal(t, 1101, b.count(t, "SELECT count(*) FROM shop_key_uses"), "a first writing, and one row for all that came later")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM shop_key_uses WHERE address = '::'"))
}

// A key that ends soon is told of while there is time, unless it has a successor.
func TestKeysThatEndSoonAreCounted(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	expiring := func() int {
		t.Helper()
		require.Empty(t, b.reason(t, b.key))
		return testutil.CollectAndCount(b.KeyCollector())
	}
	require.Zero(t, expiring())
	b.clock.Add(shop.PayoutKeyLife - 13*24*time.Hour)
	require.Equal(t, 1, expiring())
	require.NoError(t, testutil.CollectAndCompare(b.KeyCollector(), strings.NewReader(`# HELP payrelay_keys_expiring Keys of a shop that work, end within 14 days and were not rotated.
# TYPE payrelay_keys_expiring gauge
payrelay_keys_expiring{shop="`+b.shop.Name+`"} 1
`)))
	_, err := b.RotateKey(t.Context(), keyID(t, b.key), shop.NewKey(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, expiring(), "it was rotated")
}

// When a key was used is written down from time to time, and disturbs nobody.
func TestUseOfKeysIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	used := func() *time.Time {
		t.Helper()
		require.NoError(t, b.WriteKeyUses(t.Context()))
		keys, err := b.ShopKeys(t.Context(), "")
		require.NoError(t, err)
		return keys[0].LastUsedAt
	}
	require.Nil(t, used())
	b.clock.Add(time.Second)
	require.Empty(t, b.reason(t, b.key))
	require.Equal(t, b.clock.Now().Truncate(time.Minute), *used())
	generation := b.count(t, "SELECT generation FROM directory")
	b.clock.Add(time.Hour)
	require.Empty(t, b.reason(t, b.key))
	b.exec(t, "ALTER TABLE shop_key_uses RENAME TO away")
	require.Error(t, b.WriteKeyUses(t.Context()))
	b.exec(t, "ALTER TABLE away RENAME TO shop_key_uses")
	require.Equal(t, b.clock.Now().Truncate(time.Minute), *used(), "what could not be written is kept")
	require.Equal(t, generation, b.count(t, "SELECT generation FROM directory"), "no replica reads its keys anew")
}
