package worker

import (
	"context"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"payrelay/internal/payment"
)

const (
	// transactionReportWorkers is how many steps are taken at once, of each account one: a host that hangs delays its own account's only.
	transactionReportWorkers    = 8
	transactionReportSweepEvery = time.Second
	// transactionReportTimeout leaves room for a download as long as PROVIDER_TIMEOUT may be.
	transactionReportTimeout = 3 * time.Minute
	// TransactionReportLease is when a step whose process died is taken over. A step under way renews it.
	TransactionReportLease = 25 * time.Second
	transactionReportRenew = TransactionReportLease / 3
)

// TransactionReports takes the next step with a transaction report.
type TransactionReports interface {
	AdvanceTransactionReport(ctx context.Context, shop, id uuid.UUID) error
}

// TransactionReportLeaser hands out transaction reports whose next step is due.
type TransactionReportLeaser interface {
	// LeaseDueTransactionReports returns up to limit transaction reports: of each account one, and of busy ones none. Nobody else gets
	// them before lease is over.
	LeaseDueTransactionReports(ctx context.Context, busy []uuid.UUID, limit int, lease time.Duration) ([]payment.DueTransactionReport, error)
	// RenewTransactionReport lets a lease end later.
	RenewTransactionReport(ctx context.Context, key payment.TransactionReportKey, lease time.Duration) error
}

// transactionReports takes the steps of transaction reports that are due.
type transactionReports struct {
	TransactionReports
	leaser TransactionReportLeaser
	log    zerolog.Logger
	ended  chan struct{} // says that an account is free again

	mu   sync.Mutex
	busy map[uuid.UUID]bool // accounts that a step is taken at
}

func newTransactionReports(c Config, service TransactionReports, leaser TransactionReportLeaser) *leases[payment.DueTransactionReport] {
	s := &transactionReports{TransactionReports: service, leaser: leaser, log: c.Log, ended: make(chan struct{}, 1), busy: map[uuid.UUID]bool{}}
	l := &leases[payment.DueTransactionReport]{
		every: transactionReportSweepEvery, wake: s.ended, grace: deliveryTimeout, work: s.advance, lease: s.lease,
		failing: func(err error) { c.Log.Error().Err(err).Msg("due transaction reports cannot be leased; trying on") },
	}
	return l.bounded(transactionReportWorkers)
}

// lease leases steps at accounts at which none is taken yet.
func (s *transactionReports) lease(ctx context.Context, limit int) ([]payment.DueTransactionReport, error) {
	s.mu.Lock()
	busy := slices.Collect(maps.Keys(s.busy))
	s.mu.Unlock()
	leased, err := s.leaser.LeaseDueTransactionReports(ctx, busy, limit, TransactionReportLease)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, due := range leased {
		s.busy[due.Account] = true
	}
	return leased, err
}

// free lets the next step of an account be leased.
func (s *transactionReports) free(account uuid.UUID) {
	s.mu.Lock()
	delete(s.busy, account)
	s.mu.Unlock()
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

// advance takes one step. One that fails is not tried again here: the transaction report is due again when its lease is over.
func (s *transactionReports) advance(ctx context.Context, due payment.DueTransactionReport) {
	key := due.TransactionReportKey
	defer s.free(due.Account)
	ctx, cancel := context.WithTimeout(ctx, transactionReportTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Stringer("statement_id", key.TransactionReport).Type("panic", p).Bytes("stack", debug.Stack()).Msg("a step of a transaction report panicked; it is taken again")
		}
	}()
	renewing := make(chan struct{})
	defer func() { <-renewing }()
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(renewing)
		ticker := time.NewTicker(transactionReportRenew)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if err := s.leaser.RenewTransactionReport(ctx, key, TransactionReportLease); err != nil {
					s.log.Warn().Err(err).Stringer("statement_id", key.TransactionReport).Msg("a transaction report's lease cannot be renewed; another process may take the step too")
				}
			}
		}
	}()
	if err := s.AdvanceTransactionReport(ctx, key.Shop, key.TransactionReport); err != nil {
		s.log.Warn().Err(err).Stringer("statement_id", key.TransactionReport).Msg("a step of a transaction report failed")
	}
}
