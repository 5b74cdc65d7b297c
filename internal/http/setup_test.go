package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/idempotency"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/requestlog"
)

const (
	goodKey    = "prk_live_good_key"
	readKey    = "prk_live_reads_only"
	otherKey   = "prk_live_other_shop"
	revokedKey = "prk_live_revoked"
	// orderID is an order of goodKey's shop.
	orderID = "0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10"
)

var (
	myShop    = uuid.MustParse("0193f0a2-0000-7000-8000-000000000001")
	otherShop = uuid.MustParse("0193f0a2-0000-7000-8000-000000000002")
)

type kept struct {
	hash   []byte
	answer *idempotency.Response
}

// book is the use cases over one order in memory. hook, if set, runs before each and may refuse.
type book struct {
	mu     sync.Mutex
	calls  []string
	hook   func(ctx context.Context, call string) error
	isNew  bool
	kind   gateway.Kind // of the order that is found
	status payment.Status
	// missing is what the provider says of a request that was refused.
	missing []gateway.FieldError
	// removed, if set, is the feed's item, instead of one with a payload.
	removed *payment.FeedItem
	// earlier, if set, finds the order that a request made earlier.
	earlier func(shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*payment.Order, error)
	// what the last calls were given
	payment payment.NewPayment
	payout  payment.NewPayout
	moved   payment.NewTransfer
	sought  payment.TransferImport
	filter  payment.Filter
	code    gateway.Secret
	frame   gateway.CardFrameRequest
	// framedFor is the shop and the account of the last card frame, frameEnds when it ends.
	framedFor string
	frameEnds time.Time
}

