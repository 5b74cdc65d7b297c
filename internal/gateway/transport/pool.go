package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// pool returns the connections of one role, making them when first asked for.
func (c *Client) pool(role string) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pool, ok := c.pools[role]; ok {
		return pool
	}
	dialer := &net.Dialer{Timeout: c.cfg.DialTimeout, KeepAlive: 15 * time.Second}
	pool := &http.Transport{
		Proxy: nil, // never from the environment: credentials and cards pass here
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.cfg.RootCAs},
		TLSHandshakeTimeout:    c.cfg.TLSTimeout,
		ResponseHeaderTimeout:  c.cfg.Timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        30 * time.Second, // shorter than usual servers', so that few connections are found stale
		MaxIdleConnsPerHost:    int(c.cfg.Concurrency),
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // an answer's size is what was sent
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	c.pools[role] = pool
	return pool
}

// countedConn counts the bytes handed to the network.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	// Counted before the write: a write that fails may have sent some of it.
	c.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// progress is how far a request came.
type progress struct {
	mu     sync.Mutex
	conn   bool         // a connection was handed to the request
	counts *countedConn // that connection, if its bytes are the request's alone
	before int64
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conn, p.counts = true, nil
		conn := info.Conn
		if t, ok := conn.(*tls.Conn); ok {
			if t.ConnectionState().NegotiatedProtocol == "h2" {
				return // shared with other requests, and written by a goroutine that nobody waits for
			}
			conn = t.NetConn()
		}
		if counted, ok := conn.(*countedConn); ok {
			p.counts, p.before = counted, counted.written.Load()
		}
	}}
}

// nothingWritten reports whether it is certain that no byte of the request left. It must be asked only after RoundTrip
// failed: over HTTP/1 net/http has then stopped the goroutine that writes, except after its timer for the answer's
// headers, which starts when all has been written.
func (p *progress) nothingWritten() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.conn {
		return true
	}
	return p.counts != nil && p.counts.written.Load() == p.before
}
