package payrelay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// exchange is a request that arrived.
type exchange struct{ method, uri, key, authorization, body string }

// service answers each request by the next of answers, and by the last from then on.
type service struct {
	mu     sync.Mutex
	seen   []exchange
	pauses []time.Duration
}

// start returns the service and a client of it, which does not wait between its tries.
func start(t *testing.T, answers ...http.HandlerFunc) (*service, *Client) {
	s := &service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, exchange{r.Method, r.RequestURI, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body)})
		answer := answers[min(len(s.seen), len(answers))-1]
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	c := New(server.URL+"/", "prk_test")
	c.pause = func(ctx context.Context, d time.Duration) error {
		s.pauses = append(s.pauses, d)
		return ctx.Err()
	}
	return s, c
}

func (s *service) arrived() []exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func answers(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func problem(status int, code string, headers ...string) http.HandlerFunc {
	return answers(status, fmt.Sprintf(`{"status":%d,"code":%q,"detail":"d","request_id":"r-1","errors":[{"field":"customer.email","message":"m"}]}`, status, code), headers...)
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

var paid = answers(http.StatusCreated, `{"id":"o-1","status":"succeeded","next_action":null,"finalized_at":null,"added_later":{}}`)

func pay(c *Client, options ...Option) (*Order, error) {
	return c.CreatePayment(context.Background(), PaymentRequest{Reference: "a", Amount: 1, Currency: "EUR"}, options...)
}

func TestOneKeyForAllTriesOfACall(t *testing.T) {
	t.Parallel()
	s, c := start(t, hangUp, problem(http.StatusConflict, ProblemCodeIdempotencyInProgress, "Retry-After", "1"), answers(http.StatusBadGateway, "<html>"), paid)
	order, err := pay(c)
	if err != nil || order.ID != "o-1" || order.Status != StatusSucceeded {
		t.Fatal(order, err)
	}
	first := s.arrived()[0]
	if len(s.arrived()) != 4 || first.key == "" || first.authorization != "Bearer prk_test" || first.uri != "/v1/payments" {
		t.Fatal(s.arrived())
	}
	for _, e := range s.arrived() {
		if e != first {
			t.Fatal("a try differs from the first", e, first)
		}
	}
	if _, err := pay(c); err != nil || s.arrived()[4].key == first.key {
		t.Fatal("another call has another key", err)
	}
	if _, err := pay(c, IdempotencyKey("mine")); err != nil || s.arrived()[5].key != "mine" {
		t.Fatal(s.arrived()[5].key, err)
	}
}

func TestWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		tries  int
	}{
		"no answer":           {hangUp, 4},
		"a slow body":         {problem(408, ProblemCodeRequestTimeout), 4},
		"rate":                {problem(429, ProblemCodeRateLimited, "Retry-After", "2"), 4},
		"overload":            {problem(503, ProblemCodeServiceUnavailable), 4},
		"provider":            {problem(502, ProblemCodeProviderUnavailable), 4},
		"fault":               {problem(500, ProblemCodeInternalError), 4},
		"a later code of 503": {problem(503, "added_later"), 4},
		"refund":              {problem(409, ProblemCodeRefundInProgress, "Retry-After", "2"), 4},
		"proxy":               {answers(504, "<html>"), 4},
		"wait of an hour":     {problem(503, ProblemCodeProviderUnavailable, "Retry-After", "3600"), 1},
		"declined cards":      {problem(429, ProblemCodeVelocityExceeded, "Retry-After", "1"), 1},
		"approval":            {problem(409, ProblemCodeApprovalPending, "Retry-After", "1"), 1},
		"invalid":             {problem(422, ProblemCodeInvalidRequest), 1},
		"conflict":            {problem(409, ProblemCodeReferenceConflict), 1},
		"not payrelay":        {answers(500, "<html>"), 1},
		"redirect":            {answers(302, "", "Location", "https://elsewhere.example/"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := start(t, c.answer)
			if _, err := pay(client); err == nil || len(s.arrived()) != c.tries {
				t.Fatal(len(s.arrived()), err)
			}
			s, client = start(t, c.answer)
			if _, err := client.PreviewPayment(t.Context(), PaymentRequest{}); err == nil || len(s.arrived()) != 1 || s.arrived()[0].key != "" {
				t.Fatal("it takes no Idempotency-Key, so it is sent once", s.arrived(), err)
			}
		})
	}
}