func (b *book) called(ctx context.Context, call string) error {
	b.mu.Lock()
	b.calls = append(b.calls, call)
	hook := b.hook
	b.mu.Unlock()
	if hook != nil {
		return hook(ctx, call)
	}
	return nil
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

var at = time.Date(2026, 1, 15, 10, 0, 0, 0, time.FixedZone("CET", 3600))

func (b *book) order(kind gateway.Kind) *payment.Order {
	o := &payment.Order{
		ID: uuid.MustParse(orderID), ShopID: myShop, Kind: kind, Reference: "shop-1015", Status: b.status, Amount: money.New(1000, "EUR"),
		Flow: gateway.FlowHosted, Provider: "smartcore", AccountName: "EUR-sandbox", ProviderOrderID: "pr-1", Sequence: 2, CreatedAt: at, UpdatedAt: at,
		NextAction:    &gateway.NextAction{Type: gateway.ActionPostForm, URL: "https://pay.example/?a=1&b=2", Fields: map[string]string{"MD": "x"}},
		PaymentMethod: &gateway.MaskedMethod{Type: "card", Masked: "401200******3010"},
		Failure:       &gateway.Failure{Category: gateway.FailureFunds, Code: "51", Advice: gateway.AdviceCustomerMayRetry, Cascade: []gateway.CascadeError{{Priority: 1, Code: "51"}}},
	}
	if kind == gateway.KindPayoutCard {
		o.Amount, o.Flow = money.Money{}, ""
	}
	return o
}

func (b *book) make(ctx context.Context, call string, kind gateway.Kind) (*payment.Order, bool, error) {
	if err := b.called(ctx, call); err != nil {
		return nil, false, err
	}
	return b.order(kind), b.isNew, nil
}

func (b *book) find(ctx context.Context, call string, key payment.Key) (*payment.Order, error) {
	if err := b.called(ctx, call); err != nil {
		return nil, err
	}
	if key.Shop != myShop || key.Order.String() != orderID {
		return nil, payment.ErrNotFound
	}
	return b.order(b.kind), nil
}

func (b *book) CreatePayment(ctx context.Context, in payment.NewPayment) (*payment.Order, bool, error) {
	b.mu.Lock()
	b.payment = in
	b.mu.Unlock()
	return b.make(ctx, "create payment", gateway.KindPayment)
}

func (b *book) Capture(ctx context.Context, k payment.Key, _ int64) (*payment.Order, error) {
	return b.find(ctx, "capture", k)
}

func (b *book) Cancel(ctx context.Context, k payment.Key) (*payment.Order, error) {
	return b.find(ctx, "cancel", k)
}

func (b *book) ConfirmCode(ctx context.Context, k payment.Key, code gateway.Secret) (*payment.Order, error) {
	b.mu.Lock()
	b.code = code
	b.mu.Unlock()
	return b.find(ctx, "confirm", k)
}

func (b *book) Refund(ctx context.Context, _ payment.NewRefund) (*payment.Order, bool, error) {
	return b.make(ctx, "refund", gateway.KindRefund)
}

func (b *book) Charge(ctx context.Context, _ payment.NewCharge) (*payment.Order, bool, error) {
	return b.make(ctx, "charge", gateway.KindPayment)
}

func (b *book) mandate(ctx context.Context, call string, k payment.Key) (*payment.Mandate, error) {
	o, err := b.find(ctx, call, k)
	if errors.Is(err, payment.ErrNotFound) {
		return nil, payment.ErrNoMandate
	}
	if err != nil {
		return nil, err
	}
	o.Status, o.FinalizedAt, o.Captured = payment.StatusSucceeded, &at, 1000
	return &payment.Mandate{MandateTerms: payment.MandateTerms{MaxAmount: 500, MinDays: 30}, First: o, AsOf: at}, nil
}

func (b *book) Mandate(ctx context.Context, k payment.Key) (*payment.Mandate, error) {
	return b.mandate(ctx, "mandate", k)
}

func (b *book) PauseMandate(ctx context.Context, k payment.Key) (*payment.Mandate, error) {
	return b.mandate(ctx, "pause mandate", k)
}

func (b *book) ResumeMandate(ctx context.Context, k payment.Key) (*payment.Mandate, error) {
	return b.mandate(ctx, "resume mandate", k)
}

func (b *book) RevokeMandate(ctx context.Context, k payment.Key) (*payment.Mandate, error) {
	return b.mandate(ctx, "revoke mandate", k)
}

func (b *book) Mandates(ctx context.Context, shop uuid.UUID, _ string, _ int) (payment.Page[*payment.Mandate], error) {
	m, err := b.mandate(ctx, "mandates", payment.Key{Shop: shop, Order: uuid.MustParse(orderID)})
	return payment.Page[*payment.Mandate]{Items: []*payment.Mandate{m}}, err
}

func (b *book) Payout(ctx context.Context, in payment.NewPayout) (*payment.Order, bool, error) {
	b.mu.Lock()
	b.payout = in
	b.mu.Unlock()
	return b.make(ctx, "payout", gateway.KindPayout)
}

func (b *book) OpenPayoutCard(ctx context.Context, _ payment.NewPayoutCard) (*payment.Order, bool, error) {
	return b.make(ctx, "payout card", gateway.KindPayoutCard)
}

func (b *book) Transfer(ctx context.Context, in payment.NewTransfer) (*payment.Order, bool, error) {
	b.mu.Lock()
	b.moved = in
	b.mu.Unlock()
	return b.make(ctx, "transfer", gateway.KindTransfer)
}

func (b *book) ImportTransfer(ctx context.Context, in payment.TransferImport) (*payment.Order, bool, error) {
	b.mu.Lock()
	b.sought = in
	b.mu.Unlock()
	return b.make(ctx, "import transfer", gateway.KindTransfer)
}

func (b *book) ConfirmTransfer(ctx context.Context, k payment.Key, code gateway.Secret) (*payment.Order, error) {
	b.mu.Lock()
	b.code = code
	b.mu.Unlock()
	return b.find(ctx, "confirm transfer", k)
}

func (b *book) Earlier(_ context.Context, shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*payment.Order, error) {
	if b.earlier == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return b.earlier(shop, kind, reference, hash)
}

func (b *book) Check(context.Context, payment.Request) []gateway.FieldError {
	return b.missing
}

func (b *book) Order(ctx context.Context, k payment.Key) (*payment.Order, error) {
	return b.find(ctx, "order", k)
}

func (b *book) Orders(ctx context.Context, f payment.Filter) (payment.Page[*payment.Order], error) {
	b.mu.Lock()
	b.filter = f
	b.mu.Unlock()
	return payment.Page[*payment.Order]{Items: []*payment.Order{b.order(gateway.KindPayment), b.order(gateway.KindPayoutCard)}, Next: "next"}, b.called(ctx, "orders")
}

func (b *book) History(ctx context.Context, k payment.Key) ([]payment.Transition, error) {
	_, err := b.find(ctx, "history", k)
	return []payment.Transition{
		{Sequence: 1, To: payment.StatusCreated, Source: payment.SourceRequest, At: at},
		{Sequence: 2, From: payment.StatusCreated, To: payment.StatusFailed, Source: payment.SourceAnswer, At: at, ProviderData: gateway.ProviderData{"a": "b"}},
	}, err
}

func (b *book) PreviewPayment(ctx context.Context, in payment.NewPayment) (*payment.Preview, error) {
	b.payment = in
	main := payment.Account{Name: "EUR-1", Provider: "smartcore"}
	return &payment.Preview{Account: main, Rule: "euro", Candidates: []payment.PreviewCandidate{
		{Account: main}, {Account: payment.Account{Name: "EUR-2", Provider: "smartcore"}, Reason: "draining"},
	}}, b.called(ctx, "preview payment")
}

func (b *book) EndedAttempts(context.Context, payment.Key) ([]payment.EndedAttempt, error) {
	return []payment.EndedAttempt{{Number: 1, Provider: "smartcore", AccountName: "EUR-0", ProviderOrderID: "pr-1", Reason: "not_sent", At: at}}, nil
}

func (b *book) Notified(ctx context.Context, _ payment.Key) ([]payment.Notified, error) {
	due := at.Add(time.Minute)
	return []payment.Notified{{
		Sequence: 2, ID: uuid.MustParse(orderID), State: payment.NotificationPending, URL: "https://shop.example/hook", Attempts: 1,
		Last: &payment.Attempt{At: at, Error: "refused_address"}, NextAttemptAt: &due,
	}}, b.called(ctx, "notified")
}

// requestsKept is a request log in memory.
type requestsKept struct {
	mu   sync.Mutex
	kept []requestlog.Entry
}

func (l *requestsKept) Add(e requestlog.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, e)
}

