package uapay

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// Name is the provider's name everywhere in payrelay.
const Name = "uapay"

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
			{Name: settingClient, Help: "clientId of the merchant cabinet, digits", Required: true},
			{Name: settingAPI, Help: "the API's host, without /api", Default: "https://api.uapay.ua"},
			{Name: settingSigned, Help: "refuse answers without a signature: true or false", Default: "true"},
			{Name: settingDirect, Help: "who takes direct payments: invoice (cards kept by UAPAY), or c2a (also card numbers, where the merchant may handle them)", Default: directInvoice},
			{Name: settingPart, Help: "captures of a part of a hold: yes or no; say no if payments do not show the lower sum afterwards", Default: "yes"},
		},
		Secrets: []gateway.Setting{
			{Name: secretKey, Help: "the secret key exactly as the merchant cabinet shows it", Required: true},
		},
		Currencies:      string(currency),
		VisibilityDelay: 2 * time.Minute,
		Horizon:         30 * 24 * time.Hour,
	}
}

// Open implements gateway.Driver. It does no I/O. The error lists everything that is wrong.
func (d *Driver) Open(account gateway.Account) (gateway.Gateway, error) {
	var problems []error
	known := d.Describe()
	unknown := func(what, name string, of []gateway.Setting) {
		if !slices.ContainsFunc(of, func(s gateway.Setting) bool { return s.Name == name }) {
			problems = append(problems, fmt.Errorf("unknown %s %q", what, name))
		}
	}
	for _, name := range sortedKeys(account.Settings) {
		unknown("setting", name, known.Settings)
	}
	for _, name := range sortedKeys(account.Secrets) {
		unknown("secret", name, known.Secrets)
	}
	setting := func(name string) string {
		if v := account.Settings[name]; v != "" {
			return v
		}
		i := slices.IndexFunc(known.Settings, func(s gateway.Setting) bool { return s.Name == name })
		return known.Settings[i].Default
	}
	clientID := setting(settingClient)
	if !clientShape.MatchString(clientID) {
		problems = append(problems, errors.New("client_id: send the digits that the merchant cabinet shows"))
	}
	key := account.Secrets[secretKey].Reveal()
	if key == "" {
		problems = append(problems, errors.New("secret secret is missing"))
	}
	base, err := baseURL(setting(settingAPI))
	if err != nil {
		problems = append(problems, fmt.Errorf("api_url: %w", err))
	}
	signed, err := strconv.ParseBool(setting(settingSigned))
	if err != nil {
		problems = append(problems, errors.New("require_signed_answers: use true or false"))
	}
	direct := setting(settingDirect)
	if direct != directInvoice && direct != directC2A {
		problems = append(problems, errors.New("direct_engine: use invoice or c2a"))
	}
	part := setting(settingPart)
	if part != "yes" && part != "no" {
		problems = append(problems, errors.New("partial_capture: use yes or no"))
	}
	if account.Currency != currency {
		problems = append(problems, fmt.Errorf("currency: UAPAY accounts hold %s, and not %s", currency, account.Currency))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("open uapay account: %w", err)
	}
	return &Gateway{
		client: d.client, base: base, clientID: clientID, key: []byte(key), secrets: redactor{key}, requireSigned: signed,
		c2a: direct == directC2A, partialCapture: part == "yes",
		now: time.Now, pause: time.Second, sessions: d.sessions.of(merchant{base, clientID, key}),
	}, nil
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// baseURL checks an address: https, or http to this machine, and no path.
func baseURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("send an address such as https://host")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "", errors.New("https is required, except to loopback hosts")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api"):
		return "", errors.New("leave /api out: it is added to every call")
	}
	return strings.TrimRight(text, "/"), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
