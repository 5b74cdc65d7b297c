//go:build !production

package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/demoshop"
	"payrelay/internal/docsite"
	"payrelay/internal/gateway"
	"payrelay/internal/localpg"
	"payrelay/internal/money"
	"payrelay/internal/notify"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
	"payrelay/migrations"
)

// What `dev` sets up under well-known names. `run` refuses a database that holds them.
const (
	demoShop        = "demo"
	demoMerchantKey = "test"
	demoSecret      = "qwerty"
	demoClientID    = "90001"
	demoUAPAYKey    = "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ==" //nolint:gosec // the simulator's well-known key
)

type devCmd struct {
	Listen        string        `default:"127.0.0.1:8080" help:"The merchant API. Port 0 means any free port."`
	Admin         string        `default:"127.0.0.1:9090" help:"Health and metrics."`
	Sandbox       string        `default:"127.0.0.1:8090" help:"The provider simulator."`
	Shop          string        `default:"127.0.0.1:8070" help:"The demo shop's page; any free port if this one is taken."`
	Notify        string        `placeholder:"URL" help:"Where the demo shop's notifications go: an endpoint of your own, such as http://127.0.0.1:3000/. Without it they go to the demo shop's page."`
	Data          string        `default:".payrelay" help:"Where the database is kept between runs."`
	Fresh         bool          `help:"Begin with an empty database."`
	JSON          bool          `name:"json" help:"Print one line of JSON when ready, and nothing else on standard output."`
	PublicURL     string        `placeholder:"URL" help:"Where the provider simulator reaches this service, if not at --listen."`
	SandboxPublic string        `name:"sandbox-public-url" placeholder:"URL" help:"Where browsers reach the simulator, if not at --sandbox."`
	SandboxHosts  merchantHosts `name:"sandbox-host" placeholder:"MERCHANT=ADDRESS" help:"An address for one merchant of the simulators alone, which can be taken away: test=127.0.0.1:8091. May be given several times."`
	Recipes       bool          `default:"true" negatable:"" help:"Let orders of certain amounts meet a fault at the simulators: see docs/guides/testing.md."`
	External      string        `name:"external-sandbox" placeholder:"URL" help:"Use a simulator that runs elsewhere ('server sandbox') instead of starting one."`
	LogLevel      string        `default:"warn" env:"LOG_LEVEL" help:"What is logged on standard error: trace, debug, info, warn or error."`
}

// logOutput is where lines of the log go once they are without card numbers: for programs as they are, for people in colours.
func (d devCmd) logOutput(w io.Writer) io.Writer {
	if d.JSON {
		return w
	}
	return zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
}

// isTerminal reports whether w shows colours.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Run implements the command.
func (d devCmd) Run(ctx context.Context, io *Streams) error {
	log := newLogger(d.logOutput(io.Err), d.LogLevel)
	if err := d.checkNotify(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.Data, dataFolderMode(os.Geteuid())); err != nil {
		return fmt.Errorf("make the data folder: %w: name a place where you may write with --data", err)
	}
	pg, err := localpg.Start(ctx, localpg.Options{
		URL: lookup(io.Environ, "DATABASE_URL"), Dir: filepath.Join(d.Data, "postgres"), Database: "payrelay", Fresh: d.Fresh,
		Logf: func(format string, args ...any) { log.Warn().Msgf(format, args...) }, // rare, and what takes long is among it
	})
	if err != nil {
		return err
	}
	stopPostgres := func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := pg.Stop(stop); err != nil {
			log.Error().Err(err).Msg("Postgres did not stop cleanly")
		}
	}
	defer stopPostgres()
	return d.serve(ctx, io, log, pg.URL())
}

// dataFolderMode is that of a new data folder. Postgres does not run as root, so what root makes must be passed through by another user.
func dataFolderMode(user int) os.FileMode {
	if user == 0 {
		return 0o711
	}
	return 0o750
}

