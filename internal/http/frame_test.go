package httpapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

const (
	framePath = "/v1/accounts/UAH-sandbox/card-frame"
	frameURL  = "https://api.example/api/iframe/signed-canary"
)

func TestCardFrames(t *testing.T) {
	t.Parallel()
	b, c := setup(t), newContract(t)
	w := b.send(t, "POST", framePath, `{"for":"payments"}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.JSONEq(t, `{"url":"`+frameURL+`","expires_at":null}`, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NoError(t, c.check("POST", framePath, w))
	require.Equal(t, gateway.CardFrameRequest{}, b.frame)
	require.Equal(t, myShop.String()+" UAH-sandbox", b.framedFor)

	b.frameEnds = at
	w = b.send(t, "POST", framePath, `{"for":"payouts","redirect":true}`)
	require.JSONEq(t, `{"url":"`+frameURL+`","expires_at":"`+at.UTC().Format(time.RFC3339)+`"}`, w.Body.String())
	require.NoError(t, c.check("POST", framePath, w))
	require.Equal(t, gateway.CardFrameRequest{Payout: true, Redirect: true}, b.frame)
	require.NotContains(t, b.log.String(), "canary")
}

// An address is kept nowhere, and one that was handed out is not handed out again.
func TestCardFramesAreNotReplayed(t *testing.T) {
	t.Parallel()
	store := &memory{rows: map[string]*kept{}}
	b := setup(t, func(c *Config) { c.Idempotency = store })
	for range 2 {
		w := b.send(t, "POST", framePath, `{"for":"payments"}`, "Idempotency-Key", "k")
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Empty(t, w.Header().Get("Idempotency-Replayed"))
		require.Contains(t, w.Body.String(), frameURL)
		require.Empty(t, store.rows)
	}
	require.Equal(t, 2, b.count())
}

func TestCardFramesThatAreNotGiven(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	for code, status := range map[payment.Code]int{
		payment.CodeUnknownAccount: 404, payment.CodeUnsupported: 422, payment.CodeProviderFailed: 502,
	} {
		b := setup(t)
		b.hook = func(context.Context, string) error { return &payment.Error{Code: code, Message: "No."} }
		w := b.send(t, "POST", framePath, `{"for":"payments"}`)
		require.Equal(t, status, w.Code, w.Body)
		if code == payment.CodeUnknownAccount {
			code = payment.CodeNotFound
		}
		require.Equal(t, string(code), readProblem(t, w).Code)
		require.NotContains(t, w.Body.String(), "canary")
		require.NoError(t, c.check("POST", framePath, w))
	}
	b := setup(t)
	for body, field := range map[string]string{`{}`: "for", `{"for":"fun"}`: "for", `{"for":"payments","redirect":"yes"}`: "redirect", `{"for":"payments","account":"x"}`: "account"} {
		w := b.send(t, "POST", framePath, body)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, body)
		require.Contains(t, readProblem(t, w).fields(), field)
	}
	require.Equal(t, http.StatusForbidden, b.send(t, "POST", framePath, `{"for":"payments"}`, "Authorization", "Bearer "+readKey).Code)
	require.Zero(t, b.count())
}
