package payment

import (
	"context"
	"time"
)

const (
	// chargeSettles is how long after its planned time a provider's charge is looked for, and chargeComesWithin for how long it may
	// be late: then it is looked for once more.
	chargeSettles     = time.Hour
	chargeComesWithin = 25 * time.Hour
	// pendingRun is when a mandate whose first payment has not ended is looked at again, and failedRun one whose provider gave no answer.
	pendingRun = 24 * time.Hour
	failedRun  = time.Hour
	// firstUnsentPause and longestUnsentPause are after what time a scheduled charge of which nothing was sent is tried again.
	firstUnsentPause   = 15 * time.Minute
	longestUnsentPause = 24 * time.Hour
)

// FirstRun is when something is to be done about a new mandate first: nothing is charged before.
func (t MandateTerms) FirstRun(created time.Time) time.Time {
	if t.Schedule != nil {
		from := created
		if t.CountsFrom != nil {
			from = *t.CountsFrom
		}
		return t.Schedule.dueAt(from, 1)
	}
	return created.AddDate(0, 0, max(t.MinDays, 1)).Add(chargeSettles)
}

// RunMandate does what is due about a mandate: it charges by the mandate's schedule, or asks the provider for the charges of its own.
// Then it plans the next time. Two that do so at once do no harm.
func (s *Service) RunMandate(ctx context.Context, key Key) error {
	m, err := s.Mandate(ctx, key)
	if err != nil {
		return err
	}
	var next *time.Time
	switch {
	case m.ByProvider:
		next, err = s.seeCharges(ctx, m)
	case m.Schedule != nil:
		next, err = s.runSchedule(ctx, m)
	}
	if err != nil {
		return err
	}
	return s.Store.PlanMandate(ctx, key, next)
}

// seeCharges asks the provider for the charges of its own schedule, and returns when to ask next, nil for never again.
func (s *Service) seeCharges(ctx context.Context, m *Mandate) (*time.Time, error) {
	next := m.nextRun(m.AsOf)
	if m.First.Status != StatusSucceeded {
		return next, nil
	}
	_, shown, err := s.poll(ctx, m.First, false)
	if err == nil && shown.Status == "" { // it gave no answer
		at := m.AsOf.Add(failedRun)
		next = &at
	}
	if err != nil || m.MaxCharges == 0 {
		return next, err
	}
	return s.endUsedUp(ctx, m.Key(), next)
}

// endUsedUp ends the provider's schedule for a mandate of which all charges were made: the provider does not know how many there are.
func (s *Service) endUsedUp(ctx context.Context, key Key, next *time.Time) (*time.Time, error) {
	m, err := s.Mandate(ctx, key)
	if err != nil || m.Succeeded < m.MaxCharges || m.ScheduleEndsAt != nil {
		return next, err
	}
	m, err = s.endSchedule(ctx, m)
	switch {
	case CodeOf(err) == CodeUnsupported: // a person has to ask the provider
		return next, nil
	case err != nil:
		return nil, err
	}
	return m.nextRun(m.AsOf), nil
}

// nextRun is when the provider is asked next for the charges of its own schedule, nil for never again.
func (m *Mandate) nextRun(now time.Time) *time.Time {
	if m.First.endedWithoutMoney() {
		return nil
	}
	if m.First.Status != StatusSucceeded {
		at := now.Add(pendingRun)
		return &at
	}
	end := m.chargesEnd()
	if end != nil && !now.Before(*end) {
		return nil
	}
	at := m.nextPlanned(now)
	if end != nil && end.Before(at) {
		at = *end
	}
	return &at
}

// chargesEnd is until when the provider may charge by its own schedule, nil if that is not known.
func (m *Mandate) chargesEnd() *time.Time {
	switch {
	case m.Decision == MandateRevoke && m.ScheduleEndsAt != nil:
		return m.ScheduleEndsAt
	case m.ExpiresAt != nil:
		at := m.ExpiresAt.Add(chargeComesWithin)
		return &at
	}
	return nil
}

// nextPlanned is when a charge of the provider's schedule is looked for next: soon after each planned time, and a day later.
func (m *Mandate) nextPlanned(now time.Time) time.Time {
	first, days := m.countsFrom(), max(m.MinDays, 1)
	for n := max(int(now.Sub(first)/(24*time.Hour))/days-1, 1); ; n++ {
		planned := first.AddDate(0, 0, n*days)
		for _, after := range []time.Duration{chargeSettles, chargeComesWithin} {
			if at := planned.Add(after); at.After(now) {
				return at
			}
		}
	}
}