func (l *requestsKept) Requests(context.Context, requestlog.Filter) (requestlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	example := requestlog.Entry{ID: uuid.MustParse(orderID), At: at, RequestID: "r-1", Method: "POST", Route: "/v1/payments", Status: 201, KeyID: "k", ClientIP: netip.MustParseAddr("192.0.2.1"), Order: uuid.MustParse(orderID)}
	return requestlog.Page{Items: append([]requestlog.Entry{example}, l.kept...)}, nil
}

func (b *book) FeedCursor(ctx context.Context, _ uuid.UUID, since time.Time) (string, error) {
	if since.After(at) {
		return "c1", b.called(ctx, "feed cursor")
	}
	return "", b.called(ctx, "feed cursor")
}

func (b *book) Feed(ctx context.Context, _ uuid.UUID, after string, _ int) (payment.FeedPage, error) {
	if after != "" {
		return payment.FeedPage{Cursor: after}, b.called(ctx, "feed") // nothing came later
	}
	id := uuid.MustParse(orderID)
	_, payload, err := RenderNotification(b.order(gateway.KindPayment), payment.Transition{Sequence: 1, To: payment.StatusCreated, At: at}, id)
	if err != nil {
		return payment.FeedPage{}, err
	}
	page := payment.Page[payment.FeedItem]{Items: []payment.FeedItem{{ID: id, Payload: payload, Cursor: "c1"}}}
	if b.removed != nil {
		page.Items[0] = *b.removed
	}
	return payment.FeedPage{Page: page, Cursor: "c1"}, b.called(ctx, "feed")
}

func (b *book) Refresh(ctx context.Context, k payment.Key) (*payment.Order, error) {
	return b.find(ctx, "refresh", k)
}

func (b *book) Accounts(ctx context.Context, _ uuid.UUID) ([]payment.AccountInfo, error) {
	return []payment.AccountInfo{{Account: payment.Account{Name: "EUR-sandbox", Provider: "smartcore", Currency: "EUR", Purpose: payment.PurposeAny}, Capabilities: []string{"refund"}}}, b.called(ctx, "accounts")
}

func (b *book) Balance(ctx context.Context, _ uuid.UUID, _ string) (gateway.Balance, error) {
	return gateway.Balance{Balance: 1, Currency: "EUR"}, b.called(ctx, "balance")
}

func (b *book) CardFrame(ctx context.Context, shop uuid.UUID, account string, req gateway.CardFrameRequest) (gateway.CardFrame, error) {
	b.mu.Lock()
	b.frame, b.framedFor = req, shop.String()+" "+account
	b.mu.Unlock()
	return gateway.CardFrame{URL: frameURL, ExpiresAt: b.frameEnds}, b.called(ctx, "card frame")
}

func (b *book) transactionReport() *payment.TransactionReport {
	return &payment.TransactionReport{ID: uuid.MustParse(orderID), AccountName: "EUR-sandbox", Type: gateway.KindPayment, Status: gateway.StatusSucceeded, From: at, To: at, State: "created", CreatedAt: at, UpdatedAt: at}
}

func (b *book) dispute() payment.Dispute {
	return payment.Dispute{
		ID: uuid.MustParse(orderID), OrderID: uuid.MustParse(orderID), Kind: payment.DisputeLateSuccess, Status: payment.DisputeOpen, Amount: money.New(1000, "EUR"),
		Source: payment.SourceCallback, Sequence: 1, OpenedAt: at, UpdatedAt: at,
	}
}

