package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	httpapi "payrelay/internal/http"
)

type orderListCmd struct {
	Older     time.Duration `default:"1m" help:"Leave out unfinished orders that changed more recently."`
	Limit     int           `default:"100" help:"The most lines to list."`
	Callbacks bool          `xor:"what" help:"List authentic callbacks that are about no order we know instead, the newest first."`
	Parked    bool          `xor:"what" help:"List notifications that were given up on instead."`
	JSON      bool          `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c orderListCmd) Run(ctx context.Context, io *Streams) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	switch {
	case c.Callbacks:
		return c.callbacks(ctx, io, db)
	case c.Parked:
		return c.parked(ctx, io, db)
	}
	return c.orders(ctx, io, db)
}

func (c orderListCmd) orders(ctx context.Context, io *Streams, db *database) error {
	orders, more, err := db.store.StuckOrders(ctx, c.Older, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		rows := []any{}
		for _, o := range orders {
			rows = append(rows, httpapi.RenderOrder(o))
		}
		if more > 0 {
			fmt.Fprintf(io.Err, "… and %d more: --limit lists them.\n", more)
		}
		return printJSON(io, rows)
	}
	if len(orders) == 0 {
		fmt.Fprintln(io.Out, "No order needs a person.")
		return nil
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tSTATUS\tAMOUNT\tACCOUNT\tSINCE\tCONFLICTS\tWAITS FOR")
	for _, o := range orders {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", o.ID, o.Kind, o.Status, o.Amount, o.AccountName, o.UpdatedAt.UTC().Format(time.RFC3339), o.Conflicts, waitsFor(o))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more > 0 {
		fmt.Fprintf(io.Out, "… and %d more, none more urgent than these: --limit lists them.\n", more)
	}
	return nil
}

func (c orderListCmd) callbacks(ctx context.Context, io *Streams, db *database) error {
	list, err := db.store.CallbacksWithoutOrder(ctx, c.Limit+1)
	if err != nil {
		return err
	}
	list, more := cut(list, c.Limit)
	type row struct {
		ReceivedAt      time.Time         `json:"received_at"`
		Account         string            `json:"account"`
		Provider        string            `json:"provider"`
		ProviderOrderID string            `json:"provider_order_id"`
		Reported        string            `json:"reported"`
		Evidence        map[string]string `json:"evidence"`
	}
	rows := []row{}
	for _, r := range list {
		rows = append(rows, row{r.ReceivedAt, r.Account, r.Provider, r.ProviderOrderID, r.Reported, r.Evidence})
	}
	return table(c.JSON, io, more, rows, "No callback was about an order that is not known.", "RECEIVED\tACCOUNT\tORDER AT THE PROVIDER\tREPORTED\tEVIDENCE", func(w *tabwriter.Writer, r row) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ReceivedAt.Format(time.RFC3339), r.Account, r.ProviderOrderID, orNone(r.Reported), evidenceText(r.Evidence))
	})
}

func (c orderListCmd) parked(ctx context.Context, io *Streams, db *database) error {
	list, err := db.store.ParkedNotifications(ctx, c.Limit+1)
	if err != nil {
		return err
	}
	list, more := cut(list, c.Limit)
	type row struct {
		OrderID   string    `json:"order_id"`
		Sequence  int       `json:"sequence"`
		Type      string    `json:"type"`
		Attempts  int       `json:"attempts"`
		CreatedAt time.Time `json:"created_at"`
		URL       string    `json:"url"`
	}
	rows := []row{}
	for _, n := range list {
		rows = append(rows, row{n.Key.Order.String(), n.Sequence, n.Type, n.Attempts, n.CreatedAt, n.URL})
	}
	return table(c.JSON, io, more, rows, "No notification was given up on.", "ORDER\tSEQUENCE\tTYPE\tATTEMPTS\tMADE\tADDRESS", func(w *tabwriter.Writer, r row) {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\t%s\n", r.OrderID, r.Sequence, r.Type, r.Attempts, r.CreatedAt.Format(time.RFC3339), r.URL)
	})
}

func checkLimit(limit int) error {
	if limit < 1 || limit > 1_000_000 {
		return fmt.Errorf("--limit must be from 1 to 1000000")
	}
	return nil
}

// cut returns at most limit rows, and whether there are more.
func cut[T any](rows []T, limit int) ([]T, bool) {
	return rows[:min(len(rows), limit)], len(rows) > limit
}

// table prints rows as JSON, or as lines under a head.
func table[T any](asJSON bool, io *Streams, more bool, rows []T, none, head string, line func(w *tabwriter.Writer, row T)) error {
	const cutShort = "… and more: --limit lists them."
	if asJSON {
		if more {
			fmt.Fprintln(io.Err, cutShort)
		}
		return printJSON(io, rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(io.Out, none)
		return nil
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, row := range rows {
		line(w, row)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintln(io.Out, cutShort)
	}
	return nil
}
