package store_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// The same request has the same id at its provider whatever was lost, and the shop can be read from it.
func TestAnOrdersIDAtItsProviderIsComputed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	id, err := b.ProviderOrderID(t.Context(), b.shop.ID, gateway.KindPayment, "order-1", 1)
	require.NoError(t, err)
	restarted := store.New(b.pool, store.Options{Keyring: b.box})
	repeated, err := restarted.ProviderOrderID(t.Context(), b.shop.ID, gateway.KindPayment, "order-1", 1)
	require.NoError(t, err)
	require.Equal(t, id, repeated)
	other, err := b.ProviderOrderID(t.Context(), b.shop.ID, gateway.KindRefund, "order-1", 1)
	require.NoError(t, err)
	require.NotEqual(t, id, other)
	for range 2 { // from the database, then from memory
		owner, ok, err := restarted.ShopOfProviderOrderID(t.Context(), id)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, b.shop.ID, owner)
	}
	for _, foreign := range []string{"", "pr-4f5eba9bbe11e4f2f5a9ba6f8d0692fc", "somebody-elses", id[:len(id)-1]} {
		_, ok, err := b.ShopOfProviderOrderID(t.Context(), foreign)
		require.NoError(t, err)
		require.False(t, ok, foreign)
	}
	_, err = b.ProviderOrderID(t.Context(), uuid.New(), gateway.KindPayment, "order-1", 1)
	require.Error(t, err, "a shop that does not exist has no number")
	require.NotEqual(t, payment.CodeUnavailable, payment.CodeOf(err))
}
