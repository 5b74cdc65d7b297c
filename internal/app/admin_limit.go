package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type limitCmd struct {
	Set    limitSetCmd    `cmd:"" help:"Set a limit, or change one. It counts after 5 s."`
	Remove limitRemoveCmd `cmd:"" help:"Take a limit away again, with what was counted."`
	Pause  limitPauseCmd  `cmd:"" help:"Refuse direct card payments of a shop: somebody tries cards out there."`
	Resume limitResumeCmd `cmd:"" help:"Take direct card payments of a shop again."`
	List   limitListCmd   `cmd:"" help:"List the limits that were set, and how much of each is used."`
}

// limitOf names a limit.
type limitOf struct {
	Global   bool   `xor:"scope" required:"" help:"Of all orders of all shops together."`
	Shop     string `xor:"scope" required:"" placeholder:"NAME" help:"Of this shop."`
	Account  string `xor:"scope" required:"" placeholder:"NAME" help:"Of this account, with all shops that use it."`
	Key      string `xor:"scope" required:"" placeholder:"ID" help:"Of what is asked for with this key."`
	Kind     string `required:"" enum:"payment,refund,payout,transfer" placeholder:"KIND" help:"payment (with charges), refund, payout or transfer."`
	Rule     string `required:"" enum:"order,minimum,hour,day,duplicate,approval,declines,card_declines,pause" placeholder:"RULE" help:"order: the largest sum of one. minimum: the smallest. hour, day: those that were begun in the last hour, or the last 24 hours. duplicate: payouts and refunds that look like another one. approval: payouts above the sum wait for 'server payout release'. declines, card_declines, pause: payments that issuers declined, see docs/limits.md."`
	Currency string `placeholder:"EUR" help:"Of orders in this currency. Needed for a sum; without it: orders in any."`
	reasonFlag
}

func (c limitOf) limit() store.NamedLimit {
	l := store.NamedLimit{Limit: payment.Limit{Kind: gateway.Kind(c.Kind), Rule: payment.LimitRule(c.Rule), Currency: money.Currency(c.Currency)}}
	switch {
	case c.Shop != "":
		l.Scope, l.Name = payment.LimitShop, c.Shop
	case c.Account != "":
		l.Scope, l.Name = payment.LimitAccount, c.Account
	case c.Key != "":
		l.Scope, l.Name = payment.LimitKey, c.Key
	default:
		l.Scope = payment.LimitGlobal
	}
	return l
}

type limitSetCmd struct {
	limitOf
	Amount int64  `placeholder:"N" help:"The largest sum, or with --rule minimum the smallest, in minor units: 100000 is 1000.00 EUR."`
	Orders int64  `placeholder:"N" help:"The largest number of orders."`
	Mode   string `default:"observe" enum:"observe,enforce" placeholder:"MODE" help:"observe (the default): what goes beyond is begun, and told of in the log and a metric. enforce: it is refused."`
}

// Run implements the command.
func (c limitSetCmd) Run(ctx context.Context, io *Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	l := c.limit()
	l.Amount, l.Orders, l.Enforced = c.Amount, c.Orders, c.Mode == "enforce"
	if err := db.store.SetLimit(ctx, l); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The limit is set: %s. Every replica knows it within 5 s.\n", map[bool]string{false: "what goes beyond is told of and begun", true: "what goes beyond is refused"}[l.Enforced])
	return nil
}

// check refuses a limit that would say nothing.
func (c limitSetCmd) check() error {
	switch c.Rule {
	case "duplicate":
		return c.checkDuplicate()
	case "declines", "card_declines", "pause":
		return c.checkDeclines()
	}
	if err := c.checkBounds(); err != nil {
		return err
	}
	return c.checkCurrency()
}

// checkBounds refuses a limit that says nothing, or something that its rule has not.
func (c limitSetCmd) checkBounds() error {
	switch {
	case c.Amount < 0 || c.Orders < 0 || c.Amount == 0 && c.Orders == 0:
		return errors.New("--amount or --orders says how much, from 1 on; 'server limit remove' takes a limit away")
	case c.Rule == "approval" && c.Kind != "payout":
		return errors.New("--rule approval is for --kind payout")
	case (c.Rule == "order" || c.Rule == "minimum" || c.Rule == "approval") && c.Orders > 0:
		return errors.New("--orders counts the orders of a window: use it with --rule hour or --rule day")
	case c.Amount > 0 && c.Currency == "":
		return errors.New("--amount is of a currency: name it with --currency")
	}
	return nil
}

