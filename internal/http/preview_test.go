package httpapi

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

func TestAPreviewSaysWhereAPaymentWouldGo(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	b := setup(t)
	const path = "/v1/payments/preview"
	body := `{"reference":"r-1","amount":1000,"currency":"EUR"}`
	for range 2 {
		w := b.send(t, "POST", path, body, "Idempotency-Key", "k-1")
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.NoError(t, c.check("POST", path, w))
		require.JSONEq(t, `{"account":"EUR-1","provider":"smartcore","rule":"euro","candidates":[
			{"account":"EUR-1","provider":"smartcore","reason":null},{"account":"EUR-2","provider":"smartcore","reason":"draining"}]}`, w.Body.String())
		require.Empty(t, w.Header().Get("Idempotency-Replayed"), "a repeat is a new question")
	}
	require.Equal(t, "r-1", b.payment.Reference)
	require.Equal(t, gateway.FlowHosted, b.payment.Flow)
	require.Equal(t, http.StatusForbidden, b.send(t, "POST", path, body, "Authorization", "Bearer "+readKey).Code)
	require.Equal(t, http.StatusUnprocessableEntity, b.send(t, "POST", path, `{"reference":"r-1"}`).Code)
	require.Equal(t, http.StatusNotFound, b.send(t, "GET", path, "").Code, "no payment has this id")

	b = setup(t)
	refusal := &payment.Error{Code: payment.CodeNoRoute, Message: "None.", Fields: []gateway.FieldError{{Field: "account", Message: "is not EUR-1: it is switched off"}}}
	b.hook = func(context.Context, string) error { return refusal }
	for _, path := range []string{path, "/v1/payments"} {
		w := b.send(t, "POST", path, body)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code)
		require.NoError(t, c.check("POST", path, w))
		require.Contains(t, w.Body.String(), `"code":"no_route"`)
		require.Contains(t, w.Body.String(), "is not EUR-1: it is switched off")
	}
}
