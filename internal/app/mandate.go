package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	httpapi "payrelay/internal/http"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/plural"
)

type mandateCmd struct {
	List   mandateListCmd   `cmd:"" help:"List mandates, the newest of each shop first."`
	Show   mandateShowCmd   `cmd:"" help:"Show a mandate."`
	Pause  mandatePauseCmd  `cmd:"" help:"Let a mandate be charged no more until it is resumed."`
	Resume mandateResumeCmd `cmd:"" help:"End the pause of a mandate."`
	Revoke mandateRevokeCmd `cmd:"" help:"End a mandate for good. Where the provider charges by its own schedule, it is asked to end that."`
	Import mandateImportCmd `cmd:"" help:"Bring the agreements that customers made before payrelay, from a CSV file."`
}

// mandates are the use cases about mandates, for a command. A command that may call the provider is online.
func mandates(io *Streams, db *database, online bool) (*payment.Service, error) {
	drivers := offlineDrivers()
	if online {
		var err error
		if drivers, err = commandDrivers(io, db.demo); err != nil {
			return nil, err
		}
	}
	return payment.New(payment.Config{Store: db.store, Drivers: drivers, Now: db.clock.Now}), nil
}

type mandateListCmd struct {
	Shop    string `placeholder:"NAME" help:"Of one shop only."`
	Account string `placeholder:"NAME" help:"Of payments at one account only."`
	Status  string `enum:",pending,active,paused,revoking,revoked,expired,failed" default:"" help:"Of one status only: pending, active, paused, revoking, revoked, expired or failed."`
	JSON    bool   `name:"json" help:"Print JSON, one object a line."`
}

// Run implements the command.
func (c mandateListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	shops, only, err := namesAnd(ctx, db, c.Shop)
	if err != nil {
		return err
	}
	service, err := mandates(io, db, false)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(w, "ID\tSHOP\tSTATUS\tDRIVER\tMAX AMOUNT\tCHARGES\tLAST CHARGE\tACCOUNT\tREFERENCE")
	}
	for _, shop := range shops.sorted() {
		if only != nil && *only != shop {
			continue
		}
		if err := c.listShop(ctx, io, w, service, shop, shops); err != nil {
			return err
		}
	}
	return w.Flush()
}

