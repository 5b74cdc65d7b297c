package transport

import (
	"context"
	"errors"
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
}

func newGuard(cfg Config, m *metrics, class Class) *guard {
	gauge := m.breaker.WithLabelValues(cfg.Provider, string(class))
	gauge.Set(0)
	m.inFlight.WithLabelValues(cfg.Provider, string(class)).Set(0)
	return &guard{
		bulkhead: bulkhead.New[any](cfg.Concurrency),
		wait:     cfg.BulkheadWait,
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureThreshold(cfg.BreakerFailures).
			WithSuccessThreshold(1).
			WithDelay(cfg.BreakerDelay).
			OnStateChanged(func(e circuitbreaker.StateChangedEvent) { gauge.Set(breakerValue(e.NewState)) }).
			Build(),
	}
}

// breakerValue is a state as it stands in the metric.
func breakerValue(s circuitbreaker.State) float64 {
	switch s {
	case circuitbreaker.OpenState:
		return 2
	case circuitbreaker.HalfOpenState:
		return 1
	case circuitbreaker.ClosedState:
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
