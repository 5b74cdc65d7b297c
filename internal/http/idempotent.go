package httpapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// replayed are the headers that belong to an answer and are kept with it.
var replayed = []string{"Content-Type", "Location"}

// idempotent replays the first answer of a POST to every repeat with the same Idempotency-Key and body.
func (s *server) idempotent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := r.Header.Values("Idempotency-Key")
		if r.Method != http.MethodPost || len(keys) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		key := keys[0]
		if len(keys) > 1 || strings.TrimSpace(key) == "" || !printable(key) || len(key) > 255 {
			s.problem(w, r, problem{
				Status: http.StatusUnprocessableEntity, Code: "invalid_request", Detail: notValid,
				Fields: []gateway.FieldError{{Field: "Idempotency-Key", Message: "must be sent once, as 1 to 255 printable ASCII characters"}},
			})
			return
		}
		shop := principal(r.Context()).Shop.ID
		claim, first, err := s.Idempotency.Begin(r.Context(), shop, s.keptKey(shop, key), requestHash(r.Context()), claimLease)
		switch {
		case errors.Is(err, idempotency.ErrMismatch):
			s.problem(w, r, problem{Status: http.StatusUnprocessableEntity, Code: "idempotency_mismatch", Detail: "This Idempotency-Key was used for another request. Use a new key for a new request."})
			return
		case errors.Is(err, idempotency.ErrInProgress):
			s.problem(w, r, problem{Status: http.StatusConflict, Code: "idempotency_in_progress", RetryAfter: 1, Detail: "The first request with this Idempotency-Key is still running. Send it again in a moment to get its answer."})
			return
		case err != nil:
			s.fail(w, r, err)
			return
		case first != nil:
			w.Header().Set("Idempotency-Replayed", "true")
			sendKept(w, *first)
			return
		}
		s.runOnce(w, r, next, claim)
	})
}

// keptKey is what is kept of an Idempotency-Key: a keyed hash. A shop may have put anything into it.
func (s *server) keptKey(shop uuid.UUID, key string) string {
	mac := hmac.New(sha256.New, s.HashKey)
	mac.Write([]byte("Idempotency-Key\x00"))
	mac.Write(shop[:])
	mac.Write([]byte(key))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// replayable reports whether an answer is replayed: only that of a request that was carried out. A refusal stored and sent
// nothing, and what caused it may be mended meanwhile, by the shop or by an operator, so a repeat is a new try. A wrong
// code was tried, and a repeat must not use up another attempt. An answer that nobody may store is never kept.
func replayable(r *http.Request, answer *buffered) bool {
	switch {
	case answer.secret:
		return false
	case answer.status < http.StatusMultipleChoices:
		return true
	}
	record := recordOf(r.Context())
	return record != nil && record.code == string(payment.CodeWrongCode)
}

// replayedOf picks the headers that are kept.
func replayedOf(h http.Header) map[string]string {
	kept := map[string]string{}
	for _, name := range replayed {
		if v := h.Get(name); v != "" {
			kept[name] = v
		}
	}
	return kept
}

// sendKept answers with what is kept, or would be if it were one to keep.
func sendKept(w http.ResponseWriter, r idempotency.Response) {
	for _, name := range replayed {
		w.Header().Del(name)
	}
	for name, value := range r.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) //nolint:gosec // our own JSON answer
}

// runOnce does the work and keeps its answer, if it is one to keep, before it is sent. It sends what was kept first: when the
// database's word was lost, and the order went on, that is not the newest.
func (s *server) runOnce(w http.ResponseWriter, r *http.Request, next http.Handler, claim idempotency.Claim) {
	answer := &buffered{header: w.Header(), status: http.StatusOK}
	letGo := s.hold(r.Context(), claim)
	finished := false
	defer func() {
		if !finished { // a panic goes on to the recoverer
			letGo()
			ctx, cancel := afterwards(r)
			defer cancel()
			_ = s.Idempotency.Abandon(ctx, claim)
		}
	}()
	along := &idempotency.Along{Claim: claim}
	next.ServeHTTP(answer, r.WithContext(idempotency.With(r.Context(), along)))
	finished = true
	letGo()
	first := idempotency.Response{Status: answer.status, Header: replayedOf(w.Header()), Body: answer.body.Bytes()}
	settle := func(ctx context.Context) error { return s.Idempotency.Abandon(ctx, claim) }
	switch {
	case along.Kept != nil:
		first = *along.Kept
		settle = func(context.Context) error { return nil }
	case replayable(r, answer):
		settle = func(ctx context.Context) error {
			kept, err := s.Idempotency.Finish(ctx, claim, first)
			if err == nil {
				first = kept
			}
			return err
		}
	}
	err := inTime(r, settle)
	// The process may have been stopped, and the time over when it went on; or the connection was cut, and the database is well
	// again in a moment. Doing it twice does no harm.
	until := time.Now().Add(settleRetried)
	for pause := 20 * time.Millisecond; retryable(err) && time.Now().Before(until); pause = min(2*pause, time.Second) {
		timer := time.NewTimer(pause)
		<-timer.C
		err = inTime(r, settle)
	}
	if err != nil {
		// The work is done and durable; only the replay is lost. A repeat meets the order's reference.
		s.Log.Error().Err(err).Str("request_id", RequestID(r.Context())).Msg("the answer could not be kept for its Idempotency-Key")
	}
	faultpoint.Hit("answer-kept")
	sendKept(w, first)
}

// retryable reports whether something may be well if it is tried once more.
func retryable(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || payment.CodeOf(err) == payment.CodeUnavailable
}

const (
	// settleRetried is for how long a claim is settled again and again while the database cannot be reached.
	settleRetried = 5 * time.Second
	// claimLease is for how long the key of a process that died is taken. A request that lasts longer renews its claim.
	claimLease = 15 * time.Second
	claimRenew = 4 * time.Second
)

// hold keeps a claim until stop is called.
func (s *server) hold(ctx context.Context, claim idempotency.Claim) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	over := make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(claimRenew)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			renewing, stop := context.WithTimeout(ctx, claimRenew)
			err := s.Idempotency.Renew(renewing, claim, claimLease)
			stop()
			if err != nil && ctx.Err() == nil {
				s.Log.Warn().Err(err).Str("request_id", RequestID(ctx)).Msg("the claim on an Idempotency-Key could not be renewed")
			}
		}
	}()
	return func() {
		cancel()
		<-over
	}
}

// afterwards is the time to settle a claim in. The work may have used up its own, and a claim that stays would answer
// every repeat with "still running" until its lease ends.
func afterwards(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
}

func inTime(r *http.Request, settle func(context.Context) error) error {
	ctx, cancel := afterwards(r)
	defer cancel()
	return settle(ctx)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// buffered holds an answer back until it was kept.
type buffered struct {
	header http.Header
	status int
	wrote  bool
	// secret says that the answer must not be kept.
	secret bool
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) {
	if !b.wrote {
		b.status, b.wrote = status, true
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	b.wrote = true
	return b.body.Write(p)
}
