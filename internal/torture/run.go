package torture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

const (
	// SettleLimit is how long after the faults stopped every order must have its right final state.
	SettleLimit = 30 * time.Second
	// noticeLimit is how long after the faults stopped every notification must have arrived.
	noticeLimit = 90 * time.Second
	// clientLimit is how long after the faults stopped shops go on asking for an answer.
	clientLimit = 15 * time.Second

	providerTimeout = 2 * time.Second
	visibilityDelay = 2 * time.Second

	accountPayouts = "EUR-sandbox-payout"
	accountP2P     = "UAH-sandbox-p2p"
)

// Options say how a run is made.
type Options struct {
	Binary   string
	Database *Database
	// Dir gets the logs of each run, in a folder of its own.
	Dir string
	// Break names safeguards to switch off.
	Break string
	// Keep leaves the database and the logs of runs without violations behind too.
	Keep bool
}

// Report is how a run ended.
type Report struct {
	Seed     int64
	Replicas int
	Orders   int            // orders in the database
	Left     map[string]int // orders left to an operator, by kind and provider
	Statuses map[string]int
	Faults   []string // those that took effect, by name
	Took     time.Duration
	// Compared counts what the books held: a verdict over nothing is worth nothing.
	Compared map[string]int
	Settled  time.Duration // from the end of the faults until every order was settled
	Told     time.Duration // … until every notification had arrived
	Result   Result
	Dir      string
}

type run struct {
	Options
	plan     Plan
	dir      string
	name     string // of the database
	direct   string // its address without a proxy
	log      func(format string, args ...any)
	twins    *sandbox.Sandbox
	front    *front
	shops    []*shopper
	replicas []*replica

	receivers                []*receiver
	dbLinks                  []*link
	smartcoreLink, uapayLink *link
	linkMu                   sync.Mutex

	mu      sync.Mutex
	effects []string
	closers []func()
}

func (r *run) applied(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.effects = append(r.effects, name)
}

