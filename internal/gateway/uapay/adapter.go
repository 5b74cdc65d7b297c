package uapay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/gateway/transport"
)

// Name is the provider's name everywhere in payrelay.
const Name = "uapay"

// Hosts are those that UAPAY has published, for production and for its sandbox (uapay.md 2).
var Hosts = []string{"api.uapay.ua:443", "api.demo.uapay.ua:443"}

// The settings and secrets of an account.
const (
	settingClient = "client_id"
	settingAPI    = "api_url"
	settingSigned = "require_signed_answers"
	settingDirect = "direct_engine"
	settingPart   = "partial_capture"

	secretKey = "secret"
)

// The values of settingDirect.
const (
	directInvoice = "invoice"
	directC2A     = "c2a"
)

// Driver makes gateways of UAPAY. Accounts of one merchant share a session.
type Driver struct {
	client   *transport.Client
	sessions merchants
}

var _ gateway.Driver = (*Driver)(nil)

// New returns the driver. All its gateways share client's connections and breakers.
func New(client *transport.Client) *Driver { return &Driver{client: client} }

// Name implements gateway.Driver.
func (*Driver) Name() string { return Name }

// Describe implements gateway.Driver. Both durations are inferred: the documents name neither.
func (*Driver) Describe() gateway.Description {
	return gateway.Description{
		Settings: []gateway.Setting{
			{Name: settingClient, Help: "clientId of the merchant cabinet, digits", Required: true, Merchant: true},
			{Name: settingAPI, Help: "the API's host, without /api", Default: "https://api.uapay.ua", Host: true, Target: true},
			{Name: settingSigned, Help: "refuse answers without a signature: true or false", Default: "true"},
			{Name: settingDirect, Help: "who takes direct payments: invoice (cards kept by UAPAY), or c2a (also card numbers, where the merchant may handle them)", Default: directInvoice, Target: true},
			{Name: settingPart, Help: "captures of a part of a hold: yes or no; say no if payments do not show the lower sum afterwards", Default: "yes"},
		},
		Secrets: []gateway.Setting{
			{Name: secretKey, Help: "the secret key exactly as the merchant cabinet shows it", Required: true},
		},
		Currencies:      string(currency),
		VisibilityDelay: 2 * time.Minute,
		Horizon:         30 * 24 * time.Hour,
		OwnSchedule:     true,
	}
}

// Variants implements gateway.Varied.
func (g *Gateway) Variants() map[string]string {
	v := map[string]string{gateway.VariantCardNumber: "", gateway.VariantPartialCapture: ""}
	if !g.c2a {
		v[gateway.VariantCardNumber] = "the account's setting direct_engine is invoice: UAPAY takes cards that it keeps"
	}
	if !g.partialCapture {
		v[gateway.VariantPartialCapture] = "the account's setting partial_capture is no"
	}
	return v
}

// Open implements gateway.Driver. It does no I/O. The error lists everything that is wrong.
func (d *Driver) Open(account gateway.Account) (gateway.Gateway, error) {
	a := kit.Read(account, d.Describe())
	clientID := a.Setting(settingClient)
	if !clientShape.MatchString(clientID) {
		a.Problem("client_id: send the digits that the merchant cabinet shows")
	}
	key := a.Secret(secretKey)
	base := a.URL(settingAPI)
	if strings.HasSuffix(base, "/api") {
		a.Problem("api_url: leave /api out: it is added to every call")
	}
	signed, err := strconv.ParseBool(a.Setting(settingSigned))
	if err != nil {
		a.Problem("require_signed_answers: use true or false")
	}
	direct := a.OneOf(settingDirect, directInvoice, directC2A)
	part := a.OneOf(settingPart, "yes", "no")
	if account.Currency != currency {
		a.Problem("currency: UAPAY accounts hold %s, and not %s", currency, account.Currency)
	}
	if err := a.Err(); err != nil {
		return nil, fmt.Errorf("open uapay account: %w", err)
	}
	return &Gateway{
		client: d.client, base: base, clientID: clientID, key: []byte(key), secrets: kit.Redactor{key}, requireSigned: signed,
		c2a: direct == directC2A, partialCapture: part == "yes",
		now: time.Now, pause: time.Second, sessions: d.sessions.of(merchant{base, clientID, key}),
	}, nil
}
