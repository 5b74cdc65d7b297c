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

	"payrelay/internal/clientaddr"
)

// TestPROXYComesFromTrustedProxiesOnly speaks to a listener as a trusted proxy, and as a stranger who claims to be another.
func TestPROXYComesFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	const line = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
	for name, c := range map[string]struct{ trusted, line, client string }{
		"a trusted proxy":                  {"127.0.0.0/8", line, "203.0.113.9 by 127.0.0.1"},
		"a trusted proxy's own check":      {"127.0.0.0/8", "PROXY UNKNOWN\r\n", "127.0.0.1 by 127.0.0.1"},
		"a trusted proxy that says no one": {"127.0.0.0/8", "", ""},
		"a stranger":                       {"10.0.0.0/8", "", "127.0.0.1 by 127.0.0.1"},
		"a stranger who claims an address": {"10.0.0.0/8", line, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients, err := clientaddr.New(clientaddr.ProxyProtocol, []string{c.trusted})
			require.NoError(t, err)
			s, err := newListener("test", "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a := clients.Of(r)
				_, _ = io.WriteString(w, a.Client.String()+" by "+a.Peer.String())
			}), time.Minute)
			require.NoError(t, err)
			s.listener = proxied(s.listener, clients)
			ctx, stop := context.WithCancel(context.Background())
			stopped := make(chan error, 1)
			go func() { stopped <- serve(ctx, time.Minute, s) }()
			t.Cleanup(func() { stop(); require.NoError(t, <-stopped) })

			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, c.line+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if c.client == "" {
				require.Error(t, err, "it must not be served")
				return
			}
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, c.client, string(body))
		})
	}
}
