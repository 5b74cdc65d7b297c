package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"payrelay/internal/limit"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

type rateCmd struct {
	Set    rateSetCmd    `cmd:"" help:"Set how often each key of a shop, or one key, may ask. It counts after 5 s."`
	Remove rateRemoveCmd `cmd:"" help:"Take a rate away again."`
	List   rateListCmd   `cmd:"" help:"List the rates that were set."`
}

// rateOf names a rate.
type rateOf struct {
	Shop  string `arg:"" help:"The shop."`
	Key   string `placeholder:"ID" help:"Of this key only, in place of the shop's rate. Without it: of each key of the shop."`
	Class string `required:"" enum:"reads,writes,statements" placeholder:"CLASS" help:"reads, writes, or statements that are asked for."`
	reasonFlag
}

type rateSetCmd struct {
	rateOf
	Requests int           `required:"" placeholder:"N" help:"How many requests at once, and in each --per."`
	Per      time.Duration `required:"" placeholder:"3s" help:"In what time so many are allowed again, from 1s to 24h."`
}

// Run implements the command.
func (c rateSetCmd) Run(ctx context.Context, io *Streams) error {
	if c.Requests < 1 || c.Requests > 1_000_000 {
		return fmt.Errorf("--requests is from 1 to 1000000; 'server rate remove' takes a rate away")
	}
	if c.Per < time.Second || c.Per > 24*time.Hour || c.Per%time.Second != 0 {
		return fmt.Errorf("--per is from 1s to 24h, in whole seconds")
	}
	if err := c.change(ctx, io, limit.Rate{Quota: c.Requests, Window: c.Per}); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "Each replica allows %d %s in %s from now on.\n", c.Requests, c.Class, c.Per)
	return nil
}

func (c rateOf) change(ctx context.Context, io *Streams, rate limit.Rate) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	return db.store.SetShopRate(ctx, store.ShopRate{Shop: c.Shop, KeyID: c.Key, Class: shop.RateClass(c.Class), Rate: rate})
}

type rateRemoveCmd struct{ rateOf }

// Run implements the command.
func (c rateRemoveCmd) Run(ctx context.Context, io *Streams) error {
	if err := c.change(ctx, io, limit.Rate{}); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The rate of %s for %s is gone.\n", c.Class, c.Shop)
	return nil
}

type rateListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c rateListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	rates, err := db.store.ShopRates(ctx)
	if err != nil {
		return err
	}
	rows := []map[string]any{}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SHOP\tKEY\tCLASS\tREQUESTS\tPER")
	for _, r := range rates {
		rows = append(rows, map[string]any{"shop": r.Shop, "key_id": r.KeyID, "class": r.Class, "requests": r.Quota, "per_seconds": int(r.Window.Seconds())})
		key := r.KeyID
		if key == "" {
			key = "each"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", r.Shop, key, r.Class, r.Quota, r.Window)
	}
	if c.JSON {
		return printJSON(io, rows)
	}
	return w.Flush()
}
