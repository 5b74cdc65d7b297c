package worker

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/payment"
)

const (
	// mandateWorkers is how many mandates are worked at at once: each makes a call to a provider.
	mandateWorkers    = 8
	mandateSweepEvery = 5 * time.Second
	// MandateLease is when a mandate whose process died is taken over. It is longer than what is done about one lasts.
	MandateLease   = 5 * time.Minute
	mandateTimeout = 3 * time.Minute
)

// Mandates does what is due about a mandate.
type Mandates interface {
	RunMandate(ctx context.Context, key payment.Key) error
}

// MandateLeaser hands out mandates that something is due about.
type MandateLeaser interface {
	// LeaseDueMandates returns up to limit mandates. Nobody else gets them before lease is over.
	LeaseDueMandates(ctx context.Context, limit int, lease time.Duration) ([]payment.Key, error)
}

func newMandates(c Config, service Mandates, leaser MandateLeaser) *leases[payment.Key] {
	l := &leases[payment.Key]{
		every: mandateSweepEvery, wake: c.MandatesDue, grace: deliveryTimeout,
		work: func(ctx context.Context, key payment.Key) { runMandate(ctx, c.Log, service, key) },
		lease: func(ctx context.Context, limit int) ([]payment.Key, error) {
			return leaser.LeaseDueMandates(ctx, limit, MandateLease)
		},
		failing: func(err error) { c.Log.Error().Err(err).Msg("due mandates cannot be leased; trying on") },
	}
	return l.bounded(mandateWorkers)
}

// runMandate does what is due about one. If that fails it is due again when its lease is over.
func runMandate(ctx context.Context, log zerolog.Logger, service Mandates, key payment.Key) {
	ctx, cancel := context.WithTimeout(ctx, mandateTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			log.Error().Stringer("mandate_id", key.Order).Type("panic", p).Bytes("stack", debug.Stack()).Msg("work on a mandate panicked; it is done again")
		}
	}()
	if err := service.RunMandate(ctx, key); err != nil {
		log.Warn().Err(err).Stringer("mandate_id", key.Order).Msg("what is due about a mandate could not be done; it is tried again")
	}
}
