package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/api"
	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// Orders are the use cases that the API offers.
type Orders interface {
	CreatePayment(ctx context.Context, in payment.NewPayment) (*payment.Order, bool, error)
	Capture(ctx context.Context, key payment.Key, minor int64) (*payment.Order, error)
	Cancel(ctx context.Context, key payment.Key) (*payment.Order, error)
	ConfirmCode(ctx context.Context, key payment.Key, code gateway.Secret) (*payment.Order, error)
	Refund(ctx context.Context, in payment.NewRefund) (*payment.Order, bool, error)
	Charge(ctx context.Context, in payment.NewCharge) (*payment.Order, bool, error)
	Payout(ctx context.Context, in payment.NewPayout) (*payment.Order, bool, error)
	OpenPayoutCard(ctx context.Context, in payment.NewPayoutCard) (*payment.Order, bool, error)
	Transfer(ctx context.Context, in payment.NewTransfer) (*payment.Order, bool, error)
	ImportTransfer(ctx context.Context, in payment.TransferImport) (*payment.Order, bool, error)
	ConfirmTransfer(ctx context.Context, key payment.Key, code gateway.Secret) (*payment.Order, error)
	Earlier(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*payment.Order, error)
	MissingPayment(ctx context.Context, in payment.NewPayment) []gateway.FieldError
	MissingPayout(ctx context.Context, in payment.NewPayout) []gateway.FieldError
	MissingTransfer(ctx context.Context, in payment.NewTransfer) []gateway.FieldError
	Order(ctx context.Context, key payment.Key) (*payment.Order, error)
	Orders(ctx context.Context, f payment.Filter) (payment.Page[*payment.Order], error)
	History(ctx context.Context, key payment.Key) ([]payment.Transition, error)
	Notified(ctx context.Context, key payment.Key) ([]payment.Notified, error)
	Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (payment.Page[payment.FeedItem], error)
	Refresh(ctx context.Context, key payment.Key) (*payment.Order, error)
	Accounts(ctx context.Context, shop uuid.UUID) ([]payment.AccountInfo, error)
	Balance(ctx context.Context, shop uuid.UUID, account string) (gateway.Balance, error)
	CardFrame(ctx context.Context, shop uuid.UUID, account string, req gateway.CardFrameRequest) (gateway.CardFrame, error)
	CreateTransactionReport(ctx context.Context, in payment.NewTransactionReport) (*payment.TransactionReport, error)
	TransactionReport(ctx context.Context, shop, id uuid.UUID) (*payment.TransactionReport, error)
	TransactionReportRows(ctx context.Context, shop, id uuid.UUID, cursor string, limit int) (payment.Page[payment.TransactionReportRow], error)
	TransactionReportFile(ctx context.Context, shop, id uuid.UUID, w io.Writer) error
}

// Authenticator knows shops by the hash of their key. An unknown or revoked key is an *payment.Error of CodeNotFound.
type Authenticator interface {
	Authenticate(ctx context.Context, keyHash []byte) (shop.Principal, error)
}

// Config is what the API needs. All members but RefuseDemoKey and Callbacks are required.
type Config struct {
	Orders      Orders
	Auth        Authenticator
	Idempotency idempotency.Store
	// HashKey keys the hashes by which request bodies are compared.
	HashKey    []byte
	Log        zerolog.Logger
	Registerer prometheus.Registerer
	// RefuseDemoKey turns the well-known key of `dev` away.
	RejectDemoKey bool
	// ProviderTimeout is how long a call to a provider may take; requests may take a little longer.
	ProviderTimeout time.Duration
	// Admission bounds the merchant API, CallbackAdmission the providers' callbacks: neither starves the other.
	Admission, CallbackAdmission Admission
	// Callbacks serves POST /callbacks/{provider}/{token}.
	Callbacks http.Handler
}

type server struct {
	Config
	router  routers.Router
	scopes  map[string]shop.Scope // by operation id
	metrics *metrics
}

// Document returns the contract, read and checked. It is read once and shared: nobody may change it.
func Document() (*openapi3.T, error) { return contractOnce() }

var contractOnce = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check the contract: %w", err)
	}
	doc.Servers = nil // requests are matched by path alone
	return doc, nil
})

// New returns the handler of the merchant API, its documentation and the providers' callbacks.
func New(c Config) (http.Handler, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	s := &server{Config: c, router: router, scopes: map[string]shop.Scope{}, metrics: newMetrics(c.Registerer)}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if scope, ok := op.Extensions["x-scope"].(string); ok {
				s.scopes[method+" "+path] = shop.Scope(scope)
			}
		}
	}
	return s.routes(), nil
}

// routes is every address that is served.
func (s *server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.recover, headIsGet)
	r.NotFound(func(w http.ResponseWriter, req *http.Request) {
		s.problem(w, req, problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is nothing at this address. GET /docs lists every call."})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		var allow []string
		for method, names := range map[string]string{http.MethodGet: "GET, HEAD", http.MethodPost: "POST"} {
			if r.Match(chi.NewRouteContext(), method, req.URL.Path) {
				allow = append(allow, names)
			}
		}
		slices.Sort(allow)
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.problem(w, req, problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "This address does not take this method. GET /docs lists every call."})
	})
	r.Get("/openapi.yaml", serveContract)
	r.Get("/openapi.json", serveContractJSON)
	r.Get("/docs", serveDocs)
	r.Get("/docs/scalar.js", serveScalar)
	r.Get("/", func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/docs", http.StatusFound) })
	if s.Callbacks != nil {
		shed := s.metrics.rejected.WithLabelValues("callbacks")
		arrive, admit := s.arrive(newGate(Admission{Concurrency: bodiesAtOnce}, shed)), s.admit(newGate(s.CallbackAdmission, shed))
		r.Method(http.MethodPost, "/callbacks/{provider}/{token}", arrive(admit(s.unencoded(s.Callbacks))))
	}
	r.Group(func(r chi.Router) {
		shed := s.metrics.rejected.WithLabelValues("api")
		r.Use(s.arrive(newGate(Admission{Concurrency: bodiesAtOnce}, shed)), s.admit(newGate(s.Admission, shed)), s.authenticate, s.scoped, s.bounded, s.unencoded, s.readBody, s.idempotent, s.validate)
		strict := oapi.NewStrictHandlerWithOptions(&handlers{s}, nil, oapi.StrictHTTPServerOptions{
			RequestErrorHandlerFunc: s.badRequest, ResponseErrorHandlerFunc: s.fail,
		})
		oapi.HandlerWithOptions(strict, oapi.ChiServerOptions{
			BaseRouter: r, ErrorHandlerFunc: s.badRequest,
		})
	})
	return r
}

// badRequest answers a request that passed validation but cannot be decoded all the same.
func (s *server) badRequest(w http.ResponseWriter, r *http.Request, err error) {
	s.problem(w, r, undecodable(err))
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
