package worker

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
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
	Check(ctx context.Context, key payment.Key) (*payment.Order, error)
}

// CheckLeaser hands out orders whose check is due.
type CheckLeaser interface {
	// LeaseDueChecks returns up to limit orders of a provider. Nobody else gets them before lease is over.
	LeaseDueChecks(ctx context.Context, provider string, limit int, lease time.Duration) ([]payment.Key, error)
}

// checks runs the checks of one provider's due orders, a bounded number at once. Another provider's have places of their
// own: one that is slow to answer must not keep the other one's truth waiting.
type checks struct {
	provider string
	checker  Checker
	leaser   CheckLeaser
	log      zerolog.Logger
	free     chan struct{} // holds a token for each check that may begin
	more     atomic.Bool   // the last lease took as many as there was room for
	room     chan struct{} // says that half of the places are free again, and more orders are due
	running  sync.WaitGroup
}

func newChecks(provider string, c Config, checker Checker, leaser CheckLeaser) *checks {
	k := &checks{provider: provider, checker: checker, leaser: leaser, log: c.Log, free: make(chan struct{}, c.MaxWorkers), room: make(chan struct{}, 1)}
	for range c.MaxWorkers {
		k.free <- struct{}{}
	}
	return k
}

// run leases and checks until ctx is done, then waits for the checks under way. They are not interrupted: each is bounded.
func (k *checks) run(ctx context.Context) {
	defer k.running.Wait()
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-k.room:
		}
		// No more are leased than can begin now: the rest is for other replicas, and a lease should not pass in waiting.
		limit := len(k.free)
		if limit == 0 {
			continue
		}
		keys, err := k.leaser.LeaseDueChecks(ctx, k.provider, limit, CheckLease)
		if err != nil && ctx.Err() == nil && !failing {
			k.log.Error().Err(err).Str("provider", k.provider).Msg("due checks cannot be leased; trying on")
		}
		failing = err != nil
		k.more.Store(len(keys) == limit)
		for _, key := range keys {
			<-k.free
			k.running.Go(func() {
				defer k.done()
				k.check(context.WithoutCancel(ctx), key)
			})
		}
	}
}

// done frees a check's place. Under a backlog the next orders are leased without waiting for the clock, many at a time.
func (k *checks) done() {
	k.free <- struct{}{}
	if k.more.Load() && len(k.free) >= (cap(k.free)+1)/2 {
		select {
		case k.room <- struct{}{}:
		default:
		}
	}
}

// check asks about one order. One that fails is not tried again here: the order is due again when its lease is over.
func (k *checks) check(ctx context.Context, key payment.Key) {
	ctx, cancel := context.WithTimeout(ctx, CheckLease)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			k.log.Error().Stringer("order_id", key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a check panicked; the order is checked again")
		}
	}()
	faultpoint.Hit("job-begun")
	started := time.Now()
	o, err := k.checker.Check(ctx, key)
	if err != nil {
		k.log.Error().Err(err).Stringer("order_id", key.Order).Msg("a check could not be written down; the order is checked again")
		return
	}
	k.log.Info().Stringer("order_id", o.ID).Str("provider", o.Provider).Str("verdict", string(o.Status)).
		Int("checks", o.Checks).Dur("duration_ms", time.Since(started)).Msg("check")
}
