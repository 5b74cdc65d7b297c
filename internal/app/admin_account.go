package app

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type accountCmd struct {
	Create accountCreateCmd `cmd:"" help:"Add an account at a provider. Its secrets come from files, never from arguments."`
	List   accountListCmd   `cmd:"" help:"List accounts."`
	Set    accountSetCmd    `cmd:"" help:"Change an account's secrets or settings, or let another shop use it."`
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
	PartialCapture     string   `name:"partial-capture" placeholder:"yes|no" help:"Whether a part of a hold can be captured; yes if not given. Say no for an installation that takes all of it whatever it is asked for, or shows no sum afterwards."`
	Shop               []string `sep:"none" placeholder:"NAME" help:"A shop that may use it. May be given several times."`
	JSON               bool     `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountCreateCmd) Run(ctx context.Context, io *Streams) error {
	currency, err := money.ParseCurrency(c.Currency)
	if err != nil {
		return fmt.Errorf("--currency %w", err)
	}
	secret, err := secretFile(c.SecretFile)
	if err != nil {
		return fmt.Errorf("--secret-file: %w", err)
	}
	a := store.NewAccount{
		Name: c.Name, Provider: c.Provider, Currency: currency, Purpose: payment.Purpose(c.For), Shops: c.Shop,
		Settings: map[string]string{}, Secrets: map[string]gateway.Secret{"secret": secret},
	}
	for name, v := range map[string]string{"pci_url": c.PciURL, "gateway_url": c.GatewayURL, "reporting_url": c.ReportingURL, "client_id": c.ClientID, "api_url": c.APIURL, "direct_engine": c.DirectEngine, "partial_capture": c.PartialCapture} {
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
	fmt.Fprintf(io.Out, "Account %s is added. Its callbacks come to PUBLIC_URL%s\n", created.Name, path)
	return nil
}

type accountSetCmd struct {
	Name               string   `arg:"" help:"The account."`
	MerchantKey        string   `help:"SmartCore: the MerchantKey."`
	SecretFile         string   `type:"path" help:"A file that holds the account's new secret."`
	CallbackSecretFile string   `type:"path" help:"SmartCore: a file that holds the secret that callbacks are signed with from now on."`
	PartialCapture     string   `name:"partial-capture" placeholder:"yes|no" help:"Whether a part of a hold can be captured from now on."`
	Shop               []string `sep:"none" placeholder:"NAME" help:"A shop that may use it, too. May be given several times."`
}

// Run implements the command. The service takes the new secrets and settings with its next call.
func (c accountSetCmd) Run(ctx context.Context, io *Streams) error {
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
	settings := map[string]string{}
	if c.PartialCapture != "" {
		settings["partial_capture"] = c.PartialCapture
	}
	if len(changed)+len(settings) == 0 && len(c.Shop) == 0 {
		return fmt.Errorf("nothing to change: give --secret-file, --callback-secret-file, --merchant-key, --partial-capture or --shop")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.SetAccount(ctx, c.Name, settings, changed, c.Shop, func(a payment.Account) error {
		return checkAccount(store.NewAccount{Name: a.Name, Provider: a.Provider, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets})
	}); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "Account %s is changed. Running services use it so from their next call on.\n", c.Name)
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
func (c accountListCmd) Run(ctx context.Context, io *Streams) error {
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
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPROVIDER\tCURRENCY\tFOR\tCREATED")
	for _, a := range accounts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Provider, a.Currency, a.Purpose, a.CreatedAt.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}
