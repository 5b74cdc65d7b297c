package smartcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestOpenChecksTheAccount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*gateway.Account)
		want   string
	}{
		"no key":           {func(a *gateway.Account) { delete(a.Secrets, "merchant_key") }, "merchant_key is missing"},
		"no secret":        {func(a *gateway.Account) { delete(a.Secrets, "secret") }, "secret secret is missing"},
		"colon in key":     {func(a *gateway.Account) { a.Secrets["merchant_key"] = "canary:key" }, "colon"},
		"no name":          {func(a *gateway.Account) { a.Name = "" }, "no name"},
		"unknown setting":  {func(a *gateway.Account) { a.Settings["pci"] = "x" }, `unknown setting "pci"`},
		"unknown secret":   {func(a *gateway.Account) { a.Secrets["password"] = "x" }, `unknown secret "password"`},
		"plain http":       {func(a *gateway.Account) { a.Settings["pci_url"] = "http://example.com" }, "pci_url: https is required"},
		"no host":          {func(a *gateway.Account) { a.Settings["gateway_url"] = "https://" }, "gateway_url: send an address"},
		"credentials":      {func(a *gateway.Account) { a.Settings["reporting_url"] = "https://u:canary@h" }, "reporting_url: send an address"},
		"other scheme":     {func(a *gateway.Account) { a.Settings["pci_url"] = "ftp://127.0.0.1" }, "pci_url: https"},
		"payout card host": {func(a *gateway.Account) { a.Settings["payout_card_host"] = "elsewhere" }, "payout_card_host: use gateway or pci"},
		"bank switch":      {func(a *gateway.Account) { a.Settings["bank_payouts"] = "maybe" }, "bank_payouts: use on or off"},
	} {
		a := account("")
		a.Settings = map[string]string{}
		tc.change(&a)
		_, err := New(testClient(t)).Open(a)
		require.ErrorContains(t, err, tc.want, name)
		require.NotContains(t, err.Error(), "canary", name)
	}
	a := account("")
	a.Secrets, a.Name = nil, ""
	_, err := New(testClient(t)).Open(a)
	for _, want := range []string{"merchant_key", "secret secret", "no name"} {
		require.ErrorContains(t, err, want, "everything at once")
	}
}

func TestOpenDefaults(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	require.Equal(t, map[role]string{
		rolePCI: "https://chd-api.smartcore.pro", roleGateway: "https://api-gateway.smartcore.pro", roleReporting: "https://service.magua-pay.com",
	}, g.bases)
	require.Equal(t, "EUR-sandbox", g.account)
	require.Equal(t, []byte("qwerty"), g.callbackSecret, "callbacks are signed with the password unless told otherwise")

	a := account("http://127.0.0.1:1/")
	a.Secrets["callback_secret"] = "other "
	a.Settings["provider_account"] = "EUR-live"
	g = open(t, a)
	require.Equal(t, "http://127.0.0.1:1", g.bases[rolePCI])
	require.Equal(t, []byte("other "), g.callbackSecret, "secrets are never trimmed")
	require.Equal(t, "EUR-live", g.account)
	require.Equal(t, []string{"balance", "bank_payout", "cancel", "capture", "card_number", "partial_capture", "payout", "payout_card", "recurring", "refund", "statement"}, gateway.Capabilities(g))

	a.Settings["bank_payouts"], a.Settings["partial_capture"] = "off", "no"
	g = open(t, a)
	require.NotSubset(t, gateway.Capabilities(g), []string{"bank_payout", "partial_capture"})
	require.Equal(t, map[string]string{
		"bank_payout": "the account's setting bank_payouts is off", "card_number": "", "partial_capture": "the account's setting partial_capture is no",
	}, g.Variants())
}
