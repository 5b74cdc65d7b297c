package worker

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"payrelay/internal/payment"
)

const (
	// statementWorkers is how many lists may be read at one time: each takes many times its size in memory.
	statementWorkers    = 2
	statementSweepEvery = time.Second
	// statementTimeout leaves room for a download as long as PROVIDER_TIMEOUT may be.
	statementTimeout = 3 * time.Minute
	// StatementLease is when a step whose process died is taken over. A step under way renews it.
	StatementLease = 25 * time.Second
	statementRenew = StatementLease / 3
)

// Statements takes the next step with a statement.
type Statements interface {
	AdvanceStatement(ctx context.Context, shop, id uuid.UUID) error
}

// StatementLeaser hands out statements whose next step is due.
type StatementLeaser interface {
	// LeaseDueStatements returns up to limit statements. Nobody else gets them before lease is over.
	LeaseDueStatements(ctx context.Context, limit int, lease time.Duration) ([]payment.StatementKey, error)
	// RenewStatement lets a lease end later.
	RenewStatement(ctx context.Context, key payment.StatementKey, lease time.Duration) error
}

// statements takes the steps of statements that are due.
type statements struct {
	Statements
	leaser StatementLeaser
	log    zerolog.Logger
}

func newStatements(c Config, service Statements, leaser StatementLeaser) *leases[payment.StatementKey] {
	s := &statements{service, leaser, c.Log}
	l := &leases[payment.StatementKey]{
		every: statementSweepEvery, grace: jobTimeout, work: s.advance,
		lease: func(ctx context.Context, limit int) ([]payment.StatementKey, error) {
			return leaser.LeaseDueStatements(ctx, limit, StatementLease)
		},
		failing: func(err error) { c.Log.Error().Err(err).Msg("due statements cannot be leased; trying on") },
	}
	return l.places(statementWorkers)
}

// advance takes one step. One that fails is not tried again here: the statement is due again when its lease is over.
func (s *statements) advance(ctx context.Context, key payment.StatementKey) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Stringer("statement_id", key.Statement).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a step of a statement panicked; it is taken again")
		}
	}()
	renewing := make(chan struct{})
	defer func() { <-renewing }()
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(renewing)
		ticker := time.NewTicker(statementRenew)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if err := s.leaser.RenewStatement(ctx, key, StatementLease); err != nil {
					s.log.Warn().Err(err).Stringer("statement_id", key.Statement).Msg("a statement's lease cannot be renewed; another process may take the step too")
				}
			}
		}
	}()
	if err := s.AdvanceStatement(ctx, key.Shop, key.Statement); err != nil {
		s.log.Warn().Err(err).Stringer("statement_id", key.Statement).Msg("a step of a statement failed")
	}
}
