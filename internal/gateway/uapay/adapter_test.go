package uapay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestOpenSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	d := New(testClient(t))
	_, err := d.Open(gateway.Account{
		Currency: "EUR", Secrets: map[string]gateway.Secret{"key": "hidden-text"},
		Settings: map[string]string{"client_id": "abc", "api_url": "http://api.uapay.ua", "require_signed_answers": "maybe", "host": "x"},
	})
	for _, part := range []string{"client_id", "api_url: https is required", "require_signed_answers", `unknown setting "host"`, `unknown secret "key"`, "secret secret is missing", "UAH"} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "hidden-text")
	for address, ok := range map[string]bool{
		"": true, "https://api.demo.uapay.ua": true, "https://api.demo.uapay.ua/": true, "http://127.0.0.1:8080": true, "http://localhost:1": true,
		"https://api.uapay.ua/api": false, "https://api.uapay.ua/api/": false, "https://u:p@api.uapay.ua": false, "https://api.uapay.ua?x=1": false, "api.uapay.ua": false,
	} {
		_, err := d.Open(account(address))
		require.Equal(t, ok, err == nil, "%q: %v", address, err)
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"cancel", "capture", "card_frame", "confirm_code", "partial_capture", "payout", "refund", "transfer", "transfer_import"}, gateway.Capabilities(open(t, account(""))))
	a := account("")
	a.Settings["direct_engine"], a.Settings["partial_capture"] = "c2a", "no"
	require.Equal(t, map[string]string{"card_number": "", "partial_capture": "the account's setting partial_capture is no"}, open(t, a).Variants())
	require.Contains(t, open(t, account("")).Variants()["card_number"], "direct_engine is invoice")
	require.Equal(t, "uapay", New(nil).Name())
}
