package httpapi

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzCreatePayment sends any body and headers. No answer is a 5xx, and every one is as the document says.
func FuzzCreatePayment(f *testing.F) {
	for _, body := range []string{
		with("amount", "1"), with("amount", "1e3"), with("metadata", `{"a":"b"}`), with("metadata", `{"":""}`), `{}`, `[]`, `null`, ``, `{"a":1,"a":2}`,
		direct(`{"type":"card","card":{"number":"4012000000003010","exp_month":12,"exp_year":2030,"cvc":"123"}}`),
		direct(`{"type":"google_pay","token":"x"}`), with("return_urls", `{"success":"https://[::1"}`), with("customer", `{"ip":"::1%eth0"}`),
		with("recurring", `{"enabled":true,"expires_at":"2030-01-01T00:00:00Z"}`),
	} {
		f.Add(body, "application/json", "key", "id", "Bearer "+goodKey)
		f.Add(body, "", "", "", "")
	}
	media := document(f).Paths.Value("/v1/payments").Post.RequestBody.Value.Content.Get("application/json")
	require.NotEmpty(f, media.Examples)
	for _, example := range media.Examples {
		body, err := json.Marshal(example.Value.Value)
		require.NoError(f, err)
		f.Add(string(body), "application/json; charset=utf-8", "key-2", "request-1", "bearer "+goodKey)
	}
	c, b := newContract(f), setup(f)
	f.Fuzz(func(t *testing.T, body, kind, key, id, auth string) {
		r := httptest.NewRequest("POST", "/v1/payments", strings.NewReader(body))
		r.Header["Content-Type"], r.Header["Idempotency-Key"] = []string{kind}, []string{key}
		r.Header["X-Request-Id"], r.Header["Authorization"] = []string{id}, []string{auth}
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		require.Less(t, w.Code, 500, w.Body)
		require.NoError(t, c.check("POST", "/v1/payments", w), w.Body)
	})
}

// FuzzListOrders does the same with any query.
func FuzzListOrders(f *testing.F) {
	for _, query := range []string{"", "limit=1", "limit=1&limit=2", "status=x", "created_from=2026-01-01T00:00:00Z", "created_from=2026-01-01T00:00:00+01:00", "parent_id=x", "%", "a;b", "limit=%20"} {
		f.Add(query)
	}
	c, b := newContract(f), setup(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/v1/orders", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+goodKey)
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		require.Less(t, w.Code, 500, w.Body)
		require.NoError(t, c.check("GET", "/v1/orders", w), w.Body)
	})
}

// FuzzParseJSON holds that a body that parses is JSON, that its canonical form means the same, and that no JSON is taken for
// something else without a reason.
func FuzzParseJSON(f *testing.F) {
	for _, body := range []string{`{"b":1,"a":[1,"x",null,true]}`, `{"a":{"a":1e5}}`, `"\ud800"`, `1 2`, `{`, `[1,]`, `{"a":1,}`, `{"a" 1}`, `[1 2]`, `]`, ``, ` `, "\xff", `{"a":1,"a":2}`, "\ufeff{}", `[}`, `{"a":}`, `nul`, `tru e`, `-`, `01`, `{]`, `{1:2}`, `[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		once, err := parseJSON([]byte(body))
		good := json.Valid([]byte(body)) && utf8.ValidString(body)
		if err != nil {
			var twice *duplicateError
			require.True(t, !good || errors.Is(err, errDeep) || errors.As(err, &twice), "%q: %s", body, err)
			return
		}
		require.True(t, good, "%q", body)
		twice, err := parseJSON(once.canonical())
		require.NoError(t, err)
		require.Equal(t, string(once.canonical()), string(twice.canonical()))
		if !once.halves {
			require.JSONEq(t, body, string(once.canonical()))
		}
	})
}
