package connlimit

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// line is a connection that knows whether it was closed.
type line struct {
	net.Conn
	ctx    context.Context
	l      *Limiter
	closed bool
}

func (c *line) Close() error {
	c.closed = true
	return nil
}

// open makes a connection as net/http would.
func open(l *Limiter, from string) *line {
	c := &line{l: l}
	c.ctx = l.Accept(context.Background(), c, netip.MustParseAddr(from))
	l.ConnState(c, http.StateNew)
	return c
}

// ask begins a request, with a key that is accepted or without one.
func (c *line) ask(accepted bool) *line {
	c.l.ConnState(c, http.StateActive)
	if accepted {
		Accepted(c.ctx)
	}
	return c
}

// answered ends a request.
func (c *line) answered() *line {
	c.l.ConnState(c, http.StateIdle)
	return c
}

func (c *line) hangUp() { c.l.ConnState(c, http.StateClosed) }

func closed(lines ...*line) (list []bool) {
	for _, c := range lines {
		list = append(list, c.closed)
	}
	return list
}

func TestAnAddressWithoutAKeyHasFewConnections(t *testing.T) {
	t.Parallel()
	l := New(Limits{Unknown: 2, Each: 4})
	first, second := open(l, "192.0.2.1"), open(l, "192.0.2.1").ask(false).answered()
	other := open(l, "192.0.2.2")
	third := open(l, "192.0.2.1")
	require.Equal(t, []bool{true, false, false, false}, closed(first, second, third, other), "the longest that waits goes")

	shop := third.ask(true).answered()
	more := open(l, "192.0.2.1").ask(true)
	require.Equal(t, []bool{false, false, false}, closed(second, shop, more), "who has shown a key does not count among strangers")
	fourth := open(l, "192.0.2.1")
	require.Equal(t, []bool{false, false, false, false}, closed(second, shop, more, fourth))
	fifth := open(l, "192.0.2.1")
	require.Equal(t, []bool{true, false, false, false, false}, closed(second, shop, more, fourth, fifth))
	require.EqualValues(t, 2, l.Closed())
	require.Equal(t, 5, l.Open())

	for _, c := range []*line{first, second, other, shop, more, fourth, fifth} {
		c.hangUp() // the first two a second time: net/http notes what was closed
	}
	require.Zero(t, l.Open())
	require.Empty(t, l.byAddress, "nothing is kept of who has left")
}

// TestAShopOpensItsConnectionsAtOnce holds that a busy shop on one address, 200 connections that all open before the first
// request, meets no limit that nobody has set.
func TestAShopOpensItsConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	l := New(Defaults(4096))
	shop := make([]*line, 200)
	for i := range shop {
		shop[i] = open(l, "192.0.2.1")
	}
	for range 3 {
		for _, c := range shop {
			c.ask(true)
		}
		for _, c := range shop {
			c.answered()
		}
	}
	for range 5000 { // strangers behind the same address
		open(l, "192.0.2.1")
	}
	for i := range 250 { // and everywhere else
		for range 40 {
			open(l, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
		}
	}
	require.NotContains(t, closed(shop...), true)
	require.LessOrEqual(t, l.Open(), 4096)
}

// TestWhoGoesFirst fills a listener and goes through who is closed for the next.
func TestWhoGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Limits{All: 4})
		idle, busy := open(l, "192.0.2.1").ask(true).answered(), open(l, "192.0.2.1").ask(true)
		asking := open(l, "192.0.2.2").ask(false)
		quiet := open(l, "192.0.2.3")
		next := func() *line { return open(l, "192.0.2.4").ask(true) }

		next()
		require.Equal(t, []bool{true, false, false, false}, closed(quiet, asking, idle, busy), "who says nothing and has shown no key")
		next()
		require.Equal(t, []bool{false, true, false}, closed(asking, idle, busy), "a request that has just begun is let be: then it is who has been idle the longest")
		<-time.After(settling)
		next()
		require.Equal(t, []bool{true, false}, closed(asking, busy), "whoever takes long without a key")
		newcomer := next()
		require.Equal(t, []bool{true, false}, closed(newcomer, busy), "a request with a key is never closed for another")
		require.EqualValues(t, 4, l.Closed())
		require.Equal(t, 4, l.Open())
		Accepted(newcomer.ctx)
		newcomer.answered()
		require.Equal(t, 4, l.Open(), "it was never in")
	})
}

