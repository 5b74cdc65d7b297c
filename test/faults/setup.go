package faults

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"payrelay/internal/gateway"
	"payrelay/internal/limit"
	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

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
	if err := r.startSimulators(ctx); err != nil {
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

// startSimulators starts the providers, and the ways to their merchants.
func (r *run) startSimulators(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	sc, ua := smartcore.DefaultSettings(), uapay.DefaultSettings()
	retries := []int{200, 400, 800, 1500, 3000, 5000, 5000, 10_000}
	sc.ProcessingMS, sc.WithdrawalMS, sc.CallbackRetryMS, sc.CallbackTimeoutMS = 150, 200, retries, 3000
	sc.Rules = declineRules()
	if r.plan.SlowDecisions {
		sc.ProcessingMS = 2500
	}
	sc.CapturePendingMS, sc.CaptureAnswer, sc.UnknownOrder = r.plan.CapturePending, r.plan.CaptureAnswer, r.plan.UnknownOrder
	sc.RecurrentForm, sc.RecurrentSuccess, sc.ExportFails = r.plan.ChargeForm, r.plan.ChargeSuccess, r.plan.ExportsFail
	ua.ProcessingMS, ua.CallbackRetryMS, ua.CallbackTimeoutMS, ua.AutoCancelMS = 150, retries, 3000, 4000
	dayIn(&ua, 2200*time.Millisecond)
	if r.simulators, err = sandbox.New(sandbox.Config{PublicURL: "http://" + address, SmartCore: &sc, UAPAY: &ua, Log: zerolog.Nop()}); err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: r.simulators.Handler(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = r.simulators.Run(ctx) }()
	go func() { _ = server.ListenAndServe() }() // ends with Close
	r.closers = append(r.closers, func() { _ = server.Close(); <-done })
	return r.startMerchants(ctx, address)
}

// dayIn makes a subscription's day pass in d, and leaves the other times that the simulator scales as they are.
func dayIn(s *uapay.Settings, d time.Duration) {
	const day = 24 * time.Hour
	s.TimeScale = float64(day / d)
	scaled := func(ms int) int { return int(float64(ms) * s.TimeScale) }
	s.AutoCancelMS, s.HoldTTLMS = scaled(s.AutoCancelMS), scaled(s.HoldTTLMS)
	s.CallbackRetryMS = append([]int(nil), s.CallbackRetryMS...)
	for i, ms := range s.CallbackRetryMS {
		s.CallbackRetryMS[i] = scaled(ms)
	}
}

// seed makes two shops with receivers, and the accounts.
func (r *run) seed(ctx context.Context, keyset gateway.Secret) error {
	keyring, err := secrets.Open(keyset)
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, r.direct)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, pool.Close)
	st := store.New(pool, store.Options{Keyring: keyring})
	r.store = st
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
			Name: name, NotificationURL: "http://" + rec.address + "/notifications", AllowCIDRs: []string{"127.0.0.0/8:*"}, Key: key, Scopes: shop.Scopes,
			WebhookSecret: gateway.Secret(secret),
		})
		if err != nil {
			return err
		}
		// Twenty statements a day are the rate without this: repeats alone may use them up.
		err = st.SetShopRate(ctx, store.ShopRate{Shop: name, Class: shop.RateStatements, Rate: limit.Rate{Quota: 1000, Window: time.Hour}})
		if err != nil {
			return err
		}
		rec.shop = made.ID.String()
		r.receivers = append(r.receivers, rec)
		r.shops = append(r.shops, &shopper{name: made.ID.String(), key: key, client: client, turn: turn})
		names = append(names, name)
	}
	return r.seedAccounts(ctx, names)
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
			restarts: r.plan.Restarts, until: until, injections: &r.injections, done: make(chan struct{}),
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
			"DATABASE_POOL": "12", "WORKERS": "16", "DRAIN_DELAY": "0s", "SHUTDOWN_TIMEOUT": "3s", "PAYRELAY_FAULTPOINTS_CLOCK": rep.clock,
			"SSL_CERT_FILE":              filepath.Join(r.dir, authorityFile),
			"PAYRELAY_FAULTPOINTS_TIMES": "notify_timeout=2s,notify_lease_slack=1s,notify_pause=1s,job_timeout=8s",
		}
		for _, f := range r.plan.Faults {
			switch {
			case f.Replica%r.plan.Replicas != i:
			case f.Kind == "kill_point":
				rep.kills = append(rep.kills, f)
			case f.Kind == "pause_point":
				rep.pauses = append(rep.pauses, f)
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
	if names := r.away(ctx); len(names) > 0 && ctx.Err() == nil {
		return notReady(names)
	}
	return ctx.Err()
}

// notReady are replicas that did not come up although nothing was done to them.
type notReady []string

func (n notReady) Error() string { return "not ready at first: " + strings.Join(n, ", ") }

// readyLimit is how long replicas may take to be ready, at first and after the faults.
const readyLimit = 30 * time.Second

// away waits for the replicas and returns those that do not become ready.
func (r *run) away(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for _, rep := range r.replicas {
		if rep.ready(ctx) != nil {
			names = append(names, filepath.Base(rep.log))
		}
	}
	return names
}

// exits lists the ends of processes that nobody ordered. An error says that somebody else had taken a replica's port.
func (r *run) exits() (all []Exit, err error) {
	for _, rep := range r.replicas {
		rep.mu.Lock()
		all = append(all, rep.exits...)
		if rep.taken {
			err = fmt.Errorf("%w: a replica's port was taken meanwhile", ErrSetup)
		}
		rep.mu.Unlock()
	}
	return all, err
}
