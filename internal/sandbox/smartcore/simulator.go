package smartcore

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/locale"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/schedule"
)

// Merchant is one customer of the provider.
type Merchant struct {
	// Key and Secret are the Basic credentials.
	Key, Secret string
	// CallbackSecret signs callbacks; empty means Secret.
	CallbackSecret string
	// Name is shown to customers.
	Name string
	// Accounts are the accounts the merchant may name.
	Accounts []Account

	previous string // the secret before, if calls with it are taken still
}

// Account is one account of a merchant.
type Account struct {
	Name     string
	Currency string // alpha-3
	// Payout accounts serve withdrawals and tokenization, the others payments.
	Payout bool
	// Balance is the opening balance of a payout account in minor units.
	Balance int64
}

// DefaultMerchants are the credential and the accounts of the documented examples, and a second merchant.
func DefaultMerchants() []Merchant {
	return []Merchant{{
		Key: "test", Secret: "qwerty", Name: "Demo shop",
		Accounts: []Account{
			{Name: "EUR-sandbox", Currency: "EUR"},
			{Name: "EUR-sandbox-payout", Currency: "EUR", Payout: true, Balance: 100_000_000},
			{Name: "PLN-sandbox", Currency: "PLN"},
		},
	}, {
		Key: "second", Secret: "asdfgh", Name: "Demo shop",
		Accounts: []Account{
			{Name: "EUR-second", Currency: "EUR"},
			{Name: "EUR-second-payout", Currency: "EUR", Payout: true, Balance: 100_000_000},
			{Name: "PLN-second", Currency: "PLN"},
		},
	}}
}

// Config is what a simulator needs. Merchants defaults to DefaultMerchants.
type Config = control.Config[Merchant, Settings]

// switches are the simulator's settings and faults.
type switches = control.Switches[Settings]

// Simulator is the pretended provider. All methods are safe for concurrent use.
type Simulator struct {
	*switches
	cfg    Config
	log    zerolog.Logger
	now    func() time.Time
	queue  *schedule.Queue
	faults *fault.Set
	calls  *record.Log
	pages  *page.Pages
	sender *callback.Sender

	mu        sync.Mutex
	settings  Settings
	orders    *store
	merchants map[string]*Merchant
	accounts  map[accountKey]*account
	secrets   map[string]string // callback secrets of single orders
	cardUsed  map[string]time.Time
	exports   map[string]*export
	rrn       int64
}

type accountKey struct{ merchant, name string }

type account struct {
	Account
	hold int64
}

//go:embed templates/*.html
var templates embed.FS

// New makes a simulator. The error names a configuration that cannot work.
func New(cfg Config) (*Simulator, error) {
	cfg, err := cfg.Complete(DefaultSettings(), DefaultMerchants()...)
	if err != nil {
		return nil, err
	}
	t := &Simulator{
		cfg: cfg, log: cfg.Log, now: cfg.Clock.Now, queue: schedule.New(64, cfg.Clock), faults: &fault.Set{},
		calls: record.New(max(100, cfg.MaxOrders/10)), settings: *cfg.Settings, orders: newStore(cfg.MaxOrders),
		merchants: map[string]*Merchant{}, accounts: map[accountKey]*account{}, secrets: map[string]string{},
		cardUsed: map[string]time.Time{}, exports: map[string]*export{}, rrn: 318_513_000_000,
	}
	for _, m := range cfg.Merchants {
		if m.Key == "" || strings.Contains(m.Key, ":") || m.Secret == "" {
			return nil, fmt.Errorf("merchant %q: key must be set without a colon, secret must be set", m.Key)
		}
		if m.CallbackSecret == "" {
			m.CallbackSecret = m.Secret
		}
		t.merchants[m.Key] = &m
		for _, a := range m.Accounts {
			t.accounts[accountKey{m.Key, a.Name}] = &account{Account: a}
		}
	}
	t.pages, err = page.Parse(templates, "templates", template.FuncMap{"money": money, "status": statusWord}, t.log)
	if err != nil {
		return nil, fmt.Errorf("smartcore simulator: %w", err)
	}
	t.switches = control.NewSwitches(&t.mu, &t.settings, DefaultSettings, t.faults, control.Names{
		Endpoints: Endpoints(), Statuses: []string{endpointCheck}, Variants: Variants(),
		Known: func(id string) bool { o, ok := t.Order(id); return ok && o.OrderID == id },
	})
	t.sender = callback.New(callback.Config{
		Provider: "smartcore", UserAgent: "SmartCore-sandbox", ContentType: "application/x-www-form-urlencoded",
		Guard: &t.mu, Timeout: t.callbackTimeout, Queue: t.queue, Now: t.now, Log: t.log,
	})
	return t, nil
}

