package app

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// Clients open connections in advance. One on which nothing was asked keeps no server from stopping; a request under way does.
func TestAConnectionThatSaysNothingDoesNotKeepTheServer(t *testing.T) {
	t.Parallel()
	started, finish := make(chan struct{}), make(chan struct{})
	s, err := newListener("test", "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-finish
		w.WriteHeader(http.StatusTeapot)
	}), time.Minute)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- serve(ctx, 2*time.Minute, s) }()
	dial := func() net.Conn {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	asked := dial()
	_, err = asked.Write([]byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
	require.NoError(t, err)
	<-started
	stop()
	select {
	case err := <-stopped:
		require.Fail(t, "a request under way was dropped", err)
	case <-time.After(2 * idleGrace):
	}
	close(finish)
	answer := make([]byte, 64)
	n, err := asked.Read(answer)
	require.NoError(t, err)
	require.Contains(t, string(answer[:n]), "418")
	select {
	case err := <-stopped:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the server waits for a connection on which nothing was asked")
	}
}

func TestProfilesAreServedOnlyWhenTheyAreWanted(t *testing.T) {
	t.Parallel()
	for wanted, status := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		answer := httptest.NewRecorder()
		adminHandler(&health{}, prometheus.NewRegistry(), wanted).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/pprof/heap", nil))
		require.Equal(t, status, answer.Code, "wanted: %v", wanted)
	}
}

func TestATakenPortIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	s, err := newListener("merchant API", "127.0.0.1:0", http.NotFoundHandler(), time.Minute)
	require.NoError(t, err)
	defer func() { _ = s.listener.Close() }()
	addr := s.listener.Addr().String()
	for name, setting := range listenerSettings {
		_, err := newListener(name, addr, http.NotFoundHandler(), time.Minute)
		require.EqualError(t, err, addr+" is taken, and the "+name+" needs it: stop what uses it, or choose another with "+setting)
	}
}
