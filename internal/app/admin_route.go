package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"payrelay/internal/routing"
	"payrelay/internal/store"
)

type routeCmd struct {
	Set        routeSetCmd        `cmd:"" help:"Add routing rules from a file, as a draft of the next version."`
	Activate   routeActivateCmd   `cmd:"" help:"Route payments by a version of the rules. It counts after 5 s."`
	Deactivate routeDeactivateCmd `cmd:"" help:"Route payments without rules, by the priorities of accounts."`
	Rollback   routeRollbackCmd   `cmd:"" help:"Route payments by the version that was active before."`
	List       routeListCmd       `cmd:"" help:"List the versions of the rules."`
	Show       routeShowCmd       `cmd:"" help:"Print a version of the rules."`
	Diff       routeDiffCmd       `cmd:"" help:"Say how two versions of the rules differ."`
	Try        routeTryCmd        `cmd:"" help:"Say where a payment of given facts would go. Nothing is sent."`
	Explain    routeExplainCmd    `cmd:"" help:"Say which rule chose an order's account, from which facts, and why not the others."`
	Replay     routeReplayCmd     `cmd:"" help:"Run a version of the rules over the payments of the last days: which would go elsewhere."`
}

// routeScope names whose rules a command is about.
type routeScope struct {
	Shop string `placeholder:"NAME" help:"The rules of this shop. Without it: those of every shop that has no active rules of its own."`
}

func (c routeScope) String() string {
	if c.Shop == "" {
		return "all shops without rules of their own"
	}
	return "shop " + c.Shop
}

// routeReason is why rules are changed. It must be given: a change moves money to other accounts.
type routeReason struct {
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept with the rules and in the audit log."`
}

// routeExpected guards a change against one that came between.
type routeExpected struct {
	ExpectVersion *int `placeholder:"N" help:"Only if this version is active now; 0 is for none."`
}

type routeSetCmd struct {
	File string `arg:"" type:"existingfile" help:"The rules, as JSON. docs/routing.md shows how."`
	routeScope
	routeReason
	Activate bool `help:"Activate it, too."`
	JSON     bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeSetCmd) Run(ctx context.Context, io *Streams) error {
	body, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	if err := (operatorText{"the file", string(body)}).checkCards(); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	set, err := db.store.AddRoutingSet(ctx, c.Shop, body, c.Activate)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(io, routingSetJSON(set))
	case c.Activate:
		printActive(io, set)
		return nil
	}
	flag := ""
	if c.Shop != "" {
		flag = " --shop " + c.Shop
	}
	fmt.Fprintf(io.Out, "Version %d for %s is a draft. 'server route replay --set %d%s' says what it would change, 'server route activate %d%s --reason TEXT' activates it.\n", set.Version, c.routeScope, set.Version, flag, set.Version, flag)
	return nil
}

func printActive(io *Streams, set store.RoutingSet) {
	fmt.Fprintf(io.Out, "Version %d for %s is active. Every replica routes by it within 5 s.\n", set.Version, routeScope{set.Shop})
	for _, gap := range set.Gaps {
		fmt.Fprintf(io.Out, "Left without an account: %s.\n", gap)
	}
}

// routeForce activates rules that leave payments without an account.
type routeForce struct {
	Force bool `help:"Also if payments are left without an account. They are named in the answer and in the audit log."`
}

type routeActivateCmd struct {
	Version int `arg:"" help:"The version."`
	routeScope
	routeExpected
	routeForce
	routeReason
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeActivateCmd) Run(ctx context.Context, io *Streams) error {
	return changeRouting(ctx, io, c.Reason, c.JSON, func(s *store.Store) (store.RoutingSet, error) {
		return s.ActivateRoutingSet(ctx, c.Shop, c.Version, c.ExpectVersion, c.Force)
	})
}

type routeRollbackCmd struct {
	routeScope
	routeExpected
	routeForce
	routeReason
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeRollbackCmd) Run(ctx context.Context, io *Streams) error {
	return changeRouting(ctx, io, c.Reason, c.JSON, func(s *store.Store) (store.RoutingSet, error) {
		return s.RollBackRouting(ctx, c.Shop, c.ExpectVersion, c.Force)
	})
}

// changeRouting has another version become active, and prints it.
func changeRouting(ctx context.Context, io *Streams, reason operatorReason, asJSON bool, change func(*store.Store) (store.RoutingSet, error)) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	set, err := change(db.store)
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(io, routingSetJSON(set))
	}
	printActive(io, set)
	return nil
}

type routeDeactivateCmd struct {
	routeScope
	routeExpected
	routeReason
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeDeactivateCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.DeactivateRouting(ctx, c.Shop, c.ExpectVersion); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"shop": c.Shop, "active": nil})
	}
	fmt.Fprintf(io.Out, "No rules of %s are active. Every replica knows it within 5 s.\n", c.routeScope)
	return nil
}

type routeListCmd struct {
	routeScope
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	sets, err := db.store.RoutingSets(ctx, c.Shop)
	if err != nil {
		return err
	}
	if len(sets) == 0 && c.Shop == "" && !c.JSON {
		fmt.Fprintln(io.Out, "There are no rules for all shops. --shop NAME lists those of one shop.")
		return nil
	}
	rows := []map[string]any{}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSTATE\tMADE\tBY\tREASON")
	for _, set := range sets {
		rows = append(rows, routingSetJSON(set))
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", set.Version, set.State, set.CreatedAt.Format(time.RFC3339), set.Author, set.Reason)
	}
	if c.JSON {
		return printJSON(io, rows)
	}
	return w.Flush()
}

type routeShowCmd struct {
	Version int `arg:"" optional:"" help:"The version; without it the active one."`
	routeScope
	JSON bool `name:"json" help:"Print JSON: the rules with who made them, when and why."`
}

// Run implements the command.
func (c routeShowCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	set, err := db.store.RoutingSet(ctx, c.Shop, c.Version)
	switch {
	case err != nil:
		return err
	case c.JSON:
		row := routingSetJSON(set)
		row["rules"] = json.RawMessage(set.Body)
		return printJSON(io, row)
	}
	_, err = fmt.Fprintf(io.Out, "%s\n", bytes.TrimSpace(set.Body))
	return err
}

func routingSetJSON(set store.RoutingSet) map[string]any {
	row := map[string]any{
		"id": set.ID, "shop": set.Shop, "version": set.Version, "state": set.State, "checksum": set.Checksum, "author": set.Author, "reason": set.Reason,
		"created_at": set.CreatedAt, "activated_at": set.ActivatedAt,
	}
	if len(set.Gaps) > 0 {
		row["gaps"] = set.Gaps
	}
	return row
}

type routeDiffCmd struct {
	From int `arg:"" help:"The version before."`
	To   int `arg:"" help:"The version after."`
	routeScope
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c routeDiffCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	var bodies [2][]byte
	for i, version := range []int{c.From, c.To} {
		if version < 1 {
			return errors.New("versions are numbers from 1 on")
		}
		set, err := db.store.RoutingSet(ctx, c.Shop, version)
		if err != nil {
			return err
		}
		bodies[i] = set.Body
	}
	changes, err := routing.Diff(bodies[0], bodies[1])
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, changes)
	}
	if len(changes) == 0 {
		fmt.Fprintln(io.Out, "They have the same rules in the same order.")
	}
	for _, change := range changes {
		fmt.Fprintln(io.Out, change)
	}
	return nil
}