// Do makes one run. An error means that the harness itself failed; broken promises are in the report.
func Do(ctx context.Context, plan Plan, o Options) (report Report, err error) {
	began := time.Now()
	r := &run{Options: o, plan: plan, name: fmt.Sprintf("torture_%d_%d", plan.Seed, began.UnixMilli()), dir: filepath.Join(o.Dir, fmt.Sprintf("seed-%d", plan.Seed))}
	r.direct = o.Database.url(r.name, "")
	if err := os.MkdirAll(r.dir, 0o755); err != nil { //nolint:gosec // logs without secrets
		return report, fmt.Errorf("make the run's folder: %w", err)
	}
	lines, err := os.Create(filepath.Join(r.dir, "run.log"))
	if err != nil {
		return report, err
	}
	var lineMu sync.Mutex
	r.log = func(format string, args ...any) {
		lineMu.Lock()
		defer lineMu.Unlock()
		fmt.Fprintf(lines, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, c := range slices.Backward(r.closers) {
			c()
		}
		_ = lines.Close()
		if !o.Keep && err == nil && len(report.Result.Violations) == 0 {
			_ = os.RemoveAll(r.dir)
		}
	}()
	report = Report{Seed: plan.Seed, Replicas: plan.Replicas, Left: map[string]int{}, Statuses: map[string]int{}, Dir: r.dir}
	if err := r.build(ctx); err != nil {
		return report, fmt.Errorf("seed %d: %w", plan.Seed, err)
	}
	books, err := r.execute(ctx, &report)
	if err != nil {
		return report, fmt.Errorf("seed %d: %w", plan.Seed, err)
	}
	report.Result = Check(books)
	for _, row := range books.Rows {
		report.Statuses[row.Status]++
		if slices.Contains(report.Result.Operator, row.ID) {
			report.Left[row.Kind+" at "+row.Provider]++
			r.log("left to an operator: %s %s at %s %s%s", row.Kind, row.ID, row.Provider, row.Status, trail(row))
		}
	}
	report.Compared = map[string]int{
		"provider orders and refunds": len(books.Effects), "notifications": len(books.Notices), "answers": len(books.Answers), "callbacks": len(books.Callbacks),
	}
	report.Orders, report.Faults, report.Took = len(books.Rows), r.effects, time.Since(began)
	for _, v := range report.Result.Violations {
		r.log("VIOLATION %s", v)
	}
	if len(report.Result.Violations) > 0 {
		return report, r.tell(ctx, report.Result.Violations)
	}
	return report, nil
}

// build puts everything together that a run consists of.
func (r *run) build(ctx context.Context) error {
	if err := r.Database.create(ctx, r.name); err != nil {
		return err
	}
	r.closers = append(r.closers, func() {
		if !r.Keep {
			_ = r.Database.drop(context.WithoutCancel(ctx), r.name)
		}
	})
	if err := r.startTwins(ctx); err != nil {
		return err
	}
	var err error
	if r.front, err = newFront(ctx); err != nil {
		return err
	}
	r.closers = append(r.closers, r.front.close)
	keyset, err := secrets.NewKeyset()
	if err != nil {
		return err
	}
	if err := r.seed(ctx, gateway.Secret(keyset)); err != nil {
		return err
	}
	return r.startReplicas(ctx, keyset)
}

// startTwins starts the providers, and toxiproxy before them.
func (r *run) startTwins(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	sc, ua := smartcore.DefaultSettings(), uapay.DefaultSettings()
	retries := []int{200, 400, 800, 1500, 3000, 5000, 5000, 10_000}
	sc.ProcessingMS, sc.WithdrawalMS, sc.CallbackRetryMS, sc.CallbackTimeoutMS = 150, 200, retries, 3000
	sc.CapturePendingMS, sc.CaptureAnswer, sc.UnknownOrder = r.plan.CapturePending, r.plan.CaptureAnswer, r.plan.UnknownOrder
	ua.ProcessingMS, ua.CallbackRetryMS, ua.CallbackTimeoutMS, ua.AutoCancelMS = 150, retries, 3000, 4000
	if r.twins, err = sandbox.New(sandbox.Config{PublicURL: "http://" + address, SmartCore: &sc, UAPAY: &ua, Log: zerolog.Nop()}); err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: r.twins.Handler(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = r.twins.Run(ctx) }()
	go func() { _ = server.ListenAndServe() }() // ends with Close
	r.closers = append(r.closers, func() { _ = server.Close(); <-done })
	if r.smartcoreLink, err = newLink("smartcore", address); err != nil {
		return err
	}
	r.closers = append(r.closers, r.smartcoreLink.cut)
	if r.uapayLink, err = newLink("uapay", address); err != nil {
		return err
	}
	r.closers = append(r.closers, r.uapayLink.cut)
	return nil
}

// seed makes two shops with receivers, and the accounts.
func (r *run) seed(ctx context.Context, keyset gateway.Secret) error {
	box, err := secrets.Open(keyset)
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, r.direct)
	if err != nil {
		return err
	}
	defer pool.Close()
	st := store.New(pool, store.Options{Box: box})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second}}
	r.closers = append(r.closers, client.CloseIdleConnections)
	turn := &atomic.Int64{}
	var names []string
	for _, name := range []string{"books", "shoes"} {
		key, secret := shop.NewKey(), shop.NewWebhookSecret()
		rec, err := newReceiver(ctx, "", secret)
		if err != nil {
			return err
		}
		r.closers = append(r.closers, func() { _ = rec.server.Close() })
		made, err := st.CreateShop(ctx, store.NewShop{
			Name: name, NotificationURL: "http://" + rec.address + "/notifications", AllowCIDRs: []string{"127.0.0.0/8"}, Key: key, Scopes: shop.Scopes,
			WebhookSecret: gateway.Secret(secret),
		})
		if err != nil {
			return err
		}
		rec.shop = made.ID.String()
		r.receivers = append(r.receivers, rec)
		r.shops = append(r.shops, &shopper{name: made.ID.String(), key: key, client: client, turn: turn})
		names = append(names, name)
	}
	r.front.accounts = map[string]account{}
	sc, ua := "http://"+r.smartcoreLink.address(), "http://"+r.uapayLink.address()
	urls := map[string]string{"pci_url": sc + "/smartcore/pci", "gateway_url": sc + "/smartcore/gateway", "reporting_url": sc + "/smartcore/reporting"}
	uapaySettings := map[string]string{"client_id": "90001", "api_url": ua + "/uapay"}
	smartcoreSecrets := map[string]gateway.Secret{"merchant_key": "test", "secret": "qwerty"}
	uapaySecrets := map[string]gateway.Secret{"secret": "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ=="} //nolint:gosec // the twin's well-known key
	for _, a := range []store.NewAccount{
		{Name: "EUR-sandbox", Provider: "smartcore", Currency: "EUR", Purpose: payment.PurposePayments, Settings: urls, Secrets: smartcoreSecrets},
		{Name: accountPayouts, Provider: "smartcore", Currency: "EUR", Purpose: payment.PurposePayouts, Settings: urls, Secrets: smartcoreSecrets},
		{Name: "UAH-sandbox", Provider: "uapay", Currency: "UAH", Purpose: payment.PurposePayments, Settings: uapaySettings, Secrets: uapaySecrets},
		{Name: accountP2P, Provider: "uapay", Currency: "UAH", Purpose: payment.PurposePayouts, Settings: uapaySettings, Secrets: uapaySecrets},
	} {
		a.Shops = names
		made, err := st.CreateAccount(ctx, a)
		if err != nil {
			return err
		}
		r.front.accounts["/callbacks/"+made.Provider+"/"+made.CallbackToken.Reveal()] = account{made.Provider, made.ID}
	}
	return nil
}

