package app

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/connlimit"
)

// TestSilentConnectionsTakeNoPlaceFromAShop opens many more connections than a listener has places for, beside a shop that
// keeps one and opens others.
func TestSilentConnectionsTakeNoPlaceFromAShop(t *testing.T) {
	t.Parallel()
	s, err := newListener("test", "127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			connlimit.Accepted(r.Context())
		}
	}), time.Minute)
	require.NoError(t, err)
	s.connections = connlimit.New(connlimit.Limits{All: 40, Each: 30, Unknown: 20})
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- serve(ctx, time.Minute, s) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-stopped) })
	dial := func(from byte) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, from)}}
		c, err := d.DialContext(ctx, "tcp", s.listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ask := func(c net.Conn) {
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, "a shop's connection was closed")
		require.NoError(t, res.Body.Close())
	}
	kept := dial(1)
	ask(kept)
	for from := range byte(10) {
		for range 30 {
			dial(10 + from)
		}
		ask(dial(1))
		ask(kept)
	}
	require.Eventually(t, func() bool { return s.connections.Closed() > 200 }, time.Minute, time.Millisecond)
	require.LessOrEqual(t, s.connections.Open(), 40)
	ask(kept)
}

func TestTheFileLimitLeavesRoom(t *testing.T) {
	t.Parallel()
	limit, known := fileLimit()
	require.True(t, known)
	c := config{DatabasePool: 20, Workers: 50}
	c.MaxConnections = int(limit) - reserved(c) //nolint:gosec // far below
	require.NoError(t, checkFileLimit(c))
	c.MaxConnections++
	require.ErrorContains(t, checkFileLimit(c), "MAX_CONNECTIONS")
	require.Equal(t, 732, reserved(c), "docs/operations.md names it")
}
