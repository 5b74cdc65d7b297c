package payment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// AdvanceTransactionReport takes the next step with a transaction report: ask for it, look whether it is done and read it. The error says
// what was in the way; unless the transaction report has failed by it, the step is due again.
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
	if st.Task == "" {
		task, _, err := callProvider(ctx, s, st.subject(), s.CheckTimeout, func(ctx context.Context) (string, error) {
			return exporter.StartTransactionReport(ctx, gateway.TransactionReportRequest{Kind: st.Type, Status: st.Status, From: st.From, To: st.To})
		})
		if err != nil {
			return fmt.Errorf("ask for the transaction report: %w", err)
		}
		st.Task, st.State = task, TransactionReportProcessing
		return nil
	}
	ready, _, err := callProvider(ctx, s, st.subject(), s.CheckTimeout, func(ctx context.Context) (bool, error) {
		return exporter.TransactionReportReady(ctx, st.Task)
	})
	if err != nil {
		return fmt.Errorf("ask whether the transaction report is ready: %w", err)
	}
	if !ready {
		return nil
	}
	file, _, err := callProvider(ctx, s, st.subject(), s.ProviderTimeout, func(ctx context.Context) (*bytes.Buffer, error) {
		file := &bytes.Buffer{}
		return file, exporter.DownloadTransactionReport(ctx, st.Task, file)
	})
	if err != nil {
		return fmt.Errorf("download the transaction report: %w", err)
	}
	return s.readTransactionReport(ctx, st, file)
}

// transactionReportsRead is how many lists are read at once: each takes many times its size in memory. Who waits for a provider reads none.
const transactionReportsRead = 2

// readTransactionReport takes the shop's rows out of the provider's list.
func (s *Service) readTransactionReport(ctx context.Context, st *TransactionReport, file io.Reader) error {
	if err := s.reading.Take(ctx, ""); err != nil {
		return fmt.Errorf("wait to read the transaction report: %w", err)
	}
	defer s.reading.Give("")
	columns, all, err := s.ReadSheet(file)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
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

// errUnreadable says that the provider's list came whole and makes no sense, so that it would not the next time.
var errUnreadable = errors.New("the provider's list cannot be read")

func (s *Service) exporter(ctx context.Context, st *TransactionReport) (gateway.TransactionReportExporter, error) {
	to, err := s.targetAt(ctx, st.AccountID)
	if err != nil {
		return nil, err
	}
	exporter, ok := to.gateway.(gateway.TransactionReportExporter)
	if !ok {
		return nil, gateway.Errorf(gateway.KindUnsupported, "statement", "account %s makes no transaction reports any more", to.account.Name)
	}
	return exporter, nil
}