// startReplicas starts the server's processes and waits until they are ready.
func (r *run) startReplicas(ctx context.Context, keyset string) error {
	until := time.Now().Add(r.plan.Load + 2*time.Second)
	var addresses []string
	for i := range r.plan.Replicas {
		l, err := newLink(fmt.Sprint("postgres-", i), r.Database.address())
		if err != nil {
			return err
		}
		r.dbLinks = append(r.dbLinks, l)
		r.closers = append(r.closers, l.cut)
		rep := &replica{
			binary: r.Binary, log: filepath.Join(r.dir, fmt.Sprintf("replica-%d.log", i)), clock: filepath.Join(r.dir, fmt.Sprintf("clock-%d", i)),
			restarts: r.plan.Restarts, until: until, done: make(chan struct{}),
		}
		if rep.address, err = freeAddress(ctx); err != nil {
			return err
		}
		if rep.admin, err = freeAddress(ctx); err != nil {
			return err
		}
		if err := rep.setClock(0); err != nil {
			return err
		}
		rep.env = map[string]string{
			"DATABASE_URL": r.Database.url(r.name, l.address()), "SECRET_KEYSET": keyset, "PUBLIC_URL": "http://" + r.front.address,
			"LISTEN_ADDR": rep.address, "ADMIN_ADDR": rep.admin, "PROVIDER_TIMEOUT": providerTimeout.String(), "VISIBILITY_DELAY": visibilityDelay.String(),
			"DATABASE_POOL": "12", "WORKERS": "16", "SHUTDOWN_TIMEOUT": "3s", "PAYRELAY_FAULTPOINTS_CLOCK": rep.clock, "PAYRELAY_BREAK": r.Break,
			"PAYRELAY_FAULTPOINTS_TIMES": "notify_timeout=2s,notify_lease_slack=1s,notify_pause=1s,job_timeout=8s,job_rescue=9s",
		}
		for _, f := range r.plan.Faults {
			if f.Kind == "kill_point" && f.Replica%r.plan.Replicas == i {
				rep.points = append(rep.points, fmt.Sprintf("%s:%d", f.Point, f.Nth))
			}
		}
		addresses = append(addresses, rep.address)
		r.replicas = append(r.replicas, rep)
	}
	r.front.mu.Lock()
	r.front.replicas = addresses
	r.front.mu.Unlock()
	for _, s := range r.shops {
		s.replicas = addresses
	}
	for _, rep := range r.replicas {
		go func() {
			if err := rep.run(ctx); err != nil {
				r.log("replica: %v", err)
			}
		}()
		r.closers = append(r.closers, rep.stop)
	}
	return r.allReady(ctx)
}

