package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
	"payrelay/internal/worker"
	"payrelay/migrations"

	"github.com/rs/zerolog"

	httpapi "payrelay/internal/http"
)

// database is what operators' commands need. DATABASE_URL and SECRET_KEYSET come from the environment, or from the
// `dev` that runs in this folder.
type database struct {
	store *store.Store
	clock *store.Clock // the service's, whatever time it is on the operator's machine
	demo  bool
	close func()
}

func databaseURL(io *streams) (url string, dev bool, err error) {
	vars := map[string]string{}
	for _, name := range []string{"DATABASE_URL", "DATABASE_URL_FILE", "SECRET_KEYSET", "SECRET_KEYSET_FILE"} {
		vars[name] = lookup(io.environ, name)
	}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return "", false, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	if vars["DATABASE_URL"] != "" {
		return vars["DATABASE_URL"], false, nil
	}
	var running ready
	if text, err := os.ReadFile(filepath.Join(".payrelay", "dev.json")); err == nil && json.Unmarshal(text, &running) == nil && running.DatabaseURL != "" {
		return running.DatabaseURL, true, nil
	}
	return "", false, fmt.Errorf("DATABASE_URL is not set, and no 'server dev' runs in this folder: set it to the database of the service")
}

func openDatabase(ctx context.Context, io *streams) (*database, error) {
	url, _, err := databaseURL(io)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{"SECRET_KEYSET": lookup(io.environ, "SECRET_KEYSET"), "SECRET_KEYSET_FILE": lookup(io.environ, "SECRET_KEYSET_FILE")}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	pool, err := openPool(ctx, config{DatabaseURL: gateway.Secret(url), DatabasePool: 2})
	if err != nil {
		return nil, err
	}
	keyset, demo := gateway.Secret(vars["SECRET_KEYSET"]), false
	if keyset == "" {
		// Only a database that `dev` made opens with the well-known keyset.
		if demo, err = store.New(pool, store.Options{}).HasDemoKey(ctx); err != nil || !demo {
			pool.Close()
			if err != nil {
				return nil, fmt.Errorf("read the database: %w", err)
			}
			return nil, fmt.Errorf("SECRET_KEYSET is not set: set it to the keyset of the service, or make one with 'server keyset new'")
		}
		keyset = secrets.DemoKeyset
	}
	box, err := openBox(keyset, true)
	if err != nil {
		pool.Close()
		return nil, err
	}
	queue, err := worker.NewQueue(zerolog.Nop())
	if err != nil {
		pool.Close()
		return nil, err
	}
	clock, err := store.NewClock(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	st := store.New(pool, store.Options{Box: box, Jobs: queue, Render: httpapi.RenderNotification, Now: clock.Now})
	return &database{st, clock, demo, pool.Close}, nil
}

type keysetCmd struct {
	New keysetNewCmd `cmd:"" help:"Print a new keyset for SECRET_KEYSET."`
}

type keysetNewCmd struct{}

// Run implements the command.
func (keysetNewCmd) Run(io *streams) error {
	keyset, err := secrets.NewKeyset()
	if err != nil {
		return fmt.Errorf("make a keyset: %w", err)
	}
	fmt.Fprintln(io.out, keyset)
	fmt.Fprintln(io.err, "Keep it where only the service can read it. Without it no stored secret can be read again.")
	return nil
}

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the database to the newest schema."`
	Status migrateStatusCmd `cmd:"" help:"List migrations and when they ran."`
}

type migrateUpCmd struct{}

// Run implements the command.
func (migrateUpCmd) Run(ctx context.Context, io *streams) error {
	url, err := migrateURL(io)
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	fmt.Fprintln(io.out, "The database has the newest schema.")
	return nil
}

type migrateStatusCmd struct{}

// Run implements the command.
func (migrateStatusCmd) Run(ctx context.Context, io *streams) error {
	url, err := migrateURL(io)
	if err != nil {
		return err
	}
	list, err := migrations.List(ctx, url)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	for _, m := range list {
		when := "pending"
		if !m.AppliedAt.IsZero() {
			when = m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, when)
	}
	return w.Flush()
}

