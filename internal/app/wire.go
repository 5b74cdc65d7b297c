package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/callbacks"
	"payrelay/internal/clientaddr"
	"payrelay/internal/connlimit"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/smartcore"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/gateway/uapay"
	httpapi "payrelay/internal/http"
	"payrelay/internal/notify"
	"payrelay/internal/payment"
	"payrelay/internal/pgsession"
	"payrelay/internal/requestlog"
	"payrelay/internal/secrets"
	"payrelay/internal/sheet"
	"payrelay/internal/store"
	"payrelay/internal/worker"
	"payrelay/migrations"
)

// callbackTimeout bounds the work on one callback: providers do not wait long.
const callbackTimeout = 10 * time.Second

// app is the assembled service.
type app struct {
	config     config
	log        zerolog.Logger
	pool       *pgxpool.Pool
	own        *ownAddresses
	clock      *store.Clock
	store      *store.Store
	service    *payment.Service
	deliveries *worker.Queue
	workers    *worker.Workers
	api        http.Handler
	admin      http.Handler
	requests   *store.RequestLog // nil without one
	health     *health
	clients    *clientaddr.Finder
	// connections are the limiters of the listeners "api" and "admin".
	connections map[string]*connlimit.Limiter
	shopNames   sync.Map // shop id → name
	underway    underway // calls to providers
	mandatesDue chan struct{}
}

// assemble connects everything. demo allows the keys that `dev` hands out.
func assemble(ctx context.Context, c config, log zerolog.Logger, demo bool) (*app, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(maskedLinesCounter())
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	clients, err := c.clients()
	if err != nil {
		return nil, err
	}
	keyring, err := openKeyring(c.SecretKeyset, demo)
	if err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, c)
	if err != nil {
		return nil, err
	}
	clock, err := store.NewClock(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	lease, timeout := notify.Lease()
	queue := worker.NewQueue(worker.QueueConfig{Lease: lease, Timeout: timeout, Now: clock.Now})
	st := store.New(pool, store.Options{Keyring: keyring, Sender: queue, Render: httpapi.RenderNotification, Now: clock.Now, OwnSchedules: ownSchedules()})
	a := &app{config: c, log: log, pool: pool, clock: clock, store: st, deliveries: queue, clients: clients, connections: connectionLimits(c, clients), mandatesDue: make(chan struct{}, 1)}
	if err := a.build(ctx, reg, demo); err != nil {
		pool.Close()
		return nil, err
	}
	return a, nil
}

func (a *app) build(ctx context.Context, reg *prometheus.Registry, demo bool) error {
	if err := a.checkDatabase(ctx); err != nil {
		return err
	}
	if !demo {
		if err := errors.Join(rejectDemo(ctx, a.store), a.checkRole(ctx, reg)); err != nil {
			return err
		}
	}
	if err := a.store.LoadServiceKeys(ctx); err != nil {
		return fmt.Errorf("read the service's own keys (is SECRET_KEYSET the one this database was made with?): %w", err)
	}
	hashKey, err := a.store.ServiceKey(ctx, store.RequestHashKey)
	if err != nil {
		return fmt.Errorf("read the key that requests are compared by: %w", err)
	}
	if err := a.store.PrepareSeals(ctx); err != nil {
		return err
	}
	fingerprintKey, err := a.store.ServiceKey(ctx, store.FingerprintKey)
	if err != nil {
		return fmt.Errorf("read the key that orders are recognized by: %w", err)
	}
	reg.MustRegister(store.PoolCollector(a.pool), a.store.DirectoryCollector(), a.store.KeyCollector(), a.store.PauseCollector(), a.store.AlteredCollector(), a.store.BINTableCollector(), a.store.ReencryptionCollector(), newGauges(a.store.Gauges), thisBuild().collector(), connectionCollector(a.connections), linkGauge(a.pool, a.log))
	observer := newObserver(reg, a.log)
	a.store.LimitHit = func(ctx context.Context, h payment.LimitHit) { observer.limitHit(ctx, a.shopName(ctx, h.Shop), h) }
	a.store.SealBroken = observer.sealBroken

	registry := a.config.drivers(reg, a.log, demo)
	a.service = payment.New(payment.Config{
		Store: a.store, DisputeStore: a.store, Imports: a.store, RoutingRules: a.store.RoutingRules, FingerprintKey: fingerprintKey, TransactionReports: a.store, ReadSheet: sheet.Read, WriteSheet: sheet.Write, Drivers: registry, PublicURL: a.config.PublicURL, ProviderTimeout: a.config.ProviderTimeout, FailoverWithin: a.config.FailoverWithin,
		CheckTimeout: worker.PollTimeout, VisibilityDelay: a.config.VisibilityDelay, AlwaysConfirm: a.config.CallbackPolicy == "always_confirm", Observe: observer.observe, Called: a.watchHealth(reg), Now: a.clock.Now, BeginExternalCall: a.beginCall, AnnotateRequest: httpapi.Note,
	})
	a.own = ownOf(a.pool)
	notifier := notify.New(notify.Config{Outbox: a.store, Own: a.own.has, Workers: a.config.Workers, Now: a.clock.Now, SignedAt: a.clock.Real, Log: a.log, Registerer: reg})
	a.workers = worker.New(worker.Config{
		Log: a.log, Providers: registry.Names(), MaxWorkers: a.config.Workers, PollFailed: observer.pollFailed, Deliveries: a.deliveries, MandatesDue: a.mandatesDue, Tasks: a.tasks(reg),
	}, a.service, notifier, a.store)
	var requests requestlog.Log // stays nil without one
	if a.config.RequestLog {
		a.requests = a.store.NewRequestLog(reg)
		requests = a.requests
	}
	a.api, err = httpapi.New(httpapi.Config{
		Requests: requests,
		Orders:   a.service, Auth: a.store, Idempotency: a.store.Idempotency(), HashKey: hashKey, Log: a.log, Registerer: reg,
		Clients: a.clients, Docs: a.config.docs, RejectDemoKey: !demo, ProviderTimeout: a.config.ProviderTimeout,
		Callbacks: callbacks.Handler(a.service, a.log, callbackTimeout), CallbackAccount: a.service.CallbackAccount, CallbackRate: a.config.CallbackRate,
		// More than the database has connections for would only wait inside, where it cannot be rejected any more.
		Admission:         httpapi.Admission{Concurrency: 2 * a.config.DatabasePool, Queue: 4 * a.config.DatabasePool, Wait: 500 * time.Millisecond},
		CallbackAdmission: httpapi.Admission{Concurrency: a.config.DatabasePool, Queue: 20 * a.config.DatabasePool, Wait: callbackTimeout / 2},
	})
	if err != nil {
		return fmt.Errorf("make the merchant API: %w", err)
	}
	a.health = &health{pool: a.pool, ready: a.pool.Ping}
	a.admin = adminHandler(a.health, reg, a.config.PProf)
	return nil
}

