package fault

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"payrelay/internal/sandbox/names"
)

// Kind names one misbehaviour.
type Kind string

// Faults of an API answer. "Before" means that the request has no effect,
// "after" that it was carried out and only the answer suffers.
const (
	DropBefore       Kind = "drop_before"
	DropAfter        Kind = "drop_after"
	DelayBefore      Kind = "delay_before"
	DelayAfter       Kind = "delay_after"
	BadGatewayBefore Kind = "bad_gateway_before"
	BadGatewayAfter  Kind = "bad_gateway_after"
	ServerErrorHTML  Kind = "server_error_html" // after processing
	TruncatedJSON    Kind = "truncated_json"
	CloseMidBody     Kind = "close_mid_body"
	TooManyRequests  Kind = "too_many_requests" // before processing
)

// Faults of a status check.
const (
	// CheckNotFound denies knowing the order: for Count polls, or for ForMS after the order's creation.
	CheckNotFound Kind = "check_not_found"
	// CheckLie answers with Status (and Code as the error) whatever the truth is.
	CheckLie Kind = "check_lie"
)

// Faults of callbacks.
const (
	CallbackOff          Kind = "callback_off"
	CallbackDuplicate    Kind = "callback_duplicate"     // Times concurrent deliveries
	CallbackLate         Kind = "callback_late"          // by DelayMS
	CallbackReordered    Kind = "callback_reordered"     // held until the order's next callback, at most DelayMS
	CallbackForged       Kind = "callback_forged"        // Variant is sent instead of the genuine one
	CallbackBeforeAnswer Kind = "callback_before_answer" // delivered before the call that makes the order is answered
)

// HTTP, Check and Callback list the kinds of each family.
var (
	HTTP = []Kind{
		DropBefore, DropAfter, DelayBefore, DelayAfter, BadGatewayBefore, BadGatewayAfter,
		ServerErrorHTML, TruncatedJSON, CloseMidBody, TooManyRequests,
	}
	Check    = []Kind{CheckNotFound, CheckLie}
	Callback = []Kind{CallbackOff, CallbackDuplicate, CallbackLate, CallbackReordered, CallbackForged}
	All      = slices.Concat(HTTP, Check, Callback, []Kind{CallbackBeforeAnswer})
)

// delays are the kinds that do nothing without a delay, and maxDelayMS is the longest that makes sense.
var delays = []Kind{DelayBefore, DelayAfter, CallbackLate}

const maxDelayMS = 3_600_000

// AtCallback is the endpoint at which faults of callbacks act.
const AtCallback = "callback"

// Fault is one switch that is on.
type Fault struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Endpoint limits HTTP faults to one endpoint, named by its path without the
	// leading slash ("initPayment", "withdrawal/init"); empty means every endpoint. Faults of callbacks act at AtCallback.
	Endpoint string `json:"endpoint,omitempty"`
	// OrderID limits the fault to one merchant order id; empty means every order.
	OrderID string `json:"order_id,omitempty"`
	// Count is how many requests (or callbacks) are hit before the fault switches itself off; 0 means until removed.
	Count   int `json:"count,omitempty"`
	DelayMS int `json:"delay_ms,omitempty"`
	ForMS   int `json:"for_ms,omitempty"`
	// Status and Code are what CheckLie answers.
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`
	// FinalAmount is the settled sum that CheckLie names at SmartCore. With it, status and error stay true unless they are set.
	FinalAmount *int64 `json:"final_amount,omitempty"`
	// Times is the number of deliveries of CallbackDuplicate; 0 means 2.
	Times int `json:"times,omitempty"`
	// Variant is what CallbackForged sends.
	Variant string `json:"variant,omitempty"`
	// Outcome makes CallbackBeforeAnswer finish an order that waits for its customer.
	Outcome string `json:"outcome,omitempty"`
	// Recipe is the name of the recipe that switched the fault on.
	Recipe string `json:"recipe,omitempty"`
	// Hits counts how often the fault acted.
	Hits int `json:"hits"`
}

// Set is the list of faults that are on, safe for concurrent use.
type Set struct {
	mu   sync.Mutex
	seq  int
	list []*Fault
}

// Add switches a fault on and returns its id. The error names a field that makes no sense.
func (s *Set) Add(f Fault) (string, error) {
	if err := names.Check("fault kind", f.Kind, All); err != nil {
		return "", err
	}
	if f.Count < 0 || f.DelayMS < 0 || f.ForMS < 0 || f.Times < 0 || f.Times > 100 {
		return "", fmt.Errorf("fault %s: numbers must not be negative, times at most 100", f.Kind)
	}
	if f.DelayMS == 0 && slices.Contains(delays, f.Kind) {
		return "", fmt.Errorf("fault %s: delay_ms is missing: it says for how long, in milliseconds", f.Kind)
	}
	if f.DelayMS > maxDelayMS {
		return "", fmt.Errorf("fault %s: delay_ms must be at most %d, which is an hour", f.Kind, maxDelayMS)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	f.ID, f.Hits = strconv.Itoa(s.seq), 0
	s.list = append(s.list, &f)
	return f.ID, nil
}

// Remove switches one fault off and reports whether it was on.
func (s *Set) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.list)
	s.list = slices.DeleteFunc(s.list, func(f *Fault) bool { return f.ID == id })
	return len(s.list) < n
}

// Clear switches everything off.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// List returns the faults that are on.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.list))
	for _, f := range s.list {
		out = append(out, *f)
	}
	return out
}

// Take returns the faults of the given kinds that hit this request, at most one
// of each kind, and counts them down.
func (s *Set) Take(endpoint, orderID string, kinds ...Kind) Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	var plan Plan
	for _, f := range s.list {
		if !slices.Contains(kinds, f.Kind) || plan.Has(f.Kind) ||
			(f.Endpoint != "" && f.Endpoint != endpoint) || (f.OrderID != "" && f.OrderID != orderID) {
			continue
		}
		f.Hits++
		plan = append(plan, *f)
	}
	s.list = slices.DeleteFunc(s.list, func(f *Fault) bool { return f.Count > 0 && f.Hits >= f.Count })
	return plan
}

// Plan is the list of faults that hit one request.
type Plan []Fault

// Has reports whether a kind is in the plan.
func (p Plan) Has(k Kind) bool { _, ok := p.Find(k); return ok }

// Find returns the fault of a kind.
func (p Plan) Find(k Kind) (Fault, bool) {
	for _, f := range p {
		if f.Kind == k {
			return f, true
		}
	}
	return Fault{}, false
}

// Kinds lists the kinds in the plan as text.
func (p Plan) Kinds() []string {
	var out []string
	for _, f := range p {
		out = append(out, string(f.Kind))
	}
	return out
}
