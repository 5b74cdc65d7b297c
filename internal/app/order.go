package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"payrelay/internal/payment"
	"payrelay/internal/plural"
)

type orderCmd struct {
	List     orderListCmd     `cmd:"" help:"List orders that need a person, the most urgent first: conflicts, unknown outcomes, and whatever is stuck."`
	Show     orderShowCmd     `cmd:"" help:"Show an order's whole history with its evidence, and what it waits for."`
	Resolve  orderResolveCmd  `cmd:"" help:"Settle an order whose outcome is unknown, or a conflict, by your decision."`
	Refresh  orderRefreshCmd  `cmd:"" help:"Have the provider asked about an order, also about one that has ended: for money that moved without a callback."`
	Resend   orderResendCmd   `cmd:"" help:"Send an order's notifications again from one on, also those that were given up on."`
	Unfreeze orderUnfreezeCmd `cmd:"" help:"Use an order again whose record was changed by something else than payrelay, once you have compared it with the provider."`
}

// waitsFor says in a few words what an order waits for.
func waitsFor(o *payment.Order) string {
	switch {
	case o.Frozen:
		return "an operator: the record was changed by something else than payrelay, and nothing is done with it; see docs/integrity.md"
	case o.Conflicts > 0:
		return "an operator: the provider contradicts what is recorded"
	case o.Status == payment.StatusUnknown, o.Status == payment.StatusCreated:
		return "the provider's word on whether the order arrived; never start a second one meanwhile"
	case o.Status == payment.StatusRequiresAction:
		return "the customer"
	case o.Status == payment.StatusAuthorized:
		return "the shop's capture or cancel"
	case o.Status == payment.StatusProcessing:
		return "the provider"
	case o.NextPollAt != nil:
		return "its next status poll"
	}
	return "nothing"
}

// line is one line of an order's story.
type line struct {
	At           time.Time         `json:"at"`
	What         string            `json:"what"`
	Detail       string            `json:"detail"`
	ProviderData map[string]string `json:"evidence"`
}

