package store_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/limit"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

func TestRatesOfAShopAndOfAKey(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	own, other := limit.Rate{Quota: 60, Window: 3 * time.Second}, limit.Rate{Quota: 5, Window: time.Second}
	set := func(key string, class shop.RateClass, rate limit.Rate) error {
		return b.SetShopRate(t.Context(), store.ShopRate{Shop: b.shop.Name, KeyID: key, Class: class, Rate: rate})
	}
	rates := func(key string) shop.Rates {
		p, err := b.Authenticate(t.Context(), key, netip.Addr{})
		require.NoError(t, err)
		return p.Rates
	}
	require.Empty(t, rates(b.key))
	_, limited := rates(b.key).Of(shop.RateWrites)
	require.False(t, limited)

	require.NoError(t, set("", shop.RateWrites, own))
	require.NoError(t, set("", shop.RateReads, own))
	require.NoError(t, set(keyID(t, b.key), shop.RateWrites, other))
	require.Equal(t, shop.Rates{shop.RateWrites: other, shop.RateReads: own}, rates(b.key), "the key's own goes first")

	old := b.key
	fresh := shop.NewKey()
	_, err := b.RotateKey(t.Context(), keyID(t, old), fresh, time.Hour)
	require.NoError(t, err)
	require.Equal(t, rates(old), rates(fresh), "a successor has them, too")

	list, err := b.ShopRates(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 4)
	require.NoError(t, set(keyID(t, old), shop.RateWrites, limit.Rate{}))
	require.Equal(t, own, rates(old)[shop.RateWrites])
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(set(keyID(t, old), shop.RateWrites, limit.Rate{})), "there is none any more")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(set("nokey", shop.RateWrites, own)))
}
