package smartcore

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/gateway/transport"
)

// Name is the provider's name everywhere in payrelay.
const Name = "smartcore"

// The settings and secrets of an account.
const (
	settingPCI       = "pci_url"
	settingGateway   = "gateway_url"
	settingReporting = "reporting_url"
	settingAccount   = "provider_account"
	settingForms     = "form_hosts"
	settingTokenHost = "payout_card_host"
	settingBank      = "bank_payouts"
	settingPart      = "partial_capture"

	secretKey      = "merchant_key"
	secretSecret   = "secret"
	secretCallback = "callback_secret"
)

// role is one of the provider's hosts (smartcore.md 1).
type role string

const (
	rolePCI       role = "pci"       // requests with a card number or a wallet's payload
	roleGateway   role = "gateway"   // everything else
	roleReporting role = "reporting" // transaction lists
)

// Driver makes gateways of SmartCore.
type Driver struct{ client *transport.Client }

var _ gateway.Driver = (*Driver)(nil)

// New returns the driver. All its gateways share client's connections and breakers.
func New(client *transport.Client) *Driver { return &Driver{client: client} }

// Name implements gateway.Driver.
func (*Driver) Name() string { return Name }

// Describe implements gateway.Driver. Both durations are assumptions: the documents name neither.
func (*Driver) Describe() gateway.Description {
	return gateway.Description{
		FailedIsFinal: true, // smartcore.md 7
		Settings: []gateway.Setting{
			{Name: settingPCI, Help: "base URL for card data", Default: "https://chd-api.smartcore.pro", Host: true, Target: true},
			{Name: settingGateway, Help: "base URL for everything else", Default: "https://api-gateway.smartcore.pro", Host: true, Target: true},
			{Name: settingReporting, Help: "base URL for transaction lists", Default: "https://service.magua-pay.com", Host: true},
			{Name: settingAccount, Help: "the account's name at SmartCore, if it has another name here", Target: true},
			{Name: settingForms, Help: "hosts that the provider's forms may be on, separated by commas; any if empty"},
			{Name: settingTokenHost, Help: "host for payouts to a kept card: gateway or pci", Default: string(roleGateway)},
			{Name: settingBank, Help: "payouts to bank accounts: on or off; the provider documents them poorly", Default: "on"},
			{Name: settingPart, Help: "captures of a part of a hold: yes or no; say no for an installation that takes all of it whatever it is asked for", Default: "yes"},
		},
		Secrets: []gateway.Setting{
			{Name: secretKey, Help: "MerchantKey, the user name towards the API", Required: true, Merchant: true},
			{Name: secretSecret, Help: "Secret, the password towards the API", Required: true},
			{Name: secretCallback, Help: "what callbacks are signed with, if it is not the secret"},
		},
		Currencies:      "those with two decimals",
		VisibilityDelay: time.Minute, // smartcore.md 14.1 rule 4: the first request may still be in flight
		Horizon:         30 * 24 * time.Hour,
	}
}

// Variants implements gateway.Varied.
func (g *Gateway) Variants() map[string]string {
	v := map[string]string{gateway.VariantBankPayout: "", gateway.VariantCardNumber: "", gateway.VariantPartialCapture: ""}
	if !g.bankPayouts {
		v[gateway.VariantBankPayout] = "the account's setting bank_payouts is off"
	}
	if !g.partialCapture {
		v[gateway.VariantPartialCapture] = "the account's setting partial_capture is no"
	}
	return v
}

// Open implements gateway.Driver. It does no I/O. The error lists everything that is wrong.
func (d *Driver) Open(account gateway.Account) (gateway.Gateway, error) {
	a := kit.Read(account, d.Describe())
	key := a.Secret(secretKey)
	if strings.Contains(key, ":") {
		a.Problem("merchant_key: HTTP Basic cannot carry a colon in a user name")
	}
	secret := a.Secret(secretSecret)
	callback := account.Secrets[secretCallback].Reveal()
	if callback == "" {
		callback = secret
	}
	g := &Gateway{
		client:         d.client,
		bases:          map[role]string{rolePCI: a.URL(settingPCI), roleGateway: a.URL(settingGateway), roleReporting: a.URL(settingReporting)},
		account:        account.Name,
		currency:       account.Currency,
		basic:          "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+secret)),
		secrets:        kit.Redactor{key, secret, callback},
		callbackSecret: []byte(callback),
		tokenRole:      role(a.OneOf(settingTokenHost, string(roleGateway), string(rolePCI))),
		bankPayouts:    a.OneOf(settingBank, "on", "off") == "on",
		partialCapture: a.OneOf(settingPart, "yes", "no") == "yes",
	}
	if name := a.Setting(settingAccount); name != "" {
		g.account = name
	}
	if decimals, _ := g.currency.Exponent(); decimals != 2 { // smartcore.md 2
		a.Problem("currency: SmartCore counts in hundredths, and %s has %d decimals", g.currency, decimals)
	}
	if g.account == "" {
		a.Problem("the account has no name")
	}
	for host := range strings.SplitSeq(a.Setting(settingForms), ",") {
		if host = strings.ToLower(strings.TrimSpace(host)); host != "" {
			g.formHosts = append(g.formHosts, host)
		}
	}
	if err := a.Err(); err != nil {
		return nil, fmt.Errorf("open smartcore account: %w", err)
	}
	return g, nil
}
