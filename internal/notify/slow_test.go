package notify_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/notify"
)

func TestSlowAnswersAreCut(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(300*time.Millisecond))
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	// Headers that come a byte at a time and never end.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				// An answer that comes before its request is another fault.
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Slow: ")
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-release:
						return
					case <-tick.C:
						if _, err := conn.Write([]byte("a")); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	key := newKey()
	b.box.add(key, "http://"+ln.Addr().String(), b.secret, loopback)
	require.NotZero(t, b.deliver(t, key))
	require.Equal(t, "timeout", b.box.last().Error)
	require.Zero(t, b.box.last().HTTPStatus)
	require.Less(t, b.box.last().Duration, time.Minute)
}

func TestBodyThatNeverEndsDoesNotHoldTheNextOne(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(2*time.Minute))
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_, _ = w.Write([]byte("a"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	require.Zero(t, b.deliver(t, key))
	require.True(t, b.box.last().Delivered, "the status has decided")
	require.Less(t, b.box.last().Duration, time.Minute)
}

func TestLargeBodyIsNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	written := make(chan int64, 1)
	const size = 64 << 20 // more than the sockets' buffers could swallow
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var sum int64
		chunk := make([]byte, 64<<10)
		for sum < size {
			n, err := w.Write(chunk)
			sum += int64(n)
			if err != nil {
				break
			}
		}
		written <- sum
	}))
	t.Cleanup(s.Close)
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	require.Zero(t, b.deliver(t, key))
	require.True(t, b.box.last().Delivered)
	require.Less(t, <-written, int64(size))
}

func TestAnEndpointThatHangsHoldsUpItsOwnOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *notify.Config) { c.Workers = 4 })
	hang, started := make(chan struct{}), make(chan struct{}, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { started <- struct{}{}; <-hang }))
	t.Cleanup(slow.Close)
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(good.Close)
	var under sync.WaitGroup
	defer under.Wait()
	release := sync.OnceFunc(func() { close(hang) })
	defer release()
	for range 2 {
		key := newKey()
		b.box.add(key, slow.URL, b.secret, loopback)
		under.Go(func() { _, _ = b.n.DeliverOrder(t.Context(), key) })
		<-started
	}
	last := time.Time{}
	for range 100 {
		key := newKey()
		r := b.box.add(key, slow.URL+"/another/path", b.secret, loopback)
		next := b.deliver(t, key)
		require.True(t, next.After(last), "the more wait, the later")
		require.Zero(t, r.Attempt, "nothing was sent")
		last = next
	}
	require.Greater(t, last.Sub(b.box.Now()), 2*time.Second)
	fine := newKey()
	b.box.add(fine, good.URL, b.secret, loopback)
	require.Zero(t, b.deliver(t, fine))
	require.True(t, b.box.last().Delivered)

	release()
	under.Wait()
	freed := newKey()
	b.box.add(freed, slow.URL, b.secret, loopback)
	require.Zero(t, b.deliver(t, freed), "places came back")
}

// A destination may have all the places that nobody else needs, up to half of them.
func TestABusyEndpointGetsHalfOfThePlaces(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *notify.Config) { c.Workers = 20 })
	hang, started := make(chan struct{}), make(chan struct{}, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { started <- struct{}{}; <-hang }))
	t.Cleanup(slow.Close)
	var under sync.WaitGroup
	defer under.Wait()
	defer close(hang)
	for range 10 {
		key := newKey()
		b.box.add(key, slow.URL, b.secret, loopback)
		under.Go(func() { _, _ = b.n.DeliverOrder(t.Context(), key) })
		<-started
	}
	key := newKey()
	r := b.box.add(key, slow.URL, b.secret, loopback)
	require.NotZero(t, b.deliver(t, key))
	require.Zero(t, r.Attempt)
}
