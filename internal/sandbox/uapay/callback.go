package uapay

import (
	"encoding/json"
	"strings"
	"time"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
)

// Claims are the claims of a callback in their documented order (uapay.md 10).
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

// Callback is one callback and every attempt to deliver it.
type Callback struct {
	Variant string `json:"variant"`
	Status  string `json:"status"` // the payment-system value that the body claims
	Claims  Claims `json:"claims"`
	callback.Delivery
}

// claims describes the present state of a payment. The mutex is held.
func (t *Simulator) claims(o *Order, p *Payment) Claims {
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
		at := t.cfg.Clock.Real().Unix()
		out.IAT = &at
	}
	return out
}

func (c Claims) json() []byte {
	raw, _ := json.Marshal(c) // plain values cannot fail
	return raw
}

func (t *Simulator) callbackKey(o *Order) string {
	if k, ok := t.keys[o.ExternalID]; ok {
		return k
	}
	return t.merchants[o.ClientID].Key
}

// callback queues the callback of a payment's present state. The mutex is held.
func (t *Simulator) callback(o *Order, p *Payment) {
	if o.CallbackURL == "" || o.muted {
		return
	}
	plan := t.faults.Take(fault.AtCallback, o.ExternalID, fault.Callback...)
	variant := VariantGenuine
	if f, ok := plan.Find(fault.CallbackForged); ok {
		variant = f.Variant
	}
	cb := t.build(o, p, CallbackRequest{Variant: variant})
	if reason := t.suppressed(o, plan); reason != "" {
		cb.Suppressed = reason
		if len(o.Callbacks) < callback.MaxKept {
			o.Callbacks = append(o.Callbacks, &cb)
		}
		return
	}
	t.sender.Dispatch(&o.outbox, plan, func(delay time.Duration) { t.enqueue(o, cb, delay) })
}

func (t *Simulator) enqueue(o *Order, cb Callback, delay time.Duration) {
	if len(o.Callbacks) < callback.MaxKept {
		o.Callbacks = append(o.Callbacks, &cb)
		t.sender.Send(&cb.Delivery, delay)
	}
}

func (t *Simulator) suppressed(o *Order, plan fault.Plan) string {
	switch {
	case plan.Has(fault.CallbackOff):
		return "callbacks are switched off"
	case t.callbackKey(o) == "":
		return "the client has no key to sign with"
	}
	return ""
}
