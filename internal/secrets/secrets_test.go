package secrets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/secrets"
)

func newKeyring(t *testing.T) (*secrets.Keyring, gateway.Secret) {
	t.Helper()
	set, err := secrets.NewKeyset()
	require.NoError(t, err)
	keyring, err := secrets.Open(gateway.Secret(set))
	require.NoError(t, err)
	return keyring, gateway.Secret(set)
}

func TestSealedOpensOnlyForItsOwnerAndField(t *testing.T) {
	t.Parallel()
	keyring, _ := newKeyring(t)
	sealed, err := keyring.Seal([]byte("plain"), "order/1", "next_action")
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "plain")
	plain, err := keyring.Open(sealed, "order/1", "next_action")
	require.NoError(t, err)
	require.Equal(t, "plain", string(plain))

	for _, other := range [][2]string{{"order/2", "next_action"}, {"order/1", "provider_state"}, {"account/1", "next_action"}} {
		_, err = keyring.Open(sealed, other[0], other[1])
		require.Error(t, err, other)
	}
	repeated, err := keyring.Seal([]byte("plain"), "order/1", "next_action")
	require.NoError(t, err)
	require.NotEqual(t, sealed, repeated)

	stranger, _ := newKeyring(t)
	_, err = stranger.Open(sealed, "order/1", "next_action")
	require.Error(t, err)
}

func TestAddedKeyEncryptsAndTheOldStillOpens(t *testing.T) {
	t.Parallel()
	old, set := newKeyring(t)
	sealed, err := old.Seal([]byte("plain"), "a", "b")
	require.NoError(t, err)
	added, err := secrets.AddKey(set)
	require.NoError(t, err)
	keyring, err := secrets.Open(gateway.Secret(added))
	require.NoError(t, err)
	plain, err := keyring.Open(sealed, "a", "b")
	require.NoError(t, err)
	require.Equal(t, "plain", string(plain))
	sealed, err = keyring.Seal([]byte("new"), "a", "b")
	require.NoError(t, err)
	_, err = old.Open(sealed, "a", "b")
	require.Error(t, err, "the new key must be the one that encrypts")
}

func TestBadKeysetIsNamedAndNotShown(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]gateway.Secret{"empty": " \n", "no base64": "not~base64", "no keyset": "bm90IGEga2V5c2V0"} {
		_, err := secrets.Open(set)
		require.ErrorContains(t, err, "keyset", name)
		require.NotContains(t, err.Error(), "not~base64")
		require.NotContains(t, err.Error(), "not a keyset")
		require.False(t, secrets.IsDemo(set))
	}
	_, set := newKeyring(t)
	_, err := secrets.Open("\n" + set + "\n")
	require.NoError(t, err, "a line from a file ends in a newline")
}

func TestDemoKeyIsRecognised(t *testing.T) {
	t.Parallel()
	require.True(t, secrets.IsDemo(secrets.DemoKeyset))
	require.True(t, secrets.IsDemo(secrets.DemoKeyset+"\n"))
	added, err := secrets.AddKey(secrets.DemoKeyset)
	require.NoError(t, err)
	require.True(t, secrets.IsDemo(gateway.Secret(added)), "a key that everybody knows is no better behind another")
	_, set := newKeyring(t)
	require.False(t, secrets.IsDemo(set))
}
