package app

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// A key that leaked is revoked, and what was done with it is printed.
func TestALeakedKeyIsRevokedAndShown(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	var key struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "key", "create", "first", "--json")), &key))
	shop, err := b.store.Order(t.Context(), b.paid)
	require.NoError(t, err)
	service := payment.New(payment.Config{Store: b.store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{})})
	_, _, err = service.CreatePayment(payment.WithKeyID(t.Context(), key.ID), payment.NewPayment{
		Shop: shop.ShopID, Reference: "stolen-1", Amount: money.New(700, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("stolen-1"),
	})
	require.NoError(t, err)

	text := b.command(t, "key", "activity", key.ID)
	require.Contains(t, text, "stolen-1")
	require.Contains(t, text, "7.00 EUR")
	require.NotContains(t, text, "paid-1", "no key asked for it")
	var a store.KeyActivity
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "key", "activity", key.ID, "--since", "2999-01-01T00:00:00Z", "--json")), &a))
	require.Empty(t, a.Orders)

	text = b.command(t, "key", "revoke", key.ID, "--leaked", "--reason", "a test")
	require.Contains(t, text, "works nowhere after 5 s")
	require.Contains(t, text, "stolen-1")
	set := b.environ[1][len("SECRET_KEYSET="):]
	b.refuses(t, "was revoked", set, "key", "revoke", key.ID, "--leaked", "--reason", "a test")
	b.refuses(t, "--since is of --leaked", set, "key", "revoke", key.ID, "--since", "2999-01-01T00:00:00Z", "--reason", "a test")
	b.refuses(t, "There is no key", set, "key", "activity", "nobody")
}
