package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/shop"
)

// MandateStore keeps mandates. A mandate is written by CreateOrder with the payment that makes it.
type MandateStore interface {
	// CreateCharge is CreateOrder for a charge. The mandate is locked, so that its charges come one after the other, and check gets it
	// as it is then. An error of check is returned and nothing is saved.
	CreateCharge(ctx context.Context, o *Order, check func(*Mandate) error) (*Order, bool, error)
	// Mandate returns one mandate, or ErrNoMandate.
	Mandate(ctx context.Context, key Key) (*Mandate, error)
	// Mandates returns a shop's mandates, newest first.
	Mandates(ctx context.Context, shop uuid.UUID, cursor string, limit int) (Page[*Mandate], error)
	// CreateProviderCharges locks a mandate, and writes down the orders that make returns. known are the orders that have one
	// of the references already, by that. make may run twice. All are written or none.
	CreateProviderCharges(ctx context.Context, key Key, references []string, make func(m *Mandate, known map[string]KnownCharge) []*ProviderCharge) ([]*ProviderCharge, error)
	// PlanMandate says when something is to be done about a mandate next, nil for never again. A later time does not put off what has
	// become due since the mandate was leased: by a time that is past, or by an order that MovesSchedule.
	PlanMandate(ctx context.Context, key Key, at *time.Time) error
	// DecideMandate loads a mandate under its lock, runs fn, and saves the decision. An error of fn is returned and nothing is saved.
	DecideMandate(ctx context.Context, key Key, fn func(*Mandate) error) (*Mandate, error)
	// ShopMode returns how far a shop is switched off: a schedule charges nothing that the shop may not begin.
	ShopMode(ctx context.Context, id uuid.UUID) (shop.Mode, error)
}

// ErrNoMandate is returned for a mandate that does not exist or belongs to another shop.
var ErrNoMandate = &Error{Code: CodeNotFound, Message: "There is no such mandate. A mandate has the id of the payment that made it; GET /v1/mandates lists them."}

// Mandate returns one mandate of a shop.
func (s *Service) Mandate(ctx context.Context, key Key) (*Mandate, error) {
	m, err := s.Store.Mandate(ctx, key)
	return s.shown(ctx, m, err)
}

// Mandates lists a shop's mandates, newest first.
func (s *Service) Mandates(ctx context.Context, shop uuid.UUID, cursor string, limit int) (Page[*Mandate], error) {
	page, err := s.Store.Mandates(ctx, shop, cursor, limit)
	for _, m := range page.Items {
		_, err = s.shown(ctx, m, err)
	}
	return page, err
}

// shown completes a mandate by what its provider can do, and by the time.
func (s *Service) shown(ctx context.Context, m *Mandate, err error) (*Mandate, error) {
	if err != nil {
		return nil, err
	}
	to, err := s.targetAt(ctx, m.First.AccountID)
	if err != nil {
		return nil, err
	}
	m.ByProvider, m.AsOf = to.description.OwnSchedule, s.Now()
	return m, nil
}

// PauseMandate lets nothing be charged until the mandate is resumed.
func (s *Service) PauseMandate(ctx context.Context, key Key) (*Mandate, error) {
	return s.decideMandate(ctx, key, MandatePause)
}

// ResumeMandate ends a pause, also the one that came with a refund of the whole first payment.
func (s *Service) ResumeMandate(ctx context.Context, key Key) (*Mandate, error) {
	return s.decideMandate(ctx, key, MandateResume)
}

// RevokeMandate ends a mandate for good. It holds at once. It moves no money and stops some, so no mode of the shop or account is in its way.
func (s *Service) RevokeMandate(ctx context.Context, key Key) (*Mandate, error) {
	m, err := s.Mandate(ctx, key)
	if err == nil && m.ByProvider {
		return s.endSchedule(ctx, m)
	}
	return s.decideMandate(ctx, key, MandateRevoke)
}

