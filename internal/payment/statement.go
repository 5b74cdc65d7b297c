package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
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

// StatementKey identifies a statement.
type StatementKey struct {
	Shop, Statement uuid.UUID
}

// ErrStatementNotFound is returned for a statement that does not exist or belongs to another shop.
var ErrStatementNotFound = &Error{Code: CodeNotFound, Message: "There is no such statement. Check the id, and that the key belongs to the shop that asked for it."}

// StatementStore keeps statements.
type StatementStore interface {
	CreateStatement(ctx context.Context, st *Statement) error
	// Statement returns a statement of a shop, else ErrStatementNotFound.
	Statement(ctx context.Context, shop, id uuid.UUID) (*Statement, error)
	// SaveStatement writes the statement's progress. Polls must be one more than when it was loaded. It is an error if
	// somebody else saved it since then, or if it was ready or failed already.
	SaveStatement(ctx context.Context, st *Statement) error
	// SaveStatementRows replaces the statement's rows, by column name, as text: all of them or none. It is an error if the
	// statement is ready or failed already.
	SaveStatementRows(ctx context.Context, st *Statement, rows []map[string]string) error
}

// SheetReader turns a provider's spreadsheet into rows by column name. It reads a bounded number of bytes, and no card
// number is in what it returns.
type SheetReader func(r io.Reader) ([]map[string]string, error)

// NewStatement asks for a statement.
type NewStatement struct {
	Shop     uuid.UUID
	Account  string
	Type     gateway.Kind
	Status   gateway.Status
	From, To time.Time
}

// statementHorizon is how long a statement may take in all, whatever is in its way.
const statementHorizon = 30 * time.Minute

// What a shop is told of a statement that failed.
const (
	statementNotMade    = "The provider did not make the list. Ask for a new statement later."
	statementUnreadable = "The provider made a list that cannot be read or is too large. Ask for a new statement of a shorter period."
)

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

// StatementFile writes the provider's spreadsheet to w. It is not kept here: the provider is asked for it each time, for
// no longer than ProviderTimeout, and for filesAtOnce at once, half of them for one shop: more are CodeUnavailable. What a file may hold is bounded by
// the adapter, and it may be in memory whole. An error after the first byte leaves half
// a file with w.
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
	ctx, cancel := context.WithTimeout(ctx, s.ProviderTimeout)
	defer cancel()
	if !s.files.take(shop) {
		return &Error{Code: CodeUnavailable, Message: "As many statement files as this server gives out at once are being read. Try again in a few seconds."}
	}
	defer s.files.give(shop)
	defer s.Calling(ctx)()
	if err := exporter.DownloadStatement(ctx, st.Task, w); err != nil {
		return providerFailed("The provider did not give the file. Try again later, or ask for a new statement.", err)
	}
	return nil
}

// filesAtOnce is how many statement files one service gives out at once, filesPerShop how many of them to one shop.
const (
	filesAtOnce  = 4
	filesPerShop = 2
)

// files counts the statement files that are being given out.
type files struct {
	mu     sync.Mutex
	all    int
	byShop map[uuid.UUID]int
}

func (f *files) take(shop uuid.UUID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all >= filesAtOnce || f.byShop[shop] >= filesPerShop {
		return false
	}
	if f.byShop == nil {
		f.byShop = map[uuid.UUID]int{}
	}
	f.all++
	f.byShop[shop]++
	return true
}

func (f *files) give(shop uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	if f.byShop[shop]--; f.byShop[shop] == 0 {
		delete(f.byShop, shop)
	}
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
	rows, err := s.readStatement(ctx, exporter, st.Task)
	if err != nil {
		return err
	}
	if err := s.Statements.SaveStatementRows(ctx, st, rows); err != nil {
		return err
	}
	st.State, st.Rows = StatementReady, len(rows)
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
func (s *Service) readStatement(ctx context.Context, exporter gateway.StatementExporter, task string) ([]map[string]string, error) {
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
	rows, err := s.ReadSheet(r)
	_ = r.CloseWithError(errReadEnough)
	if downloadErr := <-downloaded; downloadErr != nil && !errors.Is(downloadErr, errReadEnough) {
		return nil, fmt.Errorf("download the statement: %w", downloadErr)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return rows, nil
}
