package payment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/plural"
)

// MandateSchedule is when payrelay charges a mandate without being asked. Periods are counted from the first payment's success, by UTC.
type MandateSchedule struct {
	// Every is the unit of Interval, which is how far two charges are apart.
	Every    ScheduleUnit `json:"every"`
	Interval int          `json:"interval"`
	Amount   int64        `json:"amount"`
	// RetryDays are when a charge that failed is tried again, in days after the first try of its period.
	RetryDays []int `json:"retry_days,omitempty"`
}

// ScheduleUnit is a unit of time.
type ScheduleUnit string

// The units.
const (
	EveryDay   ScheduleUnit = "day"
	EveryWeek  ScheduleUnit = "week"
	EveryMonth ScheduleUnit = "month"
)

// DueMark stands in the reference of a scheduled charge: after that of the first payment, and before the numbers of the period and the
// try. So one try has one reference, however many schedulers make it.
const DueMark = "~due-"

var dueReference = regexp.MustCompile(`~due-([0-9]+)-([0-9]+)$`)

// Due reports whether the order is a charge of the mandate's own schedule, and of which period.
func (o *Order) Due() (period int, ok bool) {
	if !o.charges() {
		return 0, false
	}
	parts := dueReference.FindStringSubmatch(o.Reference)
	if parts == nil {
		return 0, false
	}
	period, err := strconv.Atoi(parts[1])
	return period, err == nil
}

// longest is how many days a period has at most.
func (s *MandateSchedule) longest() int {
	return map[ScheduleUnit]int{EveryDay: 1, EveryWeek: 7, EveryMonth: 31}[s.Every] * s.Interval
}

// scheduleComplaints is what is wrong with the schedule, beside what the contract's language says: what it can never do among the other
// terms, however long its periods are.
func (t *MandateTerms) scheduleComplaints() (bad []gateway.FieldError) {
	s := t.Schedule
	if s.Amount > t.MaxAmount {
		bad = append(bad, gateway.FieldError{Field: "mandate.schedule.amount", Message: "is above max_amount"})
	}
	switch {
	case !slices.IsSorted(s.RetryDays) || len(slices.Compact(slices.Clone(s.RetryDays))) != len(s.RetryDays):
		bad = append(bad, gateway.FieldError{Field: "mandate.schedule.retry_days", Message: "must rise from one to the next"})
	case len(s.RetryDays) > 0 && slices.Max(s.RetryDays) >= s.longest():
		bad = append(bad, gateway.FieldError{Field: "mandate.schedule.retry_days", Message: fmt.Sprintf("must be at most %d: nothing is tried again after a period, and the longest has so many days", s.longest())})
	}
	if t.MinDays-1 > s.longest() {
		bad = append(bad, gateway.FieldError{Field: "mandate.min_days", Message: fmt.Sprintf("is too much: a period of the schedule has at most %s, so no charge would be on time. Use a longer period, or fewer days", plural.Of(s.longest(), "day", "days"))})
	}
	return bad
}

// dueAt is when a period begins whose number counts from 1. A day that a month lacks is the month's last.
func (s *MandateSchedule) dueAt(first time.Time, period int) time.Time {
	first = first.UTC()
	n := period * s.Interval
	if s.Every == EveryDay {
		return first.AddDate(0, 0, n)
	}
	if s.Every == EveryWeek {
		return first.AddDate(0, 0, 7*n)
	}
	y, m, d := first.Date()
	month := time.Date(y, m+time.Month(n), 1, first.Hour(), first.Minute(), first.Second(), first.Nanosecond(), time.UTC)
	return month.AddDate(0, 0, min(d, month.AddDate(0, 1, -1).Day())-1)
}

// longestPeriod is no shorter than any period.
func (s *MandateSchedule) longestPeriod() time.Duration {
	return time.Duration(s.longest()) * 24 * time.Hour
}

// LatestRun is the latest time that the schedule of a mandate may run next, if periods are counted from a time.
func (s *MandateSchedule) LatestRun(countsFrom *time.Time, now time.Time) time.Time {
	if countsFrom != nil && countsFrom.After(now) {
		now = *countsFrom
	}
	return now.Add(max(s.longestPeriod(), pendingRun) + clocksApart)
}

