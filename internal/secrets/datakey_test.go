package secrets_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataKeySealsForItsOwnerAndPlace(t *testing.T) {
	t.Parallel()
	keyring, _ := newKeyring(t)
	key, wrapped, err := keyring.NewDataKey("order/1")
	require.NoError(t, err)
	require.Len(t, wrapped, 81, "bytes of every order")
	sealed := key.Seal([]byte("plain"), "orders.details")
	require.Len(t, sealed, len("plain")+28)
	require.Equal(t, sealed, key.Seal([]byte("plain"), "orders.details"), "equal rows are compared as they rest")
	require.NotEqual(t, sealed[:12], key.Seal([]byte("plain"), "orders.next_action")[:12], "no nonce is used for two texts")
	require.NotEqual(t, sealed[:12], key.Seal([]byte("plaim"), "orders.details")[:12])

	opened, err := keyring.DataKey(wrapped, "order/1")
	require.NoError(t, err)
	plain, err := opened.Open(sealed, "orders.details")
	require.NoError(t, err)
	require.Equal(t, "plain", string(plain))
	_, err = opened.Open(sealed, "orders.next_action")
	require.ErrorContains(t, err, "decrypt orders.next_action of order/1")
	_, err = opened.Open(bytes.Repeat([]byte{1}, 3), "orders.details")
	require.Error(t, err)

	_, err = keyring.DataKey(wrapped, "order/2")
	require.Error(t, err, "a key that was copied to another order")
	other, _, err := keyring.NewDataKey("order/1")
	require.NoError(t, err)
	_, err = other.Open(sealed, "orders.details")
	require.Error(t, err)
}

func TestDestroyedDataKeyHoldsNothing(t *testing.T) {
	t.Parallel()
	keyring, _ := newKeyring(t)
	key, _, err := keyring.NewDataKey("order/1")
	require.NoError(t, err)
	sealed := key.Seal([]byte("plain"), "orders.details")

	gone, err := keyring.DataKey(nil, "order/1")
	require.NoError(t, err)
	plain, err := gone.Open(sealed, "orders.details")
	require.NoError(t, err)
	require.Nil(t, plain)
	require.Nil(t, gone.Seal([]byte("plain"), "orders.details"), "what comes later is not kept")
}

// BenchmarkDataKey is the cost of an order's usual life: its key is made, and unwrapped by the two writes that follow. Each of these
// opens what the row holds and seals what came.
func BenchmarkDataKey(b *testing.B) {
	keyring, _ := newKeyring(b)
	said, details, payload := bytes.Repeat([]byte("x"), 100), bytes.Repeat([]byte("x"), 400), bytes.Repeat([]byte("x"), 1100)
	b.ReportAllocs()
	for b.Loop() {
		key, wrapped, err := keyring.NewDataKey("order/1")
		require.NoError(b, err)
		rests := key.Seal(details, "orders.details")
		for range 2 {
			key, err := keyring.DataKey(wrapped, "order/1")
			require.NoError(b, err)
			_, err = key.Open(rests, "orders.details")
			require.NoError(b, err)
			for _, text := range [][]byte{said, said, said, payload} { // the next action, the transition, the call or callback, the notification
				key.Seal(text, "orders.next_action")
			}
		}
	}
}
