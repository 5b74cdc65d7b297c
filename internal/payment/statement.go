package payment

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// StatementState is how far a statement is.
type StatementState string

// The states of a statement.
const (
	StatementCreated    StatementState = "created"    // the provider was not asked yet
	StatementProcessing StatementState = "processing" // the provider is at it
	StatementReady      StatementState = "ready"      // its file can be read
	StatementFailed     StatementState = "failed"     // see Failure; ask for a new one later
)

// Statement is the provider's own list of transactions of a kind, status and period.
type Statement struct {
	ID          uuid.UUID
	Shop        uuid.UUID
	AccountID   uuid.UUID
	AccountName string
	Type        gateway.Kind
	Status      gateway.Status
	From, To    time.Time
	State       StatementState
	Task        string // the provider's id of its export
	Failure     string // a sentence for the shop
	Rows        int    // rows read, once ready
	Polls       int
	CreatedAt   time.Time
	UpdatedAt   time.Time
	NextPollAt  *time.Time
}

// StatementStore keeps statements.
type StatementStore interface {
	CreateStatement(ctx context.Context, st *Statement) error
	Statement(ctx context.Context, shop, id uuid.UUID) (*Statement, error)
	// SaveStatement writes the statement's progress.
	SaveStatement(ctx context.Context, st *Statement) error
	// SaveStatementRows replaces the statement's rows: by column name, as text.
	SaveStatementRows(ctx context.Context, st *Statement, rows []map[string]string) error
}

// SheetReader turns a provider's spreadsheet into rows by column name.
type SheetReader func(r io.Reader) ([]map[string]string, error)

// NewStatement asks for a statement.
type NewStatement struct {
	Shop     uuid.UUID
	Account  string
	Type     gateway.Kind
	Status   gateway.Status
	From, To time.Time
}

// statementHorizon is how long the provider is asked whether an export is done.
const statementHorizon = 30 * time.Minute

// CreateStatement writes down that a statement is wanted. It is fetched in the background.
func (s *Service) CreateStatement(ctx context.Context, in NewStatement) (*Statement, error) {
	account, err := s.route(ctx, in.Shop, in.Account, "", PurposeAny)
	if err != nil {
		return nil, err
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, err
	}
	if _, ok := gw.gateway.(gateway.StatementExporter); !ok {
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account makes no statements."}
	}
	if !in.From.Before(in.To) {
		return nil, &Error{Code: CodeInvalid, Message: "The period is empty.", Fields: []gateway.FieldError{{Field: "to", Message: "must be later than from"}}}
	}
	now := s.Now()
	st := &Statement{
		ID: s.NewID(), Shop: in.Shop, AccountID: account.ID, AccountName: account.Name, Type: in.Type, Status: in.Status,
		From: in.From.UTC(), To: in.To.UTC(), State: StatementCreated, CreatedAt: now, UpdatedAt: now, NextPollAt: &now,
	}
	return st, s.Statements.CreateStatement(ctx, st)
}

// Statement returns a statement of a shop.
func (s *Service) Statement(ctx context.Context, shop, id uuid.UUID) (*Statement, error) {
	return s.Statements.Statement(ctx, shop, id)
}

// StatementFile writes the provider's spreadsheet to w. It is not kept here: the provider is asked for it each time.
func (s *Service) StatementFile(ctx context.Context, shop, id uuid.UUID, w io.Writer) error {
	st, err := s.Statements.Statement(ctx, shop, id)
	if err != nil {
		return err
	}
	if st.State != StatementReady {
		return &Error{Code: CodeInvalidState, Message: "The statement is " + string(st.State) + ". Its file can be read once it is ready."}
	}
	exporter, err := s.exporter(ctx, st)
	if err != nil {
		return err
	}
	if err := exporter.DownloadStatement(ctx, st.Task, w); err != nil {
		return &Error{Code: CodeProviderFailed, Message: "The provider did not give the file. Try again later, or ask for a new statement.", Err: err}
	}
	return nil
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
	return gw.gateway.(gateway.StatementExporter), nil //nolint:forcetypeassert // checked when it was created
}

// AdvanceStatement takes the next step with a statement: ask for it, look whether it is done, read it.
func (s *Service) AdvanceStatement(ctx context.Context, shop, id uuid.UUID) error {
	st, err := s.Statements.Statement(ctx, shop, id)
	if err != nil {
		return err
	}
	if st.State == StatementReady || st.State == StatementFailed {
		return nil
	}
	exporter, err := s.exporter(ctx, st)
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, s.CheckTimeout)
	defer cancel()
	stepErr := s.stepStatement(callCtx, exporter, st)
	now := s.Now()
	st.UpdatedAt, st.Polls = now, st.Polls+1
	switch {
	case st.State == StatementReady:
		st.NextPollAt = nil
	case gateway.KindOf(stepErr) == gateway.KindRefused && stepErr != nil, now.Sub(st.CreatedAt) > statementHorizon:
		st.State, st.NextPollAt = StatementFailed, nil
		st.Failure = "The provider did not make the list. Ask for a new statement later."
	default:
		next := now.Add(min(time.Second<<min(st.Polls, 6), time.Minute))
		st.NextPollAt = &next
	}
	return s.Statements.SaveStatement(ctx, st)
}

// stepStatement moves st one step at the provider.
func (s *Service) stepStatement(ctx context.Context, exporter gateway.StatementExporter, st *Statement) error {
	if st.Task == "" {
		task, err := exporter.StartStatement(ctx, gateway.StatementRequest{Kind: st.Type, Status: st.Status, From: st.From, To: st.To})
		if err != nil {
			return err
		}
		st.Task, st.State = task, StatementProcessing
		return nil
	}
	done, err := exporter.StatementReady(ctx, st.Task)
	if err != nil || !done {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(exporter.DownloadStatement(ctx, st.Task, w)) }()
	rows, err := s.ReadSheet(r)
	_ = r.CloseWithError(err) // lets the download end
	if err != nil {
		return err
	}
	if err := s.Statements.SaveStatementRows(ctx, st, rows); err != nil {
		return err
	}
	st.State, st.Rows = StatementReady, len(rows)
	return nil
}
