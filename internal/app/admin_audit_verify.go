package app

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type auditVerifyCmd struct {
	Since  time.Time `placeholder:"TIME" help:"Only orders that were created from this time on, as 2026-11-29T07:00:00Z."`
	Order  string    `placeholder:"NAME" help:"This order only: its id, the shop's reference, or what 'order show' takes."`
	Shop   string    `placeholder:"NAME" help:"With --order: the shop whose order it is."`
	Rate   int       `default:"2000" help:"How many orders are read a second at most; 0 is no bound."`
	Newest string    `placeholder:"NUMBER:SEAL" help:"The audit log must hold this entry, which an earlier verification printed as its newest. Keep that outside the database."`
	JSON   bool      `name:"json" help:"Print JSON."`
}

// verifyReport is the result for programs.
type verifyReport struct {
	store.Verified
	Findings []store.Finding `json:"findings"`
	// Newest is the newest entry of the audit log, for the next verification.
	Newest string `json:"newest"`
}

// Run implements the command.
func (c auditVerifyCmd) Run(ctx context.Context, io *Streams) error {
	report, err := c.verify(ctx, io)
	if err != nil {
		return &exitError{2, fmt.Errorf("not everything could be read, so nothing is proved: %w", err)}
	}
	if c.JSON {
		err = printJSON(io, report)
	} else {
		err = report.text(io)
	}
	if err == nil && len(report.Findings) > 0 {
		err = fmt.Errorf("%s: see docs/integrity.md", plural.Of(len(report.Findings), "row is not as payrelay wrote it", "rows are not as payrelay wrote them"))
	}
	return err
}

func (c auditVerifyCmd) verify(ctx context.Context, io *Streams) (report verifyReport, err error) {
	if c.Rate < 0 {
		return report, errors.New("--rate is 0 or more")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return report, err
	}
	defer db.close()
	if err := db.store.LoadSealKey(ctx); err != nil {
		return report, err
	}
	scope := store.VerifyScope{Since: c.Since, Rate: c.Rate}
	if c.Order != "" {
		o, _, err := orderName{c.Order, c.Shop}.find(ctx, db)
		if err != nil {
			return report, err
		}
		key := o.Key()
		scope.Order = &key
	}
	report.Findings = []store.Finding{}
	if scope.Order == nil {
		altered, err := db.store.CheckConfiguration(ctx)
		if err != nil {
			return report, err
		}
		report.Findings, report.Newest = append(report.Findings, altered...), db.store.AuditHead()
	}
	if c.Newest != "" {
		cut, err := db.store.CheckAuditHead(ctx, c.Newest)
		if err != nil {
			return report, err
		}
		report.Findings = append(report.Findings, cut...)
	}
	report.Verified, err = db.store.VerifyOrders(ctx, scope, func(f store.Finding) { report.Findings = append(report.Findings, f) })
	return report, err
}

func (r verifyReport) text(io *Streams) error {
	if len(r.Findings) > 0 {
		w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TABLE\tID\tWHAT")
		for _, f := range r.Findings {
			fmt.Fprintf(w, "%s\t%s\t%s\n", f.Table, f.ID, f.What)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(io.Out, "Verified: settings and the audit log, %s, %s of their histories, %s of the feeds. Differences: %d.\n",
		plural.Of(r.Orders, "order", "orders"), plural.Of(r.Transitions, "step", "steps"), plural.Of(r.Events, "event", "events"), len(r.Findings))
	if err == nil && r.Newest != "" {
		_, err = fmt.Fprintf(io.Out, "Newest entry of the audit log: %s. Keep it elsewhere, and give it to the next verification as --newest.\n", r.Newest)
	}
	return err
}

type auditAnchorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command.
func (c auditAnchorCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	shops, err := db.store.AnchorFeeds(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]int{"shops": shops})
	}
	fmt.Fprintf(io.Out, "The newest events of %s are in the audit log. 'server audit verify' finds from now on if one of them is gone.\n", plural.Of(shops, "shop", "shops"))
	return nil
}
