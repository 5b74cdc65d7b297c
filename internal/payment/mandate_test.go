package payment

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/money"
)

// consent is a mandate over its first payment in a status, which ended at epoch.
func consent(status Status, terms MandateTerms) *Mandate {
	o := &Order{ID: uuid.New(), Status: status, Amount: money.New(1000, "EUR")}
	if status.Final() {
		o.FinalizedAt = &epoch
	}
	if status == StatusSucceeded {
		o.Captured = 1000
	}
	return &Mandate{MandateTerms: terms, First: o}
}

func TestHowAMandateStands(t *testing.T) {
	t.Parallel()
	end := epoch.Add(time.Hour)
	for name, tc := range map[string]struct {
		first              Status
		decision           MandateDecision
		refunded, disputed int64
		at                 time.Duration
		want               MandateStatus
	}{
		"its payment is under way":         {first: StatusUnknown, want: MandatePending},
		"paused before its payment ended":  {first: StatusProcessing, decision: MandatePause, want: MandatePending},
		"revoked before its payment ended": {first: StatusProcessing, decision: MandateRevoke, want: MandateRevoked},
		"its payment failed":               {first: StatusFailed, decision: MandateRevoke, want: MandateFailed},
		"its payment was given up":         {first: StatusCanceled, want: MandateFailed},
		"its payment succeeded":            {first: StatusSucceeded, want: MandateActive},
		"a part went back":                 {first: StatusSucceeded, refunded: 999, want: MandateActive},
		"all went back":                    {first: StatusSucceeded, refunded: 1000, want: MandatePaused},
		"resumed after all went back":      {first: StatusSucceeded, refunded: 1000, decision: MandateResume, want: MandateActive},
		"all was charged back":             {first: StatusSucceeded, disputed: 1000, want: MandatePaused},
		"a part went back each way":        {first: StatusSucceeded, refunded: 400, disputed: 600, want: MandatePaused},
		"a part was charged back":          {first: StatusSucceeded, refunded: 400, disputed: 599, want: MandateActive},
		"resumed after a chargeback":       {first: StatusSucceeded, disputed: 1000, decision: MandateResume, want: MandateActive},
		"paused":                           {first: StatusSucceeded, decision: MandatePause, want: MandatePaused},
		"revoked":                          {first: StatusSucceeded, decision: MandateRevoke, want: MandateRevoked},
		"a moment before its end":          {first: StatusSucceeded, at: time.Hour - 1, want: MandateActive},
		"at its end":                       {first: StatusSucceeded, at: time.Hour, want: MandateExpired},
		"paused at its end":                {first: StatusSucceeded, decision: MandatePause, at: time.Hour, want: MandateExpired},
	} {
		m := consent(tc.first, MandateTerms{MaxAmount: 1, ExpiresAt: &end})
		m.Decision, m.First.Refunded, m.First.Disputed = tc.decision, tc.refunded, tc.disputed
		require.Equal(t, tc.want, m.Status(epoch.Add(tc.at)), name)
	}
}

// What can be decided about a mandate follows from how it stands. Deciding the same twice is no error.
func TestDecisionsAboutAMandate(t *testing.T) {
	t.Parallel()
	decided := func(m *Mandate, to MandateDecision) (MandateStatus, Code) {
		err := m.decide(to, epoch)
		return m.Status(epoch), CodeOf(err)
	}
	require := require.New(t)
	m := consent(StatusSucceeded, MandateTerms{MaxAmount: 1})
	for _, tc := range []struct {
		to   MandateDecision
		want MandateStatus
		code Code
	}{
		{MandateResume, MandateActive, ""},
		{MandatePause, MandatePaused, ""},
		{MandatePause, MandatePaused, ""},
		{MandateResume, MandateActive, ""},
		{MandateRevoke, MandateRevoked, ""},
		{MandateRevoke, MandateRevoked, ""},
		{MandateResume, MandateRevoked, CodeMandateNotActive},
		{MandatePause, MandateRevoked, CodeMandateNotActive},
	} {
		status, code := decided(m, tc.to)
		require.Equal(tc.want, status, tc.to)
		require.Equal(tc.code, code, tc.to)
	}
	m = consent(StatusSucceeded, MandateTerms{MaxAmount: 1})
	_, code := decided(m, MandatePause)
	require.Empty(code)
	status, _ := decided(m, MandateResume)
	require.Equal(MandateActive, status)
	m.First.Refunded = 1000
	require.Equal(MandatePaused, m.Status(epoch), "an earlier resume says nothing of a later refund")
	status, _ = decided(m, MandateResume)
	require.Equal(MandateActive, status)
	_, code = decided(consent(StatusFailed, MandateTerms{MaxAmount: 1}), MandateRevoke)
	require.Equal(CodeMandateNotActive, code)
	_, code = decided(consent(StatusProcessing, MandateTerms{MaxAmount: 1}), MandateRevoke)
	require.Empty(code)
}

