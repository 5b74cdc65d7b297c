package payrelay

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrSignature means that a notification is not from payrelay, was changed on its way, or is too old. Answer it with 401.
var ErrSignature = errors.New("payrelay: the signature does not hold")

const (
	// tolerance is how far the sender's clock and ours may differ. An older notification may be one that somebody kept.
	tolerance = 5 * time.Minute
	// maxNotification is more than any notification has.
	maxNotification = 1 << 20
)

// Webhook verifies notifications by a shop's secret. It follows Standard Webhooks.
type Webhook struct {
	key []byte
	now func() time.Time
}

// NewWebhook takes the shop's webhook secret, whsec_….
func NewWebhook(secret string) (*Webhook, error) {
	encoded, found := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) == 0 {
		return nil, errors.New("payrelay: this is no webhook secret: it begins with whsec_, and base64 follows")
	}
	return &Webhook{key: key, now: time.Now}, nil
}

// Read verifies the notification that a request brings. Nothing may have read its body before.
func (w *Webhook) Read(r *http.Request) (*Notification, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxNotification+1))
	if err != nil {
		return nil, fmt.Errorf("payrelay: read the notification: %w", err)
	}
	if len(body) > maxNotification {
		return nil, fmt.Errorf("%w: it is too large", ErrSignature)
	}
	return w.Verify(r.Header, body)
}

// Verify verifies a notification by its headers and its body, which is the bytes as they came. One valid signature is
// enough: while a secret is changed there is one by each.
func (w *Webhook) Verify(header http.Header, body []byte) (*Notification, error) {
	id, timestamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return nil, fmt.Errorf("%w: a header is missing", ErrSignature)
	}
	if age := w.now().Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return nil, fmt.Errorf("%w: it was signed %s ago, is the clock right?", ErrSignature, age.Round(time.Second))
	}
	mac := hmac.New(sha256.New, w.key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	expected, valid := mac.Sum(nil), false
	for signature := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		encoded, known := strings.CutPrefix(signature, "v1,")
		given, err := base64.StdEncoding.DecodeString(encoded)
		valid = valid || known && err == nil && hmac.Equal(given, expected)
	}
	if !valid {
		return nil, fmt.Errorf("%w: is it the shop's secret, and the body as it came?", ErrSignature)
	}
	n := new(Notification)
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(n); err != nil {
		return nil, fmt.Errorf("payrelay: read the notification: %w", err)
	}
	return n, nil
}
