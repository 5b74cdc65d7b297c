package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"payrelay/internal/card/detect"
	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/routing"
	"payrelay/internal/store"
)

type accountSetCmd struct {
	Name          string   `arg:"" help:"The account."`
	Settings      []string `arg:"" name:"key=value" help:"A setting and its new value, such as partial_capture=no. Without a value the setting has the provider's again. ${settings}."`
	ExpectVersion int64    `placeholder:"N" help:"Change nothing if the account has another version than this one by now. 'server account show' says which it has."`
	JSON          bool     `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command. The service takes what was changed with its next call.
func (c accountSetCmd) Run(ctx context.Context, io *Streams) error {
	given, err := c.given()
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	a, err := db.store.SetAccount(ctx, c.Name, store.AccountChange{Settings: given, Expect: c.ExpectVersion, Moves: movesCalls}, func(a payment.Account) error {
		if err := errors.Join(checkSettings(a.Provider, slices.Sorted(maps.Keys(given))), checkHosts(io, a.Provider, given)); err != nil {
			return fmt.Errorf("%w. Nothing was changed", err)
		}
		_, err := openOffline(a)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"name": a.Name, "version": a.Version, "settings": a.Settings, "moved": a.Moved, "open": orEmpty(a.Open)})
	}
	fmt.Fprintf(io.Out, "Account %s is changed, and at version %d. Running services use it so from their next call on, for the orders that are there, too.\n", a.Name, a.Version)
	printMoved(io, a)
	return nil
}

// movesCalls reports whether an account's calls go to another installation of its provider after a change, or as another merchant.
func movesCalls(before, after payment.Account) bool {
	d, err := offlineDrivers().Driver(after.Provider)
	return err == nil && d.Describe().Moves(gatewayAccount(before), gatewayAccount(after))
}

// printMoved says what becomes of the orders that were open when an account's calls began to go elsewhere.
func printMoved(io *Streams, a store.AccountSet) {
	switch {
	case !a.Moved:
	case len(a.Open) == 0:
		fmt.Fprintln(io.Out, "Its calls go elsewhere now. No order was open there.")
	default:
		fmt.Fprintf(io.Out, "Its calls go elsewhere now. Open there: %s. If the provider does not know one of them where it is asked now, that proves nothing: it stays unknown, and 'server order resolve' settles it.\n", strings.Join(a.Open, ", "))
	}
}

// given reads the settings of the command line.
func (c accountSetCmd) given() (map[string]string, error) {
	if c.ExpectVersion < 0 {
		return nil, errors.New("--expect-version counts from 1 on")
	}
	given := map[string]string{}
	for _, text := range c.Settings {
		key, value, ok := strings.Cut(text, "=")
		if _, twice := given[key]; twice {
			return nil, fmt.Errorf("%s is given twice. Nothing was changed", key)
		}
		if !ok {
			return nil, fmt.Errorf("%q has no value: write KEY=VALUE, such as partial_capture=no, or KEY= for the provider's own. Nothing was changed", text)
		}
		given[key] = value
	}
	return given, settingsText(given)
}

// settingsText refuses settings that must not be kept, or that could not be printed as they are. Of an id of digits,
// such as client_id, that is one of 13 digits or more with the prefix and check digit of a card.
func settingsText(given map[string]string) error {
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		setting := operatorText{"the setting " + strconv.Quote(key), given[key]}
		wrong = append(wrong, setting.checkControls())
		if detect.Judge(setting.text) != detect.Clean {
			wrong = append(wrong, fmt.Errorf("%s may be a card number, which must not be kept: copy it once more from the provider's cabinet. If that shows it, ask the provider for another. Nothing was changed", setting.flag))
		}
	}
	return errors.Join(wrong...)
}

// checkSettings refuses what an account at a provider cannot be set to.
func checkSettings(provider string, keys []string) error {
	d, err := offlineDrivers().Driver(provider)
	if err != nil {
		return err
	}
	described := d.Describe()
	var wrong []error
	for _, key := range keys {
		switch {
		case slices.ContainsFunc(described.Settings, func(s gateway.Setting) bool { return s.Name == key }):
		case slices.ContainsFunc(described.Secrets, func(s gateway.Setting) bool { return s.Name == key }):
			f := accountFlag{name: key, secret: true}
			wrong = append(wrong, fmt.Errorf("%s is a secret: 'server account secret stage' changes it with --%s", key, f.flag()))
		default:
			wrong = append(wrong, fmt.Errorf("%q is no setting of an account at %s%s. 'server account show' lists all", key, provider, meant(key, settingNames(described))))
		}
	}
	return errors.Join(wrong...)
}

func settingNames(d gateway.Description) []string {
	names := make([]string, len(d.Settings))
	for i, s := range d.Settings {
		names[i] = s.Name
	}
	return names
}

// checkHosts refuses addresses that PROVIDER_HOSTS lets no call go to.
func checkHosts(io *Streams, provider string, given map[string]string) error {
	c, err := commandConfig(io)
	if err != nil {
		return err
	}
	d, err := offlineDrivers().Driver(provider)
	if err != nil {
		return err
	}
	calls := c.callsOf(provider)
	var wrong []error
	for _, s := range d.Describe().Settings {
		if address := given[s.Name]; s.Host && address != "" && !calls.Allows(address) {
			wrong = append(wrong, fmt.Errorf("%s: PROVIDER_HOSTS does not name the host of %s, so no call goes there. Name it in the service's environment, and in this command's", s.Name, address))
		}
	}
	return errors.Join(wrong...)
}

// openOffline opens an account as the service will, and calls nobody.
func openOffline(a payment.Account) (gateway.Gateway, error) {
	d, err := offlineDrivers().Driver(a.Provider)
	if err != nil {
		return nil, err
	}
	return d.Open(gatewayAccount(a))
}

func gatewayAccount(a payment.Account) gateway.Account {
	return gateway.Account{ID: a.ID.String(), Name: a.Name, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets}
}

// meant asks about the known word that is most like one, if any is.
func meant(word string, known []string) string {
	if near := routing.Nearest(word, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