// watchHealth shows how accounts do, and returns what counts their calls; nil if accounts are not demoted.
func (a *app) watchHealth(reg *prometheus.Registry) func(uuid.UUID, payment.CallOutcome) {
	if a.config.HealthDemotion != "on" {
		return nil
	}
	reg.MustRegister(a.store.HealthCollector())
	return a.store.CountCall
}

// drivers is the list of providers.
func (c config) drivers(reg prometheus.Registerer, log zerolog.Logger, demo bool) *gateway.Registry {
	var configs []transport.Config
	client := func(provider string) *transport.Client {
		t := c.withHosts(transport.Config{Provider: provider, Log: log, Registerer: reg, Timeout: c.ProviderTimeout}, demo)
		configs = append(configs, t)
		return transport.New(t)
	}
	registry := gateway.NewRegistry(smartcore.New(client(smartcore.Name)), uapay.New(client(uapay.Name)))
	reg.MustRegister(hostsGauge(configs, log))
	return registry
}

// beginCall gives a call to a provider its names for the log, and gives up the request's place while it waits.
func (a *app) beginCall(ctx context.Context, about payment.Subject) (context.Context, func()) {
	call := a.withNames(ctx, about)
	leave, end := a.underway.enter(), httpapi.Waiting(ctx)
	return call, func() { leave(); end() }
}

// withNames puts the ids of the request and the order, the account and the shop into the log lines of calls to providers.
func (a *app) withNames(ctx context.Context, about payment.Subject) context.Context {
	request, shop := httpapi.RequestID(ctx), a.shopName(ctx, about.Shop)
	return transport.WithLog(ctx, func(e *zerolog.Event) {
		e.Str("request_id", request).Str("shop", shop).Str("account", about.Account)
		if about.Order != uuid.Nil {
			e.Stringer("order_id", about.Order)
		}
	})
}

// shopNameTimeout bounds a look-up of a name: no call waits long for a word in a log line.
const shopNameTimeout = time.Second

// shopName returns a shop's name, which never changes, or its id while the database does not tell.
func (a *app) shopName(ctx context.Context, id uuid.UUID) string {
	if name, ok := a.shopNames.Load(id); ok {
		return name.(string) //nolint:forcetypeassert // only this function stores
	}
	ctx, cancel := context.WithTimeout(ctx, shopNameTimeout)
	defer cancel()
	name, err := a.store.ShopName(ctx, id)
	if err != nil {
		return id.String()
	}
	a.shopNames.Store(id, name)
	return name
}

