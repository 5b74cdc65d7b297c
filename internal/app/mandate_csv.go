package app

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"payrelay/internal/card/detect"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/routing"
)

const (
	// largestImport and mostImported bound a file of agreements: each line is a question to the provider.
	largestImport = 1 << 20
	mostImported  = 2000
	// largestSum is the largest that the contract takes.
	largestSum = 1<<53 - 1
)

// The columns of a file of agreements. The first four must be there.
var importColumns = []string{
	"reference", "provider_order_id", "amount", "currency", "description", "customer", "max_amount", "min_days", "expires_at", "max_charges",
	"last_charged_at", "schedule_every", "schedule_interval", "schedule_amount", "schedule_retry_days",
}

const columnsNeeded = 4

var (
	referenceForm = regexp.MustCompile(`^[ -{}~]{1,64}$`)
	parentForm    = regexp.MustCompile(`^[!-{}~]{1,128}$`)
)

// agreementLine is a line of such a file.
type agreementLine struct {
	number    int
	agreement payment.Agreement
	wrong     []gateway.FieldError
}

// readAgreements reads a file of agreements. What is wrong with a line is in the line; an error is about the file.
func readAgreements(file io.Reader) ([]agreementLine, error) {
	text, err := io.ReadAll(io.LimitReader(file, largestImport+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the file: %w", err)
	case len(text) > largestImport:
		return nil, fmt.Errorf("the file is larger than %d bytes: divide it", largestImport)
	case !utf8.Valid(text):
		return nil, errors.New("the file is not UTF-8: save it as UTF-8")
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the file is empty: its first line names the columns, such as %s", strings.Join(importColumns[:columnsNeeded], ","))
	}
	if err == nil {
		err = checkColumns(header)
	}
	if err != nil {
		return nil, fmt.Errorf("the first line: %w", err)
	}
	var lines []agreementLine
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return lines, checkLines(lines)
		case err != nil:
			return nil, fmt.Errorf("the file is no CSV: %w", err)
		case len(lines) == mostImported:
			return nil, fmt.Errorf("the file has more than %d lines: divide it", mostImported)
		}
		number, _ := r.FieldPos(0)
		lines = append(lines, readAgreement(number, header, row))
	}
}

// checkColumns refuses a header with an unknown column, with one twice, or without one that is needed.
func checkColumns(header []string) error {
	for i, name := range header {
		switch {
		case !slices.Contains(importColumns, name):
			if near := routing.Nearest(name, importColumns); near != "" {
				return fmt.Errorf("there is no column %q: did you mean %q?", name, near)
			}
			return fmt.Errorf("there is no column %q: there are %s", name, strings.Join(importColumns, ", "))
		case slices.Contains(header[:i], name):
			return fmt.Errorf("the column %q is there twice", name)
		}
	}
	for _, name := range importColumns[:columnsNeeded] {
		if !slices.Contains(header, name) {
			return fmt.Errorf("the column %q is missing", name)
		}
	}
	return nil
}

// checkLines names lines with the reference or the parent of an earlier one.
func checkLines(lines []agreementLine) error {
	if len(lines) == 0 {
		return errors.New("the file has no line but the first: nothing is to be imported")
	}
	references, parents := map[string]int{}, map[string]int{}
	for i := range lines {
		l := &lines[i]
		for _, of := range []struct {
			seen         map[string]int
			column, cell string
		}{{references, "reference", l.agreement.Reference}, {parents, "provider_order_id", l.agreement.Parent}} {
			if first, twice := of.seen[of.cell]; twice && of.cell != "" {
				l.add(of.column, fmt.Sprintf("is also that of line %d", first))
			} else {
				of.seen[of.cell] = l.number
			}
		}
	}
	return nil
}

func (l *agreementLine) add(column, message string) {
	l.wrong = append(l.wrong, gateway.FieldError{Field: column, Message: message})
}

// cells reads the cells of a line by their columns.
type cells struct {
	*agreementLine
	cell map[string]string
}

func readAgreement(number int, header, row []string) agreementLine {
	l := agreementLine{number: number}
	if len(row) != len(header) {
		l.add("", fmt.Sprintf("the line has %d cells, and the first line names %d columns", len(row), len(header)))
		return l
	}
	c := cells{&l, map[string]string{}}
	for i, name := range header {
		c.cell[name] = strings.TrimSpace(row[i])
		c.checkCard(name)
	}
	if l.wrong != nil { // nothing else is said of it, so that it is repeated nowhere
		return l
	}
	c.read(&l.agreement)
	return l
}