func (b *book) Dispute(ctx context.Context, _, _ uuid.UUID) (payment.Dispute, error) {
	return b.dispute(), b.called(ctx, "dispute")
}

func (b *book) Disputes(ctx context.Context, _ payment.DisputeFilter) (payment.Page[payment.Dispute], error) {
	return payment.Page[payment.Dispute]{Items: []payment.Dispute{b.dispute()}, Next: "next"}, b.called(ctx, "disputes")
}

func (b *book) ResolveDispute(ctx context.Context, _, _ uuid.UUID, action payment.DisputeAction) (payment.Dispute, error) {
	d := b.dispute()
	d.Status = map[payment.DisputeAction]payment.DisputeStatus{payment.AcceptDispute: payment.DisputeAccepted, payment.RefundDispute: payment.DisputeClosed}[action]
	d.ClosedAt = &at
	return d, b.called(ctx, "resolve dispute")
}

func (b *book) CreateTransactionReport(ctx context.Context, _ payment.NewTransactionReport) (*payment.TransactionReport, error) {
	return b.transactionReport(), b.called(ctx, "create statement")
}

func (b *book) TransactionReport(ctx context.Context, _, _ uuid.UUID) (*payment.TransactionReport, error) {
	return b.transactionReport(), b.called(ctx, "statement")
}

func (b *book) TransactionReportRows(ctx context.Context, _, _ uuid.UUID, _ string, _ int) (payment.Page[payment.TransactionReportRow], error) {
	row := payment.TransactionReportRow{Order: uuid.MustParse(orderID), Reference: "shop-1015", Fields: map[string]string{"Amount": "1000"}}
	return payment.Page[payment.TransactionReportRow]{Items: []payment.TransactionReportRow{row}, Next: "next"}, b.called(ctx, "statement rows")
}

func (b *book) TransactionReportFile(ctx context.Context, _, _ uuid.UUID, w io.Writer) error {
	if err := b.called(ctx, "statement file"); err != nil {
		return err
	}
	_, err := io.WriteString(w, "PK")
	return err
}

// fixture is an API over a book, with its log.
type fixture struct {
	*book
	keys    *keys
	handler http.Handler
	metrics *prometheus.Registry
	log     *logged
}

// logged is a log that many goroutines may write.
type logged struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func setup(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	b := &fixture{book: &book{isNew: true, kind: gateway.KindPayment, status: payment.StatusRequiresAction}, keys: &keys{}, metrics: prometheus.NewRegistry(), log: &logged{}}
	c := Config{
		Orders: b.book, Auth: b.keys, Requests: &requestsKept{}, Idempotency: &memory{rows: map[string]*kept{}}, HashKey: bytes.Repeat([]byte{7}, 32),
		Log: zerolog.New(b.log).Level(zerolog.TraceLevel), Registerer: b.metrics, ProviderTimeout: 30 * time.Second,
		Callbacks:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		CallbackRate: 100,
		CallbackAccount: func(_ context.Context, provider, token string) (payment.Account, error) {
			if provider == "p" && token == "t" || token == "cb-token-leak" {
				return payment.Account{ID: uuid.MustParse(orderID), Name: "EUR-sandbox", Provider: provider}, nil
			}
			return payment.Account{}, &payment.Error{Code: payment.CodeCallbackUnknown, Message: "This is no callback address."}
		},
	}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	require.NoError(t, err)
	b.handler = h
	return b
}

// send makes a request with goodKey and JSON unless headers, pairs of name and value, say otherwise. An empty value
// removes a header.
func (b *fixture) send(t testing.TB, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// problemDoc is a problem as a client reads it.
type problemDoc struct {
	Type, Title, Detail, Instance, Code string
	Status                              int
	RequestID                           string `json:"request_id"`
	Errors                              []struct{ Field, Message string }
}

func (p problemDoc) fields() []string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Field)
	}
	return names
}

func readProblem(t testing.TB, w *httptest.ResponseRecorder) problemDoc {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body)
	var p problemDoc
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), w.Body)
	require.Equal(t, w.Code, p.Status)
	require.Equal(t, w.Header().Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(t, p.Title, "no title for %s", p.Code)
	require.NotEmpty(t, p.Detail)
	require.NotEmpty(t, p.Type)
	return p
}

// with returns a payment request in which member is set to the JSON text value, or removed if value is empty.
func with(member, value string) string {
	members := map[string]json.RawMessage{"reference": json.RawMessage(`"shop-1"`), "amount": json.RawMessage(`1000`), "currency": json.RawMessage(`"EUR"`)}
	members[member] = json.RawMessage(value)
	var out []string
	for k, v := range members {
		if len(v) > 0 {
			out = append(out, `"`+k+`":`+string(v))
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}
