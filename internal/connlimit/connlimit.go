package connlimit

import (
	"cmp"
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound the connections of a listener. Zero bounds nothing.
type Limits struct {
	// All is how many there are at once.
	All int
	// Each is how many of them come from one address, Unknown how many of those without a key that was accepted.
	Each, Unknown int
	// Idle is how long one without an accepted key may wait for its next request.
	Idle time.Duration
	// Exempt tells the addresses without a bound of their own: proxies, each of which passes on many clients.
	Exempt func(netip.Addr) bool
}

// Defaults are the limits of the shops' listener. A shop that opens 200 connections at once from one address is far from each.
func Defaults(all int) Limits {
	return Limits{All: all, Each: 1024, Unknown: 256, Idle: 30 * time.Second}
}

// settling is how long a request without an accepted key may be worked on before its connection may be closed for another.
const settling = 2 * time.Second

// class is what a connection does. Those of a lower class are closed first, and of one class the longest in it.
type class int

const (
	waitingUnknown class = iota // no request, and none had an accepted key
	activeUnknown               // a request, and none had an accepted key
	idleKnown                   // no request at the moment
	activeKnown                 // never closed for another
	classes
)

// queues are connections by their class, the longest in it first.
type queues [classes]list.List

// Limiter bounds the connections of one listener. It is safe for concurrent use.
type Limiter struct {
	limits Limits

	mu        sync.Mutex
	conns     map[net.Conn]*connection
	byAddress map[netip.Prefix]*address
	queues    queues
	closed    atomic.Int64
}

// address is the connections of one client address.
type address struct{ queues queues }

func (a *address) count() (all, unknown int) {
	unknown = a.queues[waitingUnknown].Len() + a.queues[activeUnknown].Len()
	return unknown + a.queues[idleKnown].Len() + a.queues[activeKnown].Len(), unknown
}

// connection is one that is open.
type connection struct {
	limiter  *Limiter
	conn     net.Conn
	network  netip.Prefix
	address  *address
	isNew    bool        // nothing was asked on it yet
	accepted atomic.Bool // a request on it had an accepted key

	class class
	since time.Time // when it entered its class
	// inAll and inAddress are its places in the queues of its class.
	inAll, inAddress *list.Element
	idle             *time.Timer   // closes it if it asks nothing for too long
	gone             chan struct{} // closed with it, once a request on it is held
}

// New returns a limiter without connections.
func New(l Limits) *Limiter {
	return &Limiter{limits: l, conns: map[net.Conn]*connection{}, byAddress: map[netip.Prefix]*address{}}
}

// Open is how many connections there are.
func (l *Limiter) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Closed is how many connections were closed so far because there were too many.
func (l *Limiter) Closed() int64 { return l.closed.Load() }

type contextKey struct{}

// Accept takes in a connection that has just come from an address. It closes one that has waited longer if there are too
// many, and the new one if there is none. The context is that of the connection's requests.
func (l *Limiter) Accept(ctx context.Context, conn net.Conn, from netip.Addr) context.Context {
	c := &connection{limiter: l, conn: conn, network: networkOf(from), isNew: true}
	l.mu.Lock()
	victim := l.makeRoom(c, l.limits.Exempt != nil && l.limits.Exempt(from))
	if victim != c {
		l.add(c)
	}
	l.mu.Unlock()
	if victim != nil {
		l.closed.Add(1)
		_ = victim.conn.Close()
	}
	return context.WithValue(ctx, contextKey{}, c)
}

// networkOf is what counts as one address: with IPv6 everybody has 2^64.
func networkOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an invalid address is one of its own
	return p
}

// makeRoom returns the connection that must be closed for a new one, which may be the new one itself, or nil.
func (l *Limiter) makeRoom(c *connection, exempt bool) *connection {
	if a := l.byAddress[c.network]; a != nil && !exempt {
		all, unknown := a.count()
		switch {
		case l.limits.Unknown > 0 && unknown >= l.limits.Unknown:
			return cmp.Or(l.take(&a.queues, activeUnknown), c)
		case l.limits.Each > 0 && all >= l.limits.Each:
			return cmp.Or(l.take(&a.queues, idleKnown), c)
		}
	}
	if l.limits.All == 0 || len(l.conns) < l.limits.All {
		return nil
	}
	if victim := l.take(l.mostUnknown(), activeUnknown); victim != nil {
		return victim
	}
	return cmp.Or(l.take(&l.queues, idleKnown), c)
}

