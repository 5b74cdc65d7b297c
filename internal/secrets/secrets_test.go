package secrets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/secrets"
)

func newKeyring(t testing.TB) (*secrets.Keyring, gateway.Secret) {
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

func TestKeysLiveAndDie(t *testing.T) {
	t.Parallel()
	old, set := newKeyring(t)
	first := old.Primary()
	sealed, err := old.Seal([]byte("plain"), "a", "b")
	require.NoError(t, err)
	require.Equal(t, first, secrets.KeyOf(sealed))
	require.Equal(t, secrets.Prefix(first), sealed[:5])

	open := func(set string, err error) (*secrets.Keyring, gateway.Secret) {
		t.Helper()
		require.NoError(t, err)
		keyring, err := secrets.Open(gateway.Secret(set))
		require.NoError(t, err)
		return keyring, gateway.Secret(set)
	}
	added, second, err := secrets.AddKey(set)
	keyring, set := open(added, err)
	require.Equal(t, first, keyring.Primary(), "a new key encrypts nothing until every replica has it")
	require.Equal(t, []secrets.Key{{ID: first, Primary: true, Enabled: true}, {ID: second, Enabled: true}}, keyring.Keys())

	keyring, set = open(secrets.Promote(set, second))
	plain, err := keyring.Open(sealed, "a", "b")
	require.NoError(t, err)
	require.Equal(t, "plain", string(plain))
	resealed, err := keyring.Seal([]byte("new"), "a", "b")
	require.NoError(t, err)
	require.Equal(t, second, secrets.KeyOf(resealed))
	_, err = old.Open(resealed, "a", "b")
	require.Error(t, err)

	_, err = secrets.Retire(set, second)
	require.Error(t, err, "the key that encrypts cannot go")
	keyring, set = open(secrets.Retire(set, first))
	_, err = keyring.Open(sealed, "a", "b")
	require.Error(t, err)
	keyring, _ = open(secrets.Restore(set, first))
	_, err = keyring.Open(sealed, "a", "b")
	require.NoError(t, err, "a key that was retired too early comes back")
	keyring, _ = open(secrets.Destroy(set, first))
	require.Equal(t, []secrets.Key{{ID: second, Primary: true, Enabled: true}}, keyring.Keys())
	_, err = secrets.Promote(set, 12345)
	require.Error(t, err)
	require.Zero(t, secrets.KeyOf([]byte("no ciphertext")))
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
	added, _, err := secrets.AddKey(secrets.DemoKeyset)
	require.NoError(t, err)
	require.True(t, secrets.IsDemo(gateway.Secret(added)), "a key that everybody knows is no better behind another")
	_, set := newKeyring(t)
	require.False(t, secrets.IsDemo(set))
}