// periodAt is the period that a time is in, 0 before the first.
func (s *MandateSchedule) periodAt(first, at time.Time) int {
	period := max(int(at.Sub(first)/s.longestPeriod()), 0)
	for !s.dueAt(first, period+1).After(at) {
		period++
	}
	return period
}

// scheduleStep is what is to be done for a schedule: a charge now, or a pause, or nothing until At. All empty, it is over.
type scheduleStep struct {
	Charge *dueCharge
	Pause  bool
	At     *time.Time
}

// dueCharge is a try of a period.
type dueCharge struct{ Period, Try int }

func (c dueCharge) reference(first *Order) string {
	return fmt.Sprintf("%s%s%d-%d", first.Reference, DueMark, c.Period, c.Try)
}

func waitUntil(at time.Time) scheduleStep { return scheduleStep{At: &at} }

// scheduleStep says what is to be done for the schedule now. tries are those of the present period, in their order. Of the periods that
// an outage covered only the present one is charged.
func (m *Mandate) scheduleStep(tries []*Order, now time.Time) scheduleStep {
	switch status := m.Status(now); {
	case status == MandatePending, status == MandatePaused:
		return waitUntil(now.Add(pendingRun))
	case status != MandateActive, m.MaxCharges > 0 && m.Succeeded >= m.MaxCharges:
		return scheduleStep{}
	}
	first := m.countsFrom()
	period := m.Schedule.periodAt(first, now)
	next := m.Schedule.dueAt(first, period+1)
	switch {
	case period == 0, m.resumedSince(m.Schedule.dueAt(first, period)):
		return waitUntil(next)
	case m.LastAt != nil && !m.LastAt.Before(next): // the clock went back
		return waitUntil(m.Schedule.dueAt(first, m.Schedule.periodAt(first, *m.LastAt)+1))
	case len(tries) == 0:
		return scheduleStep{Charge: &dueCharge{period, 0}}
	}
	return m.afterTry(tries, period, now, next)
}

// resumedSince reports whether the mandate was paused and goes on since a time: what is left of that period is not charged.
func (m *Mandate) resumedSince(begin time.Time) bool {
	return m.DecidedAt != nil && !m.DecidedAt.Before(begin)
}

// unsent reports whether an order failed because its account could not be used, and nothing happened to the money: it is none of the
// tries that retry_days count.
func (o *Order) unsent() bool {
	return o.Status == StatusFailed && o.Failure != nil && o.Failure.Category == gateway.FailureUnavailable && o.ProviderReference == ""
}

// afterUnsent is when a charge of which nothing was sent is tried again: in longer and longer pauses, a day at most.
func afterUnsent(tries []*Order) time.Time {
	pause := firstUnsentPause
	for i := len(tries) - 2; i >= 0 && tries[i].unsent() && pause < longestUnsentPause; i-- {
		pause = min(2*pause, longestUnsentPause)
	}
	return tries[len(tries)-1].FinalizedAt.Add(pause)
}

// afterTry is scheduleStep for a period that was tried.
func (m *Mandate) afterTry(tries []*Order, period int, now, next time.Time) scheduleStep {
	last := tries[len(tries)-1]
	sent := slices.DeleteFunc(slices.Clone(tries), (*Order).unsent)
	var retry time.Time
	switch {
	case slices.ContainsFunc(tries, func(o *Order) bool { return o.Status == StatusSucceeded || o.SupersededBy != nil }):
		return waitUntil(next)
	case slices.ContainsFunc(tries, (*Order).inconclusive):
		return waitUntil(now.Add(failedRun))
	case last.unsent():
		retry = afterUnsent(tries)
	case last.Failure != nil && last.Failure.Advice == gateway.AdviceDoNotRetry:
		return scheduleStep{Pause: true}
	case len(sent) > len(m.Schedule.RetryDays):
		return waitUntil(next)
	default:
		retry = sent[0].CreatedAt.AddDate(0, 0, m.Schedule.RetryDays[len(sent)-1])
	}
	switch {
	case !retry.Before(next):
		return waitUntil(next)
	case retry.After(now):
		return waitUntil(retry)
	}
	return scheduleStep{Charge: &dueCharge{period, len(tries)}}
}

// inconclusive reports whether the money of an order may still move, or has, although it looks as if it had not.
func (o *Order) inconclusive() bool {
	return !o.Status.Final() || o.Conflicts > 0 || o.NextPollAt != nil && o.Status != StatusSucceeded
}

