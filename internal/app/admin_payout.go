package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type payoutCmd struct {
	List    payoutListCmd    `cmd:"" help:"List the payouts that wait for a release, and those that were released and are not sent yet."`
	Release payoutReleaseCmd `cmd:"" help:"Let the shop send a payout that waits. It has 24 hours to."`
	Reject  payoutRejectCmd  `cmd:"" help:"Refuse a payout that waits. It is not asked about anew for 24 hours."`
}

// waitingRow is a payout that waits, as JSON.
type waitingRow struct {
	ID          uuid.UUID             `json:"id"`
	State       payment.ApprovalState `json:"state"`
	Shop        string                `json:"shop"`
	Reference   string                `json:"reference"`
	Account     string                `json:"account"`
	Amount      int64                 `json:"amount"`
	Currency    string                `json:"currency"`
	Destination string                `json:"destination"`
	RequestedAt time.Time             `json:"requested_at"`
	ExpiresAt   time.Time             `json:"expires_at"`
}

func waitingRowOf(p store.WaitingPayout) waitingRow {
	return waitingRow{p.ID, p.State, p.Shop, p.Reference, p.Account, p.Amount, string(p.Currency), p.Destination, p.RequestedAt, p.ExpiresAt}
}

type payoutListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c payoutListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	list, err := db.store.WaitingPayouts(ctx)
	if err != nil {
		return err
	}
	rows := make([]waitingRow, len(list))
	for i, p := range list {
		rows[i] = waitingRowOf(p)
	}
	return table(c.JSON, io, false, rows, "No payout waits for a release.", "ID\tSTATE\tSHOP\tREFERENCE\tACCOUNT\tAMOUNT\tTO\tUNTIL", func(w *tabwriter.Writer, r waitingRow) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, r.Shop, r.Reference, r.Account, money.New(r.Amount, money.Currency(r.Currency)), r.Destination, r.ExpiresAt.Format(time.RFC3339))
	})
}

// payoutDecision names a payout that waits.
type payoutDecision struct {
	ID     uuid.UUID      `arg:"" help:"Its id, as 'server payout list' prints it."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

func (c payoutDecision) decide(ctx context.Context, io *Streams, to payment.ApprovalState, says string) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	p, err := db.store.DecidePayout(ctx, c.ID, to)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, waitingRowOf(p))
	}
	fmt.Fprintf(io.Out, "%s of %s: %s to %s. %s %s.\n", p.Reference, p.Shop, money.New(p.Amount, p.Currency), p.Destination, says, p.ExpiresAt.Format(time.RFC3339))
	return nil
}

type payoutReleaseCmd struct{ payoutDecision }

// Run implements the command.
func (c payoutReleaseCmd) Run(ctx context.Context, io *Streams) error {
	return c.decide(ctx, io, payment.ApprovalReleased, "Released: it is sent when the shop sends its request once more, until")
}

type payoutRejectCmd struct{ payoutDecision }

// Run implements the command.
func (c payoutRejectCmd) Run(ctx context.Context, io *Streams) error {
	return c.decide(ctx, io, payment.ApprovalRejected, "Rejected: nothing of it is sent, and it is not asked about anew until")
}
