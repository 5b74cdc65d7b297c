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

// AdvanceStatement takes the next step with a statement: ask for it, look whether it is done and read it. The error says
// what was in the way; unless the statement has failed by it, the step is due again.
//
// A step may be taken twice, when the process died before it was written down or two took it at once. Then the provider
// makes a second list, which does no harm, or the same list is read again in place of what was read before.
func (s *Service) AdvanceStatement(ctx context.Context, shop, id uuid.UUID) error {
	st, err := s.Statements.Statement(ctx, shop, id)
	if err != nil {
		return err
	}
	if st.State == StatementReady || st.State == StatementFailed {
		return nil
	}
	// The horizon comes first: a step that never gets as far as being written down would be taken for ever.
	var stepErr error
	overdue := s.Now().Sub(st.CreatedAt) > statementHorizon
	if !overdue {
		stepErr = s.stepStatement(ctx, st)
	}
	now := s.Now()
	st.UpdatedAt, st.Polls = now, st.Polls+1
	switch {
	case st.State == StatementReady:
		st.NextPollAt = nil
	case errors.Is(stepErr, errUnreadable):
		st.State, st.Failure, st.NextPollAt = StatementFailed, statementUnreadable, nil
	case overdue || final(stepErr):
		st.State, st.Failure, st.NextPollAt = StatementFailed, statementNotMade, nil
	default:
		next := now.Add(min(time.Second<<min(st.Polls, 6), time.Minute))
		st.NextPollAt = &next
	}
	return errors.Join(stepErr, s.Statements.SaveStatement(ctx, st))
}

// final reports whether asking again would be answered the same.
func final(err error) bool {
	switch gateway.KindOf(err) {
	case gateway.KindRefused, gateway.KindInvalid, gateway.KindUnsupported:
		return true
	case gateway.KindUnknown, gateway.KindNotSent, gateway.KindNotFound, gateway.KindDuplicate, gateway.KindCredentials, gateway.KindRejected, gateway.KindForged:
	}
	return false
}

// stepStatement moves st one step at the provider. Unless it returns nil, st is as it was.
func (s *Service) stepStatement(ctx context.Context, st *Statement) error {
	exporter, err := s.exporter(ctx, st)
	if err != nil {
		return err
	}
	ctx = s.CallContext(ctx, Subject{Shop: st.Shop, Account: st.AccountName})
	if st.Task == "" {
		task, err := s.startStatement(ctx, exporter, st)
		if err != nil {
			return fmt.Errorf("ask for the statement: %w", err)
		}
		st.Task, st.State = task, StatementProcessing
		return nil
	}
	ready, err := s.statementReady(ctx, exporter, st.Task)
	if err != nil {
		return fmt.Errorf("ask whether the statement is ready: %w", err)
	}
	if !ready {
		return nil
	}
	columns, all, err := s.readStatement(ctx, exporter, st.Task)
	if err != nil {
		return err
	}
	rows, err := s.ownRows(ctx, st, columns, all)
	if err != nil {
		return err
	}
	if err := s.Statements.SaveStatementRows(ctx, st, rows); err != nil {
		return err
	}
	st.State, st.Columns, st.Rows = StatementReady, columns, len(rows)
	return nil
}

func (s *Service) startStatement(ctx context.Context, exporter gateway.StatementExporter, st *Statement) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.CheckTimeout)
	defer cancel()
	return exporter.StartStatement(ctx, gateway.StatementRequest{Kind: st.Type, Status: st.Status, From: st.From, To: st.To})
}

func (s *Service) statementReady(ctx context.Context, exporter gateway.StatementExporter, task string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.CheckTimeout)
	defer cancel()
	return exporter.StatementReady(ctx, task)
}

var (
	// errUnreadable says that the provider's list came whole and makes no sense, so that it would not the next time.
	errUnreadable = errors.New("the provider's list cannot be read")
	// errReadEnough ends a download whose reader is done.
	errReadEnough = errors.New("the rest is not wanted")
)

// readStatement downloads a list and reads it, for no longer than ProviderTimeout.
func (s *Service) readStatement(ctx context.Context, exporter gateway.StatementExporter, task string) (columns []string, rows []map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.ProviderTimeout)
	defer cancel()
	r, w := io.Pipe()
	defer func() { _ = r.Close() }() // also when the reader panics
	downloaded := make(chan error, 1)
	go func() {
		err := exporter.DownloadStatement(ctx, task, w)
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

func (s *Service) exporter(ctx context.Context, st *Statement) (gateway.StatementExporter, error) {
	account, err := s.Store.Account(ctx, st.AccountID)
	if err != nil {
		return nil, err
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, err
	}
	exporter, ok := gw.gateway.(gateway.StatementExporter)
	if !ok {
		return nil, gateway.Errorf(gateway.KindUnsupported, "statement", "account %s makes no statements any more", account.Name)
	}
	return exporter, nil
}
