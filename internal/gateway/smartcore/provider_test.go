package smartcore

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"payrelay/internal/gateway"
)

// seenCall is a request as the provider saw it.
type seenCall struct {
	Role, Method, Path, User, Password, ContentType string
	Body                                            map[string]any
}

// provider is a scripted provider with a listener for each host role.
type provider struct {
	mu      sync.Mutex
	calls   []seenCall
	answers map[string]string // by path; a path without one answers 404
	status  int               // of every answer; 200 if zero
	// statuses are those of single paths.
	statuses map[string]int
	urls     map[string]string
}

func newProvider(t testing.TB, answers map[string]string) *provider {
	p := &provider{answers: answers, urls: map[string]string{}}
	for _, role := range []string{"pci", "gateway", "reporting"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(role, w, r) }))
		t.Cleanup(srv.Close)
		p.urls[role] = srv.URL
	}
	return p
}

func (p *provider) serve(role string, w http.ResponseWriter, r *http.Request) {
	call := seenCall{Role: role, Method: r.Method, Path: r.URL.Path, ContentType: r.Header.Get("Content-Type")}
	call.User, call.Password, _ = r.BasicAuth()
	data, _ := io.ReadAll(r.Body)
	if len(data) > 0 {
		_ = json.Unmarshal(data, &call.Body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	answer, ok := p.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if status := max(p.status, p.statuses[r.URL.Path]); status != 0 {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, answer)
}

func (p *provider) seen() []seenCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]seenCall(nil), p.calls...)
}

func (p *provider) account() gateway.Account {
	a := account("")
	a.Settings = map[string]string{"pci_url": p.urls["pci"], "gateway_url": p.urls["gateway"] + "/", "reporting_url": p.urls["reporting"]}
	return a
}
