package httpapi

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// from sends a request with a key from an address.
func (b *fixture) from(address, method, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = address
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// flood sends n requests at once, as somebody who guesses would, and waits for their answers.
func flood(n int, send func(i int)) {
	var guesses sync.WaitGroup
	for i := range n {
		guesses.Go(func() { send(i) })
	}
	guesses.Wait()
}

// TestAGuesserIsSlowedDown holds that only whoever guesses pays: a good key passes from the same address.
func TestAGuesserIsSlowedDown(t *testing.T) {
	t.Parallel()
	for name, guess := range map[string]func(b *fixture, address string) *httptest.ResponseRecorder{
		"keys": func(b *fixture, address string) *httptest.ResponseRecorder {
			return b.from(address, http.MethodGet, "/v1/orders", "prk_live_guess")
		},
		"no key": func(b *fixture, address string) *httptest.ResponseRecorder {
			return b.from(address, http.MethodPost, "/v1/payments", "")
		},
		"callbacks": func(b *fixture, address string) *httptest.ResponseRecorder {
			return b.from(address, http.MethodPost, "/callbacks/p/guess", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				for range 10 {
					require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, guess(b, "192.0.2.9:1").Code)
				}
				began := time.Now()
				w := guess(b, "192.0.2.9:2")
				held := time.Since(began)
				require.Equal(t, http.StatusTooManyRequests, w.Code)
				require.Equal(t, "rate_limited", readProblem(t, w).Code)
				require.Equal(t, []string{"6", "close"}, []string{w.Header().Get("Retry-After"), w.Header().Get("Connection")})
				require.True(t, held >= holdLeast && held < holdLeast+holdSpread, "held back for %s", held)
				began = time.Now()
				require.Equal(t, http.StatusTooManyRequests, guess(b, "192.0.2.9:2").Code)
				require.NotEqual(t, held, time.Since(began), "a flood does not come back together")
				began = time.Now()
				require.Equal(t, http.StatusOK, b.from("192.0.2.9:3", http.MethodGet, "/v1/orders", goodKey).Code, "the shop behind the same address")
				require.Equal(t, http.StatusOK, b.from("192.0.2.9:3", http.MethodPost, "/callbacks/p/t", "").Code)
				require.NotEqual(t, http.StatusTooManyRequests, guess(b, "192.0.2.8:1").Code, "another address")
				require.Zero(t, time.Since(began), "nobody else waits")
				<-time.After(6 * time.Second)
				require.NotEqual(t, http.StatusTooManyRequests, guess(b, "192.0.2.9:1").Code)
				require.Equal(t, http.StatusTooManyRequests, guess(b, "192.0.2.9:1").Code)
				<-time.After(reportEvery)
			})
		})
	}
}

// TestWhoHangsUpIsHeldBackToo holds that a guesser who ends its sending half is answered no sooner.
func TestWhoHangsUpIsHeldBackToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	guess := func() (status int, after time.Duration) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		began := time.Now()
		_, err = io.WriteString(conn, "GET /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer guess\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "the answer is owed all the same")
		require.NoError(t, res.Body.Close())
		return res.StatusCode, time.Since(began)
	}
	for range failureRate.Quota {
		status, _ := guess()
		require.Equal(t, http.StatusUnauthorized, status)
	}
	status, after := guess()
	require.Equal(t, http.StatusTooManyRequests, status)
	require.GreaterOrEqual(t, after, holdLeast)
}

// TestAnAddressIsARangeOfIPv6 holds that nobody gets more by using each of the addresses that they have.
func TestAnAddressIsARangeOfIPv6(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		var wrong atomic.Int64
		guess := func(address string) {
			if b.from(address, http.MethodGet, "/v1/orders", "guess").Code == http.StatusUnauthorized {
				wrong.Add(1)
			}
		}
		flood(300, func(i int) { guess("[2001:db8:0:1::" + strconv.Itoa(i) + "]:1") })
		require.EqualValues(t, 10, wrong.Swap(0), "a /64 is one address")
		b = setup(t)
		flood(300, func(i int) { guess("[2001:db8:0:" + strconv.Itoa(i) + "::1]:1") })
		require.EqualValues(t, 100, wrong.Load(), "a /48 is ten")
		<-time.After(reportEvery)
	})
}

// TestFailuresOfAnAddressAreOneLineAMinute floods, and reads the log.
func TestFailuresOfAnAddressAreOneLineAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		flood(500, func(int) { b.from("192.0.2.9:1", http.MethodGet, "/v1/orders", marked) })
		flood(500, func(int) { b.from("192.0.2.9:1", http.MethodGet, "/v1/orders", "") })
		flood(500, func(int) { b.from("192.0.2.9:1", http.MethodPost, "/callbacks/p/"+marked, "") })
		b.from("192.0.2.8:1", http.MethodGet, "/v1/orders", revokedKey)
		<-time.After(reportEvery + time.Second)
		synctest.Wait()
		lines := map[string]string{}
		for line := range strings.Lines(b.log.String()) {
			var read map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &read))
			if read["level"] == "debug" {
				continue
			}
			require.Equal(t, "auth_failures", read["message"], "a failure was logged by itself")
			require.NotContains(t, lines, read["client_ip"], "two lines about one address")
			lines[read["client_ip"].(string)] = line
		}
		require.Len(t, lines, 2)
		require.Contains(t, lines["192.0.2.9"], `"count":1500,"reasons":{"missing":500,"unknown":500,"callback":500}`)
		require.Contains(t, lines["192.0.2.8"], `"key_id":"revoked-id","count":1,"reasons":{"revoked":1}`)
		require.NotContains(t, b.log.String(), marked)
		require.Contains(t, counters(t, b), "payrelay_auth_failures_total unknown 500")
	})
}

// TestManyAddressesShareALine holds that strangers of very many addresses fill no memory.
func TestManyAddressesShareALine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		for i := range maxReports + 500 {
			b.from("10.0."+strconv.Itoa(i/250)+"."+strconv.Itoa(i%250)+":1", http.MethodGet, "/v1/orders", "guess")
		}
		<-time.After(reportEvery + time.Second)
		synctest.Wait()
		require.Equal(t, maxReports+1, strings.Count(b.log.String(), "auth_failures"))
		require.Contains(t, b.log.String(), `"client_ip":"others","count":500`)
	})
}

// counters is each counter by its name, its labels' values and its count.
func counters(t *testing.T, b *fixture) (found []string) {
	t.Helper()
	families, err := b.metrics.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			found = append(found, line+" "+strconv.FormatFloat(m.GetCounter().GetValue(), 'f', -1, 64))
		}
	}
	return found
}
