package simulatortest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
)

// Simulator is a simulator of any provider.
type Simulator interface {
	Handler() http.Handler
	Run(ctx context.Context) error
}

// Serve runs a simulator under a path of a server of its own until the test ends, and returns its address without a slash
// at the end. The test fails if Run does.
func Serve(t testing.TB, path string, simulator Simulator) string {
	t.Helper()
	r := chi.NewRouter()
	r.Mount(path, simulator.Handler())
	server := httptest.NewServer(r)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- simulator.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the simulator ended with %v", err)
		}
		server.Close()
	})
	return server.URL + path
}

// Receiver is a merchant's callback address.
type Receiver struct {
	URL string

	mu     sync.Mutex
	bodies []string
	answer func(n int) int
}

// NewReceiver returns a receiver that answers 200, until the test ends.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.bodies = append(r.bodies, string(raw))
		n, answer := len(r.bodies), r.answer
		r.mu.Unlock()
		if answer != nil {
			w.WriteHeader(answer(n))
		}
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// Answer sets the HTTP status of the nth callback from now on; n counts all that came, from one.
func (r *Receiver) Answer(answer func(n int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// Got returns the bodies that came, oldest first.
func (r *Receiver) Got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

// Log is a log that can be read while it is written. The zero value is ready.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
