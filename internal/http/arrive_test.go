package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// endless is a body of which nothing comes until it is let go.
type endless chan struct{}

func (e endless) Read([]byte) (int, error) {
	<-e
	return 0, io.EOF
}

// TestSlowBodiesOfAKeyCostNobodyElse fills the places of one key.
func TestSlowBodiesOfAKeyCostNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, body := setup(t), make(endless)
		send := func(key string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v1/orders/"+orderID+"/refresh", body)
			r.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, r)
			return w
		}
		var slow sync.WaitGroup
		for range bodiesOfKey {
			slow.Go(func() { require.Equal(t, http.StatusOK, send(goodKey).Code) })
		}
		synctest.Wait()
		require.Equal(t, http.StatusNotFound, b.send(t, http.MethodPost, "/v1/orders/"+orderID+"/refresh", "{}", "Authorization", "Bearer "+otherKey).Code, "another shop's, which it does not have")
		w := send(goodKey)
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Equal(t, "rate_limited", readProblem(t, w).Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, "close", w.Header().Get("Connection"))
		require.Contains(t, counters(t, b), "payrelay_http_rate_limited_total bodies 1")
		close(body)
		slow.Wait()
		for range bodiesOfKey + 1 {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/v1/payments", iotest.ErrReader(io.ErrUnexpectedEOF))
			r.Header.Set("Authorization", "Bearer "+goodKey)
			b.handler.ServeHTTP(w, r)
			require.Contains(t, readProblem(t, w).Detail, "the connection broke off")
			require.Equal(t, http.StatusBadRequest, w.Code, "a body that broke off gives its place back, too")
		}
		require.Equal(t, http.StatusOK, send(goodKey).Code, "every place came back")
	})
}

func TestBodiesHaveABoundedMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBodies(bodiesOfKey, nil)
		leave, err := b.enter(t.Context(), "a", bodyMemory)
		require.NoError(t, err)
		_, err = b.enter(t.Context(), "b", 1)
		require.ErrorIs(t, err, errAllBodies)
		leave()
		leave, err = b.enter(t.Context(), "b", bodyMemory)
		require.NoError(t, err)
		leave()
		require.Zero(t, b.each.Taken("a")+b.each.Taken("b"))
	})
}

// TestHalfABodyIsAnsweredInTime sends half a body over a connection, and the same request whole over another.
func TestHalfABodyIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	body := with("amount", "1")
	_, err = fmt.Fprintf(conn, "POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nIdempotency-Key: slow\r\nContent-Length: %d\r\n\r\n%s",
		goodKey, len(body), body[:len(body)/2])
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	read := bufio.NewReader(conn)
	res, err := http.ReadResponse(read, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	require.True(t, res.Close, "Connection: close")
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	var p problemDoc
	require.NoError(t, json.NewDecoder(res.Body).Decode(&p))
	require.NoError(t, res.Body.Close())
	require.Equal(t, "request_timeout", p.Code)
	require.Contains(t, p.Detail, "came too slowly: it must be here within 2 seconds")
	require.Contains(t, p.Detail, "Nothing was stored or sent. Send the same again.")
	_, err = read.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the connection ends")
	require.Zero(t, b.count())
	require.Equal(t, http.StatusCreated, b.send(t, http.MethodPost, "/v1/payments", body, "Idempotency-Key", "slow").Code)
}

// TestABodysTimeGrowsWithWhatCame reads bodies that come at several paces by the clock of the bubble.
func TestABodysTimeGrowsWithWhatCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			piece int
			pause time.Duration
			lasts time.Duration // until it is cut, or here whole
			whole bool
		}{
			"nothing comes":       {0, time.Second, 2 * time.Second, false},
			"a byte each second":  {1, time.Second, 2 * time.Second, false},
			"512 bytes a second":  {512, time.Second, 3500 * time.Millisecond, false},
			"1 KiB a second":      {1 << 10, time.Second, 10 * time.Second, false},
			"8 KiB a second":      {8 << 10, time.Second, 8 * time.Second, true},
			"64 KiB at once":      {64 << 10, 0, 0, true},
			"6 KiB a second, cut": {6 << 10, time.Second, 10 * time.Second, false},
		} {
			started := time.Now()
			body := &paced{left: maxBody, piece: c.piece, pause: c.pause}
			text, err := readInTime(body, maxBody, func(until time.Time) { body.until = until })
			require.Equal(t, c.whole, err == nil, name)
			require.Equal(t, c.whole, len(text) == maxBody, name)
			if !c.whole {
				require.Equal(t, http.StatusRequestTimeout, incomplete(err, http.MethodPost).Status, name)
			}
			require.InDelta(t, c.lasts.Seconds(), time.Since(started).Seconds(), 0.1, name)
		}
	})
}

// paced is a body that comes in pieces, with a pause before each, until a deadline.
type paced struct {
	left, piece int
	pause       time.Duration
	until       time.Time
}

func (p *paced) Read(text []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if left := time.Until(p.until); left < p.pause {
		<-time.After(left)
		return 0, os.ErrDeadlineExceeded
	}
	<-time.After(p.pause)
	n := min(p.piece, p.left, len(text))
	p.left -= n
	return n, nil
}
