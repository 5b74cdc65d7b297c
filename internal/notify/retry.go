package notify

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/faultpoint"
)

const (
	// retryFor is how long after its making a notification is tried.
	retryFor = 72 * time.Hour
	// turnAttempts is how many attempts a notification gets whatever its age. One that waited for three days behind
	// another, or was sent again after them, would otherwise be dead-lettered by its first failure.
	turnAttempts = 6
	// maxRetryAfter is the longest wait that a shop can ask for.
	maxRetryAfter = 24 * time.Hour
	// jitter is the part by which pauses vary both ways, so that what failed together does not come back together.
	jitter = 0.2
)

// pauses are the waits after the first, second, … failure; the last is repeated.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// retryAt plans the retry after a failed attempt that ended now. Attempts are numbered from 1, and anew once an operator has
// sent the notification again. Zero parks the notification. The last
// try falls on the end of the three days, later only if the shop asked for that with retryAfter.
func retryAt(now, created time.Time, attempt int, retryAfter time.Duration) time.Time {
	end := created.Add(retryFor)
	if !now.Before(end) && attempt >= turnAttempts {
		return time.Time{}
	}
	pause := faultpoint.Duration("notify_pause", pauses[min(max(attempt, 1), len(pauses))-1])
	pause += time.Duration((rand.Float64()*2 - 1) * jitter * float64(pause)) //nolint:gosec // spreads load, guards nothing
	at := now.Add(pause)
	if now.Before(end) && at.After(end) {
		at = end
	}
	if asked := now.Add(min(retryAfter, maxRetryAfter)); asked.After(at) {
		at = asked
	}
	return at
}

// parseRetryAfter reads a Retry-After header, seconds or a date. What is absent, unreadable or past is zero.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
