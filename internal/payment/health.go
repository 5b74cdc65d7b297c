package payment

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/routing"
)

// An account of which too many calls fail is demoted: orders that name no account go to it after all others, but for a few that try
// it out. It is restored when its calls are answered again. What it declines does not count: a decline is an answer.

// CallOutcome says what came of a call that may move money.
type CallOutcome string

// The outcomes.
const (
	CallAnswered CallOutcome = "answered"
	CallNotSent  CallOutcome = "not_sent" // nothing was done, because of the account
	CallUnknown  CallOutcome = "unknown"
)

// callOutcome returns what came of a call. It reports false for one that says nothing about the account.
func callOutcome(err error) (CallOutcome, bool) {
	if err == nil {
		return CallAnswered, true
	}
	_, notDone := nothingDone(err)
	switch kind := gateway.KindOf(err); {
	case notDone:
		return CallNotSent, true
	case kind == gateway.KindUnknown:
		return CallUnknown, true
	case clockOff(err), kind == gateway.KindNotSent, kind == gateway.KindInvalid, kind == gateway.KindUnsupported:
		return "", false
	}
	return CallAnswered, true
}

// HealthMinute is what came of an account's calls in a minute.
type HealthMinute struct {
	At                         time.Time
	Answered, NotSent, Unknown int64
}

// Plus adds the counts of another one.
func (m HealthMinute) Plus(more HealthMinute) HealthMinute {
	return HealthMinute{m.At, m.Answered + more.Answered, m.NotSent + more.NotSent, m.Unknown + more.Unknown}
}

// Health is how an account does.
type Health struct {
	// Demoted says that orders go to it after all other accounts.
	Demoted bool
	// ChangedAt is when Demoted changed last, zero if it never did. It was judged by Failed of Calls.
	ChangedAt     time.Time
	Calls, Failed int64
}

// HealthWindow is how much of the past an account is judged by. It changes once in it at most.
const HealthWindow = 5 * time.Minute

// When an account is demoted and restored.
const (
	demoteCalls   = 50 // the fewest calls that can demote it
	demoteShare   = 0.20
	restoreCalls  = 10 // the fewest that can restore it: few are tried
	restoreShare  = 0.05
	demotionLasts = time.Hour // the longest without restoreCalls
)

// HealthKept is how much of the past a judgement may need.
const HealthKept = demotionLasts + HealthWindow

// Judge says how an account does by the minutes of its calls, the newest first. It reports false if nothing changes.
func (h Health) Judge(minutes []HealthMinute, now time.Time) (Health, bool) {
	if now.Sub(h.ChangedAt) < HealthWindow {
		return h, false
	}
	enough := int64(0)
	if h.Demoted {
		enough = restoreCalls // a few calls are gathered for longer
	}
	next := Health{Demoted: !h.Demoted, ChangedAt: now}
	for _, m := range minutes {
		if m.At.Before(h.ChangedAt) || m.At.Add(HealthWindow).Before(now) && next.Calls >= enough {
			break
		}
		next.Calls += m.Answered + m.NotSent + m.Unknown
		next.Failed += m.NotSent + m.Unknown
	}
	share := float64(next.Failed) / float64(max(next.Calls, 1))
	switch {
	case !h.Demoted:
		return next, next.Calls >= demoteCalls && share > demoteShare
	case next.Calls < restoreCalls:
		return next, now.Sub(h.ChangedAt) >= demotionLasts
	}
	return next, share < restoreShare
}

// countCall tells of a call that came to an end.
func (s *Service) countCall(o *Order, err error) {
	if outcome, counts := callOutcome(err); counts {
		s.Called(o.AccountID, outcome)
	}
}

// healthyFirst puts demoted accounts last, but for those that this order tries out.
func (s *Service) healthyFirst(accounts []Account, shop uuid.UUID, reference string) []Account {
	if len(accounts) < 2 || !slices.ContainsFunc(accounts, func(a Account) bool { return a.Demoted }) {
		return accounts
	}
	key := s.stickyKey(shop, "order", reference)
	var first, last []Account
	for _, a := range accounts {
		if a.Demoted = a.Demoted && !routing.Trial(key, a.Name); a.Demoted {
			last = append(last, a)
		} else {
			first = append(first, a)
		}
	}
	return append(first, last...)
}
