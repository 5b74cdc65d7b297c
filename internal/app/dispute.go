package app

import (
	"context"
	"fmt"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	httpapi "payrelay/internal/http"
	"payrelay/internal/payment"
)

type disputeCmd struct {
	List    disputeListCmd    `cmd:"" help:"List the open disputes of all shops, the newest first."`
	Show    disputeShowCmd    `cmd:"" help:"Show a dispute."`
	Open    disputeOpenCmd    `cmd:"" help:"Write a dispute down that the provider or a bank told you of, such as a chargeback. The shop is notified."`
	Set     disputeSetCmd     `cmd:"" help:"Write down what became known of an open dispute: its date, its case, that evidence was handed in."`
	Resolve disputeResolveCmd `cmd:"" help:"End a dispute by what became of the money."`
}

// disputeFacts are flags about a dispute.
type disputeFacts struct {
	ReasonCode *disputeWord `placeholder:"CODE" help:"What the provider or the card network calls the reason, such as 10.4."`
	Case       *disputeWord `name:"case" placeholder:"NUMBER" help:"The provider's number of the case."`
	Due        *time.Time   `placeholder:"TIME" help:"Until when somebody must answer, such as 2026-12-09T00:00:00Z."`
}

// disputeWord is a code or number as providers give them.
type disputeWord string

var disputeWordForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *disputeWord) UnmarshalText(b []byte) error {
	if !disputeWordForm.Match(b) {
		return fmt.Errorf("it is not 1 to 32 letters, digits, dots, dashes and underscores: tell the rest in --reason")
	}
	*w = disputeWord(b)
	return nil
}