// listShop lists the mandates of one shop.
func (c mandateListCmd) listShop(ctx context.Context, io *Streams, w *tabwriter.Writer, service *payment.Service, shop uuid.UUID, shops *shopNames) error {
	for cursor := ""; ; {
		page, err := service.Mandates(ctx, shop, cursor, 200)
		if err != nil {
			return err
		}
		for _, m := range page.Items {
			status := m.Status(m.AsOf)
			if c.Status != "" && c.Status != string(status) || c.Account != "" && c.Account != m.First.AccountName {
				continue
			}
			if c.JSON {
				if err := printMandate(io, m, shops); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", m.First.ID, shops.name(shop), status, driverOf(m), sumOf(m, m.MaxAmount), m.Succeeded, timeOrDash(m.LastAt), m.First.AccountName, m.First.Reference)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

func driverOf(m *payment.Mandate) string {
	return map[bool]string{true: "provider", false: "on_demand"}[m.ByProvider]
}

func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

// sorted are the ids of all shops, by their names.
func (n *shopNames) sorted() []uuid.UUID {
	var all []uuid.UUID
	for id := range n.byID {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return cmp.Compare(n.byID[a], n.byID[b]) })
	return all
}

// printMandate prints a mandate as the API shows it, with its shop.
func printMandate(io *Streams, m *payment.Mandate, shops *shopNames) error {
	row, err := withMore(httpapi.RenderMandate(m), map[string]any{"shop": shops.name(m.First.ShopID)})
	if err != nil {
		return fmt.Errorf("write mandate %s as JSON: %w", m.First.ID, err)
	}
	return printJSON(io, row)
}

// mandateName is how a command line says which mandate it means.
type mandateName struct {
	orderName
	JSON bool `name:"json" help:"Print JSON."`
}

// show says how a mandate stands.
func (n mandateName) show(io *Streams, m *payment.Mandate, shops *shopNames) error {
	if n.JSON {
		return printMandate(io, m, shops)
	}
	fmt.Fprintf(io.Out, "Mandate %s of %s: %s.\n", m.First.ID, shops.name(m.First.ShopID), m.Status(m.AsOf))
	return nil
}

// do does something with the mandate that is named, and says how it stands then.
func (n mandateName) do(ctx context.Context, io *Streams, db *database, online bool, do func(*payment.Service, payment.Key) (*payment.Mandate, error)) (*payment.Mandate, error) {
	o, shops, err := n.find(ctx, db)
	if err != nil {
		return nil, err
	}
	service, err := mandates(io, db, online)
	if err != nil {
		return nil, err
	}
	m, err := do(service, o.Key())
	if err != nil {
		return nil, err
	}
	return m, n.show(io, m, shops)
}

type mandateShowCmd struct{ mandateName }

// Run implements the command.
func (c mandateShowCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	var refused error
	m, err := c.do(ctx, io, db, false, func(s *payment.Service, key payment.Key) (*payment.Mandate, error) {
		m, err := s.Mandate(ctx, key)
		if err == nil && !m.ByProvider {
			refused = s.ChargeRefused(ctx, m)
		}
		return m, err
	})
	if err != nil || c.JSON {
		return err
	}
	for _, line := range [][2]string{
		{"first payment", fmt.Sprintf("%s, %s, of account %s: 'server order show' has its whole history", m.First.Reference, m.First.Status, m.First.AccountName)},
		{"charged by", driverOf(m)},
		{"terms", termsOf(m)},
		{"schedule", scheduleOf(m)},
		{"expires", timeOrDash(m.ExpiresAt)},
		{"charged before", timeOrDash(m.CountsFrom)},
		{"charges", fmt.Sprintf("%d, the last %s", m.Succeeded, timeOrDash(m.LastAt))},
		{"open charge", openChargeOf(m)},
		{"not charged", refusalText(refused)},
		{"decided", decisionOf(m)},
		{"schedule ends", timeOrDash(m.ScheduleEndsAt)},
	} {
		fmt.Fprintf(io.Out, "%-15s %s\n", line[0], line[1])
	}
	return nil
}

// sumOf is a sum of a mandate, with its currency.
func sumOf(m *payment.Mandate, minor int64) money.Money {
	return money.New(minor, m.First.Amount.Currency())
}

// decisionOf says what was decided, and why a mandate is paused that nobody paused.
func decisionOf(m *payment.Mandate) string {
	switch {
	case m.Decision != payment.MandateUndecided:
		return fmt.Sprintf("%s, %s", m.Decision, timeOrDash(m.DecidedAt))
	case m.Status(m.AsOf) == payment.MandatePaused:
		return "nothing; it is paused because the first payment went back whole"
	}
	return "nothing"
}

// termsOf says what bounds the charges.
func termsOf(m *payment.Mandate) string {
	terms := fmt.Sprintf("%s each at most", sumOf(m, m.MaxAmount))
	if m.MinDays > 0 {
		terms += ", " + plural.Of(m.MinDays, "day", "days") + " apart"
	}
	if m.MaxCharges > 0 {
		terms += ", " + plural.Of(m.MaxCharges, "charge", "charges")
	}
	return terms
}

// scheduleOf says when payrelay charges without a request.
func scheduleOf(m *payment.Mandate) string {
	if m.Schedule == nil {
		return "-"
	}
	text := fmt.Sprintf("%s each %s", sumOf(m, m.Schedule.Amount), m.Schedule.Every)
	if m.Schedule.Interval > 1 {
		text = fmt.Sprintf("%s every %d %ss", sumOf(m, m.Schedule.Amount), m.Schedule.Interval, m.Schedule.Every)
	}
	if len(m.Schedule.RetryDays) > 0 {
		text += fmt.Sprintf(", tried again %s days after the first try", strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Schedule.RetryDays), " ", ", "), "[]"))
	}
	return text
}

// refusalText is why no charge can begin now.
func refusalText(err error) string {
	if err == nil {
		return "-"
	}
	return inPlainWords(err)
}

func openChargeOf(m *payment.Mandate) string {
	if m.Open == nil {
		return "-"
	}
	return m.Open.String()
}

// mandateDecision is a command that decides about a mandate.
type mandateDecision struct {
	mandateName
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

func (c mandateDecision) decide(ctx context.Context, io *Streams, online bool, decide func(*payment.Service, payment.Key) (*payment.Mandate, error)) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	_, err = c.do(ctx, io, db, online, decide)
	return err
}

type mandatePauseCmd struct{ mandateDecision }

// Run implements the command.
func (c mandatePauseCmd) Run(ctx context.Context, io *Streams) error {
	return c.decide(ctx, io, false, func(s *payment.Service, key payment.Key) (*payment.Mandate, error) { return s.PauseMandate(ctx, key) })
}

type mandateResumeCmd struct{ mandateDecision }

// Run implements the command.
func (c mandateResumeCmd) Run(ctx context.Context, io *Streams) error {
	return c.decide(ctx, io, false, func(s *payment.Service, key payment.Key) (*payment.Mandate, error) { return s.ResumeMandate(ctx, key) })
}

type mandateRevokeCmd struct{ mandateDecision }

// Run implements the command.
func (c mandateRevokeCmd) Run(ctx context.Context, io *Streams) error {
	return c.decide(ctx, io, true, func(s *payment.Service, key payment.Key) (*payment.Mandate, error) { return s.RevokeMandate(ctx, key) })
}
