package transport

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// guard keeps one class of calls to a host from piling up, and each of its operations from calling a host that does not answer. The
// policies are used by hand and not composed, because a full bulkhead must not count as the provider's failure.
type guard struct {
	concurrency uint
	wait        time.Duration
	failures    uint
	delay       time.Duration

	mu        sync.Mutex
	bulkheads map[string]bulkhead.Bulkhead[any] // by host: one that hangs fills its own, and no other's
	breakers  map[door]*breaker
}

// door is what a breaker closes. Operations have one each: one that fails says nothing of the others, and of a breaker that
// they shared, each trial would go to the one that is called most. So have hosts: accounts may have hosts of their own. The host
// is as hostPort writes it.
type door struct{ host, operation, scope string }

// breaker is the circuit breaker of a door, and the bulkhead of its host.
type breaker struct {
	circuitbreaker.CircuitBreaker[any]
	bulkhead bulkhead.Bulkhead[any]
	admitted atomic.Int64 // calls between enter and leave
	trialAt  atomic.Int64 // from when on the next caller is let through to a breaker that is not closed, in ns since 1970
}

func newGuard(cfg Config, m *metrics, class Class) *guard {
	m.inFlight.WithLabelValues(cfg.Provider, string(class)).Set(0)
	g := &guard{
		concurrency: cfg.Concurrency,
		wait:        cfg.BulkheadWait,
		failures:    cfg.BreakerFailures,
		delay:       cfg.BreakerDelay,
		bulkheads:   map[string]bulkhead.Bulkhead[any]{},
		breakers:    map[door]*breaker{},
	}
	m.export(cfg.Registerer, cfg.Provider, class, g)
	return g
}

// breaker returns the breaker of a call to u, making it when first asked for.
func (g *guard) breaker(call Call, u *url.URL) *breaker {
	at := door{hostPort(u), call.Operation, call.Scope}
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.breakers[at]
	if b == nil {
		b = &breaker{bulkhead: g.bulkhead(at.host), CircuitBreaker: circuitbreaker.NewBuilder[any]().
			WithFailureThreshold(g.failures).
			WithSuccessThreshold(1).
			WithDelay(g.delay).
			Build()}
		g.breakers[at] = b
	}
	return b
}

// bulkhead returns the bulkhead of a host, making it when first asked for. The caller holds g.mu.
func (g *guard) bulkhead(host string) bulkhead.Bulkhead[any] {
	b := g.bulkheads[host]
	if b == nil {
		b = bulkhead.New[any](g.concurrency)
		g.bulkheads[host] = b
	}
	return b
}

// state is the class as it stands in the metric: its breaker that is furthest from closed.
func (g *guard) state() (most float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.breakers {
		most = max(most, b.state())
	}
	return most
}

// state is 2 while calls are held back, 1 while one is being tried, else 0. A breaker whose delay has passed would let the
// next call through, and holds nothing back of an operation without calls.
func (b *breaker) state() float64 {
	switch {
	case b.IsOpen() && b.RemainingDelay() > 0:
		return 2
	case b.IsHalfOpen() && b.admitted.Load() > 0:
		return 1
	}
	return 0
}

// trialPause is between two callers that are let through to a breaker whose delay has passed.
const trialPause = time.Second

// heldBack returns for how long a call would be held back if it came now. A breaker whose delay has passed takes one trial
// call, so one caller at a time may go on. The others would be rejected after they began.
func (b *breaker) heldBack() time.Duration {
	switch left := b.RemainingDelay(); {
	case b.IsClosed():
		return 0
	case b.IsOpen() && left > 0:
		return left
	case b.admitted.Load() > 0:
		return trialPause
	}
	now, at := time.Now().UnixNano(), b.trialAt.Load()
	if now < at || !b.trialAt.CompareAndSwap(at, now+int64(trialPause)) {
		return trialPause
	}
	return 0
}

// enter admits a call, or gives the reason why not. Every admitted call must leave by the breaker that it entered by.
func (g *guard) enter(ctx context.Context, b *breaker) outcome {
	if err := b.bulkhead.AcquirePermitWithMaxWait(ctx, g.wait); err != nil {
		if errors.Is(err, bulkhead.ErrFull) {
			return outcomeBulkhead
		}
		return outcomeNotSent // the caller gave up while waiting
	}
	if ctx.Err() != nil || overdue(ctx) {
		b.bulkhead.ReleasePermit()
		return outcomeNotSent
	}
	if !b.TryAcquirePermit() {
		b.bulkhead.ReleasePermit()
		return outcomeBreaker
	}
	b.admitted.Add(1)
	return ""
}

// overdue reports whether the time of ctx is over. The timer that ends it may fire later, in a process that was stopped.
func overdue(ctx context.Context) bool {
	until, ok := ctx.Deadline()
	return ok && !time.Now().Before(until)
}

// leave records how a call ended. A provider that answers works, whatever it answers, unless it says 5xx.
func (g *guard) leave(ctx context.Context, b *breaker, status int, err error) {
	defer b.bulkhead.ReleasePermit()
	defer b.admitted.Add(-1)
	switch {
	case err == nil && status < 500:
		b.RecordSuccess()
	case err != nil && errors.Is(ctx.Err(), context.Canceled) && b.IsClosed():
		// The caller went away: that says nothing about the provider. While half open it must still be recorded, or
		// the permit for a trial call would be lost.
	default:
		b.RecordFailure()
	}
}