// Every refused charge names the term.
func TestARefusedChargeNamesTheTerm(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	end, last, open := epoch.Add(100*day), epoch.Add(31*day), uuid.New()
	terms := MandateTerms{MaxAmount: 500, MinDays: 30, ExpiresAt: &end, MaxCharges: 3}
	for name, tc := range map[string]struct {
		change func(*Mandate)
		minor  int64
		at     time.Duration
		code   Code
		field  string
	}{
		"within":                           {minor: 500, at: 29 * day},
		"one unit above":                   {minor: 501, at: 29 * day, code: CodeMandateLimit, field: "mandate.max_amount"},
		"too soon after the payment":       {minor: 500, at: 29*day - 1, code: CodeMandateTooSoon, field: "mandate.min_days"},
		"the clock went back":              {minor: 500, at: -day, code: CodeMandateTooSoon, field: "mandate.min_days"},
		"too soon after the last charge":   {minor: 500, at: 60*day - 1, code: CodeMandateTooSoon, field: "mandate.min_days", change: func(m *Mandate) { m.LastAt, m.Succeeded = &last, 1 }},
		"a day early after the last":       {minor: 500, at: 60 * day, change: func(m *Mandate) { m.LastAt, m.Succeeded = &last, 1 }},
		"all charges were made":            {minor: 500, at: 70 * day, code: CodeMandateLimit, field: "mandate.max_charges", change: func(m *Mandate) { m.LastAt, m.Succeeded = &last, 3 }},
		"at the end":                       {minor: 500, at: 100 * day, code: CodeMandateExpired, field: "mandate.expires_at"},
		"a charge is open":                 {minor: 500, at: 29 * day, code: CodeMandateChargeOpen, field: "mandate.open_charge_id", change: func(m *Mandate) { m.Open = &open }},
		"paused":                           {minor: 500, at: 29 * day, code: CodeMandateNotActive, field: "mandate.status", change: func(m *Mandate) { m.Decision = MandatePause }},
		"no days between":                  {minor: 500, at: -day, change: func(m *Mandate) { m.MinDays = 0 }},
		"every day":                        {minor: 500, at: 0, change: func(m *Mandate) { m.MinDays = 1 }},
		"any number of charges, no expiry": {minor: 500, at: 5000 * day, change: func(m *Mandate) { m.MaxCharges, m.ExpiresAt, m.Succeeded = 0, nil, 1000 }},
	} {
		m := consent(StatusSucceeded, terms)
		if tc.change != nil {
			tc.change(m)
		}
		err := m.allows(tc.minor, epoch.Add(tc.at))
		require.Equal(t, tc.code, CodeOf(err), name)
		if tc.code != "" {
			require.Equal(t, tc.field, fieldsOf(err)[0].Field, name)
		}
	}
}

// made is a charge that was let through, as the property's own record of it.
type made struct {
	at, ended time.Time
	minor     int64
	succeeded bool
}

// life is one mandate under random calls. What it remembers is kept apart from the mandate, and judged apart from its rules.
type life struct {
	rng           *rand.Rand
	m             *Mandate
	now           time.Time
	charges       []*made
	open          *made
	paid, revoked bool
	paused        bool
}

func newLife(rng *rand.Rand) *life {
	l := &life{rng: rng, now: epoch}
	terms := MandateTerms{MaxAmount: 1 + rng.Int64N(1000), MinDays: rng.IntN(40), MaxCharges: rng.IntN(4)}
	if rng.IntN(2) == 0 {
		end := epoch.Add(time.Duration(rng.IntN(200*24)) * time.Hour)
		terms.ExpiresAt = &end
	}
	l.m = consent(StatusProcessing, terms)
	return l
}

