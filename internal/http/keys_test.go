package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/shop"
)

func TestRefusedKeySaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for reason, want := range keyRefusals {
		b.keys.err = &shop.KeyError{Reason: reason, ID: "abc"}
		res := b.send(t, "GET", "/v1/orders", "")
		require.Equal(t, 401, res.Code, reason)
		require.Contains(t, res.Body.String(), want)
		require.Contains(t, res.Body.String(), `"code":"unauthorized"`)
	}
	b.keys.err = &shop.KeyError{Reason: shop.KeyDisabled}
	res := b.send(t, "GET", "/v1/orders", "")
	require.Equal(t, 403, res.Code)
	require.Contains(t, res.Body.String(), `"code":"disabled"`)
	require.Zero(t, b.count())
}

func TestKeyThatExpiresSoonSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keys.expires = time.Now().Add(13 * 24 * time.Hour).UTC().Truncate(time.Second)
	require.Equal(t, b.keys.expires.Format(time.RFC3339), b.send(t, "GET", "/v1/orders", "").Header().Get("Payrelay-Key-Expires"))
	b.keys.expires = time.Now().Add(15 * 24 * time.Hour)
	require.Empty(t, b.send(t, "GET", "/v1/orders", "").Header().Get("Payrelay-Key-Expires"))
}

// TestModesStopMoney goes over every operation of the contract.
func TestModesStopMoney(t *testing.T) {
	t.Parallel()
	doc, err := Document()
	require.NoError(t, err)
	classes := map[string]int{}
	for route, o := range operationsOf(doc) {
		classes[o.money]++
		method, path, _ := strings.Cut(strings.NewReplacer("{id}", orderID, "{name}", "EUR-sandbox").Replace(route), " ")
		for mode, stopped := range map[shop.Mode]bool{
			shop.ModeEnabled: false, shop.ModeDrain: o.money == moneyBegins, shop.ModeOff: o.money != "",
		} {
			b := setup(t)
			b.keys.mode = mode
			res := b.send(t, method, path, "{")
			if stopped {
				require.Equal(t, 403, res.Code, "%s %s: %s", mode, route, res.Body.String())
				require.Contains(t, res.Body.String(), `"code":"disabled"`)
				require.Zero(t, b.count())
			} else {
				require.NotContains(t, res.Body.String(), `"code":"disabled"`, "%s %s", mode, route)
			}
		}
		if method == http.MethodGet {
			require.Empty(t, o.money, route)
		}
	}
	require.Equal(t, 5, classes[moneyBegins], "every POST that makes an order of the shop's money")
	require.Equal(t, 5, classes[moneyContinues])
}
