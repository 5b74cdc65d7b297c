package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAStrangersBodyIsNotAwaited sends the head of a request, and no more than the beginning of its body. Whoever must not
// send one is answered at once, and the connection ends.
func TestAStrangersBodyIsNotAwaited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	const key, json = "Authorization: Bearer ", "Content-Type: application/json\r\n"
	for name, c := range map[string]struct {
		head, first string
		status      int
	}{
		"no key":               {"POST /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\n", "{", 401},
		"no key, chunked":      {"POST /v1/payments HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "5\r\n{", 401},
		"no key, asks first":   {"POST /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n", "", 401},
		"unknown key":          {"POST /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\n" + key + "prk_live_guessed\r\n", "{", 401},
		"key without scope":    {"POST /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\n" + key + readKey + "\r\n" + json, "{", 403},
		"encoded":              {"POST /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n" + key + goodKey + "\r\n", "{", 415},
		"too large":            {"POST /v1/payments HTTP/1.1\r\nContent-Length: 65537\r\n" + key + goodKey + "\r\n" + json, "{", 413},
		"too large a callback": {"POST /callbacks/p/t HTTP/1.1\r\nContent-Length: 65537\r\n", "a=", 413},
		"unknown callback":     {"POST /callbacks/p/nobody HTTP/1.1\r\nContent-Length: 1000\r\n", "a=", 404},
		"another's callback":   {"POST /callbacks/q/t HTTP/1.1\r\nContent-Length: 1000\r\n", "a=", 404},
		"nothing there":        {"POST /made/up HTTP/1.1\r\nContent-Length: 1000\r\n", "a=", 404},
		"not this method":      {"PUT /v1/payments HTTP/1.1\r\nContent-Length: 1000\r\n", "a=", 405},
		"a body for a reading": {"GET /openapi.yaml HTTP/1.1\r\nContent-Length: 1000\r\n", "a=", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, c.head+"Host: x\r\n\r\n"+c.first)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			read := bufio.NewReader(conn)
			res, err := http.ReadResponse(read, &http.Request{Method: http.MethodPost})
			require.NoError(t, err, "no answer without the rest of the body")
			require.Equal(t, c.status, res.StatusCode)
			require.True(t, res.Close, "Connection: close")
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			_, err = read.ReadByte()
			require.ErrorIs(t, err, io.EOF, "the connection ends")
		})
	}
	require.Zero(t, b.count())
}

// TestARefusalWithoutABodyKeepsItsConnection holds that only a body that was not wanted costs a connection.
func TestARefusalWithoutABodyKeepsItsConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Empty(t, b.send(t, http.MethodGet, "/v1/orders", "", "Authorization", "").Header().Get("Connection"))
	require.Empty(t, b.send(t, http.MethodPost, "/v1/payments", "{").Header().Get("Connection"), "a body that was read")
}
