package smartcore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
)

// Pair is one field of a callback.
type Pair struct{ Key, Value string }

// Callback is one callback and every attempt to deliver it.
type Callback struct {
	Variant string            `json:"variant"`
	Status  string            `json:"status"`
	Fields  map[string]string `json:"fields"`
	callback.Delivery
}

// Sign is the provider's signature over callback fields
// (smartcore.md 11.1): the values in the order of their keys, joined with a vertical bar,
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

func (t *Simulator) secretOf(o *Order) string {
	if s, ok := t.secrets[o.OrderID]; ok {
		return s
	}
	return t.merchants[o.Merchant].CallbackSecret
}

// callback queues the callback of an order's present state. The mutex is held.
func (t *Simulator) callback(o *Order) {
	if o.CallbackURL == "" || o.muted {
		return
	}
	plan := t.faults.Take(fault.AtCallback, o.OrderID, fault.Callback...)
	variant := VariantGenuine
	if f, ok := plan.Find(fault.CallbackForged); ok {
		variant = f.Variant
	}
	cb := t.build(o, CallbackRequest{Variant: variant})
	if plan.Has(fault.CallbackOff) {
		cb.Suppressed = "callbacks are switched off"
		o.Callbacks = append(o.Callbacks, &cb)
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
