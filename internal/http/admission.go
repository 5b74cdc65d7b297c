package httpapi

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/limit"
)

// Admission bounds how much is worked on at once, so that more traffic than the service can bear is rejected
// in a moment, before anything was read or stored, instead of making everybody slow. A request that waits for a
// provider is not being worked on.
type Admission struct {
	// Concurrency is how many requests are worked on at once. Zero bounds nothing.
	Concurrency int
	// Queue is how many more may wait for their turn, each for at most Wait.
	Queue int
	Wait  time.Duration
}

// gate admits one class of requests.
type gate struct {
	Admission
	slots    *limit.Limiter
	waiting  atomic.Int64
	rejected prometheus.Counter
}

func newGate(a Admission, rejected prometheus.Counter) *gate {
	return &gate{Admission: a, slots: limit.New(limit.Bounds{All: a.Concurrency}), rejected: rejected}
}

// slot is a request's slot behind a gate.
type slot struct {
	g    *gate
	mu   sync.Mutex
	held bool
	left bool
}

// enter takes a slot, and reports whether there was one in time.
func (g *gate) enter(ctx context.Context) (*slot, bool) {
	if g.slots.TryTake("") {
		return &slot{g: g, held: true}, true
	}
	if g.waiting.Add(1) > int64(g.Queue) {
		g.waiting.Add(-1)
		return nil, false
	}
	defer g.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, g.Wait)
	defer cancel()
	if g.slots.Take(ctx, "") != nil {
		return nil, false
	}
	return &slot{g: g, held: true}, true
}

// release gives the slot back, for good if the request is over.
func (p *slot) release(over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = p.left || over
	if p.held {
		p.held = false
		p.g.slots.Give("")
	}
}

// resume takes a slot again. What has started goes on in any case: it waits for its turn, not for ever.
func (p *slot) resume() {
	ctx, cancel := context.WithTimeout(context.Background(), resumeWait)
	defer cancel()
	if p.g.slots.Take(ctx, "") != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.held {
		p.g.slots.Give("")
		return
	}
	p.held = true
}

// resumeWait is how long a request that has started is held back at most.
const resumeWait = 3 * time.Second

// reject answers a request that found no slot.
func (s *server) reject(w http.ResponseWriter, r *http.Request, rejected prometheus.Counter) {
	rejected.Inc()
	if rec := recordOf(r.Context()); rec != nil {
		rec.counted = true
	}
	s.problem(w, r, problem{
		Status: http.StatusServiceUnavailable, Code: "service_unavailable", RetryAfter: 1,
		Detail: "There is more to do than can be done at once." + nothingDone(r.Method) + " Send the request again after Retry-After seconds.",
	})
}

// admit lets a request in, or rejects it with 503 and Retry-After.
func (s *server) admit(g *gate) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if g.Concurrency <= 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, ok := g.enter(r.Context())
			if !ok {
				s.reject(w, r, g.rejected)
				return
			}
			defer p.release(true)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keySlot, p)))
		})
	}
}

// Waiting says that the request of ctx, if any, only waits for somebody else until back is called: another is worked on in
// its place meanwhile.
func Waiting(ctx context.Context) (back func()) {
	p, ok := ctx.Value(keySlot).(*slot)
	if !ok {
		return func() {}
	}
	p.release(false)
	return p.resume
}
