package smartcore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// Pair is one field of a callback.
type Pair struct{ Key, Value string }

// Callback is one callback and every attempt to deliver it.
type Callback struct {
	Variant  string            `json:"variant"`
	Status   string            `json:"status"`
	Fields   map[string]string `json:"fields"`
	QueuedAt time.Time         `json:"queued_at"`
	Attempts []Attempt         `json:"attempts"`
	// Suppressed says why it was never sent.
	Suppressed string `json:"suppressed,omitempty"`

	body    string
	url     string
	claimed bool // somebody is delivering it: the queue, or a call that waits for it
}

// Attempt is one delivery and the answer it got.
type Attempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // HTTP status, 0 when there was no answer
	Body   string    `json:"body,omitempty"`
	Error  string    `json:"error,omitempty"`
	TookMS int64     `json:"took_ms"`
}

func (c *Callback) clone() Callback {
	out := *c
	out.Attempts = slices.Clone(c.Attempts)
	return out
}

// Sign is the provider's signature over callback fields (SmartCore reference
// 11.1): the values in the order of their keys, joined with a vertical bar,
// HMAC-SHA256, lower-case hex. A field named sign is left out.
func Sign(secret string, pairs []Pair) string {
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	values := make([]string, 0, len(sorted))
	for _, p := range sorted {
		if p.Key != "sign" {
			values = append(values, p.Value)
		}
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, strings.Join(values, "|")) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

func encode(pairs []Pair) string {
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = url.QueryEscape(p.Key) + "=" + url.QueryEscape(p.Value)
	}
	return strings.Join(parts, "&")
}

// genuine builds the fields of an order's callback without its signature.
func genuine(o *Order) []Pair {
	final := o.FinalAmount
	pairs := []Pair{
		{"orderId", o.OrderID},
		{"status", strconv.Itoa(o.Status)},
		{"type", o.Type},
		{"message", "null"},
		{"cascadeErrors", cascadeJSON(o.Cascade)},
		{"isTrustedTransaction", "false"},
		{"amount", strconv.FormatInt(o.Amount, 10)},
		{"finalAmount", strconv.FormatInt(final, 10)},
		{"currency", o.Currency},
		{"authorize_status", orNull(o.AuthorizeStatus)},
		{"eci", orNull(o.ECI)},
		{"firstName", orNull(o.FirstName)},
		{"lastName", orNull(o.LastName)},
		{"rrn", orNull(o.RRN)},
	}
	notAvailable := func(s string) string {
		if s == "" {
			return "N/A"
		}
		return s
	}
	switch c := o.Card; {
	case c != nil:
		pairs = append(pairs, Pair{"card_holder", notAvailable(c.Holder)}, Pair{"card_number", notAvailable(c.Number)},
			Pair{"card_exp_month", notAvailable(c.Month)}, Pair{"card_exp_year", notAvailable(c.Year)})
	case o.Operation == OpMobile:
		pairs = append(pairs, Pair{"card_holder", "N/A"}, Pair{"card_number", "N/A"},
			Pair{"card_exp_month", "N/A"}, Pair{"card_exp_year", "N/A"})
	}
	if o.Operation == OpMobile {
		pairs = append(pairs, Pair{"paymentPhoneNumber", orNull(o.Phone)}, Pair{"paymentPhoneOperator", "Sandbox Mobile"})
	}
	if o.Error != "" {
		pairs = append(pairs, Pair{"errorCategory", o.Error})
	}
	return pairs
}

func (t *Twin) secretOf(o *Order) string {
	if s, ok := t.secrets[o.OrderID]; ok {
		return s
	}
	return t.merchants[o.merchant].CallbackSecret
}

// callback queues the callback of an order's present state. The mutex is held.
func (t *Twin) callback(o *Order) {
	if o.CallbackURL == "" {
		return
	}
	plan := t.faults.Take("callback", o.OrderID, fault.Callback...)
	variant := VariantGenuine
	if f, ok := plan.Find(fault.CallbackForged); ok {
		variant = f.Variant
	}
	cb := t.build(o, CallbackRequest{Variant: variant})
	if plan.Has(fault.CallbackOff) {
		cb.Suppressed = "callbacks are switched off"
		o.Callbacks = append(o.Callbacks, cb)
		return
	}
	if f, ok := plan.Find(fault.CallbackReordered); ok && o.held == nil {
		o.held = &cb
		wait := f.DelayMS
		if wait == 0 {
			wait = 2000
		}
		t.queue.After(ms(wait), func(context.Context) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.releaseHeld(o, 0)
		})
		return
	}
	delay := 0
	if f, ok := plan.Find(fault.CallbackLate); ok {
		delay = f.DelayMS
	}
	times := 1
	if f, ok := plan.Find(fault.CallbackDuplicate); ok {
		if times = f.Times; times == 0 {
			times = 2
		}
	}
	for range times {
		t.enqueue(o, cb.clone(), delay)
	}
	t.releaseHeld(o, delay+250)
}

func (t *Twin) releaseHeld(o *Order, delay int) {
	if o.held != nil {
		cb := *o.held
		o.held = nil
		t.enqueue(o, cb, delay)
	}
}

func (t *Twin) enqueue(o *Order, cb Callback, delayMS int) {
	if len(o.Callbacks) >= 500 {
		return
	}
	cb.QueuedAt = t.now().UTC()
	o.Callbacks = append(o.Callbacks, cb)
	index := len(o.Callbacks) - 1
	t.queue.After(ms(delayMS), func(ctx context.Context) {
		t.mu.Lock()
		skip := o.Callbacks[index].claimed
		o.Callbacks[index].claimed = true
		t.mu.Unlock()
		if !skip {
			t.deliver(ctx, o, index)
		}
	})
}

// deliver sends one callback once and plans a redelivery unless the receiver
// answered 200. It must be called without the mutex.
func (t *Twin) deliver(ctx context.Context, o *Order, index int) {
	t.mu.Lock()
	cb := o.Callbacks[index].clone()
	timeout, retries := ms(t.settings.CallbackTimeoutMS), t.settings.CallbackRetryMS
	t.mu.Unlock()

	attempt := Attempt{At: t.now().UTC()}
	start := time.Now()
	attempt.Status, attempt.Body, attempt.Error = t.post(ctx, timeout, cb.url, cb.body)
	attempt.TookMS = time.Since(start).Milliseconds()

	t.mu.Lock()
	kept := &o.Callbacks[index]
	kept.Attempts = append(kept.Attempts, attempt)
	n := len(kept.Attempts)
	t.mu.Unlock()
	t.log.Info().Str("provider", "smartcore").Int("attempt", n).Int("status", attempt.Status).
		Int64("took_ms", attempt.TookMS).Msg("callback sent")
	if attempt.Status == http.StatusOK || n > len(retries) || ctx.Err() != nil {
		return
	}
	t.queue.After(ms(retries[n-1]), func(ctx context.Context) { t.deliver(ctx, o, index) })
}

func (t *Twin) post(ctx context.Context, timeout time.Duration, to, body string) (int, string, string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return 0, "", "callback address is not usable"
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "SmartCore-sandbox")
	resp, err := t.client.Do(req)
	if err != nil {
		return 0, "", record.Text(err.Error())
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the status is what counts
	return resp.StatusCode, record.Text(string(text)), ""
}
