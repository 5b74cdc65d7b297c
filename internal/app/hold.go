package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

type holdCmd struct {
	Add    holdAddCmd    `cmd:"" help:"Keep an order from being erased, and its rows from retention, until the hold is removed."`
	Remove holdRemoveCmd `cmd:"" help:"End the hold on an order."`
	List   holdListCmd   `cmd:"" help:"List the orders under a hold, with the reasons."`
}

type holdAddCmd struct {
	orderName
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why, such as the number of a dispute. Name no person: it is kept in the audit log for ever."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c holdAddCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, _, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	if err := db.store.AddHold(ctx, o.Key(), string(c.Reason)); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"order": o.ID, "held": true})
	}
	fmt.Fprintf(io.Out, "Order %s is under a hold: it cannot be erased, and retention leaves its rows alone.\n", o.ID)
	return nil
}

type holdRemoveCmd struct {
	orderName
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log for ever."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c holdRemoveCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, _, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	if err := db.store.RemoveHold(ctx, o.Key()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"order": o.ID, "held": false})
	}
	fmt.Fprintf(io.Out, "The hold on order %s is removed.\n", o.ID)
	return nil
}

type holdListCmd struct {
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run implements the command.
func (c holdListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	holds, err := db.store.Holds(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	for _, h := range holds {
		if c.JSON {
			if err := printJSON(io, h); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Order, h.Shop, h.At.Format(time.RFC3339), h.Reason)
	}
	if len(holds) == 0 && !c.JSON {
		fmt.Fprintln(io.Out, "No order is under a hold.")
	}
	return w.Flush()
}
