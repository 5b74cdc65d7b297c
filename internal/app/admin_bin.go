package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"payrelay/internal/bintable"
	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type binCmd struct {
	Import binImportCmd `cmd:"" help:"Replace the table by that of a list in CSV. It counts after 5 s."`
	Show   binShowCmd   `cmd:"" help:"Say in which country the cards with a BIN were issued."`
	Status binStatusCmd `cmd:"" help:"Say which table is used, who imported it, when and why."`
}

type binImportCmd struct {
	File   string         `arg:"" type:"existingfile" help:"The list, as CSV with the columns bin and country. docs/routing.md says more."`
	DryRun bool           `help:"Say what would change. Nothing is."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept with the table and in the audit log."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c binImportCmd) Run(ctx context.Context, io *Streams) error {
	list, err := c.read()
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	before, err := db.store.BINTable(ctx)
	if err != nil {
		return err
	}
	imported := store.BINTable{Table: list.Table}
	if !c.DryRun {
		if imported, err = db.store.ImportBINs(ctx, list.Table); err != nil {
			return err
		}
	}
	return c.print(io, list, imported, list.Table.ChangeFrom(before.Table))
}

// read reads the list. What is larger than a list may be is not read at all.
func (c binImportCmd) read() (*bintable.List, error) {
	about, err := os.Stat(c.File)
	if err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	if about.Size() > bintable.MostBytes {
		return nil, fmt.Errorf("the list is larger than %d MiB. Nothing was changed", bintable.MostBytes>>20)
	}
	content, err := os.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	return bintable.Read(content)
}

func (c binImportCmd) print(io *Streams, list *bintable.List, imported store.BINTable, change bintable.Change) error {
	size := list.Table.Size()
	if c.JSON {
		return printJSON(io, map[string]any{"dry_run": c.DryRun, "version": orNull(imported.Version), "digest": orNull(imported.Digest), "list": list, "table": size, "change": change})
	}
	if c.DryRun {
		fmt.Fprint(io.Out, "Nothing was changed. The table would have ")
	} else {
		fmt.Fprintf(io.Out, "Version %d is imported, and every replica routes by it within 5 s. It has ", imported.Version)
	}
	fmt.Fprintf(io.Out, "%s, of %s.\n", sizeText(size), plural.Of(list.Lines, "line", "lines"))
	if list.NoCountry > 0 {
		fmt.Fprintf(io.Out, "%s left out.\n", plural.Of(list.NoCountry, "line names no country and was", "lines name no country and were"))
	}
	if len(list.Ignored) > 0 {
		fmt.Fprintf(io.Out, "Columns that were left out: %s.\n", strings.Join(list.Ignored, ", "))
	}
	fmt.Fprintf(io.Out, "Beside the table before, of the BINs of 8 digits %s new, %s another country, and %s gone.\n",
		plural.Of(change.Added, "is", "are"), plural.Of(change.Moved, "has", "have"), plural.Of(change.Removed, "is", "are"))
	return nil
}

func sizeText(size bintable.Size) string {
	return plural.Of(size.Ranges, "range", "ranges") + " with " + plural.Of(size.BINs, "BIN", "BINs") + " of 8 digits, of " + plural.Of(size.Countries, "country", "countries")
}

// orNull is a value for JSON, where none is null.
func orNull[T comparable](value T) any {
	var none T
	if value == none {
		return nil
	}
	return value
}

type binShowCmd struct {
	BIN  string `arg:"" name:"bin" help:"The first 6 to 8 digits of a card number."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c binShowCmd) Run(ctx context.Context, io *Streams) error {
	if !bintable.Valid(c.BIN) { // it may be a card number, so it is not repeated
		return errors.New("a BIN is the first 6 to 8 digits of a card number, and nothing more of it")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	bins, err := usableBINs(ctx, db)
	if err != nil {
		return err
	}
	of, all := bins.Table.Country(c.BIN), []string{}
	for _, code := range bins.Table.Countries(c.BIN) {
		if code != "" {
			all = append(all, code)
		}
	}
	switch {
	case c.JSON:
		return printJSON(io, map[string]any{"bin": c.BIN, "country": orNull(of), "countries": all, "version": orNull(bins.Version)})
	case bins.Version == 0:
		fmt.Fprintln(io.Out, "There is no table. 'server bin import FILE' imports one.")
	case of != "":
		fmt.Fprintf(io.Out, "%s (version %d)\n", of, bins.Version)
	case len(all) > 0:
		fmt.Fprintf(io.Out, "Not known by these digits alone: cards that begin with them are of %s, or of none that version %d knows. Give 8 digits.\n", strings.Join(all, ", "), bins.Version)
	default:
		fmt.Fprintf(io.Out, "Not known: version %d does not have it.\n", bins.Version)
	}
	return nil
}

// usableBINs is the table that payments are routed by.
func usableBINs(ctx context.Context, db *database) (store.BINTable, error) {
	bins, err := db.store.BINTable(ctx)
	if err == nil && bins.Unusable != nil {
		err = fmt.Errorf("%w: 'server bin import FILE' replaces it", bins.Unusable)
	}
	return bins, err
}

type binStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c binStatusCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	bins, err := db.store.BINTable(ctx)
	if err != nil {
		return err
	}
	unusable := ""
	if bins.Unusable != nil {
		unusable = bins.Unusable.Error()
	}
	size := bins.Table.Size()
	if c.JSON {
		if bins.Version == 0 {
			return printJSON(io, map[string]any{"version": nil, "unusable": orNull(unusable)})
		}
		return printJSON(io, map[string]any{
			"version": bins.Version, "digest": bins.Digest, "author": bins.Author, "reason": bins.Reason, "imported_at": bins.ImportedAt, "table": size, "unusable": orNull(unusable),
		})
	}
	if bins.Version == 0 {
		fmt.Fprintln(io.Out, "There is no table, so no rule may ask for card.country. 'server bin import FILE' imports one.")
	} else {
		fmt.Fprintf(io.Out, "Version %d, imported %s by %s: %s\nDigest: %s\n", bins.Version, bins.ImportedAt.Format(time.RFC3339), bins.Author, bins.Reason, bins.Digest)
	}
	switch {
	case unusable != "":
		fmt.Fprintf(io.Out, "Rules that ask for card.country refuse payments, because %s. 'server bin import FILE' replaces it.\n", unusable)
	case bins.Version > 0:
		fmt.Fprintf(io.Out, "It has %s.\n", sizeText(size))
	}
	return nil
}
