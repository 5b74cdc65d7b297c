package transport

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// guard keeps one class of calls from piling up and from knocking at a closed door. The policies are used by hand and
// not composed, because a full bulkhead must not count as the provider's failure.
type guard struct {
	bulkhead bulkhead.Bulkhead[any]
	breaker  circuitbreaker.CircuitBreaker[any]
	wait     time.Duration
	admitted atomic.Int64 // calls between enter and leave
}

func newGuard(cfg Config, m *metrics, class Class) *guard {
	m.inFlight.WithLabelValues(cfg.Provider, string(class)).Set(0)
	g := &guard{
		bulkhead: bulkhead.New[any](cfg.Concurrency),
		wait:     cfg.BulkheadWait,
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureThreshold(cfg.BreakerFailures).
			WithSuccessThreshold(1).
			WithDelay(cfg.BreakerDelay).
			Build(),
	}
	m.export(cfg.Registerer, cfg.Provider, class, g)
	return g
}

// state is the breaker as it stands in the metric: 2 while calls are held back, 1 while one is being tried, else 0. A breaker
// whose delay has passed would let the next call through, and holds nothing back of a class without calls.
func (g *guard) state() float64 {
	switch {
	case g.breaker.IsOpen() && g.breaker.RemainingDelay() > 0:
		return 2
	case g.breaker.IsHalfOpen() && g.admitted.Load() > 0:
		return 1
	}
	return 0
}

// enter admits a call, or says why not. Every admitted call must leave.
func (g *guard) enter(ctx context.Context) outcome {
	if err := g.bulkhead.AcquirePermitWithMaxWait(ctx, g.wait); err != nil {
		if errors.Is(err, bulkhead.ErrFull) {
			return outcomeBulkhead
		}
		return outcomeNotSent // the caller gave up while waiting
	}
	if ctx.Err() != nil || overdue(ctx) {
		g.bulkhead.ReleasePermit()
		return outcomeNotSent
	}
	if !g.breaker.TryAcquirePermit() {
		g.bulkhead.ReleasePermit()
		return outcomeBreaker
	}
	g.admitted.Add(1)
	return ""
}

// overdue reports whether the time of ctx is over. The timer that ends it may fire later, in a process that was stopped.
func overdue(ctx context.Context) bool {
	until, ok := ctx.Deadline()
	return ok && !time.Now().Before(until)
}

// leave records how a call ended. A provider that answers works, whatever it answers, unless it says 5xx.
func (g *guard) leave(ctx context.Context, status int, err error) {
	defer g.bulkhead.ReleasePermit()
	defer g.admitted.Add(-1)
	switch {
	case err == nil && status < 500:
		g.breaker.RecordSuccess()
	case err != nil && errors.Is(ctx.Err(), context.Canceled) && g.breaker.IsClosed():
		// The caller went away: that says nothing about the provider. While half open it must still be recorded, or
		// the permit for a trial call would be lost.
	default:
		g.breaker.RecordFailure()
	}
}
