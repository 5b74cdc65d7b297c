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
	pollEvery = 250 * time.Millisecond
	// PollLease is how long a status poll that was handed out may take before another replica takes it over.
	PollLease = 20 * time.Second
	// PollTimeout bounds a status poll's call to the provider, so that it ends well within its lease.
	PollTimeout = 10 * time.Second
	// pollSlotTimeout is for how long a status poll keeps others of its provider waiting. One that takes longer waits for a host that is
	// slow to answer, and other hosts of the provider are not. How many wait for one host the transport bounds.
	pollSlotTimeout = time.Second
)

// Poller asks the provider about an order and records the answer.
type Poller interface {
	Poll(ctx context.Context, key payment.Key) (*payment.Order, error)
}

// PollLeaser hands out orders whose status poll is due.
type PollLeaser interface {
	// LeaseDuePolls returns up to limit orders of a provider. Nobody else gets them before lease is over.
	LeaseDuePolls(ctx context.Context, provider string, limit int, lease time.Duration) ([]payment.Key, error)
}

// polls asks the provider about due orders.
type polls struct {
	poller Poller
	log    zerolog.Logger
	failed func()
}

// newPolls works on one provider's due orders. Another provider's have places of their own: one that is slow to answer
// must not keep the other one's truth waiting.
func newPolls(provider string, c Config, poller Poller, leaser PollLeaser) *leases[payment.Key] {
	k := &polls{poller: poller, log: c.Log, failed: func() {}}
	if c.PollFailed != nil {
		k.failed = func() { c.PollFailed(provider) }
	}
	l := &leases[payment.Key]{
		every: pollEvery, grace: PollLease, work: k.poll, slotTimeout: pollSlotTimeout,
		lease: func(ctx context.Context, limit int) ([]payment.Key, error) {
			return leaser.LeaseDuePolls(ctx, provider, limit, PollLease)
		},
		failing: func(err error) {
			c.Log.Error().Err(err).Str("provider", provider).Msg("due status polls cannot be leased; trying on")
		},
	}
	return l.bounded(c.MaxWorkers)
}

// poll asks about one order. One that fails is not tried again here: the order is due again when its lease is over.
func (k *polls) poll(ctx context.Context, key payment.Key) {
	ctx, cancel := context.WithTimeout(ctx, PollLease)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			k.failed()
			k.log.Error().Stringer("order_id", key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a status poll panicked; the order is asked about again")
		}
	}()
	faultpoint.Hit("job-begun")
	started := time.Now()
	o, err := k.poller.Poll(ctx, key)
	if err != nil {
		k.failed()
		k.log.Error().Err(err).Stringer("order_id", key.Order).Msg("a status poll could not be written down; the order is asked about again")
		return
	}
	k.log.Info().Stringer("order_id", o.ID).Str("provider", o.Provider).Str("verdict", string(o.Status)).
		Int("polls", o.PollsDone).Dur("duration_ms", time.Since(started)).Msg("status poll")
}
