package simulation

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Violation is a scenario in which a rule was broken.
type Violation struct {
	Seed, Scenario uint64
	// Orders is how many orders the run had had by then.
	Orders int64
	Rule   string
	// Timeline is what happened, in words.
	Timeline []string
}

// String tells the scenario.
func (v Violation) String() string {
	return fmt.Sprintf("found in order %d: %s\nseed %d, scenario %d:\n%s\n", v.Orders, v.Rule, v.Seed, v.Scenario, strings.Join(v.Timeline, "\n"))
}

// Summary is what a run did.
type Summary struct {
	Scenarios, Orders, Polls, Callbacks, Transitions int64
	// Ended counts the attempts that ended before another one, by reason.
	Ended map[string]int64
	Took  time.Duration
	// Statuses counts the orders by kind and status at their end.
	Statuses map[string]int64
}

func newSummary() Summary { return Summary{Ended: map[string]int64{}, Statuses: map[string]int64{}} }

func (s *Summary) add(o Summary) {
	s.Scenarios, s.Orders, s.Polls = s.Scenarios+o.Scenarios, s.Orders+o.Orders, s.Polls+o.Polls
	s.Callbacks, s.Transitions = s.Callbacks+o.Callbacks, s.Transitions+o.Transitions
	for k, n := range o.Statuses {
		s.Statuses[k] += n
	}
	for k, n := range o.Ended {
		s.Ended[k] += n
	}
}

// Run plays scenarios until they have had so many orders, on so many processors. It ends at the first violation, and returns
// the one of the lowest number among those that were found.
func Run(seed uint64, orders int64, workers int) (Summary, *Violation) {
	defer debug.SetGCPercent(debug.SetGCPercent(1600)) // a world is small, and what it leaves behind is much
	startedAt := time.Now()
	var next, done atomic.Int64
	var stop atomic.Bool
	var mu sync.Mutex
	total := newSummary()
	var found *Violation
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			w := newWorld()
			own := newSummary()
			for !stop.Load() && done.Load() < orders {
				scenario := uint64(next.Add(1) - 1) //nolint:gosec // a count
				w.play(seed, scenario)
				done.Add(w.sum(&own))
				if len(w.violations) > 0 {
					stop.Store(true)
					mu.Lock()
					if found == nil || scenario < found.Scenario {
						found = &Violation{Seed: seed, Scenario: scenario, Orders: done.Load(), Rule: w.violations[0]}
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			total.add(own)
			mu.Unlock()
		})
	}
	all.Wait()
	total.Took = time.Since(startedAt)
	if found != nil {
		found.Timeline = Tell(seed, found.Scenario)
	}
	return total, found
}

// Tell plays one scenario and says what happens in it.
func Tell(seed, scenario uint64) []string {
	w := newWorld()
	w.tracing = true
	w.play(seed, scenario)
	return w.timeline
}

// sum adds a scenario that was played to a summary, and returns how many orders it had.
func (w *world) sum(s *Summary) int64 {
	n := int64(len(w.store.orders))
	s.Scenarios++
	s.Orders += n
	s.Polls += int64(w.polls)
	s.Callbacks += int64(len(w.provider.sent))
	for _, r := range w.store.orders {
		s.Transitions += int64(len(r.transitions))
		for _, e := range r.ended {
			s.Ended[e.Reason]++
		}
		s.Statuses[string(r.order.Kind)+" "+string(r.order.Status)]++
	}
	return n
}
