package app

import (
	"context"
	"fmt"

	"payrelay/internal/payment"
)

type orderRefreshCmd struct {
	orderName
	Attempt int            `placeholder:"NUMBER" help:"Ask about this attempt of the order, which ended before the order went to another account. An order of its own shows what became of it."`
	Reason  operatorReason `required:"" placeholder:"TEXT" help:"Why you ask. It is kept in the audit log."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// Run implements the command. The running service asks: it has the order's turn, and goes on until an answer is late enough.
func (c orderRefreshCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, shops, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	service := payment.New(payment.Config{Store: db.store, Drivers: offlineDrivers(), Now: db.clock.Now})
	if o, err = service.AskAbout(ctx, o.Key(), c.Attempt, string(c.Reason), operatorName()); err != nil {
		return err
	}
	if c.JSON {
		row, err := orderJSON(o, shops)
		if err != nil {
			return err
		}
		return printJSON(io, row)
	}
	fmt.Fprintf(io.Out, "The provider is asked about order %s by the service, within seconds while it runs: 'server order show %s' has the answer.\n", o.ID, o.ID)
	return nil
}
