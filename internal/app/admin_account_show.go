package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type accountShowCmd struct {
	Name string `arg:"" help:"The account."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountShowCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	v, err := viewAccount(ctx, db.store, c.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, v.json())
	}
	return v.print(io)
}

// accountView is an account with what commands show beside it.
type accountView struct {
	payment.Account
	links  []store.Link
	limits []store.NamedLimit
	tests  map[string]store.AccountTest
	health payment.Health
}

func viewAccount(ctx context.Context, s *store.Store, name string) (v accountView, err error) {
	if v.Account, err = accountNamed(ctx, s, name); err != nil {
		return v, err
	}
	if v.links, err = linksOf(ctx, s, name); err != nil {
		return v, err
	}
	limits, err := s.Limits(ctx)
	if err != nil {
		return v, err
	}
	v.limits = limitsOf(limits, name)
	if v.tests, err = s.AccountTests(ctx); err != nil {
		return v, err
	}
	health, err := s.AccountsHealth(ctx)
	v.health = health[v.ID].Health
	return v, err
}

// healthText says for people how an account does.
func healthText(h payment.Health) string {
	if !h.Demoted {
		return "-"
	}
	return fmt.Sprintf("unhealthy since %s (%d of %d calls failed)", h.ChangedAt.Format(time.RFC3339), h.Failed, h.Calls)
}

// healthJSON is healthText for programs, nil for an account that does well.
func healthJSON(h payment.Health) any {
	if !h.Demoted {
		return nil
	}
	return map[string]any{"since": h.ChangedAt, "calls": h.Calls, "failed": h.Failed}
}

// limitsOf are the limits of an account among all.
func limitsOf(limits []store.NamedLimit, account string) []store.NamedLimit {
	return slices.DeleteFunc(slices.Clone(limits), func(l store.NamedLimit) bool { return l.Scope != payment.LimitAccount || l.Name != account })
}

// json is the account as commands print it. What cannot be opened any more has no capabilities, and says why.
func (v accountView) json() map[string]any {
	row := map[string]any{
		"id": v.ID, "name": v.Name, "provider": v.Provider, "currency": v.Currency, "for": v.Purpose, "mode": v.Mode, "version": v.Version,
		"settings": v.Settings, "shops": linksJSON(v.links), "limits": limitRows(v.limits), "last_test": nil, "unhealthy": healthJSON(v.health), "created_at": v.CreatedAt,
	}
	if t, tested := v.tests[v.Name]; tested {
		row["last_test"] = t
	}
	info, err := infoOf(v.Account)
	row["capabilities"], row["capabilities_off"] = orEmpty(info.Capabilities), orEmpty(info.Off)
	if err != nil {
		row["problem"] = err.Error()
	}
	return row
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// print is the account for people.
func (v accountView) print(io *Streams) error {
	d, err := offlineDrivers().Driver(v.Provider)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"name", v.Name},
		{"provider", v.Provider},
		{"currency", string(v.Currency)},
		{"for", string(v.Purpose)},
		{"mode", string(v.Mode)},
		{"health", healthText(v.health)},
		{"version", fmt.Sprint(v.Version)},
		{"shops", orNone(linksText(v.links))},
		{"secrets", orNone(strings.Join(slices.Sorted(maps.Keys(v.Secrets)), ", "))},
		{"staged secrets", orNone(strings.Join(slices.Sorted(maps.Keys(v.Staged)), ", "))},
		{"last test", testText(v.tests, v.Name)},
		{"created", v.CreatedAt.UTC().Format(time.RFC3339)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	fmt.Fprintln(w, "\nSETTING\tVALUE\tMEANING")
	for _, s := range d.Describe().Settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, settingText(v.Account, s), s.Help)
	}
	info, err := infoOf(v.Account)
	if err != nil {
		fmt.Fprintf(w, "\nIt cannot be opened: %v\n", err)
		return w.Flush()
	}
	fmt.Fprintln(w, "\nCAPABILITY\tON\tREASON")
	for _, name := range info.Capabilities {
		fmt.Fprintf(w, "%s\tyes\t\n", name)
	}
	for _, off := range info.Off {
		fmt.Fprintf(w, "%s\tno\t%s\n", off.Capability, off.Reason)
	}
	if len(v.limits) > 0 {
		fmt.Fprintln(w, "\nLIMIT\tKIND\tCURRENCY\tAMOUNT\tORDERS\tMODE")
	}
	for _, r := range limitRows(v.limits) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Rule, r.Kind, orNone(string(r.Currency)), orAnyNumber(r.Amount), orAnyNumber(r.Orders), r.Mode)
	}
	return w.Flush()
}

// testText is the last test of an account in a few words.
func testText(tests map[string]store.AccountTest, name string) string {
	t, tested := tests[name]
	if !tested {
		return "never"
	}
	return map[bool]string{true: "passed ", false: "did not pass "}[t.Passed] + t.At.Format(time.RFC3339)
}

// settingText is what an account's setting is, and whether the account has it from the provider.
func settingText(a payment.Account, s gateway.Setting) string {
	switch value := a.Settings[s.Name]; {
	case value != "":
		return value
	case s.Default != "":
		return s.Default + " (the provider's)"
	}
	return "none"
}

// accountNamed finds an account for a command.
func accountNamed(ctx context.Context, s *store.Store, name string) (payment.Account, error) {
	accounts, err := s.Accounts(ctx)
	if err != nil {
		return payment.Account{}, err
	}
	for _, a := range accounts {
		if a.Name == name {
			return a, a.Unusable
		}
	}
	return payment.Account{}, fmt.Errorf("there is no account named %q. 'server account list' shows all", name)
}
