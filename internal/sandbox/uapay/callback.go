package uapay

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// Claims are the claims of a callback in their documented order (UAPAY reference 10).
type Claims struct {
	PaymentID      string  `json:"paymentId"`
	InvoiceID      string  `json:"invoiceId"`
	ExternalID     string  `json:"externalId"`
	PaymentNumber  int64   `json:"paymentNumber"`
	CardFromMasked *string `json:"cardFromMasked"`
	CardToMasked   *string `json:"cardToMasked"`
	Amount         int64   `json:"amount"`
	Status         string  `json:"status"`
	Type           string  `json:"type"`
	SystemType     string  `json:"systemType"`
	PaymentStatus  string  `json:"paymentStatus"`
	ReceiptPath    string  `json:"receiptPath"`
	ExtraInfo      string  `json:"extraInfo"`
	CreateDate     string  `json:"createDate"`
	PayDate        *string `json:"payDate"`
	// IAT is absent unless a setting or a variant asks for it.
	IAT *int64 `json:"iat,omitempty"`
}

// maxCallbacks bounds what one order remembers and sends.
const maxCallbacks = 500

// Callback is one callback and every attempt to deliver it.
type Callback struct {
	Variant  string    `json:"variant"`
	Status   string    `json:"status"` // the payment-system value that the body claims
	Claims   Claims    `json:"claims"`
	QueuedAt time.Time `json:"queued_at"`
	Attempts []Attempt `json:"attempts"`
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

// claims describes the present state of a payment. The mutex is held.
func (t *Twin) claims(o *Order, p *Payment) Claims {
	pointer := func(c *Card) *string {
		if c == nil {
			return nil
		}
		return &c.Masked
	}
	extra := o.ExtraInfo
	if extra == "" {
		extra = "{}"
	}
	base := strings.TrimRight(t.cfg.BaseURL(), "/")
	if base == "" {
		base, _, _ = strings.Cut(o.PageURL, "/payment/")
	}
	out := Claims{
		PaymentID: p.ID, InvoiceID: o.ID, ExternalID: o.ExternalID, PaymentNumber: p.Number,
		CardFromMasked: pointer(p.Card), CardToMasked: pointer(o.CardTo), Amount: p.Amount,
		Status: p.Invoicer, Type: o.Type, SystemType: o.SystemType, PaymentStatus: p.System,
		ReceiptPath: base + "/api/acquiring/receipts/v2/" + p.ID + ".pdf", ExtraInfo: extra, CreateDate: iso(p.CreatedAt),
	}
	if p.PaidAt != nil {
		at := iso(*p.PaidAt)
		out.PayDate = &at
	}
	if t.settings.CallbackIAT {
		at := t.now().Unix()
		out.IAT = &at
	}
	return out
}

func (c Claims) json() []byte {
	raw, _ := json.Marshal(c) // plain values cannot fail
	return raw
}

func (t *Twin) callbackKey(o *Order) string {
	if k, ok := t.keys[o.ExternalID]; ok {
		return k
	}
	return t.merchants[o.ClientID].Key
}

// callback queues the callback of a payment's present state. The mutex is held.
func (t *Twin) callback(o *Order, p *Payment) {
	if o.CallbackURL == "" {
		return
	}
	plan := t.faults.Take("callback", o.ExternalID, fault.Callback...)
	variant := VariantGenuine
	if f, ok := plan.Find(fault.CallbackForged); ok {
		variant = f.Variant
	}
	cb := t.build(o, p, CallbackRequest{Variant: variant})
	if why := t.suppressed(o, plan); why != "" {
		cb.Suppressed = why
		if len(o.Callbacks) < maxCallbacks {
			o.Callbacks = append(o.Callbacks, cb)
		}
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

func (t *Twin) suppressed(o *Order, plan fault.Plan) string {
	switch {
	case plan.Has(fault.CallbackOff):
		return "callbacks are switched off"
	case t.callbackKey(o) == "":
		return "the client has no key to sign with"
	}
	return ""
}

func (t *Twin) releaseHeld(o *Order, delay int) {
	if o.held != nil {
		cb := *o.held
		o.held = nil
		t.enqueue(o, cb, delay)
	}
}

func (t *Twin) enqueue(o *Order, cb Callback, delayMS int) {
	if len(o.Callbacks) >= maxCallbacks {
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
	timeout := ms(t.settings.CallbackTimeoutMS)
	t.mu.Unlock()

	attempt := Attempt{At: t.now().UTC()}
	start := time.Now()
	attempt.Status, attempt.Body, attempt.Error = t.post(ctx, timeout, cb.url, cb.body)
	attempt.TookMS = time.Since(start).Milliseconds()

	t.mu.Lock()
	kept := &o.Callbacks[index]
	kept.Attempts = append(kept.Attempts, attempt)
	n, retries := len(kept.Attempts), t.settings.CallbackRetryMS
	var wait time.Duration
	if n <= len(retries) {
		wait = t.settings.scaled(retries[n-1])
	}
	t.mu.Unlock()
	t.log.Info().Str("provider", "uapay").Int("attempt", n).Int("status", attempt.Status).
		Int64("took_ms", attempt.TookMS).Msg("callback sent")
	if attempt.Status == http.StatusOK || n > len(retries) || ctx.Err() != nil {
		return
	}
	t.queue.After(wait, func(ctx context.Context) { t.deliver(ctx, o, index) })
}

func (t *Twin) post(ctx context.Context, timeout time.Duration, to, body string) (int, string, string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return 0, "", "callback address is not usable"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "UAPAY-sandbox")
	resp, err := t.client.Do(req)
	if err != nil {
		return 0, "", record.Text(err.Error())
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the status is what counts
	return resp.StatusCode, record.Text(string(text)), ""
}