// migrateURL prefers the direct connection where there is one.
func migrateURL(io *streams) (string, error) {
	vars := map[string]string{"MIGRATE_DATABASE_URL": lookup(io.environ, "MIGRATE_DATABASE_URL"), "MIGRATE_DATABASE_URL_FILE": lookup(io.environ, "MIGRATE_DATABASE_URL_FILE")}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return "", fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	if vars["MIGRATE_DATABASE_URL"] != "" {
		return vars["MIGRATE_DATABASE_URL"], nil
	}
	url, _, err := databaseURL(io)
	return url, err
}

type shopCmd struct {
	Create    shopCreateCmd `cmd:"" help:"Make a shop. Its key and webhook secret are printed once."`
	List      shopListCmd   `cmd:"" help:"List shops."`
	Set       shopSetCmd    `cmd:"" help:"Change where a shop's notifications go, or switch them on again."`
	RotateKey shopRotateCmd `cmd:"" help:"Give a shop a new key; its old keys stop working at once."`
}

type shopCreateCmd struct {
	Name            string   `arg:"" help:"A name of letters, digits, dots, underscores and hyphens."`
	NotificationURL string   `name:"notification-url" placeholder:"URL" help:"Where notifications go unless an order says otherwise."`
	AllowCIDR       []string `name:"allow-cidr" placeholder:"CIDR" sep:"none" help:"An internal network that notifications may go to. May be given several times."`
	Scope           []string `enum:"payments,refunds,payouts,reports,read" placeholder:"SCOPE" sep:"none" help:"What the key may do: payments, refunds, payouts, reports, read. May be given several times; all without it."`
	JSON            bool     `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c shopCreateCmd) Run(ctx context.Context, io *streams) error {
	scopes := make([]shop.Scope, 0, len(shop.Scopes))
	for _, s := range c.Scope {
		scopes = append(scopes, shop.Scope(s))
	}
	if len(scopes) == 0 {
		scopes = shop.Scopes
	}
	if err := checkCIDRs(c.AllowCIDR); err != nil {
		return err
	}
	if c.NotificationURL != "" {
		if err := httpapi.CheckURL(c.NotificationURL, c.AllowCIDR); err != nil {
			return fmt.Errorf("--notification-url: %w", err)
		}
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	key, secret := shop.NewKey(), shop.NewWebhookSecret()
	created, err := db.store.CreateShop(ctx, store.NewShop{
		Name: c.Name, NotificationURL: c.NotificationURL, AllowCIDRs: c.AllowCIDR, Scopes: scopes, Key: key, WebhookSecret: gateway.Secret(secret),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"id": created.ID, "name": created.Name, "key": key, "webhook_secret": secret, "scopes": scopes})
	}
	fmt.Fprintf(io.out, "Shop %s is made. These are shown once:\n\nkey:            %s\nwebhook secret: %s\n", created.Name, key, secret)
	return nil
}

type shopListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c shopListCmd) Run(ctx context.Context, io *streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	shops, err := db.store.Shops(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		type row struct {
			ID               string     `json:"id"`
			Name             string     `json:"name"`
			NotificationURL  string     `json:"notification_url"`
			AllowCIDRs       []string   `json:"allow_cidrs"`
			NotificationsOff *time.Time `json:"notifications_off_at"`
			CreatedAt        time.Time  `json:"created_at"`
		}
		rows := []row{}
		for _, s := range shops {
			rows = append(rows, row{s.ID.String(), s.Name, s.NotificationURL, s.AllowCIDRs, s.NotificationsOffAt, s.CreatedAt})
		}
		return printJSON(io, rows)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tNOTIFICATIONS\tCREATED")
	for _, s := range shops {
		to := s.NotificationURL
		switch {
		case s.NotificationsOffAt != nil:
			to += " (switched off: it answered 410)"
		case to == "":
			to = "none"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, to, s.CreatedAt.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}

type shopSetCmd struct {
	Name            string   `arg:"" help:"The shop."`
	NotificationURL string   `name:"notification-url" placeholder:"URL" help:"Where notifications go from now on, unless an order says otherwise."`
	AllowCIDR       []string `name:"allow-cidr" placeholder:"CIDR" sep:"none" help:"An internal network that notifications may go to, in place of those from before. May be given several times."`
	Resume          bool     `name:"resume" help:"Send notifications again after an answer of 410 switched them off. The other options do so, too."`
}

// Run implements the command.
func (c shopSetCmd) Run(ctx context.Context, io *streams) error {
	if c.NotificationURL == "" && len(c.AllowCIDR) == 0 && !c.Resume {
		return fmt.Errorf("nothing to change: give --notification-url, --allow-cidr or --resume")
	}
	if err := checkCIDRs(c.AllowCIDR); err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	now, err := db.store.ShopByName(ctx, c.Name)
	if err != nil {
		return err
	}
	if len(c.AllowCIDR) > 0 {
		now.AllowCIDRs = c.AllowCIDR
	}
	if c.NotificationURL != "" {
		now.NotificationURL = c.NotificationURL
	}
	if now.NotificationURL != "" {
		if err := httpapi.CheckURL(now.NotificationURL, now.AllowCIDRs); err != nil {
			return fmt.Errorf("the notification URL: %w. Nothing was changed", err)
		}
	}
	if err := db.store.SetNotificationURL(ctx, c.Name, now.NotificationURL, now.AllowCIDRs); err != nil {
		return err
	}
	to := now.NotificationURL
	if to == "" {
		to = "the address that an order names, if it names one"
	}
	fmt.Fprintf(io.out, "Notifications of %s go to %s from now on. What an order's shop missed is sent again by 'server order resend'.\n", c.Name, to)
	return nil
}

func checkCIDRs(cidrs []string) error {
	for _, cidr := range cidrs {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			return fmt.Errorf("--allow-cidr %q is not a network such as 10.0.0.0/8", cidr)
		}
	}
	return nil
}

type shopRotateCmd struct {
	Name string `arg:"" help:"The shop."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c shopRotateCmd) Run(ctx context.Context, io *streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	key := shop.NewKey()
	if err := db.store.RotateKey(ctx, c.Name, key); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"name": c.Name, "key": key})
	}
	fmt.Fprintf(io.out, "The old keys of %s do not work any more. The new one is shown once:\n\nkey: %s\n", c.Name, key)
	return nil
}

