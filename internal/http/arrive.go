package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"payrelay/internal/limit"
)

const (
	// bodyMemory is how much memory the bodies of one class have while they arrive.
	bodyMemory = 64 << 20
	// bodiesOfKey and bodiesOfAccount are how many bodies of one key, or one account's callbacks, arrive at once.
	bodiesOfKey, bodiesOfAccount = 32, 16
	// bodyTurn is how long a body waits for its turn: longer than a body of which nothing comes keeps others waiting.
	bodyTurn = 3 * time.Second
)

// A body has arrivalStart, and more time for what has come, at arrivalRate bytes a second. It must be here after arrivalMost.
const (
	arrivalStart = 2 * time.Second
	arrivalMost  = 10 * time.Second
	arrivalRate  = 1 << 10
)

// bodies are those of one class that are arriving.
type bodies struct {
	memory   *semaphore.Weighted
	each     *limit.Limiter // by the caller: a key, or an account whose provider calls
	rejected prometheus.Counter
}

func newBodies(each int, rejected prometheus.Counter) *bodies {
	return &bodies{memory: semaphore.NewWeighted(bodyMemory), each: limit.New(limit.Bounds{Each: each}), rejected: rejected}
}

var (
	errOwnBodies = errors.New("too many bodies of this caller are arriving")
	errAllBodies = errors.New("too many bodies are arriving")
)

// enter waits for a body's turn. Its weight is its length.
func (b *bodies) enter(ctx context.Context, caller string, weight int64) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, bodyTurn)
	defer cancel()
	if b.each.Take(ctx, caller) != nil {
		return nil, errOwnBodies
	}
	if b.memory.Acquire(ctx, weight) != nil {
		b.each.Give(caller)
		return nil, errAllBodies
	}
	return func() { b.memory.Release(weight); b.each.Give(caller) }, nil
}

// arrive waits for the whole body, so that whoever is let in holds up nobody by sending slowly. A body that broke off is refused
// by whoever reads it. The buffer is wiped afterwards, as far as Go allows.
func (s *server) arrive(b *bodies) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Body == nil || r.Body == http.NoBody:
				next.ServeHTTP(w, r)
				return
			case r.ContentLength > maxBody:
				s.problem(w, r, bodyTooLarge)
				return
			}
			body, err := s.receive(w, r, b)
			if err != nil {
				s.rejectBody(w, r, b, err)
				return
			}
			defer clear(body.text)
			r.Body = body
			next.ServeHTTP(w, r)
		})
	}
}

// receive reads a body when its turn has come.
func (s *server) receive(w http.ResponseWriter, r *http.Request, b *bodies) (*arrived, error) {
	size := r.ContentLength
	if size < 0 { // it comes in pieces
		size = maxBody
	}
	leave, err := b.enter(r.Context(), recordOf(r.Context()).caller, size)
	if err != nil {
		return nil, err
	}
	defer leave()
	conn := http.NewResponseController(w)
	text, err := readInTime(http.MaxBytesReader(w, r.Body, maxBody), int(size), func(until time.Time) {
		_ = conn.SetReadDeadline(until) // not supported by a recorder in tests
	})
	if err == nil {
		// net/http goes on reading to notice that the caller went away; that must not end the request. Of a body that
		// broke off it reads the rest before it answers; that must end.
		_ = conn.SetReadDeadline(time.Time{})
	}
	return &arrived{text: text, whole: bytes.NewReader(text), err: err}, nil
}

// readInTime reads a body of about size bytes. The time that it has grows with what has come.
func readInTime(body io.Reader, size int, deadline func(time.Time)) ([]byte, error) {
	started := time.Now()
	text := make([]byte, 0, size+1) // one more, to meet the end without another buffer
	for {
		if len(text) == cap(text) {
			grown := append(make([]byte, 0, 2*cap(text)), text...)
			clear(text)
			text = grown
		}
		more := time.Duration(len(text)) * time.Second / arrivalRate
		deadline(started.Add(min(arrivalStart+more, arrivalMost)))
		n, err := body.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return text, err
		}
	}
}

// rejectBody answers a request whose body did not get its turn.
func (s *server) rejectBody(w http.ResponseWriter, r *http.Request, b *bodies, err error) {
	if errors.Is(err, errAllBodies) {
		s.reject(w, r, b.rejected)
		return
	}
	recordOf(r.Context()).counted = true
	s.metrics.limited.WithLabelValues("bodies").Inc()
	s.problem(w, r, problem{
		Status: http.StatusTooManyRequests, Code: codeRateLimited, RetryAfter: 1,
		Detail: "Too many of your bodies are arriving at once, and slowly." + nothingDone(r.Method) + " Send the request again after Retry-After seconds.",
	})
}

// arrived is a body that was read before the request was let in. What cut it short is found at its end.
type arrived struct {
	text  []byte
	whole *bytes.Reader
	err   error
}

// Read implements io.Reader.
func (a *arrived) Read(p []byte) (int, error) {
	n, err := a.whole.Read(p)
	if err == io.EOF && a.err != nil {
		err = a.err
	}
	return n, err
}

// Close implements io.Closer.
func (*arrived) Close() error { return nil }
