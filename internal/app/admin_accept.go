package app

import (
	"context"
	"fmt"

	"payrelay/internal/store"
)

type auditAcceptCmd struct {
	Shop    string         `placeholder:"NAME" xor:"owner" required:"" help:"The shop, with its keys, webhook secrets and rates."`
	Account string         `placeholder:"NAME" xor:"owner" required:"" help:"The account, with its secrets and its shops."`
	Global  bool           `xor:"owner" required:"" help:"What belongs to no shop or account: the limits of everything, and the routing rules of all shops."`
	Reason  operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c auditAcceptCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if c.Global {
		return c.global(ctx, io, db)
	}
	kind, name, accept := "shop", c.Shop, (*store.Store).AcceptShop
	if c.Account != "" {
		kind, name, accept = "account", c.Account, (*store.Store).AcceptAccount
	}
	if err := accept(db.store, ctx, name); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{kind: name, "mode": "off"})
	}
	fmt.Fprintf(io.Out, "The rows of the %s %s are sealed as they are, and it is off. Mend what was changed, revoke keys that nobody made, and then run 'server %[1]s enable %[2]s'.\n", kind, name)
	return nil
}

// global accepts what belongs to nobody.
func (c auditAcceptCmd) global(ctx context.Context, io *Streams, db *database) error {
	if err := db.store.AcceptGlobal(ctx); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"global": true, "active": nil})
	}
	fmt.Fprintln(io.Out, "The limits of everything and the routing rules of all shops are sealed as they are, and none of these rules is active. Look through both, and then run 'server route activate'.")
	return nil
}
