package uapay

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/locale"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/schedule"
)

// Merchant is one client of the provider.
type Merchant struct {
	// ClientID are digits.
	ClientID string
	// Key signs requests, answers and callbacks, used as text. A client without a
	// key sends and gets everything unsigned and gets no callbacks.
	Key string
	// Name is shown to payers.
	Name string

	previous string // the key before, if calls that it signs are taken still
}

// signing is the merchant with the key that a token is signed with: answers are signed with the same.
func (m *Merchant) signing(token string) *Merchant {
	if m.previous == "" {
		return m
	}
	before := *m
	before.Key = m.previous
	if _, err := verify(before.Key, token); err != nil {
		return m
	}
	return &before
}

// DefaultMerchants are a client with the key of the worked example (uapay.md 4.4),
// the provider's unsigned demo client, and a second one with a key.
func DefaultMerchants() []Merchant {
	return []Merchant{
		{ClientID: "90001", Key: "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ==", Name: "Demo shop"},
		{ClientID: "1", Name: "Unsigned demo"},
		{ClientID: "90002", Key: "bG9jYWwtc2ltdWxhdG9yLWtleS0wMg==", Name: "Demo shop"},
	}
}

// Config is what a simulator needs. Merchants defaults to DefaultMerchants.
type Config = control.Config[Merchant, Settings]

// switches are the simulator's settings and faults.
type switches = control.Switches[Settings]

// Simulator is the pretended provider. All methods are safe for concurrent use.
// A CheckLie answers the payment-system word in Code (or FINISHED for Status 2, REJECTED for -1).
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
	store     *store
	merchants map[string]*Merchant
	keys      map[string]string // callback keys of single orders by externalId
	number    int64
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
		calls: record.New(max(100, cfg.MaxOrders/10)), settings: *cfg.Settings, store: newStore(cfg.MaxOrders),
		merchants: map[string]*Merchant{}, keys: map[string]string{}, number: 249_000,
	}
	for _, m := range cfg.Merchants {
		if _, err := strconv.ParseInt(m.ClientID, 10, 64); err != nil {
			return nil, fmt.Errorf("merchant %q: client id must be digits", m.ClientID)
		}
		t.merchants[m.ClientID] = &m
	}
	t.pages, err = page.Parse(templates, "templates", template.FuncMap{"money": money}, t.log)
	if err != nil {
		return nil, fmt.Errorf("uapay simulator: %w", err)
	}
	t.switches = control.NewSwitches(&t.mu, &t.settings, DefaultSettings, t.faults, control.Names{
		Endpoints: Endpoints(), Statuses: slices.Sorted(maps.Keys(reads)), Variants: Variants(),
		Known: func(id string) bool { o, ok := t.Order(id); return ok && o.ExternalID == id },
	})
	t.sender = callback.New(callback.Config{
		Provider: "uapay", UserAgent: "UAPAY-sandbox", ContentType: "application/json",
		Guard: &t.mu, Timeout: t.callbackTimeout, Queue: t.queue, Now: t.now, Log: t.log,
	})
	return t, nil
}

// Run decides payments, ends what timed out and delivers callbacks until ctx is done.
func (t *Simulator) Run(ctx context.Context) error {
	defer t.sender.Close()
	return t.queue.Run(ctx)
}

// callbackTimeout is how long and how often callbacks are delivered. The mutex is held.
func (t *Simulator) callbackTimeout() callback.DefaultTimeout {
	p := callback.DefaultTimeout{Timeout: ms(t.settings.CallbackTimeoutMS)}
	for _, pause := range t.settings.CallbackRetryMS {
		p.Pauses = append(p.Pauses, t.settings.scaled(pause))
	}
	return p
}

// SetCallbackKey makes callbacks of one externalId be signed with another key,
// also before the order exists.
func (t *Simulator) SetCallbackKey(externalID, key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys[externalID] = key
}

// ChangeKey gives a client another key, which signs callbacks from now on. With overlap, calls that are signed with the one before
// are taken until the next change. No document says how the provider does it.
func (t *Simulator) ChangeKey(clientID, key string, overlap bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.merchants[clientID]
	if m == nil {
		return fmt.Errorf("client %q is not known", clientID)
	}
	changed := *m // calls under way have the other one
	changed.previous = ""
	if overlap {
		changed.previous = m.Key
	}
	changed.Key = key
	t.merchants[clientID] = &changed
	return nil
}

// ExpireSessions ends every session, as if its lifetime were over.
func (t *Simulator) ExpireSessions() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, s := range t.store.sessions.all {
		s.created = time.Time{}
		t.store.sessions.all[id] = s
	}
}

// Orders returns the newest invoices and transfers, newest first; limit <= 0 means all.
func (t *Simulator) Orders(limit int) []Order {
	t.mu.Lock()
	defer t.mu.Unlock()
	return control.Newest(t.store.sequence, limit, (*Order).clone)
}

// Order returns an invoice or transfer by its id, by the id of a payment or
// operation of it, or by its externalId (the newest one).
func (t *Simulator) Order(id string) (Order, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.store.any(id)
	if o == nil {
		return Order{}, false
	}
	return o.clone(), true
}

// Requests returns the recorded API requests, oldest first, of one externalId or
// of all when it is empty.
func (t *Simulator) Requests(externalID string) []record.Request {
	return t.calls.Last(0, func(r *record.Request) bool { return externalID == "" || r.OrderID == externalID })
}

// baseURL is the address under which browsers reach the simulator.
func (t *Simulator) baseURL(r *http.Request) string {
	return page.Base(t.cfg.BaseURL(), r, "/api/", "/payment/", "/control/", "/console/", "/orders/")
}

func (t *Simulator) nextNumber() int64 {
	t.number++
	return t.number
}

// isoTime is the provider's form of times.
const isoTime = "2006-01-02T15:04:05.000Z"

func iso(at time.Time) string { return at.UTC().Format(isoTime) }

func isoOrNil(at *time.Time) any {
	if at == nil {
		return nil
	}
	return iso(*at)
}

func hryvnia(kopecks int64) *locale.Sum { return &locale.Sum{Minor: kopecks, Currency: "UAH"} }

func money(kopecks int64) string { return locale.English.Sum(*hryvnia(kopecks)) }
