package attack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is an attack.
type Kind string

// The attacks.
const (
	// Bodies sends the head of a request and one byte of its body, over 2,048 connections.
	Bodies Kind = "half-sent bodies"
	// Idle opens 20,400 connections and says nothing.
	Idle Kind = "idle connections"
	// Keys sends 10,000 wrong keys a second.
	Keys Kind = "wrong keys"
)

// Kinds lists the attacks.
var Kinds = []Kind{Bodies, Idle, Keys}

const (
	bodyConnections = 2048
	idleConnections = 20_400
	keySenders      = 128
	keysASecond     = 10_000
	// addresses is how many the attackers have.
	addresses = 80
)

// Attack attacks a target until ctx is done, and returns how many connections it made, or how many keys it sent.
func Attack(ctx context.Context, kind Kind, target string) int64 {
	a := &attackers{target: target}
	var senders sync.WaitGroup
	run := func(n int, send func(context.Context, int)) {
		for i := range n {
			senders.Go(func() {
				for ctx.Err() == nil {
					send(ctx, i)
				}
			})
		}
	}
	switch kind {
	case Bodies:
		run(bodyConnections, a.halfSend)
	case Idle:
		run(idleConnections, a.sayNothing)
	case Keys:
		run(keySenders, a.guess)
	}
	senders.Wait()
	return a.made.Load()
}

type attackers struct {
	target string
	made   atomic.Int64 // connections, or keys that were sent
}

// pause is how long an attacker waits who got no connection, or lost it.
const pause = 100 * time.Millisecond

// dial connects from one of the attackers' addresses.
func (a *attackers) dial(ctx context.Context, i int) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%addresses))}, Timeout: 5 * time.Second} //nolint:gosec // at most 80
	c, err := d.DialContext(ctx, "tcp", a.target)
	if err != nil {
		wait(ctx, pause)
		return nil
	}
	return c
}

// hold keeps a connection until the other side ends it.
func hold(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
	wait(ctx, pause)
}

func (a *attackers) halfSend(ctx context.Context, i int) {
	c := a.dial(ctx, i)
	if c == nil {
		return
	}
	a.made.Add(1)
	path := "/v1/payments"
	if i%2 == 0 {
		path = "/callbacks/smartcore/nobody"
	}
	_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path)
	hold(ctx, c)
}

func (a *attackers) sayNothing(ctx context.Context, i int) {
	if c := a.dial(ctx, i); c != nil {
		a.made.Add(1)
		hold(ctx, c)
	}
}

// guess sends wrong keys over one connection, at its part of the rate. Its caller opens another one if an answer does not come
// before the next request is due, as a refusal that is held back does not.
func (a *attackers) guess(ctx context.Context, i int) {
	c := a.dial(ctx, i)
	if c == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer func() { _ = c.Close() }()
	answers := bufio.NewReader(c)
	const every = keySenders * time.Second / keysASecond
	for next := time.Now().Add(every); ctx.Err() == nil; next = time.Now().Add(every) {
		a.made.Add(1)
		_ = c.SetDeadline(next)
		if _, err := fmt.Fprintf(c, "GET /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer prk_live_guess%d\r\n\r\n", i); err != nil {
			return
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		wait(ctx, time.Until(next))
		if res.Close {
			return
		}
	}
}

// wait waits, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