// serve does everything that wants a database.
func (d devCmd) serve(ctx context.Context, io *Streams, log zerolog.Logger, databaseURL string) error {
	if err := migrations.Up(ctx, databaseURL); err != nil {
		return err
	}
	c, err := d.config(io, databaseURL)
	if err != nil {
		return err
	}
	// Listeners come first: their ports are part of the addresses that everything else is told.
	sites, err := d.listen(c.ProviderTimeout, log)
	if err != nil {
		return err
	}
	c.PublicURL = cmp.Or(d.PublicURL, sites.api.url())
	c.docs = docsite.Addresses{Simulators: sites.sandboxPublic, DemoShop: sites.shop.url()}
	a, err := assemble(ctx, c, log, true)
	if err != nil {
		return err
	}
	if sites.clock != nil {
		if err := a.followClock(ctx, sites.clock); err != nil {
			a.pool.Close()
			return err
		}
	}
	sites.api.server.Handler, sites.admin.server.Handler = a.api, a.admin
	sites.api.own, sites.admin.own = true, true
	sites.api.connections, sites.admin.connections = a.connections["api"], a.connections["admin"]
	ready, err := d.openShop(ctx, a.store, sites, log)
	if err != nil {
		a.pool.Close()
		return err
	}
	ready.DatabaseURL = databaseURL
	if err := d.announce(io.Out, ready); err != nil {
		a.pool.Close()
		return err
	}
	defer func() {
		if last, err := readReady(d.Data); err == nil && last == ready { // else another 'dev' has the folder by now
			_ = os.Remove(readyFile(d.Data))
		}
	}()
	defer sites.hosts.Close()
	g, ctx := errgroup.WithContext(ctx)
	if sites.simulator != nil {
		g.Go(func() error { return sites.simulator.Run(ctx) })
	}
	g.Go(func() error { return a.run(ctx, sites.admin, sites.served()...) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// openShop makes the demo shop and its accounts, and serves its page. It returns where everything is.
func (d devCmd) openShop(ctx context.Context, st *store.Store, s *devSites, log zerolog.Logger) (Ready, error) {
	notifications := cmp.Or(d.Notify, s.shop.url()+"/notifications")
	webhookSecret, err := seed(ctx, st, seedURLs{
		smartcore: s.hosts.URL(demoMerchantKey, s.sandboxURL), uapay: s.hosts.URL(demoClientID, s.sandboxURL), notifications: notifications, networks: d.networks(),
	})
	if err != nil {
		return Ready{}, err
	}
	s.shop.server.Handler = demoshop.New(demoshop.Config{
		WebhookSecret: webhookSecret, APIURL: "http://" + dialable(s.api.listener.Addr().String()), APIKey: shop.DemoKey, PublicURL: s.shop.url(), Elsewhere: d.Notify, Log: log,
	}).Handler()
	return Ready{
		Ready: true, API: s.api.url(), Admin: s.admin.url(), Sandbox: s.sandboxPublic, ShopKey: shop.DemoKey, WebhookSecret: webhookSecret,
		NotificationURL: notifications, ShopPage: s.shop.url() + "/",
	}, nil
}

// networks are the internal ones that the demo shop's notifications may go to: this machine, and with an endpoint of the
// developer's own the private ones too, where a container or another machine of theirs is.
func (d devCmd) networks() []string {
	networks := []string{"127.0.0.0/8:*", "[::1]:*"}
	if d.Notify != "" {
		networks = append(networks, "10.0.0.0/8:*", "172.16.0.0/12:*", "192.168.0.0/16:*", "[fc00::/7]:*")
	}
	return networks
}

func (d devCmd) checkNotify() error {
	if d.Notify == "" {
		return nil
	}
	if err := notify.CheckTarget(d.Notify, d.networks()); err != nil {
		return fmt.Errorf("--notify: %w", err)
	}
	return nil
}

// config is what `dev` runs the service with: safe for one machine, never for production.
func (d devCmd) config(io *Streams, databaseURL string) (config, error) {
	// The addresses are the listeners' own. All else is as `server run` has it, but for what is said here.
	c, err := loadConfig([]string{"DATABASE_URL=" + databaseURL, "SECRET_KEYSET=" + demoKeyset(io.Environ).Reveal(), "PUBLIC_URL=http://localhost"})
	if err != nil {
		return c, err
	}
	c.PublicURL, c.ListenAddr, c.AdminAddr, c.LogLevel = "", "", "", ""
	c.DrainDelay = 0 // there is no balancer
	c.RequestLog = true
	c.ShutdownTimeout, c.CallbackRate = 5*time.Second, 1000
	c.VisibilityDelay = 5 * time.Second // the simulators show an order at once; nobody wants to wait for a provider's minutes
	if t := lookup(io.Environ, "VISIBILITY_DELAY"); t != "" {
		if c.VisibilityDelay, err = time.ParseDuration(t); err != nil || c.VisibilityDelay <= 0 {
			return c, fmt.Errorf("VISIBILITY_DELAY is not a valid duration, such as 5s")
		}
	}
	if t := lookup(io.Environ, "PROVIDER_TIMEOUT"); t != "" {
		timeout, err := time.ParseDuration(t)
		if err != nil {
			return c, fmt.Errorf("PROVIDER_TIMEOUT is not a valid duration, such as 30s")
		}
		c.ProviderTimeout = timeout
	}
	if p := lookup(io.Environ, "CALLBACK_POLICY"); p != "" {
		c.CallbackPolicy = p
	}
	if problems := c.check(nil); len(problems) > 0 {
		return c, errors.New(strings.Join(problems, "; "))
	}
	return c, nil
}

func demoKeyset(environ []string) gateway.Secret {
	if k := lookup(environ, "SECRET_KEYSET"); k != "" {
		return gateway.Secret(k)
	}
	return secrets.DemoKeyset
}

// announce says that everything is ready, and what to try.
func (d devCmd) announce(out io.Writer, r Ready) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// Operators' commands find a running `dev` by this file.
	if err := os.WriteFile(readyFile(d.Data), line, 0o600); err != nil {
		return fmt.Errorf("write down where everything is: %w", err)
	}
	if d.JSON {
		_, err = fmt.Fprintf(out, "%s\n", line)
		return err
	}
	_, err = fmt.Fprintf(out, `payrelay is ready. Three things to try:

1. Create a payment, then open next_action.url in a browser and pay with card 4003 8301 7187 4018:

curl -sS %[1]s/v1/payments -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{
  "reference": "order-%[3]d", "amount": 1000, "currency": "EUR", "description": "Blue socks",
  "customer": {"first_name": "John", "last_name": "Doe", "email": "john@example.com", "phone": "+442079460612", "ip": "127.0.0.1",
    "address": {"line": "10 Downing Street", "city": "London", "postal_code": "SW1A 2AA", "country": "GB"}}}'

2. Read the documentation:  %[1]s/docs
3. Watch the demo shop:     %[4]s

The shop's key:          %[2]s
Its webhook secret:      %[7]s
Its notifications go to: %[8]s   (--notify URL sends them to your own endpoint)

The provider simulator: %[5]s   Metrics: %[6]s/metrics   Stop with Ctrl-C.
`, r.API, r.ShopKey, time.Now().Unix(), r.ShopPage, r.Sandbox, r.Admin, r.WebhookSecret, r.NotificationURL)
	return err
}

// seedURLs is what the demo data points at.
type seedURLs struct {
	smartcore, uapay, notifications string
	networks                        []string
}

// seed makes the demo shop and accounts, or points those of an earlier run at this run's addresses.
func seed(ctx context.Context, st *store.Store, u seedURLs) (webhookSecret string, err error) {
	secret, err := st.EnsureDemoShop(ctx, store.DemoShop{
		Name: demoShop, Key: shop.DemoKey, NotificationURL: u.notifications, AllowCIDRs: u.networks,
	})
	if err != nil {
		return "", fmt.Errorf("make the demo shop: %w", err)
	}
	smartcore := map[string]string{
		"pci_url": u.smartcore + "/smartcore/pci", "gateway_url": u.smartcore + "/smartcore/gateway", "reporting_url": u.smartcore + "/smartcore/reporting",
	}
	for name, purpose := range map[string]payment.Purpose{"EUR-sandbox": payment.PurposePayments, "EUR-sandbox-payout": payment.PurposePayouts} {
		err := st.EnsureDemoAccount(ctx, store.NewAccount{
			Name: name, Provider: "smartcore", Currency: money.Currency("EUR"), Purpose: purpose, Settings: smartcore, Shops: []string{demoShop},
			Secrets: map[string]gateway.Secret{"merchant_key": demoMerchantKey, "secret": demoSecret},
		})
		if err != nil {
			return "", fmt.Errorf("make the account %s: %w", name, err)
		}
	}
	// UAPAY's simulator knows this client, and its key as text.
	for name, purpose := range map[string]payment.Purpose{"UAH-sandbox": payment.PurposePayments, "UAH-sandbox-p2p": payment.PurposePayouts} {
		err := st.EnsureDemoAccount(ctx, store.NewAccount{
			Name: name, Provider: "uapay", Currency: money.Currency("UAH"), Purpose: purpose, Shops: []string{demoShop},
			Settings: map[string]string{"client_id": demoClientID, "api_url": u.uapay + "/uapay"},
			Secrets:  map[string]gateway.Secret{"secret": demoUAPAYKey},
		})
		if err != nil {
			return "", fmt.Errorf("make the account %s: %w", name, err)
		}
	}
	return secret, nil
}

// dialable is reachable for programs on this machine: a listener on every address answers on the loopback one.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			return net.JoinHostPort("127.0.0.1", port)
		}
	}
	return addr
}
