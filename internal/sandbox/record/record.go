package record

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"payrelay/internal/sandbox/testcard"
)

// Request is one request as the simulator saw it, card data masked.
type Request struct {
	Seq      int            `json:"seq"`
	At       time.Time      `json:"at"`
	Method   string         `json:"method"`
	Path     string         `json:"path"`
	Role     string         `json:"role"`
	Endpoint string         `json:"endpoint,omitempty"`
	OrderID  string         `json:"order_id,omitempty"`
	Fields   map[string]any `json:"fields,omitempty"`
	Faults   []string       `json:"faults,omitempty"`
	// Status is the HTTP status answered; 0 while open or when the connection was dropped.
	Status int `json:"status"`
	// Answer is the body answered, card data masked.
	Answer map[string]any `json:"answer,omitempty"`
}

// Log is a bounded list of requests, safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	max  int
	next int
	list []*Request
}

// New makes a log that forgets the oldest request beyond limit.
func New(limit int) *Log { return &Log{max: max(1, limit)} }

// Add stores a request, numbers it and returns a handle for Finish.
func (l *Log) Add(r Request) *Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	r.Seq = l.next
	kept := &r
	if len(l.list) >= l.max {
		n := copy(l.list, l.list[l.max/10+1:])
		clear(l.list[n:])
		l.list = l.list[:n]
	}
	l.list = append(l.list, kept)
	return kept
}

// Finish notes what was answered.
func (l *Log) Finish(r *Request, status int, answer map[string]any, faults []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status, r.Answer, r.Faults = status, Mask(answer), faults
}

// Last returns up to n newest requests (all for n <= 0), oldest first, that
// keep accepts; a nil keep accepts all.
func (l *Log) Last(n int, kept func(*Request) bool) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Request
	for i := len(l.list) - 1; i >= 0 && (n <= 0 || len(out) < n); i-- {
		if kept == nil || kept(l.list[i]) {
			out = append(out, *l.list[i])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Mask returns a copy of fields without card data: numbers keep their first six
// and last four digits, codes and wallet payloads only their length.
func Mask(fields map[string]any) map[string]any {
	if fields == nil {
		return nil
	}
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		out[Text(k)] = maskValue(k, v)
	}
	return out
}

func maskValue(key string, v any) any {
	lower := strings.ToLower(key)
	secret := strings.Contains(lower, "cvv") || strings.Contains(lower, "cvc") || strings.Contains(lower, "dpan")
	number := strings.Contains(lower, "card_number") || strings.Contains(lower, "pan")
	switch x := v.(type) {
	case map[string]any:
		return Mask(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = maskValue(key, x[i])
		}
		return out
	case nil, bool:
		return v
	}
	s := fmt.Sprint(v)
	if secret {
		return fmt.Sprintf("[%d characters]", len(s))
	}
	if d, ok := testcard.Digits(s); number && ok {
		return testcard.Mask(d)
	}
	if masked := Text(s); masked != s {
		return masked
	}
	return v
}

var longDigits = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,18}`)

// Text masks every run of 13 to 19 digits in s that passes the Luhn check.
func Text(s string) string {
	return longDigits.ReplaceAllStringFunc(s, func(run string) string {
		if d, ok := testcard.Digits(run); ok && testcard.Luhn(d) {
			return testcard.Mask(d)
		}
		return run
	})
}

// Describe adds what became known about a request after its body was read.
func (l *Log) Describe(r *Request, orderID string, fields map[string]any) {
	masked := Mask(fields)
	l.mu.Lock()
	defer l.mu.Unlock()
	r.OrderID, r.Fields = orderID, masked
}
