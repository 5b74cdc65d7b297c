package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// State is how a host behaves.
type State string

// The states of a host.
const (
	Open      State = "open"
	Refused   State = "refused"   // nobody listens there
	Vanished  State = "vanished"  // connections are never made, as if no machine were there; on Linux
	Hanging   State = "hanging"   // connections are taken, requests are read, and nothing answers
	Untrusted State = "untrusted" // the certificate is one that nobody trusts; of hosts with TLS
)

// States lists those that every host can have on this system.
var States = append([]State{Open, Refused, Hanging}, vanishing...)

// Config is what a host is made of.
type Config struct {
	// Address is where it listens; port 0 is any free one, which it keeps.
	Address string
	// Upstream is the host:port that connections are passed on to.
	Upstream string
	// Trusted makes it speak TLS, and Stranger is what it shows when it is Untrusted.
	Trusted, Stranger *tls.Config
	// Record keeps what clients send, for Sent.
	Record bool
}

// Host is one address. All methods are safe for concurrent use.
type Host struct {
	cfg Config

	mu       sync.Mutex
	state    State
	listener net.Listener // nil while refused or vanished
	void     *void        // while vanished
	conns    map[net.Conn]struct{}
	records  []*record
	running  sync.WaitGroup
}

// record is what one connection's client has sent.
type record struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.Write(p)
}

// Listen opens a host.
func Listen(ctx context.Context, cfg Config) (*Host, error) {
	h := &Host{cfg: cfg, conns: map[net.Conn]struct{}{}}
	if err := h.Set(ctx, Open); err != nil {
		return nil, err
	}
	return h, nil
}

// Address is where the host listens, or did before it refused.
func (h *Host) Address() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cfg.Address
}

// State returns how the host behaves now.
func (h *Host) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// reopenWithin is how long the host tries to get its address back.
const reopenWithin = 5 * time.Second

// Set changes how the host behaves, and ends all its connections.
func (h *Host) Set(ctx context.Context, state State) error {
	if !slices.Contains(States, state) && (state != Untrusted || h.cfg.Stranger == nil) {
		return fmt.Errorf("a host cannot be %q: it must be one of %v", state, States)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if state == h.state {
		return nil
	}
	if h.listener == nil || state == Refused || state == Vanished {
		h.leaveAddress()
		if err := h.takeAddress(ctx, state); err != nil {
			h.state = Refused
			return fmt.Errorf("open a simulator's host: %w", err)
		}
	}
	h.state = state
	h.disconnect()
	return nil
}

// takeAddress listens as a state wants it. The mutex is held.
func (h *Host) takeAddress(ctx context.Context, state State) error {
	if state == Refused {
		return nil
	}
	l, err := listen(ctx, h.cfg.Address)
	if err != nil {
		return err
	}
	h.cfg.Address = l.Addr().String()
	if state == Vanished {
		h.void, err = newVoid(ctx, l)
		return err
	}
	h.listener = l
	h.running.Go(func() { h.accept(l) })
	return nil
}

// leaveAddress stops listening. The mutex is held.
func (h *Host) leaveAddress() {
	if h.listener != nil {
		_ = h.listener.Close()
		h.listener = nil
	}
	if h.void != nil {
		h.void.close()
		h.void = nil
	}
}

// listen waits until the address is free: whoever has it meanwhile soon leaves it.
func listen(ctx context.Context, address string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, reopenWithin)
	defer cancel()
	for {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// disconnect ends all connections. The mutex is held.
func (h *Host) disconnect() {
	for conn := range h.conns {
		_ = conn.Close()
	}
	clear(h.conns)
}

// Close ends the host and waits for its connections.
func (h *Host) Close() {
	h.mu.Lock()
	h.state = Refused
	h.leaveAddress()
	h.disconnect()
	h.mu.Unlock()
	h.running.Wait()
}

// Sent returns what clients have sent so far, of each connection. The host must Record.
func (h *Host) Sent() [][]byte {
	h.mu.Lock()
	records := slices.Clone(h.records)
	h.mu.Unlock()
	all := make([][]byte, 0, len(records))
	for _, r := range records {
		r.mu.Lock()
		all = append(all, bytes.Clone(r.sent.Bytes()))
		r.mu.Unlock()
	}
	return all
}

func (h *Host) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		if state, into, ok := h.enter(conn, l); ok {
			h.running.Go(func() {
				defer h.leave(conn)
				h.serve(conn, state, into)
			})
		}
	}
}

// enter takes a connection in, unless the host was closed meanwhile.
func (h *Host) enter(conn net.Conn, l net.Listener) (state State, into io.Writer, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != l {
		_ = conn.Close()
		return "", nil, false
	}
	h.conns[conn] = struct{}{}
	if !h.cfg.Record {
		return h.state, io.Discard, true
	}
	r := &record{}
	h.records = append(h.records, r)
	return h.state, r, true
}

func (h *Host) leave(conn net.Conn) {
	_ = conn.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, conn)
}

// serve passes a connection on until either side ends it.
func (h *Host) serve(conn net.Conn, state State, into io.Writer) {
	client := conn
	if h.cfg.Trusted != nil {
		shown := h.cfg.Trusted
		if state == Untrusted {
			shown = h.cfg.Stranger
		}
		client = tls.Server(conn, shown)
	}
	if state != Open {
		_, _ = io.Copy(into, client)
		return
	}
	server, err := net.Dial("tcp", h.cfg.Upstream) //nolint:noctx // ends with the connection
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(client, server)
		_ = client.Close() // also the other direction
	}()
	_, _ = io.Copy(server, io.TeeReader(client, into))
	_ = server.Close()
	<-answered
}
