package shop_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/shop"
)

func reasonOf(t *testing.T, err error) shop.KeyReason {
	t.Helper()
	var refused *shop.KeyError
	require.ErrorAs(t, err, &refused)
	return refused.Reason
}

func TestKeyHasAnIDAndACheck(t *testing.T) {
	t.Parallel()
	key := shop.NewKey()
	require.Regexp(t, `^prk_live_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`, key)
	got, err := shop.ParseKey(key)
	require.NoError(t, err)
	require.Equal(t, key[9:19], got)
	other, err := shop.ParseKey(shop.NewKey())
	require.NoError(t, err)
	require.NotEqual(t, got, other)
	got, err = shop.ParseKey(shop.DemoKey)
	require.NoError(t, err)
	require.Equal(t, shop.DemoKeyID, got)
}

func TestKeyThatCannotBeOneIsKnownByItsForm(t *testing.T) {
	t.Parallel()
	key := shop.NewKey()
	id := key[9:19]
	for at := len("prk_live_"); at < len(key); at++ { // any letter mistyped
		if key[at] == '_' {
			continue
		}
		wrong := "0"
		if key[at] == '0' {
			wrong = "1"
		}
		_, err := shop.ParseKey(key[:at] + wrong + key[at+1:])
		require.Equal(t, shop.KeyChecksum, reasonOf(t, err), at)
	}
	for _, wrong := range []string{
		"", "prk_live_", key[:len(key)-1], key + "0", " " + key, strings.ToUpper(key), "prk_test_" + key[len("prk_live_"):], strings.Replace(key, id+"_", id[:9]+"__", 1),
		strings.Replace(key, id, id[:9]+"é", 1), "prk_test_demo2", strings.Repeat("x", 10_000),
	} {
		_, err := shop.ParseKey(wrong)
		require.Equal(t, shop.KeyMalformed, reasonOf(t, err), wrong)
	}
}

func TestKeyIsBoundToNetworks(t *testing.T) {
	t.Parallel()
	from := netip.MustParseAddr
	require.True(t, shop.Within(nil, netip.Addr{}))
	require.True(t, shop.Within([]string{"10.0.0.0/8", "2001:db8::/32"}, from("10.1.2.3")))
	require.True(t, shop.Within([]string{"10.0.0.0/8"}, from("::ffff:10.1.2.3")))
	require.True(t, shop.Within([]string{"2001:db8::/32"}, from("2001:db8::1")))
	require.False(t, shop.Within([]string{"10.0.0.0/8"}, from("11.1.2.3")))
	require.False(t, shop.Within([]string{"10.0.0.0/8"}, netip.Addr{}), "an address that is not known is in no network")
	require.False(t, shop.Within([]string{"broken"}, from("10.1.2.3")))
}

func TestModesAreOrdered(t *testing.T) {
	t.Parallel()
	require.Equal(t, shop.ModeOff, shop.ModeOff.Stricter(shop.ModeDrain))
	require.Equal(t, shop.ModeOff, shop.ModeEnabled.Stricter(shop.ModeOff))
	require.Equal(t, shop.ModeDrain, shop.ModeDrain.Stricter(shop.ModeEnabled))
}

func FuzzParseKey(f *testing.F) {
	key := shop.NewKey()
	f.Add(key)
	f.Add("prk_live_")
	f.Fuzz(func(t *testing.T, key string) {
		if id, err := shop.ParseKey(key); err == nil && key != shop.DemoKey {
			require.Equal(t, id, key[9:19])
			require.Len(t, key, 70)
		}
	})
}
