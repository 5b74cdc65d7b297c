package benchmark

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// callbackSecret signs the provider's callbacks.
const callbackSecret = "benchmark-secret"

// runProvider is a SmartCore that takes every payment and answers at once.
func runProvider(out io.Writer) error {
	return answerAll(out, func(path, body []byte) []byte {
		id := value(body, "order_id")
		if bytes.HasSuffix(path, []byte("/check")) {
			return fmt.Appendf(nil, `{"order_id":%q,"status":1,"amount":1000,"currency":"EUR","type":"Payment"}`, id)
		}
		return fmt.Appendf(nil, `{"order_id":%q,"status":1,"responseType":"REDIRECT","form_url":"https://payment.smartcore.pro/64a7e106d46c5db10d082b13","err":null}`, id)
	})
}

// callbackFields are the signed fields of a paid order, but for its id.
var callbackFields = map[string]string{
	"amount": "1000", "authorize_status": "null", "cascadeErrors": "null", "currency": "EUR", "eci": "05", "finalAmount": "1000", "firstName": "John",
	"isTrustedTransaction": "false", "lastName": "Doe", "message": "null", "orderId": "", "rrn": "318513456789", "status": "2", "type": "Payment",
}

var callbackKeys = slices.Sorted(maps.Keys(callbackFields))

// signedCallback is the body that says an order was paid.
func signedCallback(providerOrderID string) []byte {
	var signed, body strings.Builder
	for i, key := range callbackKeys {
		text := callbackFields[key]
		if key == "orderId" {
			text = providerOrderID
		}
		if i > 0 {
			signed.WriteByte('|')
		}
		signed.WriteString(text)
		body.WriteString(key + "=" + url.QueryEscape(text) + "&")
	}
	mac := hmac.New(sha256.New, []byte(callbackSecret))
	mac.Write([]byte(signed.String()))
	return []byte(body.String() + "sign=" + hex.EncodeToString(mac.Sum(nil)))
}

// received is what the shop knows: how many notifications came, and when those of paid orders did, by reference.
type received struct {
	All      int              `json:"all"`
	Paid     int              `json:"paid"`
	Last     int64            `json:"last"` // when the last notification came, in nanoseconds since 1970
	PaidTime map[string]int64 `json:"paid_time"`
}

// runShop takes every notification. /counts tells what came, /times tells it by order and forgets it.
func runShop(out io.Writer) error {
	var mu sync.Mutex
	known := received{PaidTime: map[string]int64{}}
	return answerAll(out, func(path, body []byte) []byte {
		now := time.Now().UnixNano()
		mu.Lock()
		defer mu.Unlock()
		switch string(path) {
		case "/counts":
			answer, _ := json.Marshal(received{All: known.All, Paid: known.Paid, Last: known.Last}) // numbers always encode
			return answer
		case "/times":
			answer, _ := json.Marshal(known)
			known.PaidTime = map[string]int64{}
			return answer
		}
		known.All++
		known.Last = now
		if value(body, "type") == "payment.succeeded" {
			known.Paid++
			known.PaidTime[value(body, "reference")] = now
		}
		return nil
	})
}
