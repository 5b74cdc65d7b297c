package httpapi

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd sends n requests at once and counts the answers when all have come.
func crowd(t *testing.T, b *fixture, n int) (wait func() map[int]int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[int]int{}
	for range n {
		wg.Go(func() {
			w := b.send(t, http.MethodGet, "/v1/orders/"+orderID, "")
			mu.Lock()
			defer mu.Unlock()
			answers[w.Code]++
			if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") != "1" {
				answers[0]++
			}
		})
	}
	return func() map[int]int { wg.Wait(); return answers }
}

func TestTooManyRequestsAreRejectedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) {
			c.Admission = Admission{Concurrency: 2, Queue: 3, Wait: 500 * time.Millisecond}
			c.CallbackAdmission = Admission{Concurrency: 1, Queue: 0, Wait: time.Second}
		})
		release := make(chan struct{})
		b.hook = func(context.Context, string) error { <-release; return nil }
		wait := crowd(t, b, 10)
		synctest.Wait()
		require.Equal(t, 5.0, b.rejections(t, "api"), "two are worked on and three wait; five went at once")

		// Callbacks have a door of their own.
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/callbacks/p/t", strings.NewReader("x")))
		require.Equal(t, http.StatusOK, w.Code)

		<-time.After(501 * time.Millisecond) // by the clock of the bubble
		synctest.Wait()
		require.Equal(t, 8.0, b.rejections(t, "api"), "nobody waits longer than that")
		close(release)
		require.Equal(t, map[int]int{http.StatusOK: 2, http.StatusServiceUnavailable: 8}, wait())
		b.hook = nil
		require.Equal(t, map[int]int{http.StatusOK: 5}, crowd(t, b, 5)(), "and then all is well")
		require.NotContains(t, b.log.String(), `"level":"error"`, "a flood is counted, not logged")
	})
}

func TestARequestThatWaitsForAProviderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) { c.Admission = Admission{Concurrency: 1, Queue: 100, Wait: time.Second} })
		answered := make(chan struct{})
		working := make(chan struct{})
		b.hook = func(ctx context.Context, _ string) error {
			back := Waiting(ctx)
			<-answered
			back()
			<-working
			return nil
		}
		slow := crowd(t, b, 50)
		synctest.Wait()
		require.Zero(t, b.rejections(t, "api"), "all fifty wait for the provider")
		close(answered)
		synctest.Wait()
		require.Equal(t, map[int]int{http.StatusServiceUnavailable: 1}, crowd(t, b, 1)(), "now one goes on, and the others wait for their turn")
		require.Equal(t, 1.0, b.rejections(t, "api"))
		close(working)
		require.Equal(t, map[int]int{http.StatusOK: 50}, slow(), "what was begun is never rejected")
		b.hook = nil
		require.Equal(t, map[int]int{http.StatusOK: 1}, crowd(t, b, 1)(), "every slot came back")
	})
}

// rejections is how many requests of a class were rejected so far.
func (b *fixture) rejections(t *testing.T, class string) float64 {
	t.Helper()
	all, err := b.metrics.Gather()
	require.NoError(t, err)
	for _, f := range all {
		if f.GetName() != "payrelay_http_rejected_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == class {
				return m.GetCounter().GetValue()
			}
		}
	}
	require.Fail(t, "no such metric")
	return 0
}

func TestBodiesThatArriveSlowlyHoldNobodyUp(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Admission = Admission{Concurrency: 2, Queue: 2, Wait: 100 * time.Millisecond}
		c.CallbackAdmission = c.Admission
		c.Callbacks = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
	})
	var half atomic.Int64 // requests that have come, but not whole
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 1000 {
			r.Body = &firstRead{ReadCloser: r.Body, done: func() { half.Add(1) }}
		}
		b.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	send := func(text string) net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, text)
		require.NoError(t, err)
		return c
	}
	var cut net.Conn
	for range 20 {
		cut = send("POST /callbacks/p/t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na=")
		send("POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + goodKey + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	}
	require.Eventually(t, func() bool { return half.Load() == 40 }, time.Minute, 5*time.Millisecond)
	for _, target := range []string{"/callbacks/p/t", "/v1/orders/" + orderID + "/refresh"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+target, strings.NewReader(""))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+goodKey)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, target)
	}
	require.Zero(t, b.rejections(t, "callbacks")+b.rejections(t, "api"))

	// A body that breaks off is refused by whoever reads it, not taken for a whole one.
	require.NoError(t, cut.(*net.TCPConn).CloseWrite())
	res, err := http.ReadResponse(bufio.NewReader(cut), nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
}

// firstRead tells when somebody first waits for a body.
type firstRead struct {
	io.ReadCloser
	once sync.Once
	done func()
}

func (f *firstRead) Read(p []byte) (int, error) {
	f.once.Do(f.done)
	return f.ReadCloser.Read(p)
}
