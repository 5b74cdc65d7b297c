package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/clientaddr"
	"payrelay/internal/docsite"
	"payrelay/internal/gateway"
	"payrelay/internal/idempotency"
	"payrelay/internal/limit"
	"payrelay/internal/payment"
	"payrelay/internal/requestlog"
	"payrelay/internal/shop"
)

// Orders are the use cases that the API offers.
type Orders interface {
	CreatePayment(ctx context.Context, in payment.NewPayment) (*payment.Order, bool, error)
	PreviewPayment(ctx context.Context, in payment.NewPayment) (*payment.Preview, error)
	Capture(ctx context.Context, key payment.Key, minor int64) (*payment.Order, error)
	Cancel(ctx context.Context, key payment.Key) (*payment.Order, error)
	ConfirmCode(ctx context.Context, key payment.Key, code gateway.Secret) (*payment.Order, error)
	Refund(ctx context.Context, in payment.NewRefund) (*payment.Order, bool, error)
	Charge(ctx context.Context, in payment.NewCharge) (*payment.Order, bool, error)
	Mandate(ctx context.Context, key payment.Key) (*payment.Mandate, error)
	Mandates(ctx context.Context, shop uuid.UUID, cursor string, limit int) (payment.Page[*payment.Mandate], error)
	PauseMandate(ctx context.Context, key payment.Key) (*payment.Mandate, error)
	ResumeMandate(ctx context.Context, key payment.Key) (*payment.Mandate, error)
	RevokeMandate(ctx context.Context, key payment.Key) (*payment.Mandate, error)
	Payout(ctx context.Context, in payment.NewPayout) (*payment.Order, bool, error)
	OpenPayoutCard(ctx context.Context, in payment.NewPayoutCard) (*payment.Order, bool, error)
	Transfer(ctx context.Context, in payment.NewTransfer) (*payment.Order, bool, error)
	ImportTransfer(ctx context.Context, in payment.TransferImport) (*payment.Order, bool, error)
	ConfirmTransfer(ctx context.Context, key payment.Key, code gateway.Secret) (*payment.Order, error)
	Earlier(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*payment.Order, error)
	Check(ctx context.Context, in payment.Request) []gateway.FieldError
	Order(ctx context.Context, key payment.Key) (*payment.Order, error)
	Orders(ctx context.Context, f payment.Filter) (payment.Page[*payment.Order], error)
	History(ctx context.Context, key payment.Key) ([]payment.Transition, error)
	EndedAttempts(ctx context.Context, key payment.Key) ([]payment.EndedAttempt, error)
	Notified(ctx context.Context, key payment.Key) ([]payment.Notified, error)
	Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (payment.FeedPage, error)
	FeedCursor(ctx context.Context, shop uuid.UUID, since time.Time) (string, error)
	Dispute(ctx context.Context, shop, id uuid.UUID) (payment.Dispute, error)
	Disputes(ctx context.Context, f payment.DisputeFilter) (payment.Page[payment.Dispute], error)
	ResolveDispute(ctx context.Context, shop, id uuid.UUID, action payment.DisputeAction) (payment.Dispute, error)
	Refresh(ctx context.Context, key payment.Key) (*payment.Order, error)
	Accounts(ctx context.Context, shop uuid.UUID) ([]payment.AccountInfo, error)
	Balance(ctx context.Context, shop uuid.UUID, account string) (gateway.Balance, error)
	CardFrame(ctx context.Context, shop uuid.UUID, account string, req gateway.CardFrameRequest) (gateway.CardFrame, error)
	CreateTransactionReport(ctx context.Context, in payment.NewTransactionReport) (*payment.TransactionReport, error)
	TransactionReport(ctx context.Context, shop, id uuid.UUID) (*payment.TransactionReport, error)
	TransactionReportRows(ctx context.Context, shop, id uuid.UUID, cursor string, limit int) (payment.Page[payment.TransactionReportRow], error)
	TransactionReportFile(ctx context.Context, shop, id uuid.UUID, w io.Writer) error
}

// Authenticator knows shops by their keys. A key that does not work, or not from this address, is a *shop.KeyError.
type Authenticator interface {
	Authenticate(ctx context.Context, key string, from netip.Addr) (shop.Principal, error)
}

// Config is what the API needs. All members but Requests, Clients, Docs, RejectDemoKey and those for callbacks are required.
type Config struct {
	Orders      Orders
	Auth        Authenticator
	Idempotency idempotency.Store
	// HashKey keys the hashes by which request bodies are compared.
	HashKey    []byte
	Log        zerolog.Logger
	Registerer prometheus.Registerer
	// Requests keeps a log of shops' requests; nil keeps none.
	Requests requestlog.Log
	// Clients finds the address that a request comes from; nil takes the connection's.
	Clients *clientaddr.Finder
	// Docs are the addresses that the documentation's examples have.
	Docs docsite.Addresses
	// RejectDemoKey rejects the well-known key of `dev`.
	RejectDemoKey bool
	// ProviderTimeout is how long a call to a provider may take; requests may take a little longer.
	ProviderTimeout time.Duration
	// Admission bounds the merchant API, CallbackAdmission the providers' callbacks: neither starves the other.
	Admission, CallbackAdmission Admission
	// Callbacks serves POST /callbacks/{provider}/{token}. CallbackAccount finds the account by that address; one that is no
	// account's is a *payment.Error of CodeCallbackUnknown.
	Callbacks http.Handler
	// CallbackRate is how many of one account are taken in a second, and five times as many at once.
	CallbackRate    int
	CallbackAccount func(ctx context.Context, provider, token string) (payment.Account, error)
}

type server struct {
	Config
	operations map[string]*operation // by method and route
	metrics    *metrics
	failures   *failures
	docs       *docsite.Site
	rates      limit.Rates[string]
}

// New returns the handler of the merchant API, its documentation and the providers' callbacks.
func New(c Config) (http.Handler, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	if c.Clients == nil {
		c.Clients = &clientaddr.Finder{}
	}
	site, err := docsite.New(doc, c.Docs)
	if err != nil {
		return nil, err
	}
	s := &server{Config: c, operations: operationsOf(doc), metrics: newMetrics(c.Registerer), docs: site}
	s.failures = &failures{log: c.Log, counted: s.metrics.failures}
	return s.routes(), nil
}

// statusCallerLeft is what logs and metrics say of a request whose caller hung up before the answer. Nothing is wrong
// here, and only one who closed no more than its own side sees it. Proxies use the same number, which no standard names.
const statusCallerLeft = 499

// fail answers with what a use case returned.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.Canceled):
		p = problem{Status: statusCallerLeft, Code: "caller_left", Detail: "The connection was closed before the answer. Ask again."}
	case p.Status >= http.StatusInternalServerError:
		event := s.Log.Error() //nolint:zerologlint // sent below
		event.Err(err).Str("request_id", RequestID(r.Context())).Str("code", p.Code).Msg("request failed")
	}
	s.problem(w, r, s.complete(r, p, nil))
}
