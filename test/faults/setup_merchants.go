package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/sandbox/host"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
	"payrelay/internal/store"
)

// merchant is a customer of a provider, whose calls have a way of their own: a host that can be taken away, and behind it a link that
// can be spoiled. Its accounts share them.
type merchant struct {
	provider, id, secret string
	scheme               string
	host                 *host.Host
	link                 *link
}

// authorityFile holds the certificate that the replicas trust.
const authorityFile = "authority.pem"

// startMerchants opens the ways to the simulators' merchants that sign. The second one's of each provider speaks TLS.
func (r *run) startMerchants(ctx context.Context, upstream string) error {
	certificates, err := host.NewCertificates()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.dir, authorityFile), certificates.Root, 0o600); err != nil {
		return fmt.Errorf("write down the authority: %w", err)
	}
	r.merchants = map[string]*merchant{}
	add := func(provider, id, secret string, first bool) error {
		m := &merchant{provider: provider, id: id, secret: secret, scheme: "http"}
		if m.link, err = newLink(provider+"-"+id, upstream); err != nil {
			return err
		}
		r.closers = append(r.closers, m.link.cut)
		cfg := host.Config{Address: "127.0.0.1:0", Upstream: m.link.address(), Record: true}
		if !first {
			m.scheme, cfg.Trusted, cfg.Stranger = "https", certificates.Trusted, certificates.Stranger
		}
		if m.host, err = host.Listen(ctx, cfg); err != nil {
			return err
		}
		r.closers = append(r.closers, m.host.Close)
		r.merchants[id] = m
		return nil
	}
	for i, m := range smartcore.DefaultMerchants() {
		if err := add("smartcore", m.Key, m.Secret, i == 0); err != nil {
			return err
		}
	}
	for i, m := range uapay.DefaultMerchants() {
		if m.Key == "" { // it signs nothing
			continue
		}
		if err := add("uapay", m.ClientID, m.Key, i == 0); err != nil {
			return err
		}
	}
	return nil
}

// noName is a host that has no name: a label of it is too long for one, so nobody is asked.
var noName = strings.Repeat("x", 64) + ".localhost"

// settings are how the service reaches the merchant's accounts, at its host or at another one.
func (m *merchant) settings(hostname string) map[string]string {
	at := m.host.Address()
	if hostname != "" {
		at = hostname + at[strings.LastIndexByte(at, ':'):]
	}
	if m.provider == "uapay" {
		return map[string]string{"client_id": m.id, "api_url": m.scheme + "://" + at + "/uapay"}
	}
	base := m.scheme + "://" + at + "/smartcore/"
	return map[string]string{"pci_url": base + "pci", "gateway_url": base + "gateway", "reporting_url": base + "reporting"}
}

func (m *merchant) secrets() map[string]gateway.Secret {
	if m.provider == "uapay" {
		return map[string]gateway.Secret{"secret": gateway.Secret(m.secret)}
	}
	return map[string]gateway.Secret{"merchant_key": gateway.Secret(m.id), "secret": gateway.Secret(m.secret)}
}

// runAccount is an account that both shops use. Payments are routed to those with a place.
type runAccount struct {
	name, merchant string
	currency       string
	purpose        payment.Purpose
	places         [2]int // in the routing of each shop; 0 is for one that requests name
}

// runAccounts are a run's accounts: of each currency two for payments, which the shops have in opposite orders.
var runAccounts = []runAccount{
	{accountEUR, "test", "EUR", payment.PurposePayments, [2]int{1, 2}},
	{"EUR-second", "second", "EUR", payment.PurposePayments, [2]int{2, 1}},
	{accountPayouts, "test", "EUR", payment.PurposePayouts, [2]int{1, 1}},
	{accountUAH, uapayClient, "UAH", payment.PurposePayments, [2]int{1, 2}},
	{"UAH-second", "90002", "UAH", payment.PurposePayments, [2]int{2, 1}},
	{accountP2P, uapayClient, "UAH", payment.PurposePayouts, [2]int{1, 1}},
}

// routed are the names of the accounts that payments are routed to.
func routed() (names []string) {
	for _, a := range runAccounts {
		if a.purpose == payment.PurposePayments {
			names = append(names, a.name)
		}
	}
	return names
}

// merchantOf is whom an account of the run belongs to.
func merchantOf(account string) string {
	for _, a := range runAccounts {
		if a.name == account {
			return a.merchant
		}
	}
	return ""
}

// runRules route the second shop's payments: splits by customer and by order, and accounts in an order.
const runRules = `{"rules": [
	{"name": "large", "when": {"currency": ["EUR"], "amount": {"gte": 30000}}, "then": {"split": {"EUR-sandbox": 50, "EUR-second": 50}, "sticky": "customer"}},
	{"name": "direct", "when": {"currency": ["EUR"], "flow": ["direct"]}, "then": {"split": {"EUR-sandbox": 20, "EUR-second": 80}}},
	{"name": "hryvnia", "when": {"currency": ["UAH"]}, "then": {"accounts": ["UAH-second", "UAH-sandbox"]}}],
	"otherwise": "by_priority"}`

// seedAccounts makes the accounts, gives each its place in each shop's routing, and the second shop rules.
func (r *run) seedAccounts(ctx context.Context, shops []string) error {
	r.front.accounts = map[string]account{}
	for _, a := range runAccounts {
		m := r.merchants[a.merchant]
		made, err := r.store.CreateAccount(ctx, store.NewAccount{
			Name: a.name, Provider: m.provider, Currency: money.Currency(a.currency), Purpose: a.purpose, Settings: m.settings(""), Secrets: m.secrets(), Shops: shops,
		})
		if err != nil {
			return err
		}
		r.front.accounts["/callbacks/"+made.Provider+"/"+made.CallbackToken.Reveal()] = account{made.Provider, made.ID}
		for i, shop := range shops {
			if _, err := r.store.LinkAccount(ctx, a.name, shop, store.Routing{Given: true, Priority: a.places[i]}, true); err != nil {
				return err
			}
		}
	}
	_, err := r.store.AddRoutingSet(ctx, shops[1], []byte(runRules), true)
	return err
}

// reach changes at which host the service finds a merchant's account: its own, or one that is given.
func (r *run) reach(ctx context.Context, account, hostname string) error {
	settings := r.merchants[merchantOf(account)].settings(hostname)
	_, err := r.store.SetAccount(ctx, account, store.AccountChange{Settings: settings}, func(payment.Account) error { return nil })
	return err
}
