package app

import (
	"context"
	"fmt"

	"payrelay/internal/store"
)

type auditAcceptCmd struct {
	Shop    string         `placeholder:"NAME" xor:"owner" required:"" help:"The shop, with its keys, webhook secrets and rates."`
	Account string         `placeholder:"NAME" xor:"owner" required:"" help:"The account, with its secrets and its shops."`
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
