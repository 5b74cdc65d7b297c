package payrelay

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The example that Standard Webhooks' own libraries are tested with.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	message   = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	signedAt  = 1614265330
	signed    = `{"test": 2432232314}`
	signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestTheExampleOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signature, body string
		late            time.Duration
		valid           bool
	}{
		"as it is":               {signature, signed, 0, true},
		"the second of two":      {"v1,AAAA " + signature, signed, 0, true},
		"the first of two":       {signature + " v2,AAAA", signed, 0, true},
		"within five minutes":    {signature, signed, 299 * time.Second, true},
		"a clock that is behind": {signature, signed, -299 * time.Second, true},
		"too old":                {signature, signed, 301 * time.Second, false},
		"from the future":        {signature, signed, -301 * time.Second, false},
		"another body":           {signature, signed + " ", 0, false},
		"another version":        {strings.Replace(signature, "v1", "v1a", 1), signed, 0, false},
		"half a signature":       {signature[:20], signed, 0, false},
		"an empty signature":     {"v1,", signed, 0, false},
		"none":                   {"", signed, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			w.now = func() time.Time { return time.Unix(signedAt, 0).Add(c.late) }
			header := http.Header{"Webhook-Id": {message}, "Webhook-Timestamp": {strconv.Itoa(signedAt)}, "Webhook-Signature": {c.signature}}
			if _, err = w.Verify(header, []byte(c.body)); c.valid && err != nil || !c.valid && !errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
		})
	}
}

func TestASecretIsChecked(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "whsec_", "whsec_!", "prk_test_demo"} {
		if _, err := NewWebhook(s); err == nil || s != "" && strings.Contains(err.Error(), s) && s != "whsec_" {
			t.Error(s, err)
		}
	}
}

func TestANotificationIsReadFromItsRequest(t *testing.T) {
	t.Parallel()
	w, err := NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(body string) (*Notification, error) {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, w.key)
		mac.Write([]byte("n-1." + now + "." + body))
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewBufferString(body))
		r.Header.Set("webhook-id", "n-1")
		r.Header.Set("webhook-timestamp", now)
		r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return w.Read(r)
	}
	n, err := deliver(`{"id":"n-1","type":"payment.succeeded","order":{"reference":"a","status":"succeeded"},"added_later":1}`)
	if err != nil || n.Type != NotificationTypePaymentSucceeded || n.Order.Reference != "a" {
		t.Fatal(n, err)
	}
	if _, err := deliver(strings.Repeat(" ", maxNotification+1)); !errors.Is(err, ErrSignature) {
		t.Fatal(err)
	}
}
