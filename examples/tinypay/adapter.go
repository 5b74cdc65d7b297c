// Package tinypay is the adapter of docs/adding-a-provider.md: a small provider that does not exist. Its API has a bearer
// key, JSON, three calls and a signed callback.
package tinypay

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/money"
)

// Name is the provider's name everywhere in payrelay.
const Name = "tinypay"

// Driver makes gateways of Tinypay.
type Driver struct{ client *transport.Client }

// New returns the driver. All its gateways share client's connections and circuit breakers.
func New(client *transport.Client) *Driver { return &Driver{client} }

// Name implements gateway.Driver.
func (*Driver) Name() string { return Name }

// Describe implements gateway.Driver.
func (*Driver) Describe() gateway.Description {
	return gateway.Description{
		Settings: []gateway.Setting{{Name: "api_url", Help: "base URL of the API", Default: "https://api.tinypay.example"}},
		Secrets: []gateway.Setting{
			{Name: "api_key", Help: "the key of the API", Required: true},
			{Name: "callback_key", Help: "the key that callbacks are signed with", Required: true},
		},
		Currencies:      "all",
		VisibilityDelay: 10 * time.Second, // how late a payment that was taken may be shown
		Horizon:         30 * 24 * time.Hour,
	}
}

// Gateway is an account at Tinypay. It is safe for concurrent use.
type Gateway struct {
	client              *transport.Client
	base                string
	apiKey, callbackKey gateway.Secret
}

var (
	_ gateway.Driver   = (*Driver)(nil)
	_ gateway.Gateway  = (*Gateway)(nil)
	_ gateway.Refunder = (*Gateway)(nil) // having the method is the capability
)

// Open implements gateway.Driver. It does no I/O. The error lists everything that is wrong.
func (d *Driver) Open(account gateway.Account) (gateway.Gateway, error) {
	var problems []error
	for _, s := range d.Describe().Secrets {
		if account.Secrets[s.Name] == "" {
			problems = append(problems, fmt.Errorf("secret %s is missing", s.Name))
		}
	}
	base := account.Settings["api_url"]
	if base == "" {
		base = d.Describe().Settings[0].Default
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		problems = append(problems, errors.New("api_url is no address: give https:// and a host"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &Gateway{
		client: d.client, base: strings.TrimSuffix(base, "/"), apiKey: account.Secrets["api_key"], callbackKey: account.Secrets["callback_key"],
	}, nil
}

// currency is the currency of that code, "" if there is none.
func currency(code string) money.Currency {
	c, err := money.ParseCurrency(code)
	if err != nil {
		return ""
	}
	return c
}