func TestPausesGrowAndHonourRetryAfter(t *testing.T) {
	t.Parallel()
	s, c := start(t, hangUp, problem(503, ProblemCodeServiceUnavailable), problem(503, ProblemCodeServiceUnavailable, "Retry-After", "7"), paid)
	if _, err := pay(c); err != nil {
		t.Fatal(err)
	}
	for i, from := range []time.Duration{firstPause / 2, firstPause, 7*time.Second + 2*firstPause} {
		if p := s.pauses[i]; p < from || p > from+2*firstPause {
			t.Error(i, p)
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if d := parseRetryAfter(at.Add(9*time.Second).Format(http.TimeFormat), at); d != 9*time.Second {
		t.Error(d)
	}
}

func TestAnErrorHasTheProblem(t *testing.T) {
	t.Parallel()
	_, c := start(t, problem(429, ProblemCodeVelocityExceeded, "Retry-After", "90"))
	_, err := pay(c)
	var e *Error
	if !errors.As(err, &e) || e.Status != 429 || e.Code != ProblemCodeVelocityExceeded || e.RequestID != "r-1" || e.RetryAfter != 90*time.Second || e.Errors[0].Field != "customer.email" {
		t.Fatalf("%+v", err)
	}
	if text := err.Error(); text != "payrelay: POST /v1/payments: 429 velocity_exceeded: d (request r-1)" {
		t.Error(text)
	}
	_, c = start(t, answers(500, "<html>", "X-Request-Id", "r-2"))
	if _, err = pay(c); !errors.As(err, &e) || e.Code != "" || e.Status != 500 || e.RequestID != "r-2" {
		t.Fatalf("%+v", err)
	}
	_, c = start(t, hangUp)
	if _, err = pay(c); err == nil || errors.As(err, &e) {
		t.Fatal("no answer is no Error", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, c := start(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := c.GetOrder(ctx, "o-1"); !errors.Is(err, context.Canceled) || len(s.arrived()) != 1 {
		t.Fatal(s.arrived(), err)
	}
	s, c = start(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c.Timeout, c.Retries = 10*time.Millisecond, 1
	if _, err := c.GetOrder(t.Context(), "o-1"); !errors.Is(err, context.DeadlineExceeded) || len(s.pauses) != 1 {
		t.Fatal("each try has its time", s.pauses, err)
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s, c := start(t, answers(200, `{"data":[{"id":"1"},{"id":"2"}],"next_cursor":"c+1"}`), answers(200, `{"data":[{"id":"3"}],"next_cursor":null}`), problem(403, ProblemCodeForbidden))
	query := ListOrdersParams{Status: StatusSucceeded, Limit: 2, CreatedFrom: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	list, ids := c.AllOrders(t.Context(), query), ""
	for order, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		ids += order.ID
	}
	const filter = "created_from=2026-01-02T03%3A04%3A05Z"
	if ids != "123" || s.arrived()[0].uri != "/v1/orders?"+filter+"&limit=2&status=succeeded" || s.arrived()[1].uri != "/v1/orders?"+filter+"&cursor=c%2B1&limit=2&status=succeeded" {
		t.Fatal(ids, s.arrived())
	}
	for _, err := range list {
		var e *Error
		if !errors.As(err, &e) || s.arrived()[2].uri != s.arrived()[0].uri {
			t.Fatal("a second reading begins at the beginning", err, s.arrived()[2])
		}
	}
}

func TestAnIdStandsInThePath(t *testing.T) {
	t.Parallel()
	s, c := start(t, answers(200, `{}`))
	if _, err := c.GetBalance(t.Context(), "EUR/main"); err != nil || s.arrived()[0].uri != "/v1/accounts/EUR%2Fmain/balance" {
		t.Fatal(s.arrived(), err)
	}
	if _, err := c.GetOrder(t.Context(), ""); err == nil || len(s.arrived()) != 1 || !strings.Contains(err.Error(), "id is empty") {
		t.Fatal(err)
	}
}

// Members whose zero says something are pointers; all others are left out while they are zero.
func TestRequestsLeaveOutWhatIsNotSet(t *testing.T) {
	t.Parallel()
	s, c := start(t, paid)
	no, zero := false, 0
	_, err := c.CreatePayment(t.Context(), PaymentRequest{
		Reference: "a", Amount: 1, Currency: "EUR", Browser: Browser{JavaEnabled: &no, TimeZoneOffset: &zero}, Attempts: Attempts{Failover: &no},
	})
	const want = `{"amount":1,"attempts":{"failover":false},"browser":{"java_enabled":false,"time_zone_offset":0},"currency":"EUR","reference":"a"}`
	if err != nil || s.arrived()[0].body != want {
		t.Fatal(s.arrived()[0].body, err)
	}
}
