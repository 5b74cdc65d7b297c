package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// AdvanceTransactionReport takes the next step with a statement: ask for it, look whether it is done and read it. The error says
// what was in the way; unless the statement has failed by it, the step is due again.
//
// A step may be taken twice, when the process died before it was written down or two took it at once. Then the provider
// makes a second list, which does no harm, or the same list is read again in place of what was read before.
func (s *Service) AdvanceTransactionReport(ctx context.Context, shop, id uuid.UUID) error {
	st, err := s.TransactionReports.TransactionReport(ctx, shop, id)
	if err != nil {
		return err
	}
	if st.State == TransactionReportReady || st.State == TransactionReportFailed {
		return nil
	}
	// The horizon comes first: a step that never gets as far as being written down would be taken for ever.
	var stepErr error
	overdue := s.Now().Sub(st.CreatedAt) > transactionReportHorizon
	if !overdue {
		stepErr = s.stepTransactionReport(ctx, st)
	}
	now := s.Now()
	st.UpdatedAt, st.Polls = now, st.Polls+1
	switch {
	case st.State == TransactionReportReady:
		st.NextPollAt = nil
	case errors.Is(stepErr, errUnreadable):
		st.State, st.Failure, st.NextPollAt = TransactionReportFailed, transactionReportUnreadable, nil
	case overdue || final(stepErr):
		st.State, st.Failure, st.NextPollAt = TransactionReportFailed, transactionReportNotMade, nil
	default:
		next := now.Add(min(time.Second<<min(st.Polls, 6), time.Minute))
		st.NextPollAt = &next
	}
	return errors.Join(stepErr, s.TransactionReports.SaveTransactionReport(ctx, st))
}

// final reports whether asking again would be answered the same.
func final(err error) bool {
	switch gateway.KindOf(err) {
	case gateway.KindDeclined, gateway.KindInvalid, gateway.KindUnsupported:
		return true
	case gateway.KindUnknown, gateway.KindNotSent, gateway.KindNotFound, gateway.KindDuplicate, gateway.KindCredentials, gateway.KindRejected, gateway.KindInvalidSignature:
	}
	return false
}

// stepTransactionReport moves st one step at the provider. Unless it returns nil, st is as it was.
func (s *Service) stepTransactionReport(ctx context.Context, st *TransactionReport) error {
	exporter, err := s.exporter(ctx, st)
	if err != nil {
		return err
	}
	ctx, ended := s.BeginExternalCall(ctx, Subject{Shop: st.Shop, Account: st.AccountName})
	defer ended()
	if st.Task == "" {
		task, err := s.startTransactionReport(ctx, exporter, st)
		if err != nil {
			return fmt.Errorf("ask for the statement: %w", err)
		}
		st.Task, st.State = task, TransactionReportProcessing
		return nil
	}
	ready, err := s.transactionReportReady(ctx, exporter, st.Task)
	if err != nil {
		return fmt.Errorf("ask whether the statement is ready: %w", err)
	}
	if !ready {
		return nil
	}
	columns, all, err := s.readTransactionReport(ctx, exporter, st.Task)
	if err != nil {
		return err
	}
	rows, err := s.ownRows(ctx, st, columns, all)
	if err != nil {
		return err
	}
	if err := s.TransactionReports.SaveTransactionReportRows(ctx, st, rows); err != nil {
		return err
	}
	st.State, st.Columns, st.Rows = TransactionReportReady, columns, len(rows)
	return nil
}

func (s *Service) startTransactionReport(ctx context.Context, exporter gateway.TransactionReportExporter, st *TransactionReport) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.CheckTimeout)
	defer cancel()
	return exporter.StartTransactionReport(ctx, gateway.TransactionReportRequest{Kind: st.Type, Status: st.Status, From: st.From, To: st.To})
}

func (s *Service) transactionReportReady(ctx context.Context, exporter gateway.TransactionReportExporter, task string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.CheckTimeout)
	defer cancel()
	return exporter.TransactionReportReady(ctx, task)
}

var (
	// errUnreadable says that the provider's list came whole and makes no sense, so that it would not the next time.
	errUnreadable = errors.New("the provider's list cannot be read")
	// errReadEnough ends a download whose reader is done.
	errReadEnough = errors.New("the rest is not wanted")
)

// readTransactionReport downloads a list and reads it, for no longer than ProviderTimeout.
func (s *Service) readTransactionReport(ctx context.Context, exporter gateway.TransactionReportExporter, task string) (columns []string, rows []map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.ProviderTimeout)
	defer cancel()
	r, w := io.Pipe()
	defer func() { _ = r.Close() }() // also when the reader panics
	downloaded := make(chan error, 1)
	go func() {
		err := exporter.DownloadTransactionReport(ctx, task, w)
		_ = w.CloseWithError(err)
		downloaded <- err
	}()
	columns, rows, err = s.ReadSheet(r)
	_ = r.CloseWithError(errReadEnough)
	if downloadErr := <-downloaded; downloadErr != nil && !errors.Is(downloadErr, errReadEnough) {
		return nil, nil, fmt.Errorf("download the statement: %w", downloadErr)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return columns, rows, nil
}

func (s *Service) exporter(ctx context.Context, st *TransactionReport) (gateway.TransactionReportExporter, error) {
	account, err := s.Store.Account(ctx, st.AccountID)
	if err != nil {
		return nil, err
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, err
	}
	exporter, ok := gw.gateway.(gateway.TransactionReportExporter)
	if !ok {
		return nil, gateway.Errorf(gateway.KindUnsupported, "statement", "account %s makes no statements any more", account.Name)
	}
	return exporter, nil
}
