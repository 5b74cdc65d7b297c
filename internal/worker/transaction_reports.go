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
	// transactionReportWorkers is how many lists may be read at one time: each takes many times its size in memory.
	transactionReportWorkers    = 2
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
	// LeaseDueTransactionReports returns up to limit transaction reports. Nobody else gets them before lease is over.
	LeaseDueTransactionReports(ctx context.Context, limit int, lease time.Duration) ([]payment.TransactionReportKey, error)
	// RenewTransactionReport lets a lease end later.
	RenewTransactionReport(ctx context.Context, key payment.TransactionReportKey, lease time.Duration) error
}

// transactionReports takes the steps of transaction reports that are due.
type transactionReports struct {
	TransactionReports
	leaser TransactionReportLeaser
	log    zerolog.Logger
}

func newTransactionReports(c Config, service TransactionReports, leaser TransactionReportLeaser) *leases[payment.TransactionReportKey] {
	s := &transactionReports{service, leaser, c.Log}
	l := &leases[payment.TransactionReportKey]{
		every: transactionReportSweepEvery, grace: deliveryTimeout, work: s.advance,
		lease: func(ctx context.Context, limit int) ([]payment.TransactionReportKey, error) {
			return leaser.LeaseDueTransactionReports(ctx, limit, TransactionReportLease)
		},
		failing: func(err error) { c.Log.Error().Err(err).Msg("due transaction reports cannot be leased; trying on") },
	}
	return l.bounded(transactionReportWorkers)
}

// advance takes one step. One that fails is not tried again here: the transaction report is due again when its lease is over.
func (s *transactionReports) advance(ctx context.Context, key payment.TransactionReportKey) {
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
