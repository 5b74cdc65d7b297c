package scenario

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// atOnce is how many scenarios run at the same time.
const atOnce = 8

// waitFor is how long a scenario waits for what must come, if the world does not say. An order that never reached the provider ends
// after 35 s.
const waitFor = 90 * time.Second

// World is a running `dev` that nobody else uses.
type World struct {
	// API and Simulators are addresses without a slash at the end; Key is the demo shop's.
	API, Simulators, Key string
	// Shop received what the service told the shop.
	Shop *Receiver
	// WaitFor is how long a scenario waits for what must come.
	WaitFor time.Duration
}

// Scenario is one thing that a shop does, or that happens to it.
type Scenario struct {
	Name string
	run  func(*run)
	// alone is for what others would notice: the clock is everybody's.
	alone bool
}

// Result is how a scenario ended.
type Result struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	// Wrong says what was wrong; empty if nothing was.
	Wrong string `json:"wrong,omitempty"`
}

// Run runs scenarios, several at once and those that move the clock last, and hands each result to done as it comes.
func Run(ctx context.Context, w *World, list []Scenario, done func(Result)) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		slots = make(chan struct{}, atOnce)
	)
	one := func(s Scenario) {
		started := time.Now()
		wrong := s.once(ctx, w)
		mu.Lock()
		defer mu.Unlock()
		done(Result{Name: s.Name, Seconds: time.Since(started).Seconds(), Wrong: wrong})
	}
	var last []Scenario
	for _, s := range list {
		if s.alone {
			last = append(last, s)
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			one(s)
		})
	}
	group.Wait()
	for _, s := range last {
		one(s)
	}
}

// stop ends a scenario from within.
type stop string

// once runs the scenario and compares the records of every order that it made.
func (s Scenario) once(ctx context.Context, w *World) (wrong string) {
	r := &run{ctx: ctx, w: w, name: s.Name}
	defer func() {
		if p := recover(); p != nil {
			said, ours := p.(stop)
			if !ours {
				panic(p)
			}
			wrong = string(said)
		}
	}()
	s.run(r)
	for _, o := range r.orders {
		r.compare(o)
	}
	return ""
}

// run is a scenario under way.
type run struct {
	ctx    context.Context //nolint:containedctx // of this one run
	w      *World
	name   string
	number int
	orders []string // that it made
}

// fail ends the scenario: it is wrong.
func (r *run) fail(format string, args ...any) { panic(stop(fmt.Sprintf(format, args...))) }

// until waits for a condition. The last word of what it saw is told if it never comes true.
func (r *run) until(what string, holds func() (bool, string)) {
	wait := cmp.Or(r.w.WaitFor, waitFor)
	for deadline := time.Now().Add(wait); ; {
		ok, seen := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) || r.ctx.Err() != nil {
			r.fail("%s did not come within %s: %s", what, wait, seen)
		}
		select {
		case <-r.ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// equal compares what is with what must be.
func equal[T comparable](r *run, what string, is, must T) {
	if is != must {
		r.fail("%s is %v and must be %v", what, is, must)
	}
}
