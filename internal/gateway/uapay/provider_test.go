package uapay

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/money"
)

const (
	testKey     = "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ=="
	testSession = "5b0f6c1e-7a5d-4c1b-9a55-0d1e2f3a4b5c"
	testInvoice = "7d3c9f10-52b6-4e0a-8f7e-1a2b3c4d5e6f"
	testPayment = "c1a6e0d2-3b84-4f59-9c07-6d5e4f3a2b1c"
	testCard    = "2e9b7a64-0c1d-4e2f-8a3b-4c5d6e7f8091"
	testCardTo  = "90817f6e-5d4c-4b3a-9f2e-1d0c9b8a7f6e"
	testP2P     = "e4d3c2b1-a098-4765-8432-10fedcba9876"
)

// at is a clock that stands.
func at(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0).UTC() }
}

// testNow is the clock of the documented examples.
var testNow = time.Unix(1795219200, 0).UTC()

// vector is a documented example. What the documents say of it stands in Want.
type vector struct {
	Name     string          `json:"name"`
	Method   string          `json:"method"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Want     *string         `json:"expected_neutral_status"`
	Reread   string          `json:"expected_after_reread"`
	TermURL  string          `json:"expected_term_url"`
	Signing  *struct {
		Key            string          `json:"key"`
		Claims         json.RawMessage `json:"claims"`
		RequestClaims  json.RawMessage `json:"request_claims"`
		RequestToken   string          `json:"request_token"`
		ResponseClaims json.RawMessage `json:"response_claims"`
		ResponseToken  string          `json:"response_token"`
		Valid          *bool           `json:"valid"`
	} `json:"signing"`
}

// path is the method as it stands in an address.
func (v vector) path() string {
	return "/" + strings.TrimPrefix(strings.TrimPrefix(v.Method, "POST "), "/")
}

// data is what the example answers with, without its envelope.
func (v vector) data(t testing.TB) string {
	var r struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal(v.Response, &r))
	return string(r.Data)
}

func loadVectors(t testing.TB) map[string]vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var list []vector
	require.NoError(t, json.Unmarshal(raw, &list))
	out := map[string]vector{}
	for _, v := range list {
		out[v.Name] = v
	}
	whole := withCardNumber(t, out["seed_checkstatus_3ds_redacted"])
	out[whole.Name] = whole
	require.Len(t, out, 108)
	return out
}

// seenCall is a request as the provider saw it.
type seenCall struct {
	Path   string
	Body   string
	Params map[string]any
	Data   map[string]any
}

// provider is a scripted provider: it verifies what it gets, and signs what it answers.
type provider struct {
	t       testing.TB
	url     string
	mu      sync.Mutex
	calls   []seenCall
	answers map[string][]string // data by path without /api/, the last one repeated; a string that begins with ! is an error object
	raw     bool                // answers are whole bodies
	status  int
	session int
}

func newProvider(t testing.TB, answers map[string][]string) *provider {
	p := &provider{t: t, answers: answers}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var outer struct {
		Params, Data json.RawMessage
		IAT          int64
		Token        string
	}
	call := seenCall{Path: strings.TrimPrefix(r.URL.Path, "/api/"), Body: string(body)}
	claims, err := []byte(nil), json.Unmarshal(body, &outer)
	if err == nil {
		claims, err = openToken([]byte(testKey), outer.Token)
	}
	var inner struct {
		Params, Data json.RawMessage
		IAT          int64
	}
	if err != nil || json.Unmarshal(claims, &inner) != nil || string(inner.Params) != string(outer.Params) ||
		string(inner.Data) != string(outer.Data) || inner.IAT != outer.IAT || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	_ = json.Unmarshal(inner.Params, &call.Params)
	_ = json.Unmarshal(inner.Data, &call.Data)
	p.mu.Lock()
	defer p.mu.Unlock()
	if call.Path == "sessions/create" {
		p.session++
		if _, scripted := p.answers[call.Path]; !scripted {
			_, _ = io.WriteString(w, signed(`{"id":"`+testSession+`"}`))
			return
		}
	}
	p.calls = append(p.calls, call)
	list := p.answers[call.Path]
	if len(list) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if len(list) > 1 {
		p.answers[call.Path] = list[1:]
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	switch {
	case p.raw:
		_, _ = io.WriteString(w, list[0])
	case strings.HasPrefix(list[0], "!"):
		_, _ = io.WriteString(w, `{"status":0,"error":`+list[0][1:]+`}`)
	case list[0] == "":
		_, _ = io.WriteString(w, `{"status":1}`)
	default:
		_, _ = io.WriteString(w, signed(list[0]))
	}
}

// signed is an answer whose data is signed.
func signed(data string) string {
	return `{"status":1,"data":{"token":"` + sealToken([]byte(testKey), []byte(data)) + `"}}`
}

func (p *provider) seen() []seenCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]seenCall(nil), p.calls...)
}

func (p *provider) paths() []string {
	var out []string
	for _, c := range p.seen() {
		out = append(out, c.Path)
	}
	return out
}

func testClient(t testing.TB) *transport.Client {
	client := transport.New(transport.Config{Provider: Name, Log: zerolog.Nop(), Registerer: prometheus.NewRegistry(), BreakerFailures: 1000})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func account(url string) gateway.Account {
	return gateway.Account{
		ID: "a1", Name: "UAH-sandbox", Currency: "UAH",
		Settings: map[string]string{"client_id": "90001", "api_url": url},
		Secrets:  map[string]gateway.Secret{"secret": testKey},
	}
}

func open(t testing.TB, a gateway.Account) *Gateway {
	t.Helper()
	gw, err := New(testClient(t)).Open(a)
	require.NoError(t, err)
	g := gw.(*Gateway)
	g.now = func() time.Time { return testNow }
	g.pause = 0
	return g
}

func uah(minor int64) money.Money { return money.New(minor, "UAH") }

func payment(op gateway.Operation) gateway.Ref {
	return gateway.Ref{Kind: gateway.KindPayment, Operation: op, OrderID: "ord-1001", Amount: uah(25000)}
}

// known is a payment whose ids are remembered.
func known(op gateway.Operation) gateway.Ref {
	ref := payment(op)
	ref.ProviderReference = testInvoice
	ref.State = saved(stateInvoice, testInvoice, statePayment, testPayment)
	return ref
}

func hosted() gateway.PaymentRequest {
	return gateway.PaymentRequest{
		Ref: payment(gateway.OpSale), Flow: gateway.FlowHosted, Description: "Order ord-1001",
		Customer:    gateway.Customer{Email: "payer@shop.example"},
		ReturnURLs:  gateway.ReturnURLs{Status: "https://shop.example/return/ord-1001"},
		CallbackURL: "https://shop.example/hooks/uapay",
	}
}

func direct(t testing.TB) gateway.PaymentRequest {
	t.Helper()
	return directWith(mustCVC("9173"))
}

// paidTo is a card of which nothing but the number is known.
func paidTo(t testing.TB, number string) *card.Card {
	return &card.Card{Number: mustCard(t, number).Number}
}

func mustCard(t testing.TB, number string) *card.Card {
	t.Helper()
	pan, err := card.ParsePAN(number)
	require.NoError(t, err)
	cvc, err := card.ParseCVC("917")
	require.NoError(t, err)
	return &card.Card{Number: pan, CVC: cvc, Expiry: card.Expiry{Month: 3, Year: 2031}}
}

func rawCallback(token string) gateway.RawCallback {
	return gateway.RawCallback{Method: "POST", ContentType: "application/json", Body: []byte(`{"token":"` + token + `"}`), ReceivedAt: testNow}
}

func jsonInto(raw json.RawMessage, v any) error { return json.Unmarshal(raw, v) }

// serve starts a server of h and returns its address.
func serve(t testing.TB, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}
