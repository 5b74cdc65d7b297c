package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	Create        accountCreateCmd   `cmd:"" help:"Add an account at a provider. Its secrets come from files, never from arguments."`
	List          accountListCmd     `cmd:"" help:"List accounts."`
	Show          accountShowCmd     `cmd:"" help:"Show an account with each of its settings."`
	Set           accountSetCmd      `cmd:"" help:"Change an account's settings: 'server account set NAME KEY=VALUE …'."`
	Link          accountLinkCmd     `cmd:"" help:"Let a shop use an account, or change the account's place in the shop's routing."`
	Unlink        accountUnlinkCmd   `cmd:"" help:"Take an account from a shop. Its orders there go on; new ones cannot be made."`
	Secret        accountSecretCmd   `cmd:"" help:"An account's secrets at its provider."`
	CallbackToken accountTokenCmd    `cmd:"" name:"callback-token" help:"Where an account's callbacks come to."`
	Withhold      accountWithholdCmd `cmd:"" help:"Leave out of what an account does what its contract leaves out. Orders that need it are refused before anything is stored."`
	Allow         accountAllowCmd    `cmd:"" help:"Take in again what was withheld."`
	Test          accountTestCmd     `cmd:"" help:"Check an account's hosts, and ask the provider whether it takes the secrets. No money moves."`
	Disable       accountDisableCmd  `cmd:"" help:"Let an account begin nothing new, or switch it off."`
	Enable        accountEnableCmd   `cmd:"" help:"Switch an account on again."`
	Close         accountCloseCmd    `cmd:"" help:"End an account for good, when nothing is open there. Callbacks and status polls of its orders are still taken."`
}

type accountCreateCmd struct {
	Name        string   `arg:"" help:"Its name here, which never changes. What the provider calls it is the setting provider_account."`
	Provider    string   `required:"" placeholder:"PROVIDER" help:"${providers}."`
	Currency    string   `required:"" placeholder:"CURRENCY" help:"The account's currency, such as EUR. ${currencies}."`
	For         string   `default:"any" enum:"any,payments,payouts" help:"What routing may pick it for: any, payments or payouts."`
	MerchantKey string   `placeholder:"VALUE" help:"smartcore: the MerchantKey itself, instead of its file."`
	Shop        []string `sep:"none" placeholder:"NAME" help:"A shop that may use it. May be given several times. New orders go to the first account of a shop, currency and purpose; later ones must be named, until 'account link' gives them a priority."`
	JSON        bool     `name:"json" help:"Print JSON."`
	accountFlags
	reasonFlag
}

// Run implements the command.
func (c accountCreateCmd) Run(ctx context.Context, io *Streams) error {
	if err := errors.Join(operatorText{"the name", c.Name}.check(), settingsText(c.settings())); err != nil {
		return err
	}
	currency, err := money.ParseCurrency(c.Currency)
	if err != nil {
		return fmt.Errorf("--currency %w", err)
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	if c.MerchantKey != "" {
		secrets["merchant_key"] = gateway.Secret(c.MerchantKey)
	}
	a := store.NewAccount{
		Name: c.Name, Provider: c.Provider, Currency: currency, Purpose: payment.Purpose(c.For), Shops: c.Shop, Settings: filled(c.settings()), Secrets: secrets,
	}
	if err := c.check(offlineDrivers(), a.Provider, gateway.Account{Name: a.Name, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets}); err != nil {
		return err
	}
	if err := checkHosts(io, a.Provider, a.Settings); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	created, err := db.store.CreateAccount(ctx, a)
	if err != nil {
		return err
	}
	links, err := linksOf(ctx, db.store, created.Name)
	if err != nil {
		return err
	}
	path := "/callbacks/" + created.Provider + "/" + created.CallbackToken.Reveal()
	if c.JSON {
		return printJSON(io, map[string]any{"id": created.ID, "name": created.Name, "provider": created.Provider, "currency": created.Currency, "callback_path": path, "shops": linksJSON(links)})
	}
	fmt.Fprintf(io.Out, "Account %s is added. Its callbacks come to PUBLIC_URL%s\n", created.Name, path)
	for _, l := range links {
		printLink(io, l)
	}
	return nil
}

// filled leaves out what is empty.
func filled(settings map[string]string) map[string]string {
	maps.DeleteFunc(settings, func(_, v string) bool { return v == "" })
	return settings
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
	links, err := db.store.Links(ctx)
	if err != nil {
		return err
	}
	limits, err := db.store.Limits(ctx)
	if err != nil {
		return err
	}
	tests, err := db.store.AccountTests(ctx)
	if err != nil {
		return err
	}
	health, err := db.store.AccountsHealth(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		rows := []map[string]any{}
		for _, a := range accounts {
			rows = append(rows, accountView{a, ofAccount(links, a.Name), limitsOf(limits, a.Name), tests, health[a.ID].Health}.json())
		}
		return printJSON(io, rows)
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPROVIDER\tCURRENCY\tFOR\tMODE\tHEALTH\tSHOPS\tLAST TEST\tCREATED")
	for _, a := range accounts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Provider, a.Currency, a.Purpose, a.Mode, healthText(health[a.ID].Health), linksText(ofAccount(links, a.Name)), testText(tests, a.Name), a.CreatedAt.UTC().Format(time.RFC3339))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, a := range accounts {
		if _, err := infoOf(a); err != nil {
			fmt.Fprintf(io.Out, "Account %s cannot be used: %v\n", a.Name, err)
		}
	}
	return nil
}
