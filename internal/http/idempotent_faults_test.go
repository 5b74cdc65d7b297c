package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// TestACallerWhoLeavesGetsTheAnswerLater hangs up on a real connection while the provider works.
func TestACallerWhoLeavesGetsTheAnswerLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	working, left := make(chan struct{}), make(chan struct{})
	var seen atomic.Value
	b.hook = func(ctx context.Context, _ string) error {
		close(working)
		<-left
		if err := ctx.Err(); err != nil {
			seen.Store(err)
			return err
		}
		return nil
	}
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() { // the server notices that the caller left
			<-r.Context().Done()
			close(gone)
		}()
		b.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/payments", strings.NewReader(with("amount", "1")))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+goodKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "k")
	go func() {
		<-working
		leave()
		<-gone
		close(left)
	}()
	answer, err := server.Client().Do(r)
	if err == nil {
		_ = answer.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool {
		w := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
		return w.Code == http.StatusCreated && w.Header().Get("Idempotency-Replayed") == "true"
	}, time.Minute, time.Millisecond)
	require.Nil(t, seen.Load(), "the work was called off")
	require.Equal(t, 1, b.count())
}

// broken is a store whose methods fail where it is told to.
type broken struct {
	*memory
	begin, finish, abandon error
}

func (s *broken) Begin(ctx context.Context, shop uuid.UUID, key string, hash []byte, lease time.Duration) (idempotency.Claim, *idempotency.Response, error) {
	if s.begin != nil {
		return idempotency.Claim{}, nil, s.begin
	}
	return s.memory.Begin(ctx, shop, key, hash, lease)
}

func (s *broken) Finish(ctx context.Context, c idempotency.Claim, r idempotency.Response) (idempotency.Response, error) {
	if err := errors.Join(ctx.Err(), s.finish); err != nil {
		return idempotency.Response{}, err
	}
	return s.memory.Finish(ctx, c, r)
}

func (s *broken) Abandon(ctx context.Context, c idempotency.Claim) error {
	if err := errors.Join(ctx.Err(), s.abandon); err != nil {
		return err
	}
	return s.memory.Abandon(ctx, c)
}

func TestWithoutTheStoreNothingStarts(t *testing.T) {
	t.Parallel()
	for status, err := range map[int]error{
		503: &payment.Error{Code: payment.CodeUnavailable, Message: "The database cannot be reached."},
		500: errors.New("select " + marked),
	} {
		b := setup(t, func(c *Config) { c.Idempotency = &broken{&memory{rows: map[string]*kept{}}, err, nil, nil} })
		w := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
		require.Equal(t, status, w.Code)
		require.Equal(t, status == 503, w.Header().Get("Retry-After") != "")
		require.NotContains(t, w.Body.String(), marked)
		require.Zero(t, b.count(), "it might run twice")
	}
}

func TestAnAnswerThatCannotBeKeptIsStillGiven(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Idempotency = &broken{&memory{rows: map[string]*kept{}}, nil, errors.New("no disk"), nil}
	})
	w := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "the-key-itself")
	require.Equal(t, 201, w.Code, "the payment exists")
	require.Equal(t, "/v1/orders/"+orderID, w.Header().Get("Location"))
	require.Contains(t, b.log.String(), "could not be kept")
	require.NotContains(t, b.log.String(), "the-key-itself")
}

// TestAnAnswerIsKeptAlsoWhenTheTimeIsUp lets the work take all of its time: the claim must not stay for that.
func TestAnAnswerIsKeptAlsoWhenTheTimeIsUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		give     error
		status   int
		replayed bool
	}{
		"an order":       {nil, 201, true},
		"nothing":        {context.DeadlineExceeded, 503, false},
		"nothing, again": {&payment.Error{Code: payment.CodeUnavailable, Message: "Down."}, 503, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, func(c *Config) { c.Idempotency = &broken{memory: &memory{rows: map[string]*kept{}}} })
				b.hook = func(ctx context.Context, _ string) error {
					<-ctx.Done()
					return test.give
				}
				require.Equal(t, test.status, b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k").Code)
				b.hook = nil
				repeated := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
				require.Equal(t, 201, repeated.Code, repeated.Body)
				require.Equal(t, test.replayed, repeated.Header().Get("Idempotency-Replayed") == "true")
			})
		})
	}
}

func TestAWrongCodeIsReplayedAsAProblem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error {
		return &payment.Error{Code: payment.CodeWrongCode, Message: "The code is wrong."}
	}
	path, body := "/v1/payments/"+orderID+"/confirm", `{"code":"111111"}`
	first := b.send(t, "POST", path, body, "Idempotency-Key", "k")
	require.Equal(t, 422, first.Code)
	repeated := b.send(t, "POST", path, body, "Idempotency-Key", "k")
	require.Equal(t, 422, repeated.Code)
	require.Equal(t, "application/problem+json", repeated.Header().Get("Content-Type"))
	require.Equal(t, first.Body.String(), repeated.Body.String())
	require.Equal(t, 1, b.count())
	require.Empty(t, repeated.Header().Get("Location"))
	require.Equal(t, 422, b.send(t, "POST", path, body, "Idempotency-Key", "K").Code)
	require.Equal(t, 2, b.count(), "keys are told apart by case")
}

func TestTwoKeysInOneRequestAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := httptest.NewRequest("POST", "/v1/payments", strings.NewReader(with("amount", "1")))
	r.Header.Set("Authorization", "Bearer "+goodKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "Idempotency-Key must be sent once", "refused before either is claimed")
	require.Zero(t, b.count())
}
