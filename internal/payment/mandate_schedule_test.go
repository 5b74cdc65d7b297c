package payment

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func day(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

// A period begins at the first success's time of day. A day that a month lacks is the month's last, and the next month has it again.
func TestWhenAPeriodBegins(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		every    ScheduleUnit
		interval int
		first    string
		period   int
		want     string
	}{
		{EveryDay, 1, "2026-01-31T10:00:00Z", 1, "2026-02-01T10:00:00Z"},
		{EveryDay, 10, "2026-01-31T10:00:00Z", 3, "2026-03-02T10:00:00Z"},
		{EveryWeek, 2, "2026-01-31T10:00:00Z", 1, "2026-02-14T10:00:00Z"},
		{EveryMonth, 1, "2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"},
		{EveryMonth, 1, "2026-01-31T10:00:00Z", 2, "2026-03-31T10:00:00Z"},
		{EveryMonth, 1, "2027-12-31T23:59:59Z", 2, "2028-02-29T23:59:59Z"},
		{EveryMonth, 3, "2026-11-30T10:00:00Z", 1, "2027-02-28T10:00:00Z"},
		{EveryMonth, 12, "2028-02-29T10:00:00Z", 1, "2029-02-28T10:00:00Z"},
		{EveryMonth, 1, "2026-01-31T23:30:00-02:00", 1, "2026-03-01T01:30:00Z"},
	} {
		s := MandateSchedule{Every: tc.every, Interval: tc.interval}
		first, want := day(tc.first), day(tc.want)
		require.Equal(t, want, s.dueAt(first, tc.period), "%+v", tc)
		require.Equal(t, tc.period, s.periodAt(first, want), "%+v", tc)
		require.Equal(t, tc.period-1, s.periodAt(first, want.Add(-1)), "%+v", tc)
		require.Zero(t, s.periodAt(first, first.Add(-time.Hour)), "%+v", tc)
	}
}

// scheduled is a mandate with a schedule whose first payment succeeded at epoch.
func scheduled(s MandateSchedule) *Mandate {
	m := consent(StatusSucceeded, MandateTerms{MaxAmount: 1000, Schedule: &s})
	m.First.Reference = "first"
	return m
}

