package worker

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
)

const (
	checkEvery = 250 * time.Millisecond
	// CheckLease is how long a check that was handed out may take before another replica takes it over.
	CheckLease = 20 * time.Second
	// CheckTimeout bounds a check's call to the provider, so that it ends well within its lease.
	CheckTimeout = 10 * time.Second
)

// Checker asks the provider about an order and records the answer.
type Checker interface {
	Poll(ctx context.Context, key payment.Key) (*payment.Order, error)
}

// CheckLeaser hands out orders whose check is due.
type CheckLeaser interface {
	// LeaseDuePolls returns up to limit orders of a provider. Nobody else gets them before lease is over.
	LeaseDuePolls(ctx context.Context, provider string, limit int, lease time.Duration) ([]payment.Key, error)
}

// checks asks about due orders.
type checks struct {
	checker Checker
	log     zerolog.Logger
	failed  func()
}

// newChecks works on one provider's due orders. Another provider's have places of their own: one that is slow to answer
// must not keep the other one's truth waiting.
func newChecks(provider string, c Config, checker Checker, leaser CheckLeaser) *leases[payment.Key] {
	k := &checks{checker: checker, log: c.Log, failed: func() {}}
	if c.CheckFailed != nil {
		k.failed = func() { c.CheckFailed(provider) }
	}
	l := &leases[payment.Key]{
		every: checkEvery, grace: CheckLease, work: k.check,
		lease: func(ctx context.Context, limit int) ([]payment.Key, error) {
			return leaser.LeaseDuePolls(ctx, provider, limit, CheckLease)
		},
		failing: func(err error) {
			c.Log.Error().Err(err).Str("provider", provider).Msg("due checks cannot be leased; trying on")
		},
	}
	return l.bounded(c.MaxWorkers)
}

// check asks about one order. One that fails is not tried again here: the order is due again when its lease is over.
func (k *checks) check(ctx context.Context, key payment.Key) {
	ctx, cancel := context.WithTimeout(ctx, CheckLease)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			k.failed()
			k.log.Error().Stringer("order_id", key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a check panicked; the order is checked again")
		}
	}()
	faultpoint.Hit("job-begun")
	started := time.Now()
	o, err := k.checker.Poll(ctx, key)
	if err != nil {
		k.failed()
		k.log.Error().Err(err).Stringer("order_id", key.Order).Msg("a check could not be written down; the order is checked again")
		return
	}
	k.log.Info().Stringer("order_id", o.ID).Str("provider", o.Provider).Str("verdict", string(o.Status)).
		Int("checks", o.PollsDone).Dur("duration_ms", time.Since(started)).Msg("check")
}
