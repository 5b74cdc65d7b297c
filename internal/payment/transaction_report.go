package payment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// TransactionReportState is how far a transaction report is.
type TransactionReportState string

// The states of a transaction report.
const (
	TransactionReportCreated    TransactionReportState = "created"    // the provider was not asked yet
	TransactionReportProcessing TransactionReportState = "processing" // the provider is at it
	TransactionReportReady      TransactionReportState = "ready"      // its file can be read
	TransactionReportFailed     TransactionReportState = "failed"     // see Failure; ask for a new one later
)

// TransactionReport is a shop's part of the provider's list of transactions of a kind, status and period. The provider lists the
// transactions of a merchant key, which other shops, other accounts and other programs may use: the shop gets the rows of
// its own orders on the account.
type TransactionReport struct {
	ID          uuid.UUID
	Shop        uuid.UUID
	AccountID   uuid.UUID
	AccountName string
	Type        gateway.Kind
	Status      gateway.Status
	From, To    time.Time
	State       TransactionReportState
	Task        string   // the provider's id of its export
	Failure     string   // a sentence for the shop
	Columns     []string // of the provider's list, in its order, once ready
	Rows        int      // the shop's rows, once ready
	Polls       int
	CreatedAt   time.Time
	UpdatedAt   time.Time
	NextPollAt  *time.Time
}

func (st *TransactionReport) subject() Subject {
	return Subject{Shop: st.Shop, Account: st.AccountName}
}

// TransactionReportKey identifies a transaction report.
type TransactionReportKey struct {
	Shop, TransactionReport uuid.UUID
}

// DueTransactionReport is a transaction report whose next step is due, and the account whose host is asked.
type DueTransactionReport struct {
	TransactionReportKey

	Account uuid.UUID
}

// ErrTransactionReportNotFound is returned for a transaction report that does not exist or belongs to another shop.
var ErrTransactionReportNotFound = &Error{Code: CodeNotFound, Message: "There is no such transaction report. Check the id, and that the key belongs to the shop that asked for it."}

// TransactionReportStore keeps transaction reports.
type TransactionReportStore interface {
	CreateTransactionReport(ctx context.Context, st *TransactionReport) error
	// TransactionReport returns a transaction report of a shop, else ErrTransactionReportNotFound.
	TransactionReport(ctx context.Context, shop, id uuid.UUID) (*TransactionReport, error)
	// SaveTransactionReport writes the transaction report's progress. Polls must be one more than when it was loaded. It is an error if
	// somebody else saved it since then, or if it was ready or failed already.
	SaveTransactionReport(ctx context.Context, st *TransactionReport) error
	// SaveTransactionReportRows replaces the transaction report's rows: all of them or none. It is an error if the transaction report is ready or failed
	// already, or if an order is not the shop's.
	SaveTransactionReportRows(ctx context.Context, st *TransactionReport, rows []TransactionReportRow) error
	// TransactionReportRows returns up to limit rows of a shop's transaction report after a cursor, in the order of the provider's list.
	TransactionReportRows(ctx context.Context, shop, id uuid.UUID, cursor string, limit int) (Page[TransactionReportRow], error)
	// OrdersNamed returns the orders of all shops that the provider knows by one of ids, ours or its own.
	OrdersNamed(ctx context.Context, ids []string) ([]NamedOrder, error)
}

// NewTransactionReport asks for a transaction report.
type NewTransactionReport struct {
	Shop     uuid.UUID
	Account  string
	Type     gateway.Kind
	Status   gateway.Status
	From, To time.Time
}

// transactionReportHorizon is how long a transaction report may take in all, whatever is in its way.
const transactionReportHorizon = 30 * time.Minute

// What a shop is told of a transaction report that failed.
const (
	transactionReportNotMade    = "The provider did not make the list. Ask for a new transaction report later."
	transactionReportUnreadable = "The provider made a list that cannot be read or is too large. Ask for a new transaction report of a shorter period."
)

// CreateTransactionReport writes down that a transaction report is wanted. It is fetched in the background.
func (s *Service) CreateTransactionReport(ctx context.Context, in NewTransactionReport) (*TransactionReport, error) {
	to, err := s.destination(ctx, in.Shop, in.Account, "", PurposeAny)
	if err != nil {
		return nil, err
	}
	if _, ok := to.gateway.(gateway.TransactionReportExporter); !ok {
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account makes no transaction reports."}
	}
	if err := to.account.allows(canStatement); err != nil {
		return nil, err
	}
	if !in.From.Before(in.To) {
		return nil, &Error{Code: CodeInvalid, Message: "The period is empty.", Fields: []gateway.FieldError{{Field: "to", Message: "must be later than from"}}}
	}
	now := s.Now()
	st := &TransactionReport{
		ID: s.NewID(), Shop: in.Shop, AccountID: to.account.ID, AccountName: to.account.Name, Type: in.Type, Status: in.Status,
		From: in.From.UTC(), To: in.To.UTC(), State: TransactionReportCreated, CreatedAt: now, UpdatedAt: now, NextPollAt: &now,
	}
	return st, s.TransactionReports.CreateTransactionReport(ctx, st)
}

// TransactionReport returns a transaction report of a shop.
func (s *Service) TransactionReport(ctx context.Context, shop, id uuid.UUID) (*TransactionReport, error) {
	return s.TransactionReports.TransactionReport(ctx, shop, id)
}
