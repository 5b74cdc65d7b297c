package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"text/tabwriter"

	"github.com/google/uuid"

	"payrelay/internal/bintable"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/routing"
	"payrelay/internal/store"
)

type routeTryCmd struct {
	Facts string `required:"" type:"existingfile" placeholder:"FILE" help:"The facts, as JSON: {\"currency\": \"EUR\", \"amount\": 1000}. 'server route explain --json' prints those of an order."`
	Shop  string `required:"" placeholder:"NAME" help:"The shop whose payment it is."`
	Set   int    `placeholder:"N" help:"This version of the rules; without it the active one."`
	All   bool   `help:"The version is one of the rules of all shops, not of the shop's own."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeTryCmd) Run(ctx context.Context, io *Streams) error {
	text, err := os.ReadFile(c.Facts)
	if err != nil {
		return fmt.Errorf("read the facts: %w", err)
	}
	facts, err := routing.ParseFacts(text)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	_, shop, err := namesAnd(ctx, db, c.Shop)
	if err != nil {
		return err
	}
	if err := db.store.LoadHealth(ctx); err != nil {
		return err
	}
	accounts, err := db.store.ShopAccounts(ctx, *shop)
	if err != nil {
		return err
	}
	set, rules, err := rulesOf(ctx, db, c.Shop, c.Set, c.All)
	if err != nil {
		return err
	}
	facts.Shop = c.Shop
	bins, err := binsFor(ctx, db, rules)
	if err != nil {
		return err
	}
	facts = rules.Located(facts, bins)
	purpose := payment.PurposePayments
	if facts.Kind == string(gateway.KindPayout) {
		purpose = payment.PurposePayouts
	}
	d := rules.Decide(facts, payment.Considered(accounts, money.Currency(facts.Currency), purpose))
	d.Set = set.ID.String()
	if c.JSON {
		return printJSON(io, d)
	}
	printDecision(io, d, set)
	return nil
}

// binsFor is the BIN table that rules ask for, nil if they do not.
func binsFor(ctx context.Context, db *database, rules *routing.Set) (*bintable.Table, error) {
	if !rules.AsksCardCountry() {
		return nil, nil //nolint:nilnil // a table without BINs
	}
	bins, err := usableBINs(ctx, db)
	return bins.Table, err
}

// rulesOf returns a version of a shop's rules, or of those of all shops. Version 0 is the active one that the shop's payments go by.
func rulesOf(ctx context.Context, db *database, shop string, version int, all bool) (store.RoutingSet, *routing.Set, error) {
	scope := shop
	if all {
		scope = ""
	}
	set, err := db.store.RoutingSet(ctx, scope, version)
	if version == 0 && !all && payment.CodeOf(err) == payment.CodeNotFound {
		set, err = db.store.RoutingSet(ctx, "", 0)
	}
	if err != nil {
		return set, nil, err
	}
	rules, problems := routing.Parse(set.Body)
	if rules == nil {
		return set, nil, fmt.Errorf("version %d for %s cannot be used: %s", set.Version, routeScope{set.Shop}, problems[0])
	}
	return set, rules, nil
}

func printDecision(io *Streams, d routing.Decision, set store.RoutingSet) {
	rule := "no rule fits, so the priorities of the accounts decide"
	if d.Rule != "" {
		rule = fmt.Sprintf("rule %q decides", d.Rule)
	}
	if d.Draw != "" {
		rule += ", its split is drawn by the " + d.Draw
	}
	fmt.Fprintf(io.Out, "By version %d for %s %s.\n", set.Version, routeScope{set.Shop}, rule)
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tWEIGHT\tTAKES IT")
	for _, c := range d.Candidates {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Account, orNoWeight(c.Weight), takesText(c))
	}
	_ = w.Flush()
	if len(d.Accounts()) == 0 {
		fmt.Fprintln(io.Out, "No account takes it: it is refused with no_route.")
	}
}

func takesText(c routing.Candidate) string {
	switch {
	case c.Trial:
		return "yes: to try an unhealthy account out"
	case c.Reason == routing.Unhealthy:
		return "last: " + string(c.Reason)
	case c.Reason != "":
		return "no: " + string(c.Reason)
	}
	return "yes"
}

func orNoWeight(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

type routeExplainCmd struct {
	orderName
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeExplainCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	o, _, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	ended, err := db.store.EndedAttempts(ctx, o.Key())
	if err != nil {
		return err
	}
	if o.Routing == nil {
		return c.unrouted(io, o, ended)
	}
	var d routing.Decision
	if err := json.Unmarshal(o.Routing, &d); err != nil {
		return fmt.Errorf("read the decision of order %s: %w", o.ID, err)
	}
	id, err := uuid.Parse(d.Set)
	if err != nil {
		return fmt.Errorf("read the decision of order %s: %w", o.ID, err)
	}
	set, err := db.store.RoutingSetByID(ctx, id)
	if err != nil {
		return err
	}
	same, err := reproduces(set, d, o.Erased)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"order": o.ID, "account": o.AccountName, "version": set.Version, "shop": set.Shop, "decision": d, "reproduced": same, "attempts": attemptsJSON(ended)})
	}
	printDecision(io, d, set)
	facts, err := json.Marshal(d.Facts)
	if err != nil {
		return err
	}
	if o.Erased {
		facts = []byte("erased with the order")
	}
	fmt.Fprintf(io.Out, "Facts: %s\n", facts)
	printEnded(io, o, ended)
	if same != nil && !*same {
		fmt.Fprintln(io.Out, "Decided once more from these facts, the rules choose otherwise: what is stored with the order was changed.")
	}
	return nil
}

// unrouted explains an order that no rule decided on.
func (c routeExplainCmd) unrouted(io *Streams, o *payment.Order, ended []payment.EndedAttempt) error {
	if c.JSON {
		return printJSON(io, map[string]any{"order": o.ID, "account": o.AccountName, "decision": nil, "attempts": attemptsJSON(ended)})
	}
	fmt.Fprintln(io.Out, "No routing rules decided on this order: the request named its account, or the priorities of the shop's accounts decided.")
	printEnded(io, o, ended)
	return nil
}

func printEnded(io *Streams, o *payment.Order, ended []payment.EndedAttempt) {
	for _, a := range ended {
		ended := "sent nothing"
		if a.Declined() {
			ended = "was declined"
		}
		fmt.Fprintf(io.Out, "Attempt %d at %s %s (%s), so the order went to the next account.\n", a.Number, a.AccountName, ended, cmp.Or(a.FailureCode, a.Reason))
	}
	fmt.Fprintf(io.Out, "The order is at %s.\n", o.AccountName)
}

// reasonOf is why an attempt ended, with the provider's code where there is one.
func reasonOf(a payment.EndedAttempt) string {
	if a.FailureCode == "" {
		return a.Reason
	}
	return fmt.Sprintf("%s (%s)", a.Reason, a.FailureCode)
}

func attemptsJSON(ended []payment.EndedAttempt) []map[string]any {
	rows := []map[string]any{}
	for _, a := range ended {
		rows = append(rows, map[string]any{"number": a.Number, "account": a.AccountName, "reason": a.Reason, "failure_code": a.FailureCode, "ended_at": a.At})
	}
	return rows
}

// reproduces reports whether the rules give the same decision from its facts. It is nil where the facts were erased.
func reproduces(set store.RoutingSet, d routing.Decision, erased bool) (*bool, error) {
	if erased {
		return nil, nil //nolint:nilnil // nobody can tell
	}
	rules, problems := routing.Parse(set.Body)
	if rules == nil {
		return nil, errors.New(problems[0].String())
	}
	next := rules.Decide(d.Facts, d.Considered())
	next.Set = d.Set
	same := reflect.DeepEqual(next, d)
	return &same, nil
}