// checkCard refuses a cell that holds a card number. Of an id, which nobody can say in other words, it must be evident.
func (c cells) checkCard(column string) {
	verdict := detect.Place{Field: column}.Judge(c.cell[column])
	isID := column == "reference" || column == "provider_order_id"
	if verdict == detect.Evident || verdict != detect.Clean && !isID {
		c.add(column, "may hold a card number, which must not be kept: leave it out")
	}
}

func (c cells) read(a *payment.Agreement) {
	a.Reference, a.Parent = c.matching("reference", referenceForm, "must be 1 to 64 printable ASCII characters without a bar"),
		c.matching("provider_order_id", parentForm, "must be the provider's own id of the payment: 1 to 128 printable ASCII characters without blanks and bars")
	if payment.ReservedReference(a.Reference) {
		c.add("reference", "is of a form that only payrelay gives: give another one")
	}
	currency, err := money.ParseCurrency(c.cell["currency"])
	if err != nil {
		c.add("currency", "must be a code of ISO 4217, such as EUR")
	}
	minor := c.number("amount", 1, largestSum)
	if c.cell["amount"] == "" {
		c.add("amount", "is missing: what was paid with the first payment, in minor units")
	}
	if err == nil {
		a.Amount = money.New(minor, currency)
	}
	a.Description = c.text("description", 255)
	if customer := c.text("customer", 500); customer != "" {
		a.Metadata = map[string]string{"customer_id": customer}
	}
	a.Terms = payment.MandateTerms{
		MaxAmount: c.number("max_amount", 1, largestSum), MinDays: int(c.number("min_days", 1, 366)), MaxCharges: int(c.number("max_charges", 1, 100_000)),
		ExpiresAt: c.time("expires_at"), CountsFrom: c.time("last_charged_at"), Schedule: c.schedule(minor),
	}
	if a.Terms.MaxAmount == 0 {
		a.Terms.MaxAmount = minor
	}
}

// schedule reads when payrelay charges, nil for never.
func (c cells) schedule(minor int64) *payment.MandateSchedule {
	every := payment.ScheduleUnit(c.cell["schedule_every"])
	units := []payment.ScheduleUnit{payment.EveryDay, payment.EveryWeek, payment.EveryMonth}
	if every == "" {
		for _, column := range importColumns {
			if strings.HasPrefix(column, "schedule_") && c.cell[column] != "" {
				c.add(column, "means nothing without schedule_every")
			}
		}
		return nil
	}
	if !slices.Contains(units, every) {
		c.add("schedule_every", "must be day, week or month")
	}
	s := payment.MandateSchedule{Every: every, Interval: max(int(c.number("schedule_interval", 1, 366)), 1), Amount: c.number("schedule_amount", 1, largestSum)}
	if s.Amount == 0 {
		s.Amount = minor
	}
	for _, text := range strings.Fields(c.cell["schedule_retry_days"]) {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 60 || len(s.RetryDays) == 8 {
			c.add("schedule_retry_days", "must be up to 8 numbers from 1 to 60 with blanks between them, such as 1 3 5")
			break
		}
		s.RetryDays = append(s.RetryDays, days)
	}
	return &s
}

func (c cells) matching(column string, form *regexp.Regexp, rule string) string {
	if !form.MatchString(c.cell[column]) {
		c.add(column, rule)
	}
	return c.cell[column]
}

// number reads a whole number, 0 for an empty cell.
func (c cells) number(column string, least, most int64) int64 {
	text := c.cell[column]
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most || text[0] == '+' {
		c.add(column, fmt.Sprintf("must be a whole number from %d to %d, without a sign or point", least, most))
		return 0
	}
	return n
}

// time reads a time, nil for an empty cell.
func (c cells) time(column string) *time.Time {
	text := c.cell[column]
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1970 || at.Year() > 2999 {
		c.add(column, "must be a time of RFC 3339, such as 2027-01-31T00:00:00Z")
		return nil
	}
	at = at.UTC().Truncate(time.Microsecond)
	return &at
}

func (c cells) text(column string, most int) string {
	text := c.cell[column]
	switch {
	case utf8.RuneCountInString(text) > most:
		c.add(column, fmt.Sprintf("must have at most %d characters", most))
	case strings.ContainsFunc(text, unicode.IsControl):
		c.add(column, "must have no control characters, such as line breaks")
	}
	return text
}
