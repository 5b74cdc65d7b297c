package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unpack decodes the form's answer: base58 of JSON.
func unpack(t testing.TB, payload string) (c framedCard) {
	t.Helper()
	n := new(big.Int)
	for _, r := range payload {
		digit := strings.IndexRune("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", r)
		require.GreaterOrEqual(t, digit, 0)
		n.Add(n.Mul(n, big.NewInt(58)), big.NewInt(int64(digit)))
	}
	require.NoError(t, json.Unmarshal(n.Bytes(), &c))
	return c
}

func TestCardFramesAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)

	// who can, and who cannot
	var list struct {
		Data []struct {
			Name, Provider string
			Capabilities   []string
		}
	}
	d.call(http.MethodGet, "/v1/accounts", "", &list)
	require.NotEmpty(t, list.Data)
	for _, a := range list.Data {
		if a.Provider == "uapay" {
			require.Contains(t, a.Capabilities, "card_frame", a.Name)
		} else {
			require.NotContains(t, a.Capabilities, "card_frame", a.Name)
		}
	}
	d.refuses("/v1/accounts/EUR-sandbox/card-frame", `{"for":"payments"}`, http.StatusUnprocessableEntity, "not_supported_by_provider")
	d.refuses("/v1/accounts/nobody/card-frame", `{"for":"payments"}`, http.StatusNotFound, "not_found")

	// a card for payments, in an app, by way of its redirect
	typed := url.Values{"card_number": {uahSuccess}, "card_expiry": {"12/30"}, "card_cvc": {"739"}}
	c := d.fill(d.cardFrame("UAH-sandbox", `{"for":"payments","redirect":true}`), typed)
	require.Equal(t, "411111*1111", c.PANMasked)
	o := d.makes("/v1/payments", uah("app", 1000, storedCard(c.ID, d.ShopPage)), http.StatusCreated)
	d.ends(o.ID, "succeeded")

	// one for payouts wants no expiry, and takes a transfer's money from one that has it, also on an account for payouts
	short := d.cardFrame("UAH-sandbox-p2p", `{"for":"payouts","redirect":true}`)
	res, err := http.Get(short) //nolint:noctx,gosec // the simulator's page
	require.NoError(t, err)
	form, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Contains(t, string(form), `id="card-number"`)
	require.NotContains(t, string(form), `id="card-expiry"`)
	to := d.fill(short, url.Values{"card_number": {uahSuccess}})
	from := d.fill(d.cardFrame("UAH-sandbox-p2p", `{"for":"payments","redirect":true}`), typed)
	moved := d.makes("/v1/transfers", fmt.Sprintf(`{"reference":"framed","account":"UAH-sandbox-p2p","amount":10000,"currency":"UAH","description":"Dinner",
		"customer":{"phone":"+380000000000"},"from":{"card_id":%q},"to":{"card_id":%q}}`, from.ID, to.ID), http.StatusCreated)
	d.ends(moved.ID, "succeeded")
}
