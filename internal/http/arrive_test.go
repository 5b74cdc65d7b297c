package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// Whoever sends half a body keeps a place until it is whole or broken off, and only so many have one. A request without a
// body needs none.
func TestOnlySoManyBodiesArriveAtOnce(t *testing.T) {
	t.Parallel()
	rejected := prometheus.NewCounter(prometheus.CounterOpts{Name: "rejected"})
	s := &server{Config: Config{Log: zerolog.Nop()}}
	answer := s.arrive(newGate(Admission{Concurrency: 2}, rejected))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	send := func(body io.Reader) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		answer.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body))
		return w
	}
	type slow struct {
		*io.PipeWriter
		done chan int
	}
	var both []slow
	for range 2 {
		r, w := io.Pipe()
		done := make(chan int, 1)
		go func() { done <- send(r).Code }()
		_, err := io.WriteString(w, "{")
		require.NoError(t, err)
		both = append(both, slow{w, done})
	}
	refused := send(strings.NewReader("{}"))
	require.Equal(t, http.StatusServiceUnavailable, refused.Code)
	require.NotEmpty(t, refused.Header().Get("Retry-After"))
	require.InDelta(t, 1, testutil.ToFloat64(rejected), 0)
	require.Equal(t, http.StatusOK, send(nil).Code)

	require.NoError(t, both[0].Close())
	require.Equal(t, http.StatusOK, <-both[0].done)
	require.Equal(t, http.StatusOK, send(strings.NewReader("{}")).Code)
	require.NoError(t, both[1].CloseWithError(io.ErrUnexpectedEOF))
	<-both[1].done
	require.Equal(t, http.StatusOK, send(strings.NewReader("{}")).Code)
	require.Equal(t, http.StatusOK, send(iotest.ErrReader(io.ErrUnexpectedEOF)).Code, "who reads it judges it")
	require.Equal(t, http.StatusOK, send(strings.NewReader("{}")).Code)
}
