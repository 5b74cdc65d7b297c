package faults

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"payrelay/internal/sandbox/fault"
)

// Injection is a fault that took effect, and while it did. What took no effect is none: a simulator's fault that met no request, a
// signal for a process that had ended, an instant that was not reached.
type Injection struct {
	Name     string // as Fault.Name has it
	From, To time.Time
	// Calls, Database and Process say what it can have taken from us: an answer of a provider, the database, or the process
	// that was at work. Requests that a simulator itself spoiled are in its own log.
	Calls, Database, Process bool
	// Idle says that it is no fault of the plan, but the machine being too busy to run the harness itself.
	Idle bool
}

// injectionOf is what a fault is as an Injection.
func injectionOf(f Fault, from, to time.Time) Injection {
	s := Injection{Name: f.Name(), From: from, To: to}
	switch f.Kind {
	case "kill", "kill_point", "stop", "pause", "pause_point":
		s.Process = true
	case "provider_cut", "provider_slow", "provider_torn", "provider_clock", "account_dead":
		s.Calls = true
	case "simulator":
		s.Calls = f.Fault.Kind == fault.CallbackBeforeAnswer // the answer waits for the callback's
	default:
		s.Database = strings.HasPrefix(f.Kind, "db_")
	}
	return s
}

// injections keeps what took effect. It is safe for concurrent use.
type injections struct {
	mu   sync.Mutex
	list []Injection
}

func (s *injections) add(one Injection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, one)
}

func (s *injections) all() []Injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

const (
	stallPulse = 50 * time.Millisecond
	stallAfter = 500 * time.Millisecond
)

// stalls notes when the machine did not let the harness run: answers may have been late then without any fault.
func (s *injections) stalls(ctx context.Context) {
	for last := time.Now(); wait(ctx, stallPulse); last = time.Now() {
		if now := time.Now(); now.Sub(last) > stallAfter {
			s.add(Injection{Name: "stall", From: last, To: now, Calls: true, Database: true, Process: true, Idle: true})
		}
	}
}

// injectedFaults are the names of the plan's faults that took effect.
func injectedFaults(list []Injection) (names []string) {
	for _, s := range list {
		if !s.Idle {
			names = append(names, s.Name)
		}
	}
	return names
}

// aftermath is how long after a fault what it broke may still be broken: connections that are found dead, a pool that
// fills again.
const aftermath = 1500 * time.Millisecond

// during reports whether an injection that match accepts was there between from and to.
func (x indexed) during(from, to time.Time, match func(Injection) bool) bool {
	return slices.ContainsFunc(x.Injections, func(s Injection) bool {
		return match(s) && !s.From.After(to) && !s.To.Add(aftermath).Before(from)
	})
}
