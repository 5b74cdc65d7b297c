package app

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"payrelay/internal/money"
	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type keyActivityCmd struct {
	ID    string    `arg:"" help:"The key's id; it stands in the key behind prk_live_."`
	Since time.Time `placeholder:"TIME" help:"From when on, such as 2026-11-29T00:00:00Z; all without it."`
	JSON  bool      `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c keyActivityCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	return printKeyActivity(ctx, io, db, c.ID, c.Since, c.JSON)
}

// printKeyActivity shows what was done with a key since a time, and from where.
func printKeyActivity(ctx context.Context, io *Streams, db *database, id string, since time.Time, asJSON bool) error {
	a, err := db.store.ActivityOfKey(ctx, id, since)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(io, a)
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tFIRST USED\tLAST USED")
	for _, r := range a.Addresses {
		address := r.Address.String()
		if r.Address.IsUnspecified() {
			address = "others"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", address, r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	fmt.Fprintln(w, "\nKIND\tORDERS\tTOGETHER")
	var orders int64
	for _, r := range a.Sums {
		orders += r.Orders
		fmt.Fprintf(w, "%s\t%d\t%s\n", r.Kind, r.Orders, amountText(r))
	}
	fmt.Fprintln(w, "\nORDER\tKIND\tREFERENCE\tSTATUS\tAMOUNT\tACCOUNT\tCREATED")
	for _, o := range a.Orders {
		amount := "-"
		if o.Amount != nil && o.Currency != nil {
			amount = money.New(*o.Amount, money.Currency(*o.Currency)).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.ID, o.Kind, o.Reference, o.Status, amount, o.AccountName, o.CreatedAt.Format(time.RFC3339))
	}
	if left := orders - int64(len(a.Orders)); left > 0 {
		fmt.Fprintf(w, "\n%s not shown: 'server order list' shows all of a shop.\n", plural.Of(left, "older order is", "older orders are"))
	}
	return w.Flush()
}

func amountText(s store.KeySum) string {
	minor, err := strconv.ParseInt(s.Amount, 10, 64)
	switch {
	case s.Currency == "":
		return "-"
	case err != nil: // more than a sum of one order can be
		return s.Amount + " " + s.Currency + " in minor units"
	}
	return money.New(minor, money.Currency(s.Currency)).String()
}