func (c limitOf) checkCurrency() error {
	if c.Currency == "" {
		return nil
	}
	if _, err := money.ParseCurrency(c.Currency); err != nil {
		return fmt.Errorf("--currency %w", err)
	}
	return nil
}

// checkDuplicate refuses bounds where there are none.
func (c limitSetCmd) checkDuplicate() error {
	switch {
	case c.Kind != "payout" && c.Kind != "refund":
		return errors.New("--rule duplicate is for --kind payout and --kind refund")
	case c.Amount != 0 || c.Orders != 0 || c.Currency != "":
		return errors.New("--rule duplicate asks about every sum: leave --amount, --orders and --currency out")
	}
	return nil
}

type limitRemoveCmd struct{ limitOf }

// Run implements the command.
func (c limitRemoveCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.RemoveLimit(ctx, c.limit()); err != nil {
		return err
	}
	fmt.Fprintln(io.Out, "The limit is gone. Every replica knows it within 5 s.")
	return nil
}

type limitListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// limitRow is a limit as JSON.
type limitRow struct {
	Scope      payment.LimitScope `json:"scope"`
	Name       string             `json:"name"`
	Kind       gateway.Kind       `json:"kind"`
	Currency   money.Currency     `json:"currency"`
	Rule       payment.LimitRule  `json:"rule"`
	Amount     int64              `json:"amount"`
	Orders     int64              `json:"orders"`
	Mode       string             `json:"mode"`
	UsedAmount int64              `json:"used_amount"`
	UsedOrders int64              `json:"used_orders"`
}

// Run implements the command.
func (c limitListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	limits, err := db.store.Limits(ctx)
	if err != nil {
		return err
	}
	rows := limitRows(limits)
	err = table(c.JSON, io, false, rows, "No limit is set.", "SCOPE\tNAME\tKIND\tCURRENCY\tRULE\tAMOUNT\tUSED\tORDERS\tUSED\tMODE", func(w *tabwriter.Writer, r limitRow) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\n", r.Scope, orNone(r.Name), r.Kind, cmp.Or(string(r.Currency), "any"), r.Rule, orAnyNumber(r.Amount), r.UsedAmount, orAnyNumber(r.Orders), r.UsedOrders, r.Mode)
	})
	if err != nil || c.JSON {
		return err
	}
	paused, err := db.store.PausedShops(ctx)
	for _, p := range paused {
		fmt.Fprintf(io.Out, "Direct card payments of %s are paused since %s.\n", p.Name, p.Since.Format(time.RFC3339))
	}
	return err
}

func limitRows(limits []store.NamedLimit) []limitRow {
	rows := make([]limitRow, len(limits))
	for i, l := range limits {
		rows[i] = limitRow{l.Scope, l.Name, l.Kind, l.Currency, l.Rule, l.Amount, l.Orders, map[bool]string{false: "observe", true: "enforce"}[l.Enforced], l.UsedAmount, l.UsedOrders}
	}
	return rows
}

func orAnyNumber(n int64) string {
	if n == 0 {
		return "any"
	}
	return strconv.FormatInt(n, 10)
}

// checkDeclines refuses what is no number of declined payments.
func (c limitSetCmd) checkDeclines() error {
	switch {
	case c.Kind != "payment":
		return fmt.Errorf("--rule %s is for --kind payment", c.Rule)
	case c.Orders <= 0 || c.Amount != 0 || c.Currency != "":
		return fmt.Errorf("--rule %s counts declined payments in any currency: give --orders, and neither --amount nor --currency", c.Rule)
	case c.Rule == "pause" && c.Shop == "":
		return errors.New("--rule pause pauses a shop: name it with --shop")
	}
	return nil
}

type limitPauseCmd struct {
	Shop   string         `arg:"" help:"The shop."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// Run implements the command.
func (c limitPauseCmd) Run(ctx context.Context, io *Streams) error {
	return setPaused(ctx, io, c.Shop, c.Reason, true, "Direct card payments of %s are refused on every replica within 5 s.\n")
}

type limitResumeCmd struct {
	Shop   string         `arg:"" help:"The shop."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// Run implements the command.
func (c limitResumeCmd) Run(ctx context.Context, io *Streams) error {
	return setPaused(ctx, io, c.Shop, c.Reason, false, "Direct card payments of %s are taken again on every replica within 5 s.\n")
}

func setPaused(ctx context.Context, io *Streams, shop string, reason operatorReason, paused bool, says string) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.SetPaused(ctx, shop, paused); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, says, shop)
	return nil
}
