package app

import (
	"context"
	"fmt"
	"os"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/plural"
)

type mandateImportCmd struct {
	File    string         `arg:"" type:"existingfile" help:"A CSV file, a line for each agreement. docs/guides/recurring.md has its columns."`
	Shop    string         `required:"" placeholder:"NAME" help:"Whose customers they are."`
	Account string         `required:"" placeholder:"NAME" help:"At whose merchant the first payments were made."`
	DryRun  bool           `name:"dry-run" help:"Check every line, and ask the provider about it, but write nothing down."`
	Reason  operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// What becomes of a line.
const (
	lineImported = "imported"
	lineNew      = "new" // it would be imported
	lineRepeat   = "repeat"
	lineWrong    = "wrong"
)

// importedLine is what became of a line, as JSON.
type importedLine struct {
	Line      int         `json:"line"`
	Reference string      `json:"reference"`
	Parent    string      `json:"provider_order_id"`
	Result    string      `json:"result"`
	Mandate   *uuid.UUID  `json:"mandate"`
	Errors    []lineError `json:"errors"`
	// CurrencyNamed says that the provider named the currency, and not only the line.
	CurrencyNamed bool `json:"currency_named"`
}

type lineError struct {
	Column  string `json:"column"`
	Message string `json:"message"`
}

// Run implements the command.
func (c mandateImportCmd) Run(ctx context.Context, io *Streams) error {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	lines, err := readAgreements(file)
	_ = file.Close() // it was only read
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
	drivers, err := commandDrivers(io, db.demo)
	if err != nil {
		return err
	}
	service := payment.New(payment.Config{Store: db.store, Imports: db.store, Drivers: drivers, Now: db.clock.Now})
	shown, err := c.run(ctx, service, *shop, lines)
	if err != nil {
		return err
	}
	return c.show(io, shown)
}

// run imports the lines, or only judges them if one of them is wrong.
func (c mandateImportCmd) run(ctx context.Context, service *payment.Service, shop uuid.UUID, lines []agreementLine) ([]importedLine, error) {
	in := payment.MandateImport{Shop: shop, Account: c.Account}
	dryRun := c.DryRun
	for _, l := range lines {
		if l.wrong == nil {
			in.Agreements = append(in.Agreements, l.agreement)
		}
		dryRun = dryRun || l.wrong != nil
	}
	judged, err := service.ImportMandates(ctx, in, dryRun)
	if err != nil {
		return nil, err
	}
	shown := make([]importedLine, len(lines))
	next := 0
	for i, l := range lines {
		of := importedLine{Line: l.number, Reference: l.agreement.Reference, Parent: l.agreement.Parent, Result: lineWrong, Errors: []lineError{}}
		wrong := l.wrong
		if wrong == nil {
			of.judged(judged[next])
			wrong = judged[next].Wrong
			next++
		}
		for _, f := range wrong {
			of.Errors = append(of.Errors, lineError{f.Field, f.Message})
		}
		shown[i] = of
	}
	return shown, nil
}

// judged takes in what became of a line.
func (l *importedLine) judged(j payment.Imported) {
	l.CurrencyNamed = j.CurrencyNamed
	switch {
	case j.Wrong != nil:
		return
	case j.Repeat:
		l.Result = lineRepeat
	case j.Written:
		l.Result = lineImported
	default:
		l.Result = lineNew
		return
	}
	l.Mandate = &j.Order.ID
}

// show prints what became of the lines. It is an error if one of them is wrong.
func (c mandateImportCmd) show(io *Streams, lines []importedLine) error {
	count, unnamed := map[string]int{}, 0
	for _, l := range lines {
		count[l.Result]++
		if l.Result != lineRepeat && l.Result != lineWrong && !l.CurrencyNamed {
			unnamed++
		}
	}
	if c.JSON {
		if err := printJSON(io, map[string]any{
			"dry_run": c.DryRun, "imported": count[lineImported], "new": count[lineNew], "repeats": count[lineRepeat], "wrong": count[lineWrong], "lines": lines,
		}); err != nil {
			return err
		}
	} else {
		for _, l := range lines {
			l.print(io)
		}
		fmt.Fprintf(io.Out, "%d imported, %d new and not imported, %d imported before, %d wrong.\n", count[lineImported], count[lineNew], count[lineRepeat], count[lineWrong])
		if unnamed > 0 {
			fmt.Fprintf(io.Out, "The provider did not name the currency of %s: compare the account's currency with the merchant cabinet.\n", plural.Of(unnamed, "payment", "payments"))
		}
	}
	if n := count[lineWrong]; n > 0 {
		return fmt.Errorf("%d of %s wrong. Nothing was imported", n, plural.Of(len(lines), "line is", "lines are"))
	}
	return nil
}

func (l importedLine) print(io *Streams) {
	name := fmt.Sprintf("line %d", l.Line)
	if l.Reference != "" {
		name += " (" + l.Reference + ")"
	}
	switch {
	case l.Mandate != nil:
		fmt.Fprintf(io.Out, "%s: %s, mandate %s\n", name, l.Result, *l.Mandate)
	case l.Result == lineNew:
		fmt.Fprintf(io.Out, "%s: %s\n", name, l.Result)
	}
	for _, e := range l.Errors {
		if e.Column != "" {
			e.Column += ": "
		}
		fmt.Fprintf(io.Out, "%s: %s%s\n", name, e.Column, e.Message)
	}
}
