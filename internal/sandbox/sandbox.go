package sandbox

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/sandbox/clock"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

//go:embed templates/*.html
var templates embed.FS

// Config is what the sandbox needs; the zero value works.
type Config struct {
	// PublicURL is the address under which browsers and payrelay reach the
	// sandbox, without a path. It can be set later with SetPublicURL, for listeners
	// on port 0; until then the host of each request is used.
	PublicURL string
	// Log gets one line per request and callback.
	Log zerolog.Logger
	// Merchants of SmartCore; empty means the documented sample credential.
	Merchants []smartcore.Merchant
	// SmartCore are the first settings of the SmartCore simulator; nil means the defaults.
	SmartCore *smartcore.Settings
	// UAPAYMerchants of UAPAY; empty means a client with a known key and the unsigned demo client.
	UAPAYMerchants []uapay.Merchant
	// UAPAY are the first settings of the UAPAY simulator; nil means the defaults.
	UAPAY *uapay.Settings
	// Hosts are addresses that merchants have for themselves, by SmartCore's merchant key or UAPAY's client id.
	Hosts control.Hosts
	// Recipes lets orders of certain amounts meet their faults; see package recipe. Tools that load the simulators leave it out.
	Recipes bool
	// MaxOrders bounds the memory of each simulator; 0 means 100000 orders.
	MaxOrders int
	// Clock is the time of the simulators; nil means one of their own. /clock moves it.
	Clock *clock.Clock
}

// Sandbox is the set of simulators. All methods are safe for concurrent use.
type Sandbox struct {
	publicURL atomic.Pointer[string]
	smartcore *smartcore.Simulator
	uapay     *uapay.Simulator
	handler   http.Handler

	mu     sync.Mutex
	cancel context.CancelFunc
	closed bool
}

// New makes a sandbox. The error names what is wrong with the configuration.
func New(cfg Config) (*Sandbox, error) {
	s := &Sandbox{}
	s.SetPublicURL(cfg.PublicURL)
	under := func(path string) func() string {
		return func() string {
			if u := *s.publicURL.Load(); u != "" {
				return u + path
			}
			return ""
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.New(nil, 0)
	}
	hosts, err := hostsOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("make sandbox: %w", err)
	}
	s.smartcore, err = smartcore.New(smartcore.Config{
		BaseURL: under("/smartcore"), Merchants: cfg.Merchants, Hosts: hosts.smartcore, Settings: cfg.SmartCore, Recipes: cfg.Recipes, MaxOrders: cfg.MaxOrders, Clock: cfg.Clock, Log: cfg.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("make sandbox: %w", err)
	}
	s.uapay, err = uapay.New(uapay.Config{
		BaseURL: under("/uapay"), Merchants: cfg.UAPAYMerchants, Hosts: hosts.uapay, Settings: cfg.UAPAY, Recipes: cfg.Recipes, MaxOrders: cfg.MaxOrders, Clock: cfg.Clock, Log: cfg.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("make sandbox: %w", err)
	}
	pages, err := page.Parse(templates, "templates", nil, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("make sandbox: %w", err)
	}
	r := chi.NewRouter()
	r.Mount("/smartcore", s.smartcore.Handler())
	r.Mount("/uapay", s.uapay.Handler())
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		pages.Show(w, r, page.Page{Name: "index", Title: "Provider simulators", Data: map[string]any{
			"Clock": cfg.Clock.View(), "Message": r.URL.Query().Get("message"),
		}})
	})
	r.Group(func(r chi.Router) {
		r.Use(control.SameOrigin)
		control.ClockRoutes(r, cfg.Clock)
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "There is nothing at this address. This port simulates the providers: SmartCore under /smartcore, UAPAY under /uapay, and a console at /. "+
			"payrelay's API for shops is on another port: 8080, or what --listen says.", http.StatusNotFound)
	})
	s.handler = r
	return s, nil
}

// providerHosts are the hosts of each provider's merchants.
type providerHosts struct{ smartcore, uapay control.Hosts }

func hostsOf(cfg Config) (providerHosts, error) {
	hosts := providerHosts{control.Hosts{}, control.Hosts{}}
	for merchant, one := range cfg.Hosts {
		switch {
		case slices.ContainsFunc(orDefault(cfg.Merchants, smartcore.DefaultMerchants), func(m smartcore.Merchant) bool { return m.Key == merchant }):
			hosts.smartcore[merchant] = one
		case slices.ContainsFunc(orDefault(cfg.UAPAYMerchants, uapay.DefaultMerchants), func(m uapay.Merchant) bool { return m.ClientID == merchant }):
			hosts.uapay[merchant] = one
		default:
			return hosts, fmt.Errorf("no provider has a merchant %q that could have a host of its own", merchant)
		}
	}
	return hosts, nil
}

func orDefault[M any](given []M, defaults func() []M) []M {
	if len(given) > 0 {
		return given
	}
	return defaults()
}

// SetPublicURL changes the address that is written into links from now on.
func (s *Sandbox) SetPublicURL(u string) {
	u = strings.TrimRight(u, "/")
	s.publicURL.Store(&u)
}

// Handler serves all simulators, their pages and their control APIs.
func (s *Sandbox) Handler() http.Handler { return s.handler }

// SmartCore is the simulator of that provider, for tests in the same process.
func (s *Sandbox) SmartCore() *smartcore.Simulator { return s.smartcore }

// UAPAY is the simulator of that provider, for tests in the same process.
func (s *Sandbox) UAPAY() *uapay.Simulator { return s.uapay }

// Run delivers callbacks and lets time pass until ctx is done or Close is
// called. It returns after the last delivery returned.
func (s *Sandbox) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.cancel = cancel
	s.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.smartcore.Run(ctx) })
	group.Go(func() error { return s.uapay.Run(ctx) })
	return group.Wait()
}

// Close makes Run return. It does not wait.
func (s *Sandbox) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
}