// TestAHeldRequestGivesItsPlace holds back what will be refused, and needs its place.
func TestAHeldRequestGivesItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Limits{All: 3})
		held := func(c *line) (took func() time.Duration) {
			began, ended := time.Now(), time.Time{}
			go func() { Hold(c.ctx, time.Second); ended = time.Now() }()
			synctest.Wait()
			return func() time.Duration { synctest.Wait(); return ended.Sub(began) }
		}
		asking, guesser, shop := open(l, "192.0.2.1").ask(false), open(l, "192.0.2.2").ask(false), open(l, "192.0.2.3").ask(true)
		guess, own := held(guesser), held(shop)
		<-time.After(100 * time.Millisecond)
		open(l, "192.0.2.4").ask(false)
		require.Equal(t, []bool{false, true, false}, closed(asking, guesser, shop))
		require.Equal(t, 100*time.Millisecond, guess(), "nothing is left of it")
		guesser.hangUp()
		<-time.After(time.Second)
		require.Equal(t, time.Second, own(), "who has shown a key keeps the connection")

		began := time.Now()
		Hold(guesser.ctx, time.Second)
		require.Zero(t, time.Since(began), "it is closed")
		last := held(asking)
		<-time.After(time.Second)
		require.Equal(t, time.Second, last())
		asking.hangUp()
		require.Equal(t, 2, l.Open())
	})
}

// TestHangingUpEndsNoHold sends requests over real connections and ends each one's sending half, which net/http takes for a
// caller who is gone.
func TestHangingUpEndsNoHold(t *testing.T) {
	t.Parallel()
	const asked, most = 50, 20
	l := New(Limits{Unknown: most})
	var holding, hungUp atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		holding.Add(1)
		defer holding.Add(-1)
		context.AfterFunc(r.Context(), func() { hungUp.Add(1) })
		Hold(r.Context(), time.Hour)
	}))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return l.Accept(ctx, c, netip.MustParseAddr("192.0.2.1"))
	}
	server.Config.ConnState = l.ConnState
	server.Start()
	t.Cleanup(server.Close)
	for i := range asked {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		require.Eventually(t, func() bool { return hungUp.Load() > int64(i) }, time.Minute, time.Millisecond)
	}
	require.Equal(t, most, l.Open(), "they are counted, and the longest held gave its place to the next")
	require.EqualValues(t, asked-most, l.Closed())
	require.Eventually(t, func() bool { return holding.Load() == most }, time.Minute, time.Millisecond)
	l.CloseForShutdown()
	require.Eventually(t, func() bool { return holding.Load() == 0 && l.Open() == 0 }, time.Minute, time.Millisecond)
}

func TestWhoWaitsWithoutAKeyIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Limits{Idle: 30 * time.Second})
		stranger, shop := open(l, "192.0.2.1").ask(false).answered(), open(l, "192.0.2.1").ask(true).answered()
		<-time.After(20 * time.Second)
		stranger.ask(false).answered()
		<-time.After(20 * time.Second)
		synctest.Wait()
		require.Equal(t, []bool{false, false}, closed(stranger, shop), "it has just asked")
		<-time.After(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []bool{true, false}, closed(stranger, shop))
		require.Equal(t, 1, l.Open())
		require.Zero(t, l.Closed(), "nobody needed its place")
	})
}

func TestWhatIsOneAddress(t *testing.T) {
	t.Parallel()
	l := New(Limits{Unknown: 1})
	first, same, other := open(l, "2001:db8::1"), open(l, "2001:db8::ffff"), open(l, "2001:db8:0:1::1")
	require.Equal(t, []bool{true, false, false}, closed(first, same, other), "a /64 is one")
	l = New(Limits{Unknown: 1, Exempt: func(a netip.Addr) bool { return a.String() == "10.0.0.7" }})
	require.Equal(t, []bool{false, false}, closed(open(l, "10.0.0.7"), open(l, "10.0.0.7")), "a proxy passes on many")
}

func TestCloseForShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Limits{})
		quiet, asked, held := open(l, "192.0.2.1"), open(l, "192.0.2.1").ask(false), open(l, "192.0.2.1").ask(false)
		ended := make(chan struct{})
		go func() { Hold(held.ctx, time.Second); close(ended) }()
		synctest.Wait()
		began := time.Now()
		l.CloseForShutdown()
		require.Equal(t, []bool{true, false, true}, closed(quiet, asked, held))
		<-ended
		require.Zero(t, time.Since(began), "a stop waits for no refusal")
		held.hangUp()
	})
}

// TestAFloodPaysForItself holds that a shop which has just connected is not closed for a flood from few addresses.
func TestAFloodPaysForItself(t *testing.T) {
	t.Parallel()
	l := New(Limits{All: 10, Each: 8, Unknown: 8})
	shop := open(l, "192.0.2.1")
	for i := range 40 {
		open(l, netip.AddrFrom4([4]byte{198, 51, 100, byte(i % 3)}).String())
	}
	require.Equal(t, []bool{false}, closed(shop), "it waited the longest, and is alone at its address")
	require.Equal(t, 10, l.Open())
}