// endSchedule revokes a mandate by which the provider charges by itself. That it is revoked is written down first, so a lost answer
// leaves it revoking, and asking again ends the schedule again.
func (s *Service) endSchedule(ctx context.Context, m *Mandate) (*Mandate, error) {
	to, err := s.targetAt(ctx, m.First.AccountID)
	if err != nil {
		return nil, err
	}
	ender, ok := to.gateway.(gateway.ScheduleEnder)
	switch {
	case !ok:
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account charges by its own schedule, which cannot be ended from here. Ask the provider to end it."}
	case m.Status(s.Now()) == MandatePending:
		return nil, &Error{Code: CodeMandateNotActive, Message: "The first payment has not ended, so there is no schedule to end. Cancel the payment, or wait for its end. Nothing was changed."}
	}
	if m.Decision != MandateRevoke { // so that a charge that came before is not taken for one after the revoke
		if _, _, err := s.poll(ctx, m.First, false); err != nil {
			return nil, err
		}
	}
	if m, err = s.Store.DecideMandate(ctx, m.Key(), func(m *Mandate) error { return m.decide(MandateRevoke, s.Now()) }); err != nil || m.ScheduleEndsAt != nil {
		return s.shown(ctx, m, err)
	}
	ctx = context.WithoutCancel(ctx)
	until, _, err := callProvider(ctx, s, m.First.subject(), s.ProviderTimeout, func(ctx context.Context) (time.Time, error) {
		return ender.EndSchedule(ctx, m.First.Ref(), m.MinDays)
	})
	if err != nil {
		return nil, providerFailed("The mandate is revoked here, but the provider has not confirmed that its schedule ends, and may go on charging. Send the same request again.", err)
	}
	m, err = s.Store.DecideMandate(ctx, m.Key(), func(m *Mandate) error {
		m.ScheduleEndsAt = &until
		return nil
	})
	return s.shown(ctx, m, err)
}

func (s *Service) decideMandate(ctx context.Context, key Key, to MandateDecision) (*Mandate, error) {
	m, err := s.Mandate(ctx, key)
	if err != nil {
		return nil, err
	}
	if m.ByProvider {
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account charges by its own schedule, which can be ended by a revoke and not be paused."}
	}
	m, err = s.Store.DecideMandate(ctx, key, func(m *Mandate) error { return m.decide(to, s.Now()) })
	if err == nil && to == MandateResume && m.Schedule != nil {
		now := s.Now()
		err = s.Store.PlanMandate(ctx, key, &now)
	}
	return s.shown(ctx, m, err)
}

// terms are those of the mandate that a recurring payment makes: what the request names, and what follows from the payment.
func (in NewPayment) terms() *MandateTerms {
	if !in.Recurring.Enabled {
		return nil
	}
	t := in.Mandate
	if t.MaxAmount == 0 {
		t.MaxAmount = in.Amount.Minor()
	}
	t.MinDays = in.Recurring.FrequencyDays
	if until := in.Recurring.ExpiresAt; !until.IsZero() {
		t.ExpiresAt = &until
	}
	if t.Schedule != nil {
		schedule := *t.Schedule
		if schedule.Amount == 0 {
			schedule.Amount = in.Amount.Minor()
		}
		t.Schedule = &schedule
	}
	return &t
}

// scheduleComplaints is what is wrong with the schedule of a new mandate at a provider.
func (in NewPayment) scheduleComplaints(gw gateway.Gateway) []gateway.FieldError {
	t := in.terms()
	if t == nil {
		return nil
	}
	if _, onDemand := gw.(gateway.Charger); !onDemand {
		return t.ownScheduleComplaints(in.Amount.Minor())
	}
	if t.Schedule == nil {
		return nil
	}
	bad := t.scheduleComplaints()
	if in.Description == "" {
		bad = append(bad, gateway.FieldError{Field: "description", Message: "is required with a schedule: its charges have it, too"})
	}
	return bad
}

// ownScheduleComplaints is what a provider that charges the first payment's sum by its own schedule could not keep.
func (t *MandateTerms) ownScheduleComplaints(first int64) (bad []gateway.FieldError) {
	if t.Schedule != nil {
		bad = append(bad, gateway.FieldError{Field: "mandate.schedule", Message: "must be left out: the provider charges by its own schedule"})
	}
	if t.MaxAmount < first {
		bad = append(bad, gateway.FieldError{Field: "mandate.max_amount", Message: fmt.Sprintf("must be at least %d: the provider charges the payment's own amount each time", first)})
	}
	return bad
}

// named are complaints about terms, by the names that the request has for them.
func (in NewPayment) named(fields []gateway.FieldError) []gateway.FieldError {
	if !in.MandateNamed {
		return fields
	}
	for i, f := range fields {
		switch f.Field {
		case "recurring":
			fields[i].Field = "mandate"
		case "recurring.frequency_days":
			fields[i].Field = "mandate.min_days"
		case "recurring.expires_at":
			fields[i].Field = "mandate.expires_at"
		}
	}
	return fields
}
