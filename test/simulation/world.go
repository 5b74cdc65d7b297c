package simulation

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// epoch is when every scenario begins.
var epoch = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// The limits of the service under test. They are the shipped ones.
const (
	providerTimeout = 30 * time.Second
	pollTimeout     = 10 * time.Second
	// pollLease is for how long a status poll is one replica's.
	pollLease = 20 * time.Second
)

// settleTime is how long after the last news of a scenario every order must have come to rest. Polls are an hour apart by then,
// and an answer may be denied twice.
const settleTime = 5 * time.Hour

// world is where scenarios happen, one after the other.
type world struct {
	queue

	rng    *rand.Rand
	source *rand.PCG
	at     time.Duration

	idle, running []*process
	current       *process
	steps         int
	downUntil     time.Duration

	service  *payment.Service
	store    *store
	provider *provider
	shop     *shop
	faults   faults

	// polls counts status polls, so that a scenario without an end is found.
	polls      int
	violations []string
	timeline   []string
	tracing    bool
}

func newWorld() *world {
	source := rand.NewPCG(0, 0)
	w := &world{source: source, rng: rand.New(source)} //nolint:gosec // the simulation must be repeatable
	w.store, w.provider, w.shop = newStore(w), newProvider(w), newShop(w)
	drivers := make([]gateway.Driver, 0, len(manners))
	for i := range manners {
		drivers = append(drivers, &driver{w: w, manner: &manners[i]})
	}
	w.service = payment.New(payment.Config{
		Store: w.store, Drivers: gateway.NewRegistry(drivers...), PublicURL: "https://pay.example",
		ProviderTimeout: providerTimeout, CheckTimeout: pollTimeout, DeclinePolls: make([]time.Duration, 3), Now: w.now, NewID: w.newID,
	})
	return w
}

// now is the service's clock.
func (w *world) now() time.Time { return epoch.Add(w.at).Truncate(time.Microsecond) }

// newID makes ids that follow from the seed.
func (w *world) newID() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], w.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], w.rng.Uint64())
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// plan puts something into the queue, a time from now on.
func (w *world) plan(after time.Duration, news bool, do func()) {
	w.push(event{at: w.at + max(after, 0), news: news, do: do})
}

// play runs the scenario of a number from its beginning to its end.
func (w *world) play(seed, number uint64) {
	w.source.Seed(seed, number*0x9e3779b97f4a7c15+1)
	w.reset()
	w.at, w.steps, w.downUntil, w.polls = 0, 0, 0, 0
	w.violations, w.timeline = nil, nil
	w.store.reset()
	w.provider.reset()
	w.faults = w.drawFaults()
	w.shop.begin()
	w.unfold()
	w.endOthers()
	w.checkEnd()
}

// unfold lets events happen until the scenario is at rest.
func (w *world) unfold() {
	var quiet time.Duration // when the last news was
	for len(w.events) > 0 && len(w.violations) == 0 {
		e := w.pop()
		w.at = e.at
		if e.news || w.news > 0 {
			quiet = w.at
		}
		if w.at > quiet+settleTime || w.news == 0 && len(w.running) == 0 && !e.news && w.store.atRest() {
			return
		}
		e.do()
		if w.polls > 3000 {
			w.violate("a scenario without an end: %d status polls", w.polls)
		}
	}
}

// violate notes that a rule was broken.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.violations = append(w.violations, text)
	w.say("VIOLATION: %s", text)
}

// say adds a line to the timeline, if somebody reads it.
func (w *world) say(format string, args ...any) {
	if w.tracing {
		w.timeline = append(w.timeline, fmt.Sprintf("%12s  ", w.at.Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// chance is true with a probability.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// between is a time of an interval. Short ones are likelier, so that all orders of magnitude occur.
func (w *world) between(from, to time.Duration) time.Duration {
	f := w.rng.Float64()
	return from + time.Duration(f*f*f*float64(to-from))
}

// background is the context of every use case.
var background = context.Background()