// Run finishes orders, ends timed-out pages and delivers callbacks until ctx is done.
func (t *Simulator) Run(ctx context.Context) error {
	defer t.sender.Close()
	return t.queue.Run(ctx)
}

// callbackTimeout is how long and how often callbacks are delivered. The mutex is held.
func (t *Simulator) callbackTimeout() callback.DefaultTimeout {
	p := callback.DefaultTimeout{Timeout: ms(t.settings.CallbackTimeoutMS)}
	for _, pause := range t.settings.CallbackRetryMS {
		p.Pauses = append(p.Pauses, ms(pause))
	}
	return p
}

// SetCallbackSecret makes callbacks of one merchant order id be signed with
// another secret, also before the order exists.
func (t *Simulator) SetCallbackSecret(orderID, secret string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secrets[orderID] = secret
}

// ChangeSecret gives a merchant another secret, which signs callbacks from now on. With overlap, calls with the one before are
// taken until the next change. No document says how the provider does it.
func (t *Simulator) ChangeSecret(merchant, secret string, overlap bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.merchants[merchant]
	if m == nil {
		return fmt.Errorf("merchant %q is not known", merchant)
	}
	m.previous = ""
	if overlap {
		m.previous = m.Secret
	}
	m.Secret, m.CallbackSecret = secret, secret
	return nil
}

// Orders returns the newest orders and refunds, newest first; limit <= 0 means all.
func (t *Simulator) Orders(limit int) []Order {
	t.mu.Lock()
	defer t.mu.Unlock()
	return control.Newest(t.orders.sequence, limit, (*Order).clone)
}

// Order returns an order by its merchant id, or a refund or recurrent charge by its UUID.
func (t *Simulator) Order(id string) (Order, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders.anyMerchant(id)
	if o == nil {
		return Order{}, false
	}
	return o.clone(), true
}

// Refunds returns the refunds of a payment, oldest first.
func (t *Simulator) Refunds(orderID string) []Order {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Order
	if o := t.orders.anyMerchant(orderID); o != nil {
		for _, r := range t.orders.refundsOf(o) {
			out = append(out, r.clone())
		}
	}
	return out
}

// Requests returns the recorded API requests, oldest first, of one merchant
// order id or of all when orderID is empty.
func (t *Simulator) Requests(orderID string) []record.Request {
	return t.calls.Last(0, func(r *record.Request) bool { return orderID == "" || r.OrderID == orderID })
}

// baseURL is the address under which browsers reach the simulator.
func (t *Simulator) baseURL(r *http.Request) string {
	return page.Base(t.cfg.BaseURL(), r, "/gateway/", "/pci/", "/payment/", "/acs/", "/control/")
}

func newProcessingID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func newUUID() string {
	id, err := uuid.NewUUID() // version 1, as the documented ids
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

func money(minor int64, currency string) string {
	return locale.English.Sum(locale.Sum{Minor: minor, Currency: currency})
}

func statusWord(o Order) string {
	switch {
	case o.Canceled:
		return "canceled"
	case o.Status == StatusSuccess && o.Stage == StageAuthorized, o.Stage == StageAuthorized:
		return "authorized"
	case o.Status == StatusSuccess:
		return "success"
	case o.Status == StatusFailed:
		return "failed"
	case o.Status == StatusWaiting:
		return "waiting"
	default:
		return "processing"
	}
}
