package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

func TestARepeatGetsTheFirstAnswerByteForByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"reference":"a","amount":1,"currency":"EUR"}`
	first := b.send(t, "POST", "/v1/payments", body, "Idempotency-Key", "k1")
	require.Equal(t, 201, first.Code)
	require.Empty(t, first.Header().Get("Idempotency-Replayed"))
	b.status = payment.StatusSucceeded
	for _, repeated := range []string{body, " {\n\"currency\":\"EUR\", \"amount\":1, \"reference\":\"a\"} "} {
		second := b.send(t, "POST", "/v1/payments", repeated, "Idempotency-Key", "k1")
		require.Equal(t, 201, second.Code)
		require.Equal(t, first.Body.String(), second.Body.String())
		require.Equal(t, "true", second.Header().Get("Idempotency-Replayed"))
		require.Equal(t, first.Header().Get("Location"), second.Header().Get("Location"))
		require.Equal(t, "application/json", second.Header().Get("Content-Type"))
		require.NotEqual(t, first.Header().Get("X-Request-Id"), second.Header().Get("X-Request-Id"))
	}
	require.Equal(t, 1, b.count())
	require.Equal(t, "idempotency_mismatch", readProblem(t, b.send(t, "POST", "/v1/payments", with("amount", "2"), "Idempotency-Key", "k1")).Code)
	require.Equal(t, 422, b.send(t, "POST", "/v1/orders/"+orderID+"/refresh", "", "Idempotency-Key", "k1").Code, "another address is another request")
	require.Equal(t, 1, b.count())
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", body, "Idempotency-Key", "k1", "Authorization", "Bearer "+otherKey).Code, "keys are each shop's own")
	require.Equal(t, 2, b.count())
}

func TestAReplayNeedsTheScopeToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", ""+"1"), "Idempotency-Key", "k").Code)
	require.Equal(t, 403, b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k", "Authorization", "Bearer "+readKey).Code)
}

func TestWhichAnswersAreKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		kept bool
	}{
		"an order":            {nil, true},
		"a wrong code":        {&payment.Error{Code: payment.CodeWrongCode, Message: "Ask again."}, true}, // it cost an attempt
		"no account":          {&payment.Error{Code: payment.CodeUnknownAccount, Message: "None."}, false},
		"no such currency":    {&payment.Error{Code: payment.CodeCurrency, Message: "None."}, false},
		"switched off":        {&payment.Error{Code: payment.CodeUnsupported, Message: "Not this account."}, false},
		"the provider's need": {&payment.Error{Code: payment.CodeMissingFields, Message: "More."}, false},
		"a forbidden network": {&payment.Error{Code: payment.CodeInvalid, Message: "Not there."}, false},
		"not there":           {payment.ErrNotFound, false},
		"more than held":      {&payment.Error{Code: payment.CodeAmountTooLarge, Message: "Less."}, false},
		"held back":           {&payment.Error{Code: payment.CodeProviderFailed, Message: "Later.", RetryAfter: time.Second}, false},
		"conflict":            {&payment.Error{Code: payment.CodeReferenceConflict, Message: "Taken."}, false},
		"too early":           {&payment.Error{Code: payment.CodeInvalidState, Message: "Wait until it is, then send this one again."}, false},
		"down":                {&payment.Error{Code: payment.CodeUnavailable, Message: "Down."}, false},
		"internal":            {errors.New("broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.hook = func(context.Context, string) error { return test.err }
			first := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
			second := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
			require.Equal(t, test.kept, second.Header().Get("Idempotency-Replayed") == "true")
			require.Equal(t, test.kept, first.Body.String() == second.Body.String())
			require.Equal(t, test.kept, b.count() == 1)
		})
	}
	b := setup(t)
	require.Equal(t, 422, b.send(t, "POST", "/v1/payments", with("amount", "0"), "Idempotency-Key", "k").Code)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k").Code, "what was refused is mended under the same key")
}

func TestTwoHundredAtOnceRunOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	release := make(chan struct{})
	b.hook = func(context.Context, string) error { <-release; return nil }
	const many = 200
	answers := make(chan *httptest.ResponseRecorder, many)
	var running sync.WaitGroup
	for range many {
		running.Go(func() { answers <- b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k") })
	}
	for range many - 1 { // all but the one that waits for release
		w := <-answers
		require.Equal(t, 409, w.Code)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
		require.Equal(t, "idempotency_in_progress", readProblem(t, w).Code)
	}
	close(release)
	running.Wait()
	require.Equal(t, 201, (<-answers).Code)
	require.Equal(t, 1, b.count())
	require.Equal(t, "true", b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k").Header().Get("Idempotency-Replayed"))
}

func TestTheWorkOutlivesTheCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, leave := context.WithCancel(context.Background())
	b.hook = func(work context.Context, _ string) error {
		leave()
		if _, bounded := work.Deadline(); !bounded {
			return errors.New("it could run for ever")
		}
		return work.Err()
	}
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/payments", strings.NewReader(with("amount", "1")))
	r.Header.Set("Authorization", "Bearer "+goodKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
}

// A request that lasts keeps its claim.
func TestALongRequestRenewsItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &leases{memory: &memory{rows: map[string]*kept{}}}
		b := setup(t, func(c *Config) { c.Idempotency, c.ProviderTimeout = store, time.Minute })
		b.hook = func(ctx context.Context, _ string) error {
			for range 100 {
				time.Sleep(500 * time.Millisecond)
				require.True(t, store.end().After(time.Now().Add(10*time.Second)), "a process that is stopped for ten seconds keeps it, too")
			}
			store.failing.Store(true) // the database is away for a while
			time.Sleep(5 * time.Second)
			store.failing.Store(false)
			return nil
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/payments", strings.NewReader(with("amount", "1")))
		r.Header.Set("Authorization", "Bearer "+goodKey)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code, w.Body)
		before := store.end()
		time.Sleep(time.Minute)
		require.Equal(t, before, store.end(), "and renewed no more")
	})
}

// A process that was stopped while it kept an answer keeps it when it goes on, and one whose connection was cut when the
// database is back.
func TestAnAnswerIsKeptAfterAStop(t *testing.T) {
	t.Parallel()
	store := &stopped{memory: &memory{rows: map[string]*kept{}}}
	b := setup(t, func(c *Config) { c.Idempotency = store })
	first := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
	repeated := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
	require.Equal(t, 3, store.tries)
	require.Equal(t, first.Code, repeated.Code)
	require.Equal(t, "true", repeated.Header().Get("Idempotency-Replayed"))
}

// stopped finds its time over at first, and then its connection cut.
type stopped struct {
	*memory
	tries int
}

func (s *stopped) Finish(ctx context.Context, c idempotency.Claim, r idempotency.Response) (idempotency.Response, error) {
	switch s.tries++; s.tries {
	case 1:
		return idempotency.Response{}, &payment.Error{Code: payment.CodeUnavailable, Err: context.DeadlineExceeded}
	case 2:
		return idempotency.Response{}, &payment.Error{Code: payment.CodeUnavailable, Err: errors.New("the connection was cut")}
	}
	return s.memory.Finish(ctx, c, r)
}

// leases keeps the end of a claim.
type leases struct {
	*memory
	mu      sync.Mutex
	until   time.Time
	failing atomic.Bool
}

func (l *leases) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

func (l *leases) Begin(ctx context.Context, shop uuid.UUID, key string, hash []byte, lease time.Duration) (idempotency.Claim, *idempotency.Response, error) {
	c, first, err := l.memory.Begin(ctx, shop, key, hash, lease)
	if err == nil && first == nil {
		err = l.Renew(ctx, c, lease)
	}
	return c, first, err
}

func (l *leases) Renew(_ context.Context, _ idempotency.Claim, lease time.Duration) error {
	if l.failing.Load() {
		return errors.New("the database is away")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Now().Add(lease)
	return nil
}

func TestTheRequestHashTellsRequestsApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hash := func(body string) string {
		require.Equal(t, 201, b.send(t, "POST", "/v1/payments", body).Code)
		return string(b.payment.RequestHash)
	}
	base := hash(`{"reference":"a","amount":1,"currency":"EUR","metadata":{"x":"1","y":"2"}}`)
	require.Len(t, base, 32)
	require.Equal(t, base, hash(`{"metadata":{"y":"2","x":"1"}, "currency":"EUR","amount":1,"reference":"\u0061"}`), "order, space and escapes do not matter")
	require.NotEqual(t, base, hash(`{"reference":"a","amount":2,"currency":"EUR","metadata":{"x":"1","y":"2"}}`))
	require.NotEqual(t, base, hash(`{"reference":"a","amount":1,"currency":"EUR","metadata":{"x":"2","y":"1"}}`))
	require.NotEqual(t, base, hash(`{"reference":"a","amount":1,"currency":"EUR","metadata":{"x":"1","y":"2","number":"123"}}`), "what a shop calls so is its own")
	card := func(number, code string) string {
		return hash(`{"reference":"a","amount":1,"currency":"EUR","flow":"direct","site_url":"https://shop.example","payment_method":{"type":"card","card":{"number":"` + number +
			`","exp_month":12,"exp_year":2030,"cvc":"` + code + `","holder":"J D"}}}`)
	}
	require.Equal(t, card("4012000000003010", "123"), card("4012000000003010", "456"), "nothing that rests comes from a card's code")
	require.Equal(t, "456", b.payment.Method.Card.CVC.Reveal(), "and the code itself goes on")
	require.NotEqual(t, card("4012000000003010", "123"), card("4111111111111111", "123"))
	other := setup(t, func(c *Config) { c.HashKey = []byte("another key of thirty-two bytes!") })
	other.send(t, "POST", "/v1/payments", `{"reference":"a","amount":1,"currency":"EUR","metadata":{"x":"1","y":"2"}}`)
	require.NotEqual(t, base, string(other.payment.RequestHash), "nobody can guess a body from its hash without the key")
}
