package app

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/payment"
)

type orderListCmd struct {
	Order        string        `arg:"" optional:"" help:"List the orders that are called so instead, whatever their status: by id, the shop's reference, our id at the provider (pr-…), the provider's own id, or a bank's reference (RRN)."`
	Shop         string        `placeholder:"NAME" help:"List orders and notifications of this shop only."`
	Account      string        `placeholder:"NAME" help:"List the orders that are open at this account instead: those that keep 'account close' from closing it."`
	Older        time.Duration `default:"1m" help:"Leave out unfinished orders that changed more recently."`
	Limit        int           `default:"100" help:"The most lines to list."`
	Callbacks    bool          `xor:"what" help:"List authentic callbacks that are about no order we know instead, the newest first."`
	DeadLettered bool          `name:"dead-lettered" xor:"what" help:"List notifications that were given up on instead."`
	JSON         bool          `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c orderListCmd) Run(ctx context.Context, io *Streams) error {
	if err := errors.Join(checkLimit(c.Limit), c.check()); err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	shops, shop, err := namesAnd(ctx, db, c.Shop)
	if err != nil {
		return err
	}
	switch {
	case c.Callbacks:
		return c.callbacks(ctx, io, db)
	case c.DeadLettered:
		return c.deadLettered(ctx, io, db, shops, shop)
	case c.Order != "":
		return c.called(ctx, io, db, shops, shop)
	case c.Account != "":
		return c.open(ctx, io, db, shops, shop)
	}
	return c.stuck(ctx, io, db, shops, shop)
}

// check refuses what cannot be asked for together.
func (c orderListCmd) check() error {
	switch {
	case (c.Callbacks || c.DeadLettered) && c.Order != "":
		return fmt.Errorf("--callbacks and --dead-lettered list no orders: leave %q out", c.Order)
	case c.Account != "" && (c.Order != "" || c.Callbacks || c.DeadLettered):
		return errors.New("--account lists what is open at an account: leave the order's name, --callbacks and --dead-lettered out")
	case c.Callbacks && c.Shop != "":
		return errors.New("--callbacks lists what is about no shop's order: leave --shop out")
	}
	return nil
}

// called lists the orders of one name.
func (c orderListCmd) called(ctx context.Context, io *Streams, db *database, shops *shopNames, shop *uuid.UUID) error {
	orders, err := db.store.OrdersCalled(ctx, c.Order, shop, c.Limit+1)
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		return noOrder(c.Order, c.Shop)
	}
	orders, more := cut(orders, c.Limit)
	cutShort := ""
	if more {
		cutShort = "… and more: --limit lists them."
	}
	return c.orders(io, orders, shops, cutShort)
}

// open lists what keeps an account from being closed.
func (c orderListCmd) open(ctx context.Context, io *Streams, db *database, shops *shopNames, shop *uuid.UUID) error {
	if a, err := accountNamed(ctx, db.store, c.Account); err != nil && a.Name == "" {
		return err
	}
	orders, err := db.store.OpenOrders(ctx, c.Account, shop, c.Limit+1)
	if err != nil {
		return err
	}
	if len(orders) == 0 && !c.JSON {
		fmt.Fprintf(io.Out, "No order is open at account %s.\n", c.Account)
		return nil
	}
	orders, more := cut(orders, c.Limit)
	cutShort := ""
	if more {
		cutShort = "… and more: --limit lists them."
	}
	return c.orders(io, orders, shops, cutShort)
}

// stuck lists the orders that may need a person.
func (c orderListCmd) stuck(ctx context.Context, io *Streams, db *database, shops *shopNames, shop *uuid.UUID) error {
	orders, more, err := db.store.StuckOrders(ctx, shop, c.Older, c.Limit)
	if err != nil {
		return err
	}
	cutShort := ""
	if more > 0 {
		cutShort = fmt.Sprintf("… and %d more, none more urgent than these: --limit lists them.", more)
	}
	return c.orders(io, orders, shops, cutShort)
}

// orders prints orders, and cutShort if there are more.
func (c orderListCmd) orders(io *Streams, orders []*payment.Order, shops *shopNames, cutShort string) error {
	if c.JSON {
		rows, err := ordersJSON(orders, shops)
		if err != nil {
			return err
		}
		if cutShort != "" {
			fmt.Fprintln(io.Err, cutShort)
		}
		return printJSON(io, rows)
	}
	if len(orders) == 0 {
		fmt.Fprintln(io.Out, "No order needs a person.")
		return nil
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSHOP\tREFERENCE\tKIND\tSTATUS\tAMOUNT\tACCOUNT\tORDER AT THE PROVIDER\tSINCE\tCONFLICTS\tWAITS FOR")
	for _, o := range orders {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", o.ID, shops.name(o.ShopID), o.Reference, o.Kind, o.Status, o.Amount, o.AccountName,
			o.ProviderOrderID, o.UpdatedAt.UTC().Format(time.RFC3339), o.Conflicts, waitsFor(o))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if cutShort != "" {
		fmt.Fprintln(io.Out, cutShort)
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
		rows = append(rows, row{r.ReceivedAt, r.Account, r.Provider, r.ProviderOrderID, r.Reported, r.ProviderData})
	}
	return table(c.JSON, io, more, rows, "No callback was about an order that is not known.", "RECEIVED\tACCOUNT\tORDER AT THE PROVIDER\tREPORTED\tEVIDENCE", func(w *tabwriter.Writer, r row) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ReceivedAt.Format(time.RFC3339), r.Account, r.ProviderOrderID, orNone(r.Reported), providerDataText(r.Evidence))
	})
}

func (c orderListCmd) deadLettered(ctx context.Context, io *Streams, db *database, shops *shopNames, shop *uuid.UUID) error {
	list, err := db.store.DeadLetteredNotifications(ctx, shop, c.Limit+1)
	if err != nil {
		return err
	}
	list, more := cut(list, c.Limit)
	type row struct {
		OrderID   string    `json:"order_id"`
		Shop      string    `json:"shop"`
		Sequence  int       `json:"sequence"`
		Type      string    `json:"type"`
		Attempts  int       `json:"attempts"`
		CreatedAt time.Time `json:"created_at"`
		URL       string    `json:"url"`
	}
	rows := []row{}
	for _, n := range list {
		rows = append(rows, row{n.Key.Order.String(), shops.name(n.Key.Shop), n.Sequence, n.Type, n.Attempts, n.CreatedAt, n.URL})
	}
	return table(c.JSON, io, more, rows, "No notification was given up on.", "ORDER\tSHOP\tSEQUENCE\tTYPE\tATTEMPTS\tMADE\tADDRESS", func(w *tabwriter.Writer, r row) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", r.OrderID, r.Shop, r.Sequence, r.Type, r.Attempts, r.CreatedAt.Format(time.RFC3339), r.URL)
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