// run serves until ctx is done, then stops without dropping what is under way. First it says that it is not ready, and serves on
// until balancers have seen that. Then listeners close and jobs end. The admin listener closes after them, and the database is
// let go last.
func (a *app) run(ctx context.Context, admin *listener, sites ...*listener) error {
	defer a.pool.Close()
	for _, s := range append(sites, admin) {
		if s.own {
			a.own.listen(s.listener)
		}
	}
	ctx, stop := context.WithCancel(ctx) // ends when a stop is asked for, or when a part has failed
	defer stop()
	serving, leave := context.WithCancel(context.WithoutCancel(ctx)) // ends after the drain delay
	defer leave()
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // ends when nobody is served any more
	defer end()

	var served, kept errgroup.Group
	kept.Go(func() error { defer stop(); return serve(running, time.Second, admin) })
	kept.Go(func() error { a.clock.Keep(running, a.log); return nil })
	kept.Go(func() error { a.store.KeepKeyUses(running, a.log); return nil })
	if a.config.HealthDemotion == "on" {
		kept.Go(func() error { a.store.KeepHealth(running, a.log); return nil })
	} else {
		kept.Go(func() error { a.store.EndDemotions(running, a.log); return nil })
	}
	if a.requests != nil {
		kept.Go(func() error { a.requests.Keep(running, a.log); return nil })
	}
	kept.Go(func() error { a.store.KeepReplica(running, hostName(), thisBuild().Version, a.log); return nil })
	served.Go(func() error { defer stop(); return a.workers.Run(serving) })
	served.Go(func() error { defer stop(); return serve(serving, a.config.ShutdownTimeout, sites...) })
	served.Go(func() error {
		defer leave()
		<-ctx.Done()
		a.drain(sites)
		return nil
	})
	err := served.Wait()
	end()
	return errors.Join(err, kept.Wait())
}

// drain says that the service is not ready, and lets it serve on until balancers have seen that.
func (a *app) drain(sites []*listener) {
	a.health.draining.Store(true)
	for _, s := range sites {
		s.leave()
	}
	a.log.Info().Stringer("drain_delay", a.config.DrainDelay).Msg("stopping: not ready, and serving on for the drain delay; a second signal ends the process at once")
	time.Sleep(a.config.DrainDelay)
	a.log.Info().Msg("stopping: closed to new requests, finishing those under way")
}

// checkDatabase says what to do when the schema is not the one this program needs.
func (a *app) checkDatabase(ctx context.Context) error {
	pending, err := migrations.Pending(ctx, a.config.migrateURL())
	if err != nil {
		return fmt.Errorf("read the database's schema: %w", err)
	}
	if pending {
		return fmt.Errorf("the database lacks migrations: run 'server migrate up' first")
	}
	return pgsession.Finds(ctx, a.pool, "orders")
}

func (c config) migrateURL() string {
	if c.MigrateURL != "" {
		return c.MigrateURL.Reveal()
	}
	return c.DatabaseURL.Reveal()
}

// rejectDemo keeps a database that `dev` filled out of production.
func rejectDemo(ctx context.Context, st *store.Store) error {
	demo, err := st.HasDemoKey(ctx)
	if err != nil {
		return err
	}
	if demo {
		return fmt.Errorf("this database holds the demo shop's well-known key: it was made by 'server dev' and must not be used by 'server run'")
	}
	return nil
}

func openKeyring(keyset gateway.Secret, demo bool) (*secrets.Keyring, error) {
	if !demo && secrets.IsDemo(keyset) {
		return nil, fmt.Errorf("SECRET_KEYSET is the well-known one of 'server dev': make your own with 'server keyset new'")
	}
	keyring, err := secrets.Open(keyset)
	if err != nil {
		return nil, fmt.Errorf("SECRET_KEYSET: %w", err)
	}
	return keyring, nil
}

// offlineDrivers is the list of providers for commands that only look at accounts.
func offlineDrivers() *gateway.Registry {
	return config{}.drivers(prometheus.NewRegistry(), zerolog.Nop(), false)
}

// ownSchedules names the providers that charge mandates by their own schedule.
func ownSchedules() (names []string) {
	drivers := offlineDrivers()
	for _, name := range drivers.Names() {
		if d, err := drivers.Driver(name); err == nil && d.Describe().OwnSchedule {
			names = append(names, name)
		}
	}
	return names
}

// commandDrivers is the list of providers for commands that call them: where the service may, and nowhere else.
func commandDrivers(io *Streams, demo bool) (*gateway.Registry, error) {
	c, err := commandConfig(io)
	if err != nil {
		return nil, err
	}
	return c.drivers(prometheus.NewRegistry(), newLogger(io.Err, "warn"), demo), nil
}

// commandConfig is what commands know of where providers may be called.
func commandConfig(io *Streams) (config, error) {
	c := config{ProviderHosts: lookup(io.Environ, "PROVIDER_HOSTS"), HostsCheck: lookup(io.Environ, "PROVIDER_HOSTS_CHECK")}
	if problems := c.badHosts(); len(problems) > 0 {
		return config{}, errors.New(strings.Join(problems, "; "))
	}
	return c, nil
}
