package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shopper is one shop that calls the service as a good shop does: it sends the same request again until it gets an
// answer that says what became of it.
type shopper struct {
	name     string // the shop's id
	key      string
	replicas []string
	client   *http.Client
	turn     *atomic.Int64

	mu         sync.Mutex
	answers    []*asked
	listings   []Listing
	unanswered []string // requests that were never answered by anything but "later"
	crashes    []Crash
	requests   []Request
	said       map[View]bool
	refused    []Refusal
}

// asked is a request that was answered with an order.
type asked struct {
	Answer
	path, key, body string
	text            string // the answer
}

// view is what the scripts read of an order.
type view struct {
	ID              string `json:"id"`
	Object          string `json:"object"`
	Kind            string `json:"kind"`
	Reference       string `json:"reference"`
	Status          string `json:"status"`
	ProviderOrderID string `json:"provider_order_id"`
	Sequence        int    `json:"sequence"`
	Amount          int64  `json:"amount"` // 0 for a payout card, which has none
	Currency        string `json:"currency"`
	Authorized      int64  `json:"amount_authorized"`
	Captured        int64  `json:"amount_captured"`
	Refunded        int64  `json:"amount_refunded"`
	State           string `json:"state"` // of a statement
	NextAction      *struct {
		Type string `json:"type"`
	} `json:"next_action"`
	Code     string `json:"-"` // of a problem
	Text     string `json:"-"` // the whole answer
	Request  string `json:"-"` // the request's id
	Replayed bool   `json:"-"` // the answer says that it is the first one again
}

// once sends one request to one replica.
func (s *shopper) once(ctx context.Context, method, path, key, body string) (int, view, error) {
	to := s.replicas[int(s.turn.Add(1))%len(s.replicas)]
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+to+path, strings.NewReader(body))
	if err != nil {
		return 0, view{}, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, view{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, view{}, err
	}
	var v view
	if res.StatusCode >= http.StatusBadRequest { // a problem document, whose status is a number
		var problem struct {
			Code string `json:"code"`
		}
		err = json.Unmarshal(text, &problem)
		v.Code = problem.Code
	} else {
		err = json.Unmarshal(text, &v)
	}
	v.Text, v.Request, v.Replayed = string(text), res.Header.Get("X-Request-Id"), res.Header.Get("Idempotency-Replayed") == "true"
	if err != nil {
		return 0, view{}, fmt.Errorf("read an answer of %d: %w", res.StatusCode, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if res.StatusCode == http.StatusInternalServerError {
		s.crashes = append(s.crashes, Crash{method + " " + path, problemID(text)})
	}
	if v.Object == "order" {
		if s.said == nil {
			s.said = map[View]bool{}
		}
		s.said[View{
			Shop: s.name, Order: v.ID, Kind: v.Kind, Reference: v.Reference, Status: v.Status, HTTP: res.StatusCode, Sequence: v.Sequence,
			Amount: v.Amount, Currency: v.Currency, Authorized: v.Authorized, Captured: v.Captured, Refunded: v.Refunded,
		}] = true
	}
	return res.StatusCode, v, nil
}

// asks remembers what is about to be asked for.
func (s *shopper) asks(path, body string) {
	if q, ok := requestOf(s.name, path, body); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, q)
	}
}

// judge remembers an answer of 4xx, or that one was due, and which codes were expected there.
func (s *shopper) judge(f Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, f)
}

// excuse allows one more code of a request that may have been refused.
func (s *shopper) excuse(name, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.refused {
		if f.Name == name {
			s.refused[i].Expected = append(slices.Clone(f.Expected), code)
		}
	}
}

// close adds what the shop asked for and was answered to the snapshot.
func (s *shopper) close(b *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Listings, b.Unanswered, b.Crashes = append(b.Listings, s.listings...), append(b.Unanswered, s.unanswered...), append(b.Crashes, s.crashes...)
	b.Requests, b.Refusals = append(b.Requests, s.requests...), append(b.Refusals, s.refused...)
	for said := range s.said {
		b.Views = append(b.Views, said)
	}
	for _, a := range s.answers {
		b.Answers = append(b.Answers, a.Answer)
	}
}

// gaveUp remembers that a request was never answered by anything but "later".
func (s *shopper) gaveUp(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered = append(s.unanswered, name)
}

// hasty sends a request once and without a key, and does not care for its answer unless it is a refusal.
func (s *shopper) hasty(ctx context.Context, path, name, body string) {
	status, v, err := s.once(ctx, http.MethodPost, path, "", body)
	if err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		s.judge(Refusal{Name: name, Status: status, Code: v.Code})
	}
}

