package gatewaytest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"payrelay/internal/gateway"
)

// server is the provider of one test.
type server struct {
	url      string
	mu       sync.Mutex
	bodies   []string
	requests atomic.Int64
}

// serve starts a provider that answers with h, except to preludes.
func (s Subject) serve(t testing.TB, h http.Handler) *server {
	t.Helper()
	return s.start(t, h, s.Prelude)
}

// serveAll starts a provider that answers with h, preludes included.
func (s Subject) serveAll(t testing.TB, h http.Handler) *server {
	t.Helper()
	return s.start(t, h, nil)
}

func (s Subject) start(t testing.TB, h http.Handler, prelude func(*http.Request) bool) *server {
	t.Helper()
	out := &server{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if prelude != nil && prelude(r) {
			s.Answer.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		out.mu.Lock()
		out.bodies = append(out.bodies, string(body))
		out.mu.Unlock()
		out.requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	out.url = srv.URL
	return out
}

// badDay is a way for a provider to fail, and the kind that must come of it.
type badDay struct {
	name string
	do   http.HandlerFunc
	kind gateway.ErrorKind
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// raw takes the connection over, writes text and closes it.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

func badDays() []badDay {
	return []badDay{
		{"a time-out that refuses", answer(http.StatusRequestTimeout, refusals), gateway.KindUnknown},
		{"a conflict that refuses", answer(http.StatusConflict, refusals), gateway.KindUnknown},
		{"too early, and refused", answer(http.StatusTooEarly, refusals), gateway.KindUnknown},
		{"too many, and refused", answer(http.StatusTooManyRequests, refusals), gateway.KindUnknown},
		{"a proxy that refuses", answer(499, refusals), gateway.KindUnknown},
		{"a broken server that refuses", answer(http.StatusInternalServerError, refusals), gateway.KindUnknown},
		{"closes without an answer", raw(""), gateway.KindUnknown},
		{"half an answer", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"status\": 2, \"order"), gateway.KindUnknown},
		{"half JSON", answer(200, `{"status": 2, "success": true, "order`), gateway.KindUnknown},
		{"not HTTP", raw("\x00\x16\x03 nonsense\r\n\r\n"), gateway.KindUnknown},
		{"a page", answer(200, "<html><body>Welcome</body></html>"), gateway.KindUnknown},
		{"nothing", answer(200, ""), gateway.KindUnknown},
		{"no content", answer(204, ""), gateway.KindUnknown},
		{"null", answer(200, "null"), gateway.KindUnknown},
		{"a list", answer(200, "[]"), gateway.KindUnknown},
		{"an empty object", answer(200, "{}"), gateway.KindUnknown},
		{"500", answer(500, ""), gateway.KindUnknown},
		{"500 with a cheerful body", answer(500, `{"status": 2, "success": true}`), gateway.KindUnknown},
		{"502 page", answer(502, "<html>Bad Gateway</html>"), gateway.KindUnknown},
		{"503", answer(503, `{"error": "maintenance"}`), gateway.KindUnknown},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, gateway.KindUnknown},
		{"endless body", func(w http.ResponseWriter, _ *http.Request) {
			chunk := []byte(`{"status": "` + strings.Repeat("x", 64<<10))
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, gateway.KindUnknown},
	}
}
