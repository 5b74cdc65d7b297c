package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/plural"
	"payrelay/internal/store"
)

// rested is for how long an order must not have changed before it may be erased.
func rested(environ []string) (time.Duration, error) {
	settings, err := loadRetention(environ)
	return time.Duration(settings.EraseAfter) * 24 * time.Hour, err
}

type eraseCmd struct {
	Order    eraseOrderCmd    `cmd:"" help:"Erase what is said of an order and its refunds, for good. Sums, statuses and the history stay."`
	Customer eraseCustomerCmd `cmd:"" help:"Erase a shop's orders of one customer."`
	Replay   eraseReplayCmd   `cmd:"" help:"Repeat the erasures of receipts, after a backup from before them was restored."`
}

type eraseFlags struct {
	Force  bool           `help:"Erase also what changed within ERASURE_AFTER days, because the law demands it, and give up notifications that could not be delivered. The receipt says so."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why, such as the number of the request. Name no person: it is kept in the audit log for ever."`
	JSON   bool           `name:"json" help:"Print the receipt alone, as one line of JSON. Keep it outside the database: 'server erase replay' reads it."`
}

type eraseOrderCmd struct {
	orderName
	eraseFlags
}

// Run implements the command.
func (c eraseOrderCmd) Run(ctx context.Context, io *Streams) error {
	after, err := rested(io.Environ)
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, _, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	receipt, err := db.store.Erase(ctx, store.Erasure{Order: o.Key(), Command: "erase order", Rested: after, Force: c.Force})
	if errors.Is(err, store.ErrErased) {
		return fmt.Errorf("order %s was erased before: 'server audit list --object %[1]s' has its receipt", o.ID)
	}
	if err != nil {
		return err
	}
	return c.print(io, receipt)
}

func (c eraseFlags) print(io *Streams, r *store.Receipt) error {
	if c.JSON {
		return printJSON(io, r)
	}
	fmt.Fprintf(io.Out, "Receipt %s, %s\n", r.ID, r.At.Format(time.RFC3339))
	for _, o := range r.Orders {
		sum := func(minor int64) money.Money { return money.New(minor, money.Currency(o.Currency)) }
		fmt.Fprintf(io.Out, "  %s %s is erased. Left: status %s, sequence %d, amount %s, captured %s, refunded %s, %s of notifications.\n",
			o.Kind, o.ID, o.Status, o.Sequence, sum(o.Amount), sum(o.Captured), sum(o.Refunded), plural.Of(len(o.Payloads), "digest", "digests"))
	}
	return nil
}

type eraseCustomerCmd struct {
	Customer string `arg:"" help:"The customer: the metadata.customer_id, or the e-mail address, that the shop named in its orders."`
	Shop     string `required:"" placeholder:"NAME" help:"The shop whose customer it is."`
	DryRun   bool   `help:"List the orders, and change nothing."`
	eraseFlags
}

// Run implements the command. What cannot be erased yet is named, and the rest is erased.
func (c eraseCustomerCmd) Run(ctx context.Context, io *Streams) error {
	after, err := rested(io.Environ)
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	_, shop, err := namesAnd(ctx, db, c.Shop)
	if err != nil {
		return err
	}
	orders, err := db.store.OrdersOfCustomer(ctx, *shop, c.Customer)
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		return fmt.Errorf("shop %s has no order of this customer that is not erased: give the metadata.customer_id or the e-mail address as the shop sent it", c.Shop)
	}
	if c.DryRun {
		for _, o := range orders {
			fmt.Fprintln(io.Out, o.Order)
		}
		return nil
	}
	return c.erase(ctx, io, db, orders, after)
}

func (c eraseCustomerCmd) erase(ctx context.Context, io *Streams, db *database, orders []payment.Key, after time.Duration) error {
	left := 0
	for _, o := range orders {
		receipt, err := db.store.Erase(ctx, store.Erasure{Order: o, Command: "erase customer", Rested: after, Force: c.Force})
		switch {
		case leftAlone(err):
			left++
			fmt.Fprintf(io.Err, "%s: %s\n", o.Order, inPlainWords(err))
		case err != nil && !errors.Is(err, store.ErrErased):
			return err
		case err == nil:
			if err := c.print(io, receipt); err != nil {
				return err
			}
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %s not erased: the list says why of each", left, plural.Of(len(orders), "order was", "orders were"))
	}
	return nil
}

// leftAlone reports whether an erasure was refused because of its order. The others go on.
func leftAlone(err error) bool {
	code := payment.CodeOf(err)
	return code == payment.CodeInvalidState || code == payment.CodeFrozen
}

type eraseReplayCmd struct {
	From   string         `required:"" placeholder:"FILE" help:"Receipts, one JSON object a line, as 'server erase … --json' printed them."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why, such as the name of the backup. It is kept in the audit log."`
}

// Run implements the command.
func (c eraseReplayCmd) Run(ctx context.Context, io *Streams) error {
	receipts, err := receiptsIn(c.From)
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	var erased, before, missing, left int
	for _, r := range receipts {
		id := r.Orders[0].ID
		found, err := db.store.OrdersCalled(ctx, id.String(), nil, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].ID != id {
			missing++
			continue
		}
		_, err = db.store.Erase(ctx, store.Erasure{Order: found[0].Key(), Command: "erase replay", Force: true, Repeats: &r})
		switch {
		case err == nil:
			erased++
		case errors.Is(err, store.ErrErased):
			before++
		case leftAlone(err):
			left++
			fmt.Fprintf(io.Err, "%s: %s\n", id, inPlainWords(err))
		default:
			return err
		}
	}
	fmt.Fprintf(io.Out, "%s erased, %d had been before, %s not in this database.\n", plural.Of(erased, "order was", "orders were"), before, plural.Of(missing, "is", "are"))
	if left > 0 {
		return fmt.Errorf("%s not erased: the list says why of each", plural.Of(left, "order was", "orders were"))
	}
	return nil
}

// receiptsIn reads a file of receipts. Each names the order first: refunds go with their payment.
func receiptsIn(path string) ([]store.Receipt, error) {
	file, err := os.Open(path) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var receipts []store.Receipt
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var r store.Receipt
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || len(r.Orders) == 0 {
			return nil, fmt.Errorf("%s: line %d is no receipt as 'server erase … --json' prints it. Nothing was erased", path, n)
		}
		receipts = append(receipts, r)
	}
	return receipts, lines.Err()
}
