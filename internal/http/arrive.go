package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// arrival is how long a request's body may take to arrive. 64 KiB take that long at 50 kbit/s.
const arrival = 10 * time.Second

// bodiesAtOnce is how many bodies of one class may be arriving at once: at most 128 MiB. Of those that send slowly, or not at
// all, each has gone after arrival.
const bodiesAtOnce = 2048

// arrived is a body that was read before the request was let in. What cut it short is found at its end.
type arrived struct {
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

// arrive waits for the whole body, so that whoever is let in holds up nobody by sending slowly. It judges nothing: a
// body that is too large or broken off is refused by whoever reads it. The buffer is wiped afterwards, as far as Go
// allows. More bodies than there are slots are rejected.
func (s *server) arrive(bodies *gate) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return s.arriveAt(bodies, next) }
}

func (s *server) arriveAt(bodies *gate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		slot, ok := bodies.enter(r.Context())
		if !ok {
			s.reject(w, r, bodies)
			return
		}
		defer slot.release(true) // it is given back below; this is for a panic
		conn := http.NewResponseController(w)
		_ = conn.SetReadDeadline(time.Now().Add(arrival)) // not supported by a recorder in tests
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		slot.release(true)
		defer clear(body)
		if err == nil {
			// net/http goes on reading to notice that the caller went away; that must not end the request. Of a body that
			// broke off it reads the rest before it answers; that must end.
			_ = conn.SetReadDeadline(time.Time{})
		}
		r.Body = &arrived{bytes.NewReader(body), err}
		next.ServeHTTP(w, r)
	})
}