func (r *run) allReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, rep := range r.replicas {
		if err := rep.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// execute loads and hurts the service, waits, and reads the books.
func (r *run) execute(ctx context.Context, report *Report) (Books, error) {
	load, stopFaults := context.WithTimeout(ctx, r.plan.Load)
	defer stopFaults()
	shopping, stopShops := context.WithTimeout(ctx, r.plan.Load+clientLimit)
	defer stopShops()
	patience, stopWaiting := context.WithTimeout(ctx, r.plan.Load+time.Second)
	defer stopWaiting()
	p := &player{shops: r.shops, twins: r.twins}
	var shops sync.WaitGroup
	for _, o := range r.plan.Orders {
		shops.Go(func() {
			p.play(shopping, patience, o)
			if patience.Err() != nil {
				r.log("a shop was busy with %s %s %s until now", o.Script, o.Name, o.Then)
			}
		})
	}
	r.inject(load)
	<-load.Done()
	if err := r.calm(); err != nil {
		return Books{}, err
	}
	calm := time.Now()
	r.log("faults are over")
	if err := r.allReady(ctx); err != nil {
		return Books{}, err
	}
	shops.Wait()
	books, err := r.settle(ctx, calm, report)
	if err != nil {
		return Books{}, err
	}
	for _, s := range r.shops {
		s.replay(ctx)
		for _, a := range s.answers {
			books.Answers = append(books.Answers, a.Answer)
		}
		books.Crashes = append(books.Crashes, s.crashes...)
	}
	r.front.mu.Lock()
	books.Callbacks = slices.Collect(maps.Keys(r.front.acked))
	books.Crashes = append(books.Crashes, r.front.crashes...)
	r.front.mu.Unlock()
	for _, rep := range r.replicas {
		rep.mu.Lock()
		for _, point := range rep.reached {
			name, _, _ := strings.Cut(point, ":")
			r.applied("kill_point:" + name)
		}
		rep.mu.Unlock()
		found, err := crashes(rep.log)
		if err != nil {
			return Books{}, err
		}
		books.Crashes = append(books.Crashes, found...)
	}
	return books, nil
}

// settle waits until every order is where the provider's book says, and every notification was received.
func (r *run) settle(ctx context.Context, calm time.Time, report *Report) (Books, error) {
	for {
		books, err := readDatabase(ctx, r.direct)
		if err != nil {
			return Books{}, err
		}
		books.Effects = ledger(r.twins)
		for _, rec := range r.receivers {
			books.Notices = append(books.Notices, rec.received()...)
		}
		open := Unsettled(books)
		if len(open) == 0 && report.Settled == 0 {
			report.Settled = time.Since(calm)
			r.log("settled after %s", report.Settled)
		}
		missing := slices.ContainsFunc(Check(books).Violations, func(v Violation) bool { return v.Kind == NotificationGap })
		if !missing && report.Settled > 0 {
			report.Told = time.Since(calm)
			return books, nil
		}
		if late := time.Since(calm); len(open) > 0 && late > SettleLimit || late > noticeLimit {
			r.log("%d orders are not settled, first %v", len(open), slices.Concat(open, []Violation{{}})[0])
			return books, nil
		}
		if !wait(ctx, 300*time.Millisecond) {
			return Books{}, errors.New("interrupted")
		}
	}
}

func refundFails(fails bool) func(*smartcore.Settings) {
	return func(s *smartcore.Settings) { s.RefundFails = fails }
}
