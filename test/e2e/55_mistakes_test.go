package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// mistake is a request that a newcomer may send. What is empty is as it should be.
type mistake struct {
	method, url, body string
	header            http.Header // in place of the right ones, where it has a value
}

var mistakeRow = regexp.MustCompile("(?m)^\\| (.+) \\| `([0-9]{3}) ?([a-z_]*)` \\| (.+) \\| .+ \\|$")

// TestEveryMistakeIsAnsweredAsItsGuideSays sends every request of the tables in docs/guides/mistakes.md.
func TestEveryMistakeIsAnsweredAsItsGuideSays(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	body := func(reference, rest string) string {
		return `{"reference":"` + reference + `",` + rest + `,` + customer + `}`
	}
	const right = `"amount":1000,"currency":"EUR"`
	once := http.Header{"Idempotency-Key": {"once"}}
	for _, first := range []mistake{{body: body("taken", right)}, {body: body("once", right), header: once}} {
		status, text := d.sends(t, first)
		require.Equal(t, http.StatusCreated, status, text)
	}
	mistakes := map[string]mistake{
		"no key": {header: http.Header{"Authorization": nil}}, "a key without `Bearer`": {header: http.Header{"Authorization": {"prk_test_demo"}}},
		"a wrong key": {header: http.Header{"Authorization": {"Bearer prk_test_wrong"}}}, "the webhook secret as key": {header: http.Header{"Authorization": {"Bearer " + d.WebhookSecret}}},
		"an order's id with the key of another shop": {method: http.MethodGet, url: d.API + "/v1/payments/01a1fd0c-a0bc-7425-9c39-80becf791395"},
		"`\"amount\": 10.5`":                         {body: body("m", `"amount":10.5,"currency":"EUR"`)}, "`\"amount\": \"1000\"`": {body: body("m", `"amount":"1000","currency":"EUR"`)},
		"`\"amount\": 0`": {body: body("m", `"amount":0,"currency":"EUR"`)}, "`\"currency\": \"eur\"`": {body: body("m", `"amount":1000,"currency":"eur"`)},
		"`\"currency\": \"USD\"`": {body: body("m", `"amount":1000,"currency":"USD"`)},
		"no `Content-Type`":       {header: http.Header{"Content-Type": nil}}, "a comma too many": {body: `{"reference":"m",}`}, "single quotes": {body: `{'reference':'m'}`},
		"no body": {body: " "}, "`curency` for `currency`": {body: body("m", `"amount":1000,"curency":"EUR"`)},
		"a member that no call has": {body: body("m", right+`,"webhook_url":"https://shop.example/"`)}, "no `customer`": {body: `{"reference":"m",` + right + `}`},
		"`card` beside `payment_method`":    {body: body("m", right+`,"flow":"direct","payment_method":{"type":"card"},"card":{"number":"4012000000003010"}`)},
		"`card_number` in `payment_method`": {body: body("m", right+`,"flow":"direct","payment_method":{"type":"card","card_number":"4012000000003010"}`)},
		"`/v1/payment`":                     {url: d.API + "/v1/payment"}, "`/v1/refunds`": {url: d.API + "/v1/refunds"},
		"`/payments`": {url: d.API + "/payments"}, "`/v1/payments/`": {url: d.API + "/v1/payments/"}, "`GET /v1/payments`": {method: http.MethodGet, body: " "},
		"a card, but no `flow`":                    {body: body("m", right+`,"payment_method":{"type":"card","card":{"number":"4012000000003010"}}`)},
		"a phone number without `+`":               {body: strings.Replace(body("m", right), `"+`, `"`, 1)},
		"your own reference in the place of an id": {method: http.MethodGet, url: d.API + "/v1/orders/taken"},
		"a call to the admin port":                 {url: d.Admin + "/v1/payments"},
		"an `Idempotency-Key` with another body":   {body: body("m", right), header: once}, "a `reference` with another body": {body: body("taken", `"amount":2000,"currency":"EUR"`)},
	}
	for _, row := range mistakeRow.FindAllStringSubmatch(read(t, "docs", "guides", "mistakes.md"), -1) {
		m, known := mistakes[row[1]]
		require.True(t, known, "no test sends: %s", row[1])
		delete(mistakes, row[1])
		if m.body == "" && m.method == "" {
			m.body = body("m", right)
		}
		status, text := d.sends(t, m)
		var problem struct {
			Code, Detail string
			Status       int
		}
		problem.Detail = text
		_ = json.Unmarshal([]byte(text), &problem) // the admin port answers in plain text
		require.Equal(t, row[2]+" "+row[3], strconv.Itoa(status)+" "+problem.Code, "%s: %s", row[1], text)
		require.Contains(t, problem.Detail, row[4], row[1])
	}
	require.Empty(t, mistakes, "the guide does not have them")
}

// sends sends a mistake and returns the answer.
func (d *dev) sends(t *testing.T, m mistake) (status int, text string) {
	t.Helper()
	if m.method == "" {
		m.method = http.MethodPost
	}
	if m.url == "" {
		m.url = d.API + "/v1/payments"
	}
	req, err := http.NewRequestWithContext(t.Context(), m.method, m.url, strings.NewReader(strings.TrimSpace(m.body)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+d.ShopKey)
	if m.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range m.header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(answer)
}

// TestMistakesInVerifyingASignature holds what the guide says of notifications, by the library that shops use.
func TestMistakesInVerifyingASignature(t *testing.T) {
	t.Parallel()
	sign, err := standardwebhooks.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	other, err := standardwebhooks.NewWebhook("whsec_plJ3nmyCDGBKInavdOK15jsl")
	require.NoError(t, err)
	raw := []byte(`{"type": "payment.succeeded", "id": "1"}`)
	signed := func(at time.Time) http.Header {
		signature, err := sign.Sign("1", at, raw)
		require.NoError(t, err)
		h := http.Header{}
		h.Set("webhook-id", "1")
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", signature)
		return h
	}
	now := signed(time.Now())
	require.NoError(t, sign.Verify(raw, now))
	var parsed bytes.Buffer
	require.NoError(t, json.Compact(&parsed, raw))
	require.Error(t, sign.Verify(parsed.Bytes(), now), "parsed and written again")
	require.Error(t, other.Verify(raw, now), "another secret")
	require.Error(t, sign.Verify(raw, signed(time.Now().Add(-6*time.Minute))), "an old one")
}