// check refuses what may be a card number.
func (f disputeFacts) check() error {
	for _, t := range []operatorText{{"--reason-code", string(orZero(f.ReasonCode))}, {"--case", string(orZero(f.Case))}} {
		if err := t.check(); err != nil {
			return err
		}
	}
	return nil
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// disputes are the use cases about disputes, for a command.
func disputes(db *database) *payment.Service {
	return payment.New(payment.Config{Store: db.store, DisputeStore: db.store, Drivers: offlineDrivers(), Now: db.clock.Now})
}

type disputeListCmd struct {
	Shop string `placeholder:"NAME" help:"Of one shop only."`
	All  bool   `help:"Also those that have ended."`
	JSON bool   `name:"json" help:"Print JSON, one object a line."`
}

// Run implements the command.
func (c disputeListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	shops, shop, err := namesAnd(ctx, db, c.Shop)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(w, "ID\tSHOP\tKIND\tSTATUS\tAMOUNT\tOVERDRAWN\tDUE\tORDER")
	}
	for cursor := ""; ; {
		page, err := db.store.Disputes(ctx, payment.DisputeFilter{Shop: orZero(shop), Open: !c.All, Limit: 200, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if c.JSON {
				if err := printDispute(io, d, shops, nil); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, shops.name(d.ShopID), d.Kind, d.Status, d.Amount, d.Overdrawn, timeOrDash(d.DueAt), d.OrderID)
		}
		if cursor = page.Next; cursor == "" {
			return w.Flush()
		}
	}
}

// printDispute prints a dispute as the API shows it, with its shop, and its steps where they are known.
func printDispute(io *Streams, d payment.Dispute, shops *shopNames, steps []disputeStep) error {
	more := map[string]any{"shop": shops.name(d.ShopID)}
	if steps != nil {
		more["steps"] = steps
	}
	row, err := withMore(httpapi.RenderDispute(d), more)
	if err != nil {
		return fmt.Errorf("write dispute %s as JSON: %w", d.ID, err)
	}
	return printJSON(io, row)
}

// disputeName is how a command line says which dispute it means.
type disputeName struct {
	ID   uuid.UUID `arg:"" help:"Its id, as 'server dispute list' prints it."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// tell says what became of a dispute.
func (n disputeName) tell(ctx context.Context, io *Streams, db *database, d payment.Dispute) error {
	shops, err := namesOf(ctx, db)
	if err != nil {
		return err
	}
	if n.JSON {
		return printDispute(io, d, shops, nil)
	}
	fmt.Fprintf(io.Out, "Dispute %s of %s: %s, %s, %s.\n", d.ID, shops.name(d.ShopID), d.Kind, d.Amount, d.Status)
	return nil
}

type disputeShowCmd struct{ disputeName }

// Run implements the command.
func (c disputeShowCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	d, err := db.store.Dispute(ctx, uuid.Nil, c.ID)
	if err != nil {
		return err
	}
	steps, err := disputeSteps(ctx, db, d)
	if err != nil {
		return err
	}
	if c.JSON {
		shops, err := namesOf(ctx, db)
		if err != nil {
			return err
		}
		return printDispute(io, d, shops, steps)
	}
	if err := c.tell(ctx, io, db, d); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "order           %s: 'server order show' has its whole history\n", d.OrderID)
	if d.RefundID != nil {
		fmt.Fprintf(io.Out, "refund          %s: it had failed here, and the provider carried it out\n", d.RefundID)
	}
	fmt.Fprintf(io.Out, "reason code     %s, case %s\n", orNone(d.ReasonCode), orNone(d.ProviderCase))
	fmt.Fprintf(io.Out, "due             %s\n", timeOrDash(d.DueAt))
	fmt.Fprintf(io.Out, "overdrawn       %d: what was more than was left of the payment\n", d.Overdrawn)
	fmt.Fprintf(io.Out, "refunds         %s\n", map[bool]string{true: "allowed", false: "refused while it is open"}[d.RefundsAllowed])
	fmt.Fprintf(io.Out, "opened          %s by %s, changed %s\n", d.OpenedAt.Format(time.RFC3339), d.Source, d.UpdatedAt.Format(time.RFC3339))
	for _, s := range steps {
		s.print(io)
	}
	return nil
}

type disputeOpenCmd struct {
	orderName
	Kind   string `required:"" placeholder:"KIND" enum:"chargeback,second_chargeback,reversal,external_refund,duplicate_charge,surplus_capture,inquiry" help:"How money moved: chargeback, second_chargeback, reversal, external_refund, duplicate_charge or surplus_capture. An inquiry is a bank's question, and moves none."`
	Amount *int64 `placeholder:"MINOR" help:"How much, in minor units; all that was captured without it."`
	disputeFacts
	Another bool           `help:"It is other money than an open dispute of the same sum."`
	Reason  operatorReason `required:"" placeholder:"TEXT" help:"How you know. It becomes part of the order's history."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c disputeOpenCmd) Run(ctx context.Context, io *Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Amount != nil && *c.Amount <= 0 {
		return fmt.Errorf("--amount %d: a dispute is about a sum above zero; leave it out for all that was captured. Nothing was changed", *c.Amount)
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
	d, err := disputes(db).OpenDispute(ctx, payment.NewDispute{
		Payment: o.Key(), Kind: payment.DisputeKind(c.Kind), Minor: orZero(c.Amount), ReasonCode: string(orZero(c.ReasonCode)), ProviderCase: string(orZero(c.Case)), DueAt: c.Due,
		Reason: string(c.Reason), Operator: operatorName(), Another: c.Another,
	})
	if err != nil {
		return err
	}
	return disputeName{d.ID, c.JSON}.tell(ctx, io, db, d)
}

type disputeSetCmd struct {
	disputeName
	Status  string `enum:",needs_response,under_review" default:"" help:"How it stands: needs_response or under_review."`
	Kind    string `enum:",chargeback,second_chargeback,reversal,external_refund" default:"" help:"What it is after all, such as a chargeback that came as an external_refund."`
	Refunds string `enum:",allow,refuse" default:"" help:"Whether the shop may refund the payment while it is open: allow or refuse."`
	disputeFacts
	evidenceFlags
	Reason operatorReason `required:"" placeholder:"TEXT" help:"How you know. It becomes part of the order's history."`
}

// Run implements the command.
func (c disputeSetCmd) Run(ctx context.Context, io *Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	change := payment.DisputeChange{
		ReasonCode: (*string)(c.ReasonCode), ProviderCase: (*string)(c.Case), DueAt: c.Due, Reason: string(c.Reason), Operator: operatorName(),
	}
	if c.Status != "" {
		change.Status = (*payment.DisputeStatus)(&c.Status)
	}
	if c.Kind != "" {
		change.Kind = (*payment.DisputeKind)(&c.Kind)
	}
	if c.Refunds != "" {
		allowed := c.Refunds == "allow"
		change.RefundsAllowed = &allowed
	}
	if c.Status == "" && c.Kind == "" && c.Refunds == "" && c.disputeFacts == (disputeFacts{}) && c.evidenceFlags == (evidenceFlags{}) {
		return fmt.Errorf("nothing to change: give --status, --kind, --refunds, --reason-code, --case, --due, --note or --evidence")
	}
	var err error
	if change.Note, change.Evidence, err = c.read(); err != nil {
		return err
	}
	return c.change(ctx, io, change, c.Reason)
}

// change carries out a change and says what became of the dispute.
func (n disputeName) change(ctx context.Context, io *Streams, change payment.DisputeChange, reason operatorReason) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	d, err := db.store.Dispute(ctx, uuid.Nil, n.ID)
	if err != nil {
		return err
	}
	if d, err = disputes(db).ChangeDispute(ctx, d.ShopID, n.ID, change); err != nil {
		return err
	}
	if change.Evidence != nil && !n.JSON {
		fmt.Fprintf(io.Out, "Kept of %s: SHA-256 %s, %d bytes. No provider takes evidence by its API: send it in the provider's cabinet%s.\n", change.Evidence.Name, change.Evidence.SHA256, change.Evidence.Bytes, untilDue(d))
	}
	return n.tell(ctx, io, db, d)
}

type disputeResolveCmd struct {
	disputeName
	Outcome string         `required:"" placeholder:"OUTCOME" enum:"won,lost,accepted,expired,closed" help:"won: the money came back. lost, expired: it is gone. accepted: the shop takes it as it is. closed: there is nothing to it, or the surplus was given back."`
	Reason  operatorReason `required:"" placeholder:"TEXT" help:"How you know. It becomes part of the order's history."`
}

// Run implements the command.
func (c disputeResolveCmd) Run(ctx context.Context, io *Streams) error {
	outcome := payment.DisputeStatus(c.Outcome)
	return c.change(ctx, io, payment.DisputeChange{Status: &outcome, Reason: string(c.Reason), Operator: operatorName()}, c.Reason)
}
