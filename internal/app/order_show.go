package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

type orderShowCmd struct {
	orderName
	JSON bool `name:"json" help:"Print JSON."`
}

// page is all that is shown of an order.
type page struct {
	order    *payment.Order
	shops    *shopNames
	parent   *payment.Order   // of a refund or a repeated charge
	children []*payment.Order // refunds and repeated charges, the newest first
	more     bool             // children beyond those
	timeline []line
}

// mostChildren is how many refunds and charges of a payment are shown.
const mostChildren = 200

// Run implements the command.
func (c orderShowCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	o, shops, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	p := page{order: o, shops: shops}
	if o.ParentID != nil {
		parents, err := db.store.OrdersCalled(ctx, o.ParentID.String(), &o.ShopID, 1) // also a frozen one
		if err != nil {
			return err
		}
		if len(parents) > 0 {
			p.parent = parents[0]
		}
	}
	children, err := db.store.Orders(ctx, payment.Filter{Shop: o.ShopID, ParentID: &o.ID, Limit: mostChildren})
	if err != nil {
		return err
	}
	p.children, p.more = children.Items, children.Next != ""
	if p.timeline, err = timelineOf(ctx, db, o.Key()); err != nil {
		return err
	}
	if c.JSON {
		return p.json(io)
	}
	return p.text(io)
}

func (p page) json(io *Streams) error {
	order, err := orderJSON(p.order, p.shops)
	if err != nil {
		return err
	}
	var parent map[string]json.RawMessage
	if p.parent != nil {
		if parent, err = orderJSON(p.parent, p.shops); err != nil {
			return err
		}
	}
	children, err := ordersJSON(p.children, p.shops)
	if err != nil {
		return err
	}
	return printJSON(io, map[string]any{
		"order": order, "shop": p.shops.name(p.order.ShopID), "waits_for": waitsFor(p.order), "conflicts": p.order.Conflicts,
		"parent": parent, "children": children, "more_children": p.more, "timeline": p.timeline,
	})
}

func (p page) text(io *Streams) error {
	o := p.order
	fmt.Fprintf(io.Out, "%s %s  %s  %s\n", o.Kind, o.ID, o.Status, o.Amount)
	fmt.Fprintf(io.Out, "shop %s, its reference %s, account %s (%s)\n", p.shops.name(o.ShopID), o.Reference, o.AccountName, o.Provider)
	fmt.Fprintf(io.Out, "provider's key  %s, its own id %s\n", o.ProviderOrderID, orNone(o.ProviderReference))
	if len(o.BankReferences) > 0 {
		fmt.Fprintf(io.Out, "bank references %s\n", strings.Join(bankReferences(o), ", "))
	}
	fmt.Fprint(io.Out, sums(o))
	if o.StatusReason != "" {
		fmt.Fprintln(io.Out, o.StatusReason)
	}
	if o.Failure != nil {
		fmt.Fprintf(io.Out, "failure: %s (%s), %s: %s\n", o.Failure.Category, o.Failure.Code, o.Failure.Advice, o.Failure.Message)
	}
	if o.Erased {
		fmt.Fprintln(io.Out, "erased: what was said of it is gone for good; docs/erasure.md says what is left")
	}
	fmt.Fprintf(io.Out, "waits for: %s", waitsFor(o))
	if o.NextPollAt != nil {
		fmt.Fprintf(io.Out, "; next check %s", o.NextPollAt.UTC().Format(time.RFC3339))
	}
	if o.Conflicts > 0 {
		fmt.Fprintf(io.Out, "\nopen conflicts: %d (once you know what is true: order resolve … --conflicts %d)", o.Conflicts, o.Conflicts)
	}
	fmt.Fprint(io.Out, "\n\n")
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	p.relatives(w)
	for _, l := range p.timeline {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.At.UTC().Format("2006-01-02 15:04:05.000"), l.What, l.Detail, providerDataText(l.ProviderData))
	}
	return w.Flush()
}

// sums says how much of the order moved, where that is not the order's own sum or nothing.
func sums(o *payment.Order) string {
	if o.Kind != gateway.KindPayment && o.Kind != gateway.KindTransfer {
		return ""
	}
	of := func(minor int64) money.Money { return money.New(minor, o.Amount.Currency()) }
	text := fmt.Sprintf("captured %s, refunded %s", of(o.Captured), of(o.Refunded))
	if open := o.RefundReserved - o.Refunded; open > 0 {
		text += fmt.Sprintf(", %s more in refunds that are not final", of(open))
	}
	if o.Authorized > 0 {
		text = fmt.Sprintf("held %s, %s", of(o.Authorized), text)
	}
	return text + "\n"
}

// relatives lists the payment of a refund or charge, and the refunds and charges of a payment.
func (p page) relatives(w *tabwriter.Writer) {
	show := func(role string, o *payment.Order) {
		fmt.Fprintf(w, "%s\t%s\treference %s\t%s  %s\n", role, o.ID, o.Reference, o.Status, o.Amount)
	}
	if p.parent != nil {
		show("of payment", p.parent)
	}
	for _, o := range p.children {
		role := "charged again"
		if o.Kind == gateway.KindRefund {
			role = "refund"
		}
		show(role, o)
	}
	if p.more {
		fmt.Fprintln(w, "… and older ones")
	}
	if p.parent != nil || len(p.children) > 0 {
		fmt.Fprintln(w)
	}
}
