package app

import (
	"cmp"
	"context"
	"fmt"
)

type orderUnfreezeCmd struct {
	orderName
	Reason operatorReason `required:"" placeholder:"TEXT" help:"How you know that the record is right. It is kept in the audit log, with the record."`
	Accept []string       `placeholder:"FACT" help:"A fact of the record that nothing else confirms, and that you have compared with the provider. Without it the command names those that there are."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c orderUnfreezeCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, shops, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	accepted, err := db.store.Unfreeze(ctx, o.Key(), c.Accept)
	if err != nil {
		return err
	}
	if o, err = db.store.Order(ctx, o.Key()); err != nil {
		return err
	}
	if c.JSON {
		row, err := orderJSON(o, shops)
		if err != nil {
			return err
		}
		return printJSON(io, row)
	}
	fmt.Fprintf(io.Out, "Order %s is sealed as it stands: %s, %s, captured %d, refunded %d. It is used again.\n", o.ID, o.Status, o.Amount, o.Captured, o.Refunded)
	fmt.Fprintf(io.Out, "Account %s, at the provider %s, its own name %s, notifications to %s.\n", o.AccountName, o.ProviderOrderID, orNone(o.ProviderReference), cmp.Or(o.NotificationURL, "the shop's address"))
	for _, u := range accepted {
		fmt.Fprintf(io.Out, "Accepted by your word: %s.\n", u)
	}
	return nil
}
