package e2e

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhatForeignClientsSend holds, against the real program, how requests are answered that tools make and people do not:
// HEAD, compressed bodies, halves of surrogate pairs, numbers beyond 2^53, dates with an unescaped plus.
func TestWhatForeignClientsSend(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.makes("/v1/payments", `{"reference":"wire","amount":1000,"currency":"EUR",`+customer+`}`, http.StatusCreated)

	for path, status := range map[string]int{
		"/v1/orders/" + o.ID: 200, "/v1/payments/" + o.ID: 200, "/v1/orders?limit=1": 200, "/v1/accounts": 200, "/docs": 200, "/openapi.yaml": 200,
		"/v1/refunds/" + o.ID: 404, "/v1/orders/none": 404, "/nowhere": 404, "/v1/orders?limit=0": 422, "/v1/payments": 405,
	} {
		res, text := d.raw(http.MethodHead, path, "", nil)
		require.Equal(t, status, res.StatusCode, path)
		require.Empty(t, text, path)
	}

	gzip := http.Header{"Content-Encoding": {"gzip"}}
	for _, path := range []string{"/v1/payments", "/v1/payments/" + o.ID + "/refunds", d.callbackTarget("EUR-sandbox")} {
		res, text := d.raw(http.MethodPost, path, "\x1f\x8b", gzip)
		require.Equal(t, http.StatusUnsupportedMediaType, res.StatusCode, "%s: %s", path, text)
	}

	ask := func(members string) refusal {
		return d.refuses("/v1/payments", `{"reference":"refused","currency":"EUR",`+members+`,`+customer+`}`, http.StatusUnprocessableEntity, "invalid_request")
	}
	for members, field := range map[string]string{
		`"amount":9007199254740992`:                                              "amount",
		`"amount":1000,"description":"a\ud800b"`:                                 "description",
		`"amount":1000,"metadata":{"a":"\udfff"}`:                                "metadata.a",
		`"amount":1000,"payment_method":{"type":"mobile","phone":"79123456789"}`: "payment_method.phone",
	} {
		require.Equal(t, []string{field}, ask(members).fields(), members)
	}
	for body, says := range map[string]string{`{"reference":"a",}`: "line 1, column 17", "\ufeff{}": "line 1, column 1"} {
		p := d.refuses("/v1/payments", body, http.StatusBadRequest, "malformed_json")
		require.Contains(t, p.Detail, says)
	}

	hour := time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04:05") + "+00:00"
	for query, says := range map[string]string{
		"created_from=" + hour: "%2B",
		"created_from=2026-01-02T00:00:00Z&created_to=2026-01-01T00:00:00Z": "must not be later than created_to",
	} {
		res, text := d.raw(http.MethodGet, "/v1/orders?"+query, "", nil)
		require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "%s: %s", query, text)
		require.Contains(t, string(text), says)
		require.NotContains(t, string(text), "Nothing was")
	}
	res, text := d.raw(http.MethodGet, "/v1/orders?created_from="+url.QueryEscape(hour), "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, string(text), o.ID)
}