// What is done for a schedule follows from the tries of the period.
func TestWhatASchedulesDoes(t *testing.T) {
	t.Parallel()
	const d = 24 * time.Hour
	failed := func(after time.Duration, advice gateway.Advice) *Order {
		at := epoch.Add(after)
		return &Order{Status: StatusFailed, CreatedAt: at, FinalizedAt: &at, Failure: &gateway.Failure{Advice: advice}}
	}
	unsent := func(after time.Duration) *Order {
		o := failed(after, gateway.AdviceRetryLater)
		o.Failure.Category, o.Failure.Code = gateway.FailureUnavailable, codeNotSent
		return o
	}
	try := func(status Status) *Order {
		at := epoch.Add(10 * d)
		o := &Order{Status: status, CreatedAt: at}
		if status.Final() {
			o.FinalizedAt = &at
		}
		return o
	}
	retry := gateway.AdviceRetryLater
	superseded, contested, resumed := failed(10*d, retry), failed(10*d, retry), epoch.Add(11*d)
	superseded.SupersededBy, contested.Conflicts = new(uuid.UUID), 1
	atProvider := unsent(10 * d)
	atProvider.ProviderReference = "p-1"
	for name, tc := range map[string]struct {
		at     time.Duration
		tries  []*Order
		change func(*Mandate)
		charge *dueCharge
		pause  bool
		next   time.Duration // 0: it is over
	}{
		"before the first period":      {at: 9 * d, next: 10 * d},
		"the first is due":             {at: 10 * d, charge: &dueCharge{1, 0}},
		"after an outage, only one":    {at: 39 * d, charge: &dueCharge{3, 0}},
		"it succeeded":                 {at: 12 * d, tries: []*Order{try(StatusSucceeded)}, next: 20 * d},
		"it succeeded late":            {at: 12 * d, tries: []*Order{superseded}, next: 20 * d},
		"it is under way":              {at: 12 * d, tries: []*Order{try(StatusProcessing)}, next: 12*d + failedRun},
		"it is unknown":                {at: 19 * d, tries: []*Order{try(StatusUnknown)}, next: 19*d + failedRun},
		"it is in conflict":            {at: 12 * d, tries: []*Order{contested}, next: 12*d + failedRun},
		"it failed, not yet again":     {at: 11*d - 1, tries: []*Order{failed(10*d, retry)}, next: 11 * d},
		"it failed, once more":         {at: 11 * d, tries: []*Order{failed(10*d, retry)}, charge: &dueCharge{1, 1}},
		"the second failed":            {at: 12 * d, tries: []*Order{failed(10*d, retry), failed(11*d, retry)}, next: 13 * d},
		"all failed":                   {at: 14 * d, tries: []*Order{failed(10*d, retry), failed(11*d, retry), failed(13*d, retry)}, next: 20 * d},
		"a retry in the next period":   {at: 18 * d, tries: []*Order{failed(18*d, retry), failed(19*d-1, retry)}, next: 20 * d},
		"nothing was sent":             {at: 10 * d, tries: []*Order{unsent(10 * d)}, next: 10*d + firstUnsentPause},
		"nothing was sent, once more":  {at: 10*d + firstUnsentPause, tries: []*Order{unsent(10 * d)}, charge: &dueCharge{1, 1}},
		"nothing was sent thrice":      {at: 11 * d, tries: []*Order{unsent(10 * d), unsent(10*d + 1), unsent(11 * d)}, next: 11*d + 4*firstUnsentPause},
		"nothing was sent for days":    {at: 17 * d, tries: slices.Repeat([]*Order{unsent(17 * d)}, 12), next: 18 * d},
		"nothing was sent any more":    {at: 19*d + 1, tries: slices.Repeat([]*Order{unsent(19*d + 1)}, 12), next: 20 * d},
		"it failed when it was sent":   {at: 11 * d, tries: []*Order{unsent(10 * d), failed(11*d, retry)}, next: 12 * d},
		"what was sent counts":         {at: 15 * d, tries: []*Order{failed(10*d, retry), unsent(11 * d), failed(12*d, retry), failed(14*d, retry)}, next: 20 * d},
		"the provider could not":       {at: 10 * d, tries: []*Order{atProvider}, next: 11 * d},
		"resumed before the period":    {at: 11 * d, change: func(m *Mandate) { before := epoch.Add(9 * d); m.DecidedAt = &before }, charge: &dueCharge{1, 0}},
		"resumed in the period":        {at: 13 * d, change: func(m *Mandate) { m.DecidedAt = &resumed }, next: 20 * d},
		"never again":                  {at: 11 * d, tries: []*Order{failed(10*d, gateway.AdviceDoNotRetry)}, pause: true},
		"never again, and resumed":     {at: 12 * d, tries: []*Order{failed(10*d, gateway.AdviceDoNotRetry)}, change: func(m *Mandate) { m.DecidedAt = &resumed }, next: 20 * d},
		"the clock went back":          {at: 12 * d, change: func(m *Mandate) { last := epoch.Add(25 * d); m.LastAt, m.Succeeded = &last, 1 }, next: 30 * d},
		"paused":                       {at: 12 * d, change: func(m *Mandate) { m.Decision = MandatePause }, next: 12*d + pendingRun},
		"revoked":                      {at: 12 * d, change: func(m *Mandate) { m.Decision = MandateRevoke }},
		"all charges were made":        {at: 12 * d, change: func(m *Mandate) { m.MaxCharges, m.Succeeded = 2, 2 }},
		"the first payment is pending": {at: 12 * d, change: func(m *Mandate) { m.First = &Order{Status: StatusProcessing} }, next: 12*d + pendingRun},
		"the first payment failed":     {at: 12 * d, change: func(m *Mandate) { m.First = &Order{Status: StatusFailed} }},
	} {
		m := scheduled(MandateSchedule{Every: EveryDay, Interval: 10, Amount: 500, RetryDays: []int{1, 3}})
		if tc.change != nil {
			tc.change(m)
		}
		want := scheduleStep{Charge: tc.charge, Pause: tc.pause}
		if tc.next != 0 {
			at := epoch.Add(tc.next).UTC()
			want.At = &at
		}
		got := m.scheduleStep(tc.tries, epoch.Add(tc.at))
		if got.At != nil {
			at := got.At.UTC()
			got.At = &at
		}
		require.Equal(t, want, got, name)
	}
}

// planned is a mandate with a schedule that two schedulers work at, each with what it read a while ago.
type planned struct {
	*life
	tries   map[dueCharge]*Order
	decided [2]*dueCharge
	open    *Order
}

func newPlanned(rng *rand.Rand) *planned {
	l := newLife(rng)
	l.m.Schedule = &MandateSchedule{
		Every: []ScheduleUnit{EveryDay, EveryWeek, EveryMonth}[rng.IntN(3)], Interval: 1 + rng.IntN(3), Amount: 1 + rng.Int64N(l.m.MaxAmount), RetryDays: []int{1, 2, 5}[:rng.IntN(4)],
	}
	l.m.First.Reference = "first"
	return &planned{life: l, tries: map[dueCharge]*Order{}}
}