type accountCmd struct {
	Create accountCreateCmd `cmd:"" help:"Add an account at a provider. Its secrets come from files, never from arguments."`
	List   accountListCmd   `cmd:"" help:"List accounts."`
	Set    accountSetCmd    `cmd:"" help:"Change an account's secrets, or let another shop use it."`
}

type accountCreateCmd struct {
	Name               string   `arg:"" help:"The account's name, as the provider knows it."`
	Provider           string   `required:"" help:"smartcore or uapay."`
	Currency           string   `required:"" help:"The account's currency, such as EUR."`
	For                string   `default:"any" enum:"any,payments,payouts" help:"What routing may pick it for: any, payments or payouts."`
	MerchantKey        string   `help:"SmartCore: the MerchantKey."`
	SecretFile         string   `required:"" type:"path" help:"A file that holds the account's secret."`
	CallbackSecretFile string   `type:"path" help:"SmartCore: a file that holds the secret that callbacks are signed with, if it is another."`
	PciURL             string   `name:"pci-url" help:"SmartCore: base address of calls with card data."`
	GatewayURL         string   `name:"gateway-url" help:"SmartCore: base address of other calls."`
	ReportingURL       string   `name:"reporting-url" help:"SmartCore: base address of statements."`
	ClientID           string   `name:"client-id" help:"UAPAY: the clientId."`
	APIURL             string   `name:"api-url" help:"UAPAY: the API's host, without /api."`
	DirectEngine       string   `name:"direct-engine" help:"UAPAY: who takes direct payments: invoice (cards that UAPAY keeps) or c2a (card numbers too)."`
	Shop               []string `sep:"none" placeholder:"NAME" help:"A shop that may use it. May be given several times."`
	JSON               bool     `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountCreateCmd) Run(ctx context.Context, io *streams) error {
	currency, err := money.ParseCurrency(c.Currency)
	if err != nil {
		return fmt.Errorf("--currency: %w", err)
	}
	secret, err := secretFile(c.SecretFile)
	if err != nil {
		return fmt.Errorf("--secret-file: %w", err)
	}
	a := store.NewAccount{
		Name: c.Name, Provider: c.Provider, Currency: currency, Purpose: payment.Purpose(c.For), Shops: c.Shop,
		Settings: map[string]string{}, Secrets: map[string]gateway.Secret{"secret": secret},
	}
	for name, v := range map[string]string{"pci_url": c.PciURL, "gateway_url": c.GatewayURL, "reporting_url": c.ReportingURL, "client_id": c.ClientID, "api_url": c.APIURL, "direct_engine": c.DirectEngine} {
		if v != "" {
			a.Settings[name] = v
		}
	}
	if c.MerchantKey != "" {
		a.Secrets["merchant_key"] = gateway.Secret(c.MerchantKey)
	}
	if c.CallbackSecretFile != "" {
		if a.Secrets["callback_secret"], err = secretFile(c.CallbackSecretFile); err != nil {
			return fmt.Errorf("--callback-secret-file: %w", err)
		}
	}
	if err := checkAccount(a); err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	created, err := db.store.CreateAccount(ctx, a)
	if err != nil {
		return err
	}
	path := "/callbacks/" + created.Provider + "/" + created.CallbackToken.Reveal()
	if c.JSON {
		return printJSON(io, map[string]any{"id": created.ID, "name": created.Name, "provider": created.Provider, "currency": created.Currency, "callback_path": path})
	}
	fmt.Fprintf(io.out, "Account %s is added. Its callbacks come to PUBLIC_URL%s\n", created.Name, path)
	return nil
}

type accountSetCmd struct {
	Name               string   `arg:"" help:"The account."`
	MerchantKey        string   `help:"SmartCore: the MerchantKey."`
	SecretFile         string   `type:"path" help:"A file that holds the account's new secret."`
	CallbackSecretFile string   `type:"path" help:"SmartCore: a file that holds the secret that callbacks are signed with from now on."`
	Shop               []string `sep:"none" placeholder:"NAME" help:"A shop that may use it, too. May be given several times."`
}

// Run implements the command. The service takes the new secrets with its next call.
func (c accountSetCmd) Run(ctx context.Context, io *streams) error {
	changed := map[string]gateway.Secret{}
	if c.MerchantKey != "" {
		changed["merchant_key"] = gateway.Secret(c.MerchantKey)
	}
	for option, f := range map[string]struct{ secret, path string }{"secret-file": {"secret", c.SecretFile}, "callback-secret-file": {"callback_secret", c.CallbackSecretFile}} {
		if f.path == "" {
			continue
		}
		secret, err := secretFile(f.path)
		if err != nil {
			return fmt.Errorf("--%s: %w", option, err)
		}
		changed[f.secret] = secret
	}
	if len(changed) == 0 && len(c.Shop) == 0 {
		return fmt.Errorf("nothing to change: give --secret-file, --callback-secret-file, --merchant-key or --shop")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.SetAccount(ctx, c.Name, changed, c.Shop, func(a payment.Account) error {
		return checkAccount(store.NewAccount{Name: a.Name, Provider: a.Provider, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets})
	}); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "Account %s is changed. Running services use it so from their next call on.\n", c.Name)
	return nil
}

// checkAccount opens the account as the service will, so that a mistake shows now.
func checkAccount(a store.NewAccount) error {
	d, err := offlineDrivers().Driver(a.Provider)
	if err != nil {
		return fmt.Errorf("--provider: %w", err)
	}
	_, err = d.Open(gateway.Account{Name: a.Name, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets})
	return err
}

func secretFile(path string) (gateway.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return gateway.Secret(secret), nil
}

type accountListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountListCmd) Run(ctx context.Context, io *streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	accounts, err := db.store.Accounts(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		rows := []map[string]any{}
		for _, a := range accounts {
			rows = append(rows, map[string]any{"id": a.ID, "name": a.Name, "provider": a.Provider, "currency": a.Currency, "for": a.Purpose, "settings": a.Settings, "created_at": a.CreatedAt})
		}
		return printJSON(io, rows)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPROVIDER\tCURRENCY\tFOR\tCREATED")
	for _, a := range accounts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Provider, a.Currency, a.Purpose, a.CreatedAt.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}

func printJSON(io *streams, v any) error {
	e := json.NewEncoder(io.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
