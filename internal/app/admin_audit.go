package app

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/store"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List the newest entries of the audit log."`
	Export auditExportCmd `cmd:"" help:"Print all entries, the oldest first, for programs."`
	Accept auditAcceptCmd `cmd:"" help:"Seal the rows of a shop or account as they are, after they were changed past payrelay, and switch it off."`
	Anchor auditAnchorCmd `cmd:"" help:"Write the newest event of each shop into the audit log. 'audit verify' finds from then on if the end of a feed was cut off before it."`
	Verify auditVerifyCmd `cmd:"" help:"Find what was changed in the database by something else than payrelay. Exit code 0: nothing. 1: something. 2: it could not be read."`
}

// auditFilter are the flags that select entries.
type auditFilter struct {
	Since  time.Time `placeholder:"TIME" help:"From this time on, as 2026-11-29T07:00:00Z."`
	Until  time.Time `placeholder:"TIME" help:"Before this time."`
	Actor  string    `placeholder:"NAME" help:"By this user of the operating system, or under this name."`
	Action string    `placeholder:"WORDS" help:"What was done, or how it begins: 'key' is everything done to keys."`
	Object string    `placeholder:"NAME" help:"To this shop, account, key or order."`
	Shop   string    `placeholder:"NAME" help:"To anything of this shop."`
}

func (f auditFilter) filter() store.AuditFilter { return store.AuditFilter(f) }

type auditListCmd struct {
	auditFilter
	Limit int  `default:"50" help:"How many entries at most."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c auditListCmd) Run(ctx context.Context, io *Streams) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return fmt.Errorf("--limit is from 1 to 10000; 'server audit export' prints everything")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	entries, err := db.store.LatestAudit(ctx, c.filter(), c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, entries)
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tACTOR\tACTION\tOBJECT\tSHOP\tREASON")
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At.Format(time.RFC3339), actorOf(e), e.Action, e.ObjectKind+" "+e.ObjectID, orNone(e.Shop), orNone(e.Reason))
	}
	return w.Flush()
}

// actorOf names who did something. A name that was only given is marked as a claim.
func actorOf(e store.AuditEntry) string {
	name := e.Actor
	if e.Host != "" {
		name += "@" + e.Host
	}
	if e.ClaimedBy != "" {
		name += fmt.Sprintf(" (claims to be %s)", e.ClaimedBy)
	}
	return name
}

type auditExportCmd struct {
	auditFilter
	Format string `default:"jsonl" enum:"jsonl,csv" help:"jsonl: an object a line. csv: a header and a row an entry."`
}

// Run implements the command.
func (c auditExportCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	if c.Format == "jsonl" {
		e := json.NewEncoder(io.Out)
		e.SetEscapeHTML(false)
		return db.store.EachAudit(ctx, c.filter(), func(entry store.AuditEntry) error { return e.Encode(entry) })
	}
	w := csv.NewWriter(io.Out)
	if err := w.Write([]string{"id", "at", "actor", "actor_kind", "host", "claimed_by", "action", "object_kind", "object_id", "shop", "before", "after", "reason"}); err != nil {
		return err
	}
	if err := db.store.EachAudit(ctx, c.filter(), func(e store.AuditEntry) error {
		row := []string{
			e.ID.String(), e.At.Format(time.RFC3339Nano), e.Actor, e.ActorKind, e.Host, e.ClaimedBy, e.Action, e.ObjectKind, e.ObjectID, e.Shop,
			string(e.Before), string(e.After), e.Reason,
		}
		for i := range row {
			row[i] = noFormula(row[i])
		}
		return w.Write(row)
	}); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// noFormula keeps a spreadsheet from executing a cell.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