// read is what a scheduler reads and decides.
func (p *planned) read() *dueCharge {
	if p.m.First.FinalizedAt == nil {
		return nil
	}
	var tries []*Order
	c := dueCharge{Period: p.m.Schedule.periodAt(*p.m.First.FinalizedAt, p.now)}
	for ; p.tries[c] != nil; c.Try++ {
		tries = append(tries, p.tries[c])
	}
	return p.m.scheduleStep(tries, p.now).Charge
}

// make is what the store does with the decision of a scheduler: one order for a reference, and the checks under the mandate's lock.
func (p *planned) make(c dueCharge) string {
	first := p.m.First.ID
	o := &Order{ID: uuid.New(), Kind: gateway.KindPayment, ParentID: &first, Reference: c.reference(p.m.First), Amount: money.New(p.m.Schedule.Amount, "EUR"), Status: StatusProcessing, CreatedAt: p.now}
	if p.tries[c] != nil || p.m.stillDue(o, p.now) != nil || p.m.allows(p.m.Schedule.Amount, p.now) != nil {
		return ""
	}
	wrong := p.wrong(p.m.Schedule.Amount)
	for other, o := range p.tries {
		if other.Period == c.Period && o.Status == StatusSucceeded {
			wrong = "twice in a period"
		}
	}
	if p.now.Before(p.m.Schedule.dueAt(*p.m.First.FinalizedAt, c.Period)) {
		wrong = "before its period"
	}
	id := o.ID
	p.life.open, p.m.Open = &made{at: p.now, minor: p.m.Schedule.Amount}, &id
	p.charges = append(p.charges, p.life.open)
	p.tries[c], p.open = o, o
	return wrong
}

func (p *planned) step() string {
	switch p.rng.IntN(4) {
	case 0, 1:
		i := p.rng.IntN(2)
		if p.decided[i] == nil {
			p.decided[i] = p.read()
			return ""
		}
		c := *p.decided[i]
		p.decided[i] = nil
		return p.make(c)
	}
	wrong := p.life.step() // also the shop's own charges, the clock and decisions
	if p.open != nil && p.life.open == nil {
		at := p.now
		p.open.Status, p.open.FinalizedAt = StatusFailed, &at
		if p.rng.IntN(3) == 0 {
			p.open.Failure = &gateway.Failure{Category: gateway.FailureUnavailable, Advice: gateway.AdviceRetryLater}
		}
		if last := p.charges[len(p.charges)-1]; last.succeeded {
			p.open.Status = StatusSucceeded
		}
		p.open = nil
	}
	return wrong
}

// Two schedulers, the shop itself, and a clock that jumps: no charge is outside its terms, and no period is charged twice.
func TestTwoSchedulersKeepToTheTerms(t *testing.T) {
	t.Parallel()
	const mandates, steps = 100_000, 60
	charged := 0
	for seed := range uint64(mandates) {
		p := newPlanned(rand.New(rand.NewPCG(seed, 2))) //nolint:gosec // a failure must be repeatable
		for range steps {
			if wrong := p.step(); wrong != "" {
				t.Fatalf("seed %d: charged %s: %s at %s", seed, wrong, fmt.Sprintf("%+v", p.m), p.now)
			}
		}
		charged += len(p.tries)
	}
	require.Greater(t, charged, mandates/4, "the lives are lively")
}

// A schedule goes on at once when its charge has a sure end that the charge's own call did not bring.
func TestWhatMovesASchedule(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reference string
		source    Source
		end       Status
		conflicts int
		want      bool
	}{
		"a poll shows that it failed":     {"first~due-1-0", SourceStatusPoll, StatusFailed, 0, true},
		"a callback says that it is paid": {"first~due-1-0", SourceCallback, StatusSucceeded, 0, true},
		"an operator decides":             {"first~due-1-0", SourceOperator, StatusFailed, 0, true},
		"its call is answered":            {"first~due-1-0", SourceAnswer, StatusFailed, 0, false},
		"it is under way":                 {"first~due-1-0", SourceStatusPoll, StatusProcessing, 0, false},
		"its end is in conflict":          {"first~due-1-0", SourceStatusPoll, StatusFailed, 1, false},
		"the shop charged":                {"of the shop", SourceStatusPoll, StatusFailed, 0, false},
	} {
		o := newTestOrder()
		first := uuid.New()
		o.ParentID, o.Reference, o.Conflicts = &first, tc.reference, tc.conflicts
		require.Equal(t, Apply, o.Record(Observation{Source: tc.source, Status: tc.end, AsOf: o.Sequence, At: epoch}), name)
		o.NextPollAt = nil
		require.Equal(t, tc.want, o.MovesSchedule(), name)
	}
}
