package uapay

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/names"
)

// The variants of a callback that can be sent by hand or by a fault.
const (
	VariantGenuine      = "genuine"
	VariantReplay       = "replay"        // the last genuine callback once more, byte for byte
	VariantWrongKey     = "wrong_key"     // signed with another key
	VariantDecodedKey   = "decoded_key"   // signed with the base64-decoded key
	VariantAlgNone      = "alg_none"      // alg none without a signature
	VariantAlgHS512     = "alg_hs512"     // the right key, an algorithm that is not documented
	VariantUnsigned     = "unsigned"      // the claims as the body, without a token
	VariantMalformed    = "malformed"     // a token of two parts
	VariantTampered     = "tampered"      // claims FINISHED under the signature of the true state
	VariantEarlySuccess = "early_success" // properly signed FINISHED whatever the state is
	VariantOtherAmount  = "other_amount"  // properly signed, amount one kopeck
	VariantOtherOrder   = "other_order"   // properly signed, externalId of the victim with our invoiceId
	VariantExpiredIAT   = "expired_iat"   // properly signed, iat an hour ago
	VariantFutureIAT    = "future_iat"    // properly signed, iat in an hour
	VariantLegacy       = "legacy_2017"   // properly signed, member names of the 2017 API
)

// Variants lists every callback variant.
func Variants() []string {
	return []string{
		VariantGenuine, VariantReplay, VariantWrongKey, VariantDecodedKey, VariantAlgNone, VariantAlgHS512, VariantUnsigned,
		VariantMalformed, VariantTampered, VariantEarlySuccess, VariantOtherAmount, VariantOtherOrder, VariantExpiredIAT,
		VariantFutureIAT, VariantLegacy,
	}
}

// CallbackRequest describes a callback to send by hand.
type CallbackRequest struct {
	// Variant is one of Variants; empty means genuine.
	Variant string `json:"variant"`
	// Victim is the externalId that other_order claims; empty means the order's own.
	Victim string `json:"victim,omitempty"`
	// Status overrides the payment-system value, and the invoicer's with it.
	Status string `json:"status,omitempty"`
	// URL overrides the order's callbackUrl.
	URL string `json:"url,omitempty"`
	// Times is the number of concurrent deliveries; 0 means 1.
	Times int `json:"times,omitempty"`
}

// SendCallback queues a callback for the newest payment of an order whatever its
// state is.
func (t *Simulator) SendCallback(id string, req CallbackRequest) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := names.Check("callback variant", cmp.Or(req.Variant, VariantGenuine), Variants()); err != nil {
		return fmt.Errorf("send callback of %s: %w", id, err)
	}
	o := t.store.any(id)
	switch {
	case o == nil:
		return fmt.Errorf("send callback of %s: %w", id, ErrUnknownOrder)
	case o.CallbackURL == "" && req.URL == "":
		return fmt.Errorf("send callback of %s: the order has no callbackUrl", id)
	case req.Times < 0 || req.Times > 100:
		return fmt.Errorf("send callback of %s: times must be 0 to 100", id)
	}
	p := o.Payment()
	if p == nil { // claims need a payment; it is not added to the order
		p = &Payment{ID: newID(), Amount: o.Amount, System: SystemOpen, Invoicer: InvoicerNew, CreatedAt: t.now().UTC()}
	}
	cb := t.build(o, p, req)
	for range max(1, req.Times) {
		t.enqueue(o, cb, 0)
	}
	return nil
}

// build makes the body of a callback. The mutex is held.
func (t *Simulator) build(o *Order, p *Payment, req CallbackRequest) Callback {
	cb, to := Callback{Variant: req.Variant}, o.CallbackURL
	if cb.Variant == "" {
		cb.Variant = VariantGenuine
	}
	if req.URL != "" {
		to = req.URL
	}
	claims, key := t.claims(o, p), t.callbackKey(o)
	if cb.Variant == VariantReplay {
		for _, old := range slices.Backward(o.Callbacks) {
			if old.Variant == VariantGenuine {
				cb.Status, cb.Claims, cb.Delivery = old.Status, old.Claims, callback.To(to, old.Body())
				return cb
			}
		}
	}
	if req.Status != "" {
		claims.PaymentStatus, claims.Status = req.Status, invoicerOf(req.Status)
	}
	truth := claims
	hour := func(offset int64) *int64 {
		at := t.cfg.Clock.Real().Unix() + offset*3600
		return &at
	}
	switch cb.Variant {
	case VariantTampered, VariantEarlySuccess:
		claims.PaymentStatus, claims.Status = SystemFinished, InvoicerFinished
	case VariantOtherAmount:
		claims.Amount = 1
	case VariantOtherOrder:
		if req.Victim != "" {
			claims.ExternalID = req.Victim
		}
	case VariantExpiredIAT:
		claims.IAT = hour(-1)
	case VariantFutureIAT:
		claims.IAT = hour(1)
	}
	cb.Status, cb.Claims = claims.PaymentStatus, claims
	cb.Delivery = callback.To(to, forge(cb.Variant, key, claims, truth))
	return cb
}

// forge makes the body of a variant.
func forge(variant, key string, claims, truth Claims) string {
	raw := claims.json()
	token := Sign(key, raw)
	b64 := base64.RawURLEncoding.EncodeToString
	switch variant {
	case VariantWrongKey:
		token = Sign(key+"-other", raw)
	case VariantDecodedKey:
		decoded, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			decoded = []byte("not base64")
		}
		token = signAs(headerHS256, decoded, raw)
	case VariantAlgNone:
		token = b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64(raw) + "."
	case VariantAlgHS512:
		text := b64([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." + b64(raw)
		mac := hmac.New(sha512.New, []byte(key))
		_, _ = mac.Write([]byte(text)) // never fails
		token = text + "." + b64(mac.Sum(nil))
	case VariantUnsigned:
		return string(raw)
	case VariantMalformed:
		token = token[:strings.LastIndex(token, ".")]
	case VariantTampered:
		parts := strings.Split(Sign(key, truth.json()), ".")
		token = parts[0] + "." + b64(raw) + "." + parts[2]
	case VariantLegacy:
		token = Sign(key, legacy(claims))
	}
	body, _ := json.Marshal(map[string]string{"token": token}) // plain text cannot fail
	return string(body)
}

// legacy names the claims as the 2017 orders API did.
func legacy(c Claims) []byte {
	raw, _ := json.Marshal(map[string]any{ // plain values cannot fail
		"id": c.PaymentID, "orderId": c.InvoiceID, "externalId": c.ExternalID, "extarnalId": c.ExternalID,
		"number": c.PaymentNumber, "paymentNumber": c.PaymentNumber, "cardPanMasked": c.CardFromMasked, "amount": c.Amount,
		"status": c.Status, "paymentStatus": c.PaymentStatus, "extraInfo": c.ExtraInfo, "receiptPath": "/acquiring/receipts/" + c.PaymentID,
	})
	return raw
}
