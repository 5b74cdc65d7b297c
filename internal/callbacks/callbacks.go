package callbacks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// MaxBody is the most that a provider may send, in bytes.
const MaxBody = 64 << 10

// Payments takes verified callbacks in.
type Payments interface {
	HandleCallback(ctx context.Context, provider, token string, raw gateway.RawCallback) (payment.Verdict, error)
}

// Handler returns the handler of POST /callbacks/{provider}/{token}. timeout bounds the work on one callback.
func Handler(p Payments, log zerolog.Logger, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		provider := chi.URLParam(r, "provider")
		verdict, status, size, cause := handle(p, w, r, provider, timeout)
		event := log.Info() //nolint:zerologlint // sent below
		if status >= http.StatusInternalServerError {
			event = log.Error()
		}
		if cause != nil {
			event.Str("cause", string(payment.CodeOf(cause)))
			if rejected, ok := errors.AsType[*gateway.Error](cause); ok {
				event.Str("rule", rejected.Code)
			} else if status >= http.StatusInternalServerError {
				event.Err(cause)
			}
		}
		event.Str("request_id", w.Header().Get("X-Request-Id")).Str("provider", known(provider, status)).Str("verdict", verdict).
			Int("status", status).Int("body_bytes", size).Dur("duration_ms", time.Since(started)).Msg("callback")
	})
}

// known returns the provider's name, but not a stranger's text.
func known(provider string, status int) string {
	if status == http.StatusNotFound {
		return "unknown"
	}
	return provider
}

func handle(p Payments, w http.ResponseWriter, r *http.Request, provider string, timeout time.Duration) (verdict string, status, size int, cause error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return "rejected", answer(w, http.StatusBadRequest, "The body could not be read, or is larger than 64 KiB."), len(body), nil
	}
	// The provider may hang up; what it said is worth keeping all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
	defer cancel()
	v, err := p.HandleCallback(ctx, provider, chi.URLParam(r, "token"), gateway.RawCallback{
		Method: r.Method, ContentType: r.Header.Get("Content-Type"), Body: body, Query: r.URL.Query(), ReceivedAt: started(),
	})
	if err == nil {
		faultpoint.Hit("callback-kept")
		return string(v), answer(w, http.StatusOK, "OK"), len(body), nil
	}
	switch payment.CodeOf(err) { //nolint:exhaustive // anything else is not the provider's fault
	case payment.CodeCallbackUnknown:
		return "unknown", answer(w, http.StatusNotFound, "This is no callback address."), len(body), err
	case payment.CodeCallbackForged:
		return "invalid_signature", answer(w, http.StatusUnauthorized, "The signature does not hold."), len(body), err
	case payment.CodeCallbackMalformed:
		return "malformed", answer(w, http.StatusBadRequest, "The callback cannot be read."), len(body), err
	}
	w.Header().Set("Retry-After", "5")
	return "unavailable", answer(w, http.StatusServiceUnavailable, "The callback could not be stored. Send it again."), len(body), err
}

func started() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func answer(w http.ResponseWriter, status int, text string) int {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
	return status
}