// story merges everything that is known of an order, the oldest first.
func timelineOf(ctx context.Context, db *database, key payment.Key) ([]line, error) {
	var lines []line
	history, whole, err := db.store.StoredHistory(ctx, key)
	if err != nil {
		return nil, err
	}
	if !whole {
		lines = append(lines, line{At: db.clock.Now(), What: "altered", Detail: "the history was changed by something else than payrelay: server audit verify --order " + key.Order.String()})
	}
	for _, t := range history {
		lines = append(lines, line{t.At, string(t.Source), fmt.Sprintf("%d: %s → %s", t.Sequence, orNone(string(t.From)), t.To), t.ProviderData})
	}
	calls, err := db.store.Calls(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, c := range calls {
		detail := fmt.Sprintf("%s: %s after %s", c.Operation, c.Outcome, c.Duration)
		if c.Count > 1 {
			detail = fmt.Sprintf("%s: %s after %s at most, %d times until %s", c.Operation, c.Outcome, c.Duration, c.Count, c.LastAt.Format(time.RFC3339))
		}
		lines = append(lines, line{c.StartedAt, "call", detail, c.ProviderData})
	}
	attempts, err := attemptLines(ctx, db, key)
	if err != nil {
		return nil, err
	}
	lines = append(lines, attempts...)
	conflicts, err := db.store.Conflicts(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, c := range conflicts {
		lines = append(lines, line{c.At, "conflict", c.Reason, c.ProviderData})
	}
	callbacks, err := db.store.CallbacksOf(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, c := range callbacks {
		detail := fmt.Sprintf("%s: %s", orNone(c.Reported), c.Verdict)
		if c.Reason != "" {
			detail += ", " + c.Reason
		}
		lines = append(lines, line{c.ReceivedAt, "callback received", detail, c.ProviderData})
	}
	notifications, err := notificationLines(ctx, db, key)
	if err != nil {
		return nil, err
	}
	lines = append(lines, notifications...)
	slices.SortStableFunc(lines, func(a, b line) int { return a.At.Compare(b.At) })
	return lines, nil
}

// attemptLines are the lines of an order's attempts that ended.
func attemptLines(ctx context.Context, db *database, key payment.Key) (lines []line, err error) {
	ended, whole, err := db.store.StoredAttempts(ctx, key)
	if err != nil {
		return nil, err
	}
	if !whole {
		lines = append(lines, line{At: db.clock.Now(), What: "altered", Detail: "the attempts, or the steps around them, were changed by something else than payrelay"})
	}
	for _, a := range ended {
		lines = append(lines, line{a.At, "attempt ended", fmt.Sprintf("%d: account %s, %s; the order went to the next account", a.Number, a.AccountName, reasonOf(a)), nil})
	}
	return lines, nil
}

func providerDataText(e map[string]string) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(e)) {
		text += name + "=" + e[name] + " "
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

type orderResolveCmd struct {
	orderName
	Status    string         `required:"" enum:"succeeded,failed,canceled,authorized" placeholder:"STATUS" help:"What became of the money: succeeded, failed, canceled, or authorized if a capture or cancel took no effect."`
	Amount    int64          `placeholder:"MINOR" help:"With --status succeeded: how much moved, in minor units, if that is not what was asked for."`
	Conflicts *int           `placeholder:"NUMBER" help:"How many conflicts of the order you have seen. If there are more by now, nothing is settled."`
	Force     bool           `help:"Settle also an order about which nothing is open. The history will say so."`
	Reason    operatorReason `required:"" placeholder:"TEXT" help:"Why you are sure. It becomes part of the order's history."`
	JSON      bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c orderResolveCmd) Run(ctx context.Context, io *Streams) error {
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
	o, settled, err := service.Resolve(ctx, o.Key(), payment.Resolution{
		Status: payment.Status(c.Status), Minor: c.Amount, Seen: c.Conflicts, Force: c.Force, Reason: string(c.Reason), Operator: operatorName(),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		row, err := orderJSON(o, shops)
		if err != nil {
			return err
		}
		return printJSON(io, row)
	}
	fmt.Fprintf(io.Out, "Order %s is %s.\n", o.ID, o.Status)
	if settled == 0 {
		return nil
	}
	conflicts, err := db.store.Conflicts(ctx, o.Key())
	if err != nil {
		return fmt.Errorf("the order was resolved, but the conflicts that were settled cannot be read: %w", err)
	}
	conflicts = slices.DeleteFunc(conflicts, func(c payment.ConflictRecord) bool { return c.Source == payment.SourceOperator })
	fmt.Fprintf(io.Out, "%s settled:\n", plural.Of(settled, "conflict was", "conflicts were"))
	for _, conflict := range conflicts[max(0, len(conflicts)-settled):] {
		fmt.Fprintf(io.Out, "  %s  %s: %s, %s  %s\n", conflict.At.UTC().Format(time.RFC3339), conflict.Source, orNone(string(conflict.Reported)), conflict.Reason, providerDataText(conflict.ProviderData))
	}
	return nil
}

type orderResendCmd struct {
	orderName
	From int `required:"" placeholder:"SEQUENCE" help:"The sequence of the first notification to send again; those after it follow."`
	reasonFlag
}

// Run implements the command.
func (c orderResendCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	o, _, err := c.find(ctx, db)
	if err != nil {
		return err
	}
	list, err := db.store.NotificationsOf(ctx, o.Key())
	if err != nil {
		return err
	}
	if len(list) == 0 || list[len(list)-1].Sequence < c.From {
		return fmt.Errorf("order %s has no notification from sequence %d on", o.ID, c.From)
	}
	sent := 0
	for _, n := range list {
		switch {
		case n.Sequence >= c.From:
		case n.State == "dead_lettered":
			fmt.Fprintf(io.Out, "Notification %d was given up on and holds back those after it: it is sent again, too.\n", n.Sequence)
		default:
			continue
		}
		if err := db.store.ResendNotification(ctx, o.Key(), n.Sequence); err != nil {
			return err
		}
		sent++
	}
	fmt.Fprintf(io.Out, "Order %s: %s sent again within half a minute.\n", o.ID, plural.Of(sent, "notification is", "notifications are"))
	return nil
}
