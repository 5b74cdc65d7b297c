package app

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"unicode/utf8"

	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type cardsCmd struct {
	Scan cardsScanCmd `cmd:"" help:"Search every text in the database for card numbers."`
}

type cardsScanCmd struct {
	Table     string `placeholder:"NAME" help:"This table only."`
	Fix       bool   `help:"Mask what is found. It cannot be taken back."`
	Ambiguous bool   `help:"Also list, and mask, what has the form of a card number and may be something else, such as a reference."`
	Rate      int    `default:"2000" help:"How many rows are read a second at most."`
	JSON      bool   `name:"json" help:"Print JSON, one object a line."`
	reasonFlag
}

// Run implements the command.
func (c cardsScanCmd) Run(ctx context.Context, io *Streams) error {
	if c.Rate < 1 {
		return errors.New("--rate is at least 1")
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	texts, fixed, closed := 0, 0, 0
	rows, err := db.store.ScanCards(ctx, store.CardScan{Table: c.Table, Rate: c.Rate, Fix: c.Fix, Ambiguous: c.Ambiguous}, func(f store.FoundCard) error {
		switch {
		case f.Verdict == store.Unreadable:
			closed++
		case f.Fixed:
			fixed++
			fallthrough
		default:
			texts++
		}
		if c.JSON {
			return printJSON(io, f)
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Table, f.Column, f.ID, f.Verdict, shortened(f.Masked), outcome(f))
		return err
	})
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(io.Out, "%s read. %s what is or may be a card number, %s masked.\n",
			plural.Of(rows, "row was", "rows were"), plural.Of(texts, "text holds", "texts hold"), plural.Of(fixed, "was", "were"))
		if texts > 0 {
			fmt.Fprintln(io.Out, "Write-ahead log, replicas and backups still have what was there: see docs/runbook.md, \"A card number was stored\".")
		}
	}
	if closed > 0 {
		return fmt.Errorf("%s altered and cannot be read, so nothing is known of what was in it: 'server audit verify' names the orders", plural.Of(closed, "text was", "texts were"))
	}
	if c.Fix && fixed < texts {
		return fmt.Errorf("%s could not be masked: the list says why of each", plural.Of(texts-fixed, "text", "texts"))
	}
	return nil
}

func outcome(f store.FoundCard) string {
	switch {
	case f.Fixed:
		return "masked"
	case f.Problem != "":
		return "not masked: " + f.Problem
	}
	return ""
}

// shortened returns the beginning of a text.
func shortened(text string) string {
	const most = 80
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
