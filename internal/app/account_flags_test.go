package app

import (
	"bytes"
	"os"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// What a provider can be configured with is a flag, and is explained in the help and in the documentation.
func TestEverySettingOfEveryProviderIsAFlagAndExplained(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	require.Zero(t, Execute(t.Context(), []string{"account", "create", "--help"}, &Streams{Out: &help, Err: &help}))
	text := string(bytes.Join(bytes.Fields(help.Bytes()), []byte(" "))) // as it is before it is wrapped
	docs, err := os.ReadFile("../../docs/accounts.md")
	require.NoError(t, err)
	registry := offlineDrivers()
	for _, provider := range registry.Names() {
		d, err := registry.Driver(provider)
		require.NoError(t, err)
		described := d.Describe()
		require.NotEmpty(t, described.Currencies)
		require.Contains(t, text, provider+": "+described.Currencies)
		for _, s := range described.Settings {
			f := accountFlag{name: s.Name}
			require.Contains(t, text, "--"+f.flag()+"=")
			require.Contains(t, text, provider+": "+s.Help)
			require.Contains(t, text, s.Default)
			require.Contains(t, string(docs), "`--"+f.flag()+"`")
		}
		for _, s := range described.Secrets {
			f := accountFlag{name: s.Name, secret: true}
			require.Contains(t, text, "--"+f.flag()+"=")
			require.Contains(t, text, provider+": "+s.Help)
			require.Contains(t, string(docs), "`--"+f.flag()+"`")
		}
	}
}

// Each currency that no account can hold is refused, with the reason, before anything is stored.
func TestAccountsHoldWhatTheirProviderTakes(t *testing.T) {
	t.Parallel()
	f, err := describedFlags(offlineDrivers())
	require.NoError(t, err)
	smartcore := gateway.Account{Name: "a", Secrets: map[string]gateway.Secret{"merchant_key": "k", "secret": "s"}}
	uapay := gateway.Account{Name: "a", Settings: map[string]string{"client_id": "1"}, Secrets: map[string]gateway.Secret{"secret": "s"}}
	for _, c := range []struct {
		provider string
		account  gateway.Account
		takes    bool
		currency string
	}{
		{"smartcore", smartcore, true, "EUR"},
		{"smartcore", smartcore, true, "UAH"},
		{"smartcore", smartcore, false, "JPY"},
		{"smartcore", smartcore, false, "KWD"},
		{"uapay", uapay, true, "UAH"},
		{"uapay", uapay, false, "EUR"},
		{"uapay", uapay, false, "JPY"},
	} {
		c.account.Currency = money.Currency(c.currency)
		err := f.check(offlineDrivers(), c.provider, c.account)
		if c.takes {
			require.NoError(t, err, "%s at %s", c.currency, c.provider)
			continue
		}
		require.ErrorContains(t, err, "currency: ", "%s at %s", c.currency, c.provider)
		require.ErrorContains(t, err, c.currency)
	}
}

// What stands in the place of a flag's value is a word of the reader's, not the name of a type in Go.
func TestEveryFlagSaysWhatItsValueIs(t *testing.T) {
	t.Parallel()
	c, words, err := newCLI()
	require.NoError(t, err)
	parser, err := kong.New(c, words)
	require.NoError(t, err)
	for _, command := range parser.Model.Leaves(false) {
		for _, f := range command.Flags {
			if !f.IsBool() && !f.HasDefault {
				assert.NotEmpty(t, f.PlaceHolder, "%s --%s", command.Path(), f.Name)
			}
		}
	}
}
