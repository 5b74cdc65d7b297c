package app

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// shown is an account as 'account show' prints it.
type shown struct {
	Version  int64
	Settings map[string]string
}

func (b *operated) account(t *testing.T, name string) (a shown) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "account", "show", name, "--json")), &a))
	return a
}

// values are other values than a setting's default, for each setting that not any text fits.
var values = map[string]string{
	"payout_card_host": "pci", "bank_payouts": "off", "partial_capture": "no", "require_signed_answers": "false", "direct_engine": "c2a", "client_id": "90002",
}

// Whatever a provider describes can be changed and taken away again, shows in 'account show', and stands in the audit log.
func TestEverySettingOfEveryProviderCanBeChanged(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "account", "create", "UAH-1", "--provider", "uapay", "--currency", "UAH", "--client-id", "90001", "--secret-file", secretIn(t, "one"))
	for account, provider := range map[string]string{"EUR-1": "smartcore", "UAH-1": "uapay"} {
		d, err := offlineDrivers().Driver(provider)
		require.NoError(t, err)
		for _, s := range d.Describe().Settings {
			value := values[s.Name]
			switch {
			case s.Host:
				value = "http://127.0.0.1:1/" + s.Name
			case value == "":
				value = "value-of-" + s.Name
			}
			before := b.account(t, account)
			b.command(t, "account", "set", account, s.Name+"="+value)
			after := b.account(t, account)
			require.Equal(t, value, after.Settings[s.Name])
			require.Equal(t, before.Version+1, after.Version)
			text := b.command(t, "account", "show", account)
			require.Regexp(t, s.Name+` +`+value, text)
			require.Contains(t, text, s.Help)
			entry := b.audit(t)[len(b.audit(t))-1]
			require.Equal(t, "account set", entry.Action)
			require.NotContains(t, string(entry.Before), value)
			require.Contains(t, string(entry.After), value)
			if s.Required {
				require.Contains(t, b.refused(t, "account", "set", account, s.Name+"="), s.Name)
				continue
			}
			b.command(t, "account", "set", account, s.Name+"=")
			require.NotContains(t, b.account(t, account).Settings, s.Name)
		}
	}
}

func TestWhatAnAccountCannotBeSetToChangesNothing(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "account", "set", "EUR-1", "partial_capture=no")
	before := b.contents(t)
	for _, c := range [][]string{ // what the refusal says, and the arguments
		{`"partial-captur" is no setting of an account at smartcore (did you mean partial_capture?)`, "EUR-1", "partial-captur=no"},
		{`"client_id" is no setting of an account at smartcore`, "EUR-1", "client_id=1"},
		{"merchant_key is a secret: 'server account secret stage' changes it with --merchant-key-file", "EUR-1", "merchant_key=k"},
		{"partial_capture: use yes or no", "EUR-1", "partial_capture=perhaps"},
		{"gateway_url: https is required", "EUR-1", "gateway_url=http://api.example.com"},
		{`the setting "provider_account" has control characters`, "EUR-1", "provider_account=\x1b[31m"},
		{`"partial_capture" has no value`, "EUR-1", "partial_capture"},
		{"bank_payouts is given twice", "EUR-1", "bank_payouts=on", "bank_payouts=off"},
		{`no account named "nobody"`, "nobody", "bank_payouts=on"},
		{"is at version 2, and not 1: somebody has changed it. It is enabled now, with the settings: partial_capture=no.", "EUR-1", "bank_payouts=off", "--expect-version", "1"},
	} {
		text := b.refused(t, append([]string{"account", "set"}, c[1:]...)...)
		require.Contains(t, text, c[0])
		require.Equal(t, before, b.contents(t), "%v", c)
	}
	require.Contains(t, b.refused(t, "account", "create", "EUR-3", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "s"), "--provider-account", "a\nb"), `the setting "provider_account" has control characters`)
	require.Equal(t, before, b.contents(t))
	b.environ = append(b.environ, "PROVIDER_HOSTS=smartcore=api.example.com")
	for _, args := range [][]string{
		{"account", "set", "EUR-1", "gateway_url=https://evil.example"},
		{"account", "create", "EUR-3", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "s"), "--gateway-url", "https://evil.example"},
	} {
		require.Contains(t, b.refused(t, args...), "gateway_url: PROVIDER_HOSTS does not name the host of https://evil.example")
		require.Equal(t, before, b.contents(t), "%v", args)
	}
	b.command(t, "account", "set", "EUR-1", "gateway_url=https://api.example.com/v2")
	b.command(t, "account", "set", "EUR-1", "gateway_url=", "bank_payouts=off", "--expect-version", "3")
	require.Equal(t, map[string]string{"partial_capture": "no", "bank_payouts": "off"}, b.account(t, "EUR-1").Settings)
}

// What decides which installation or merchant is asked about an order is known of each provider, and 'account set' says so.
func TestAnOperatorHearsThatCallsGoElsewhere(t *testing.T) {
	t.Parallel()
	moving := map[string][]string{"smartcore": {"pci_url", "gateway_url", "provider_account", "merchant_key"}, "uapay": {"client_id", "api_url", "direct_engine"}}
	for provider, want := range moving {
		d, err := offlineDrivers().Driver(provider)
		require.NoError(t, err)
		var got []string
		for _, s := range slices.Concat(d.Describe().Settings, d.Describe().Secrets) {
			if s.Target || s.Merchant {
				got = append(got, s.Name)
			}
		}
		require.Equal(t, want, got)
	}
	b := newOperated(t)
	require.NotContains(t, b.command(t, "account", "set", "EUR-1", "partial_capture=no"), "elsewhere")
	require.NotContains(t, b.command(t, "account", "set", "EUR-1", "reporting_url=http://127.0.0.1:1"), "elsewhere")
	require.NotContains(t, b.command(t, "account", "set", "EUR-1", "gateway_url=https://api-gateway.smartcore.pro"), "elsewhere", "as it is without the setting")
	require.Contains(t, b.command(t, "account", "set", "EUR-1", "gateway_url=http://127.0.0.1:1"), "Its calls go elsewhere now. No order was open there.")
	require.Contains(t, b.command(t, "account", "set", "EUR-1", "provider_account=other", "--json"), `"moved":true`)
	b.command(t, "account", "secret", "stage", "EUR-1", "--merchant-key-file", secretIn(t, "another"))
	require.Contains(t, b.command(t, "account", "secret", "promote", "EUR-1"), "Its calls go elsewhere now.")
}