// mostUnknown returns the connections of the address that has the most without an accepted key: a flood pays for itself, and a
// shop that has just connected does not.
func (l *Limiter) mostUnknown() *queues {
	most, of := 1, &l.queues
	for _, a := range l.byAddress {
		if _, unknown := a.count(); unknown > most {
			most, of = unknown, &a.queues
		}
	}
	return of
}

// take removes the connection that is closed first, of the classes up to last. It returns nil if there is none.
func (l *Limiter) take(q *queues, last class) *connection {
	for of := waitingUnknown; of <= last; of++ {
		front := q[of].Front()
		if front == nil {
			continue
		}
		c := front.Value.(*connection) //nolint:forcetypeassert // the lists hold nothing else
		if of == activeUnknown && time.Since(c.since) < settling {
			continue
		}
		l.remove(c)
		return c
	}
	return nil
}

func (l *Limiter) add(c *connection) {
	c.address = l.byAddress[c.network]
	if c.address == nil {
		c.address = &address{}
		l.byAddress[c.network] = c.address
	}
	l.conns[c.conn] = c
	l.enter(c, waitingUnknown)
}

// enter puts a connection at the end of a class. How long a new one may say nothing is the server's ReadHeaderTimeout.
func (l *Limiter) enter(c *connection, to class) {
	c.class, c.since = to, time.Now()
	c.inAll, c.inAddress = l.queues[to].PushBack(c), c.address.queues[to].PushBack(c)
	if to == waitingUnknown && !c.isNew && l.limits.Idle > 0 {
		c.idle = time.AfterFunc(l.limits.Idle, func() { l.expire(c) })
	}
}

func (l *Limiter) leave(c *connection) {
	l.queues[c.class].Remove(c.inAll)
	c.address.queues[c.class].Remove(c.inAddress)
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
}

func (l *Limiter) remove(c *connection) {
	l.leave(c)
	delete(l.conns, c.conn)
	if c.gone != nil {
		close(c.gone)
	}
	if all, _ := c.address.count(); all == 0 {
		delete(l.byAddress, c.network)
	}
}

// expire closes a connection that has waited too long, if it still does.
func (l *Limiter) expire(c *connection) {
	l.mu.Lock()
	over := l.conns[c.conn] == c && c.class == waitingUnknown && time.Since(c.since) >= l.limits.Idle
	if over {
		l.remove(c)
	}
	l.mu.Unlock()
	if over {
		_ = c.conn.Close()
	}
}

// ConnState is that of the http.Server.
func (l *Limiter) ConnState(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[conn]
	if c == nil { // it was closed before
		return
	}
	switch state {
	case http.StateNew:
	case http.StateActive, http.StateIdle:
		c.isNew = false
		l.leave(c)
		l.enter(c, classOf(c.accepted.Load(), state))
	case http.StateClosed, http.StateHijacked:
		l.remove(c)
	}
}

func classOf(known bool, state http.ConnState) class {
	switch {
	case known && state == http.StateActive:
		return activeKnown
	case known:
		return idleKnown
	case state == http.StateActive:
		return activeUnknown
	}
	return waitingUnknown
}

// Accepted notes that a request of ctx had a key, or a callback's address, that was accepted. Its connection is closed for no
// stranger from now on.
func Accepted(ctx context.Context) {
	c, ok := ctx.Value(contextKey{}).(*connection)
	if !ok || c.accepted.Swap(true) {
		return
	}
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[c.conn] == c && c.class == activeUnknown {
		l.leave(c)
		l.enter(c, activeKnown)
	}
}

// Hold waits before a request of ctx is refused. Its connection is closed meanwhile, as one that waits for its next request
// is, if there are too many. A caller who hangs up does not end the wait: one who has only ended what it sends still gets the
// answer, and net/http cancels ctx for both. The connection is counted until then.
func Hold(ctx context.Context, d time.Duration) {
	gone := make(chan struct{})
	if c, ok := ctx.Value(contextKey{}).(*connection); ok {
		c.hold(gone)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-gone:
	case <-t.C:
	}
}

// hold makes a connection one that waits. It closes gone with the connection.
func (c *connection) hold(gone chan struct{}) {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.conns[c.conn] != c:
		close(gone)
	case c.class == activeUnknown:
		c.gone = gone
		l.leave(c)
		l.enter(c, waitingUnknown)
	}
}

// CloseForShutdown closes what http.Server.Shutdown would wait for without need: the connections on which nothing was asked yet,
// and those of which a request is held.
func (l *Limiter) CloseForShutdown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		held := c.gone != nil
		if held {
			l.remove(c) // which ends the wait
		}
		if held || c.isNew {
			_ = c.conn.Close() // the server notes that it is closed
		}
	}
}
