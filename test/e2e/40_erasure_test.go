package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// A customer asks to be forgotten. The payment and its refund keep their sums; whatever named the customer is gone from every answer
// and every row, and what the shop asks afterwards is answered.
func TestACustomerIsErased(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	key, request := http.Header{"Idempotency-Key": {"erased-1"}}, direct("paid-1", 1000, cardMethod(cardSuccess), `"metadata":{"customer_id":"canary-7"}`)
	res, made := d.raw(http.MethodPost, "/v1/payments", request, key)
	require.Equal(t, http.StatusCreated, res.StatusCode, "%s", made)
	var paid full
	require.NoError(t, json.Unmarshal(made, &paid))
	paid = d.ends(paid.ID, "succeeded")
	refund := d.refunded(paid, "refund-1", 400)
	for _, id := range []string{paid.ID, refund.ID} {
		eventually(t, func() bool {
			list := d.stand(id)
			return len(list) > 0 && !slices.ContainsFunc(list, func(s standing) bool { return s.State != "delivered" })
		})
	}
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	erase := []string{"erase", "customer", "john.canary@example.com", "--shop", "demo", "--reason", "request 7"}
	code, _, text := command(environ, erase...)
	require.Equal(t, 1, code)
	require.Contains(t, text, "--force if the law demands it")
	require.NotZero(t, d.textsHolding("canary-7"))

	receipts := filepath.Join(t.TempDir(), "receipts")
	line := d.operator(append(erase, "--force", "--json")...)
	require.NoError(t, os.WriteFile(receipts, []byte(line), 0o600))
	require.Contains(t, line, paid.ID)
	require.Contains(t, line, refund.ID)
	require.Zero(t, d.textsHolding("canary"))

	for _, path := range []string{"/v1/orders/" + paid.ID, "/v1/payments/" + paid.ID, "/v1/orders/" + paid.ID + "/transitions", "/v1/orders?limit=10", "/v1/events?limit=100", "/v1/orders/" + refund.ID} {
		res, text := d.send(http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", path, text)
		require.NotContains(t, string(text), "canary", path)
		require.NotContains(t, string(text), "401200", path)
	}
	_, repeated := d.raw(http.MethodPost, "/v1/payments", request, key)
	require.NotContains(t, string(repeated), "canary", "an answer that was kept is not given again")
	require.Contains(t, string(repeated), paid.ID)
	var shown struct {
		Erased         bool   `json:"erased"`
		Status         string `json:"status"`
		AmountCaptured int64  `json:"amount_captured"`
		AmountRefunded int64  `json:"amount_refunded"`
	}
	_, body := d.send(http.MethodGet, "/v1/orders/"+paid.ID, "", nil)
	require.NoError(t, json.Unmarshal(body, &shown))
	require.True(t, shown.Erased)
	require.Equal(t, "succeeded", shown.Status)
	require.EqualValues(t, []int64{1000, 400}, []int64{shown.AmountCaptured, shown.AmountRefunded})
	d.refuses("/v1/payments/"+paid.ID+"/refunds", `{"reference":"refund-2","amount":100,"reason":"x"}`, http.StatusConflict, "invalid_state")
	require.Contains(t, d.operator("order", "show", paid.ID), "erased: ")
	require.Contains(t, d.operator("erase", "replay", "--from", receipts, "--reason", "a test"), "0 orders were erased, 1 had been before")
	code, _, text = command(environ, "audit", "verify")
	require.Zero(t, code, text)
}
