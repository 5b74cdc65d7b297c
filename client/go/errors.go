package payrelay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Error is an answer that is not 2xx. Find it with errors.As, and judge it by its Code; by its Status where you do not know
// the code. Code is empty if the answer is not payrelay's, but that of a proxy on the way.
//
// Any other error of a call means that no answer came: it is not known what became of the request. Call again with the same
// Reference, or look the order up by it.
type Error struct {
	Problem
	// RetryAfter is how long the service asks to wait before the next try, 0 if it does not say.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
	if e.Code == "" {
		text = fmt.Sprintf("%d: %s", e.Status, e.Detail)
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

func newError(res *http.Response, body []byte) *Error {
	e := &Error{RetryAfter: parseRetryAfter(res.Header.Get("Retry-After"), time.Now())}
	if json.Unmarshal(body, &e.Problem) != nil || e.Code == "" {
		e.Problem = Problem{Title: http.StatusText(res.StatusCode), Detail: "the answer is not from payrelay: is this its address?"}
		if to := res.Header.Get("Location"); to != "" {
			e.Detail = "it redirects to " + to + ": use that address"
		}
	}
	e.Status = res.StatusCode
	if e.RequestID == "" {
		e.RequestID = res.Header.Get("X-Request-Id")
	}
	return e
}

// networkError means that no answer came.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

const (
	firstPause = 500 * time.Millisecond
	maxPause   = 8 * time.Second
	// maxRetryAfter is the longest that a call waits because the service asks for it. A longer wait is the shop's own affair.
	maxRetryAfter = 30 * time.Second
)

// retryAfter says whether a request that failed may succeed soon as it is, and how long to wait until then.
func retryAfter(err error, retry int) (time.Duration, bool) {
	longest := min(firstPause<<min(retry, 10), maxPause)
	jittered := longest/2 + rand.N(longest/2) //nolint:gosec // spreads retries, and keeps no secret
	var network *networkError
	if errors.As(err, &network) {
		return jittered, true
	}
	var e *Error
	if !errors.As(err, &e) || !e.passes() || e.RetryAfter > maxRetryAfter {
		return 0, false
	}
	return e.RetryAfter + jittered, true
}

// passes reports whether the same request may succeed soon. Codes come first; one that is not known is judged by its status.
func (e *Error) passes() bool {
	switch e.Code {
	case ProblemCodeIdempotencyInProgress, ProblemCodeRefundInProgress, ProblemCodeInternalError:
		return true
	case ProblemCodeVelocityExceeded: // another try is what it asks not to make
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// parseRetryAfter reads a number of seconds or a time.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// pause waits, unless the call is given up.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