// MovesSchedule reports whether the mandate's schedule goes on now, because of what the order gathered: a charge of it has a sure end.
// Of an end that the charge's own call brings, the schedule's run knows already.
func (o *Order) MovesSchedule() bool {
	_, due := o.Due()
	n := len(o.transitions)
	return due && !o.inconclusive() && (n == 0 || o.transitions[n-1].Source != SourceAnswer)
}

// stillDue refuses a scheduled charge of a period that is over: whoever decided on it was slow.
func (m *Mandate) stillDue(o *Order, now time.Time) error {
	period, ok := o.Due()
	if !ok || m.Schedule == nil || m.First.FinalizedAt == nil || m.Schedule.periodAt(m.countsFrom(), now) == period {
		return nil
	}
	return refusedBy(CodeMandateTooSoon, "schedule", fmt.Sprintf("Period %d of the schedule is not the present one.", period))
}

// runSchedule does what is due for the schedule of a mandate, and returns when something is due next, nil for never again.
func (s *Service) runSchedule(ctx context.Context, m *Mandate) (*time.Time, error) {
	now := m.AsOf
	tries, err := s.triesOf(ctx, m, now)
	if err != nil {
		return nil, err
	}
	step := m.scheduleStep(tries, now)
	if step.Charge != nil {
		if step, err = s.chargeDue(ctx, m, tries, *step.Charge); err != nil {
			return nil, err
		}
	}
	if step.Pause {
		_, err := s.Store.DecideMandate(ctx, m.Key(), func(m *Mandate) error { return m.decide(MandatePause, s.Now()) })
		return waitUntil(now.Add(pendingRun)).At, err
	}
	return step.At, nil
}

// chargeDue makes a charge that is due, and returns what is to be done then.
func (s *Service) chargeDue(ctx context.Context, m *Mandate, tries []*Order, due dueCharge) (scheduleStep, error) {
	now := m.AsOf
	if refused := s.ChargeRefused(ctx, m); refused != nil {
		if code := CodeOf(refused); code == "" || code == CodeUnavailable { // the answer is not known
			return scheduleStep{}, refused
		}
		s.Observe(Event{Provider: m.First.Provider, Kind: gateway.KindPayment, Order: m.First.ID, Account: m.First.AccountName, ChargeRefused: refused})
		return waitUntil(now.Add(failedRun)), nil
	}
	reference := due.reference(m.First)
	hash := sha256.Sum256([]byte(reference))
	o, _, err := s.Charge(ctx, NewCharge{
		Shop: m.First.ShopID, Payment: m.First.ID, Reference: reference, Minor: m.Schedule.Amount, Description: m.First.Description, Metadata: m.First.Metadata, RequestHash: hash[:],
	})
	switch CodeOf(err) { //nolint:exhaustive // any other error is tried again
	case "":
		if err != nil {
			return scheduleStep{}, err
		}
	case CodeMandateTooSoon, CodeMandateChargeOpen, CodeMandateNotActive, CodeMandateExpired, CodeMandateLimit:
		return waitUntil(now.Add(max(waitOf(err), failedRun))), nil
	case CodeInvalidState: // the first payment was erased: nothing can be charged on it any more
		return scheduleStep{}, nil
	default:
		return scheduleStep{}, err
	}
	step := m.scheduleStep(append(tries, o), now)
	if step.At == nil && !step.Pause { // what is due next is not due before the provider has said more
		step = waitUntil(now.Add(failedRun))
	}
	return step, nil
}

// triesOf are the tries of the present period, in their order.
func (s *Service) triesOf(ctx context.Context, m *Mandate, now time.Time) (tries []*Order, err error) {
	if m.First.FinalizedAt == nil {
		return nil, nil
	}
	c := dueCharge{Period: m.Schedule.periodAt(m.countsFrom(), now)}
	for ; ; c.Try++ {
		o, err := s.Store.OrderByReference(ctx, m.First.ShopID, gateway.KindPayment, c.reference(m.First))
		if CodeOf(err) == CodeNotFound {
			return tries, nil
		}
		if err != nil {
			return nil, err
		}
		tries = append(tries, o)
	}
}

// waitOf is when what an error refuses may be possible, 0 where nobody can say.
func waitOf(err error) time.Duration {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return 0
	}
	return e.RetryAfter
}