// charge is one caller under the mandate's lock. It returns what is wrong with a charge that was let through.
func (l *life) charge() string {
	minor := 1 + l.rng.Int64N(1200)
	if l.m.allows(minor, l.now) != nil {
		return ""
	}
	wrong := l.wrong(minor)
	id := uuid.New()
	l.open, l.m.Open = &made{at: l.now, minor: minor}, &id
	l.charges = append(l.charges, l.open)
	return wrong
}

func (l *life) wrong(minor int64) string {
	successes := 0
	for _, c := range l.charges {
		if c.succeeded {
			successes++
		}
		if gap := l.now.Sub(c.ended); c.succeeded && l.m.MinDays > 1 && gap < time.Duration(l.m.MinDays-1)*24*time.Hour {
			return "too soon after a charge"
		}
	}
	switch {
	case l.open != nil:
		return "beside an open charge"
	case !l.paid:
		return "before the first payment"
	case l.revoked:
		return "after a revoke"
	case l.paused:
		return "during a pause"
	case minor > l.m.MaxAmount:
		return "above the sum"
	case l.m.MaxCharges > 0 && successes >= l.m.MaxCharges:
		return "one too many"
	case l.m.ExpiresAt != nil && !l.now.Before(*l.m.ExpiresAt):
		return "after the end"
	case l.m.MinDays > 1 && l.now.Sub(*l.m.First.FinalizedAt) < time.Duration(l.m.MinDays-1)*24*time.Hour:
		return "too soon after the first payment"
	}
	return ""
}

// end ends the open charge.
func (l *life) end() {
	if l.open == nil {
		return
	}
	if l.open.succeeded = l.rng.IntN(2) == 0; l.open.succeeded {
		l.open.ended = l.now
		l.m.Succeeded++
		if at := l.now; l.m.LastAt == nil || at.After(*l.m.LastAt) {
			l.m.LastAt = &at
		}
	}
	l.open, l.m.Open = nil, nil
}

func (l *life) decide(to MandateDecision) {
	if l.m.decide(to, l.now) != nil {
		return
	}
	switch to { //nolint:exhaustive // nobody decides to have decided nothing
	case MandateRevoke:
		l.revoked = true
	case MandatePause, MandateResume:
		l.paused = to == MandatePause
	}
}

func (l *life) step() string {
	switch l.rng.IntN(12) {
	case 0, 1, 2:
		if wrong := l.charge(); wrong != "" { // two callers at once: the lock lets one after the other
			return wrong
		}
		return l.charge()
	case 3, 4, 5:
		l.end()
	case 6, 7:
		l.now = l.now.Add(time.Duration(l.rng.IntN(40*24)) * time.Hour)
	case 8:
		l.now = l.now.Add(-time.Duration(l.rng.IntN(3*24)) * time.Hour)
	case 9:
		if !l.paid {
			l.paid = true
			at := l.now
			l.m.First.Status, l.m.First.FinalizedAt, l.m.First.Captured = StatusSucceeded, &at, 1000
		}
	case 10:
		l.decide([]MandateDecision{MandatePause, MandateResume, MandateResume}[l.rng.IntN(3)])
	case 11:
		switch l.rng.IntN(8) {
		case 0:
			l.decide(MandateRevoke)
		case 1:
			if l.paid && l.m.First.Refunded == 0 {
				l.m.First.Refunded, l.paused = 1000, true
			}
		}
	}
	return ""
}

// Of 100,000 random mandates none is charged outside its terms, whatever the clock does and however calls of two callers meet.
func TestNoChargeIsOutsideItsTerms(t *testing.T) {
	t.Parallel()
	const mandates, steps = 100_000, 40
	charged := 0
	for seed := range uint64(mandates) {
		l := newLife(rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // a failure must be repeatable
		for range steps {
			if wrong := l.step(); wrong != "" {
				t.Fatalf("seed %d: charged %s: %+v at %s", seed, wrong, l.m, l.now)
			}
		}
		charged += len(l.charges)
	}
	require.Greater(t, charged, mandates/2, "the lives are lively")
}
