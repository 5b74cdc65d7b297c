package app

import (
	"context"
	"fmt"
)

type orderUnfreezeCmd struct {
	orderName
	Reason operatorReason `required:"" help:"How you know that the record is right. It is kept in the audit log, with the record."`
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
	if err := db.store.Unfreeze(ctx, o.Key()); err != nil {
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
	_, err = fmt.Fprintf(io.Out, "Order %s is sealed as it stands: %s, %s, captured %d, refunded %d. It is used again.\n", o.ID, o.Status, o.Amount, o.Captured, o.Refunded)
	return err
}