// problemID is what finds an internal error in the replicas' logs.
func problemID(text []byte) string {
	var p struct {
		RequestID string `json:"request_id"`
	}
	_ = json.Unmarshal(text, &p) // an answer without one is recorded without one
	return "answered 500, request_id " + p.RequestID
}

// insist sends a request until it is answered by something else than "later", and keeps an order that it was answered
// with. It reports whether there was such an answer before ctx ended. A process that died leaves "still running" behind
// for its Idempotency-Key: after some time the shop leaves the key out, because the reference is enough. A refusal with
// another code than the expected ones goes into the snapshot.
func (s *shopper) insist(ctx context.Context, path, name, body string, expected ...string) (view, int, bool) {
	s.asks(path, body)
	key := "key-" + name
	running := 0
	for pause := 100 * time.Millisecond; ; pause = min(pause*2, 800*time.Millisecond) {
		if running > 3 {
			key = ""
		}
		status, v, err := s.once(ctx, http.MethodPost, path, key, body)
		switch {
		case status == http.StatusConflict && v.Code == "idempotency_in_progress":
			running++
		case err != nil, status >= 500, status == http.StatusTooManyRequests:
		case status < 300:
			s.keep(path, key, body, status, v)
			return v, status, true
		default:
			s.judge(Refusal{Name: name, Status: status, Code: v.Code, Expected: expected})
			return v, status, true
		}
		if !wait(ctx, pause) {
			s.gaveUp(name)
			return v, status, false
		}
	}
}

// keep remembers that something was acknowledged, under the reference that was asked for.
func (s *shopper) keep(path, key, body string, status int, v view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Object == "statement" {
		s.listings = append(s.listings, Listing{ID: v.ID})
		return
	}
	var request struct{ Reference string }
	if json.Unmarshal([]byte(body), &request) != nil || request.Reference == "" { // an import names none
		request.Reference = v.Reference
	}
	s.answers = append(s.answers, &asked{
		Answer: Answer{Shop: s.name, Kind: v.Kind, Reference: request.Reference, Order: v.ID, Status: status, Keyed: key != "", RequestID: v.Request},
		path:   path, key: key, body: body, text: v.Text,
	})
}

// command captures or cancels, until it is answered by something else than "later", and reports whether it was taken. What
// nobody knows may be sent again, because a command that is under way or done is refused: that is what is expected then.
func (s *shopper) command(ctx context.Context, path, body string, expected ...string) bool {
	s.asks(path, body)
	for {
		status, v, err := s.once(ctx, http.MethodPost, path, "", body)
		switch {
		case err != nil, status >= 500, status == http.StatusTooManyRequests:
			expected = append(expected, "invalid_state")
		case status < 300:
			return true
		default:
			s.judge(Refusal{Name: path, Status: status, Code: v.Code, Expected: expected}.on(path, "authorized"))
			return false
		}
		if !wait(ctx, 300*time.Millisecond) {
			s.gaveUp(path)
			return false
		}
	}
}

// tell sends an order a code with a key of its own until it is answered by something else than "later". What nobody
// knows may be sent again, because the key, or else the order's state, keeps it from being done twice.
func (s *shopper) tell(ctx context.Context, path, key, body string, expected ...string) {
	for {
		status, v, err := s.once(ctx, http.MethodPost, path, key, body)
		switch {
		case err == nil && status == http.StatusConflict && v.Code == "idempotency_in_progress":
			key = ""
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			if status >= 400 {
				s.judge(Refusal{Name: path, Status: status, Code: v.Code, Expected: expected}.on(path, "requires_action"))
			}
			return
		case v.Code == "provider_unavailable" && key != "":
			key += "+" // it was not tried, and this is another try
		case v.Code != "provider_unavailable": // it may have been tried
			expected = append(expected, "wrong_code", "invalid_state")
		}
		if !wait(ctx, 300*time.Millisecond) {
			s.gaveUp(path)
			return
		}
	}
}

// order reads an order.
func (s *shopper) order(ctx context.Context, id string) (view, bool) {
	for {
		status, v, err := s.once(ctx, http.MethodGet, "/v1/orders/"+id, "", "")
		if err == nil && status == http.StatusOK {
			return v, true
		}
		if err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
			s.judge(Refusal{Name: "/v1/orders/" + id, Status: status, Code: v.Code})
			return view{}, false
		}
		if !wait(ctx, 200*time.Millisecond) {
			return view{}, false
		}
	}
}

// until reads an order until it has one of the statuses.
func (s *shopper) until(ctx context.Context, id string, statuses ...string) (view, bool) {
	for {
		v, ok := s.order(ctx, id)
		if !ok {
			return v, false
		}
		for _, want := range statuses {
			if v.Status == want {
				return v, true
			}
		}
		if !wait(ctx, 150*time.Millisecond) {
			return v, false
		}
	}
}
