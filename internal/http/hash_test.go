package httpapi

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/idempotency"
)

// hashes remembers under which hash each request came.
type hashes struct {
	*memory
	mu   sync.Mutex
	last string
}

func (h *hashes) Begin(ctx context.Context, shop uuid.UUID, key string, hash []byte, lease time.Duration) (idempotency.Claim, *idempotency.Response, error) {
	h.mu.Lock()
	h.last = string(hash)
	h.mu.Unlock()
	return h.memory.Begin(ctx, shop, key, hash, lease)
}

// hasher returns a function that sends a request and says which hash it got.
func hasher(t *testing.T) func(path, body string) string {
	t.Helper()
	store := &hashes{memory: &memory{rows: map[string]*kept{}}}
	b := setup(t, func(c *Config) { c.Idempotency = store })
	return func(path, body string) string {
		store.last = ""
		w := b.send(t, "POST", path, body, "Idempotency-Key", uuid.NewString())
		require.NotEmpty(t, store.last, "%s: %s", path, w.Body)
		return store.last
	}
}

func TestTheHashKnowsWhichPaymentIsRefunded(t *testing.T) {
	t.Parallel()
	hash := hasher(t)
	body := `{"reference":"a","amount":1,"reason":"r"}`
	first := hash("/v1/payments/"+orderID+"/refunds", body)
	require.Equal(t, first, hash("/v1/payments/"+orderID+"/refunds", ` {"reason": "r", "amount": 1, "reference": "a"}`))
	require.NotEqual(t, first, hash("/v1/payments/0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a99/refunds", body), "another payment is another refund")
	require.NotEqual(t, first, hash("/v1/payments/"+orderID+"/charges", body), "a charge is no refund")
}

func TestTheHashIsOfWhatIsMeant(t *testing.T) {
	t.Parallel()
	hash := hasher(t)
	base := hash("/v1/payments", `{"reference":"<10>","amount":10,"metadata":{"b":"é","a":""}}`)
	for name, same := range map[string]string{
		"order":       `{"metadata":{"a":"","b":"é"},"amount":10,"reference":"<10>"}`,
		"white space": "\r\n{ \"reference\" :\t\"<10>\" , \"amount\" : 10 , \"metadata\" : { \"b\" : \"é\" , \"a\" : \"\" } }\n",
		"escapes":     `{"\u0072eference":"\u003c10\u003E","amount":10,"metadata":{"b":"\u00e9","a":""}}`,
	} {
		require.Equal(t, base, hash("/v1/payments", same), name)
	}
	seen := map[string]string{base: "base"}
	for name, other := range map[string]string{
		"another number":      `{"reference":"<10>","amount":100,"metadata":{"b":"é","a":""}}`,
		"a number as text":    `{"reference":"<10>","amount":"10","metadata":{"b":"é","a":""}}`,
		"a decimal point":     `{"reference":"<10>","amount":10.0,"metadata":{"b":"é","a":""}}`,
		"an exponent":         `{"reference":"<10>","amount":1e1,"metadata":{"b":"é","a":""}}`,
		"values swapped":      `{"reference":"<10>","amount":10,"metadata":{"a":"é","b":""}}`,
		"a member less":       `{"reference":"<10>","amount":10,"metadata":{"b":"é"}}`,
		"null for nothing":    `{"reference":"<10>","amount":10,"metadata":{"b":"é","a":null}}`,
		"a member moved out":  `{"reference":"<10>","amount":10,"metadata":{"b":"é"},"a":""}`,
		"accents taken apart": `{"reference":"<10>","amount":10,"metadata":{"b":"e\u0301","a":""}}`,
		"an empty object":     `{}`,
		"an empty list":       `[]`,
	} {
		h := hash("/v1/payments", other)
		require.Empty(t, seen[h], "%s and %s are the same", name, seen[h])
		seen[h] = name
	}
}

func TestGreatNumbersKeepTheirDigits(t *testing.T) {
	t.Parallel()
	one, err := parseJSON([]byte(`9007199254740993`))
	require.NoError(t, err)
	require.Equal(t, "9007199254740993", string(one.canonical()), "a float would end in 2")
}

// TestAGreatExponentCostsNothing holds that a number of a few bytes cannot be made to take the memory of its digits.
func TestAGreatExponentCostsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, number := range []string{"1e999999999", "-1e999999999", "1e-999999999", strings.Repeat("9", 60_000)} {
		for _, body := range []string{with("amount", number), with("metadata", `{"a":`+number+`}`), with("recurring", `{"enabled":true,"frequency_days":`+number+`}`)} {
			w, done := httptest.NewRecorder(), make(chan struct{})
			go func() {
				defer close(done)
				w = b.send(t, "POST", "/v1/payments", body)
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				require.Fail(t, "it takes too long", "%.12s", number)
			}
			require.Equal(t, 422, w.Code, w.Body)
		}
	}
	require.Zero(t, b.count())
}
