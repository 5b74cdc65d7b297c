package httpapi

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// What a notification calls a step of an order that leads to the same status.
func TestTheTypesOfStepsToTheSameStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.dispute()
	for want, tr := range map[string]payment.Transition{
		"dispute.opened":       {From: payment.StatusSucceeded, To: payment.StatusSucceeded, Dispute: &payment.DisputeStep{To: payment.DisputeOpen, After: d}},
		"dispute.updated":      {From: payment.StatusSucceeded, To: payment.StatusSucceeded, Dispute: &payment.DisputeStep{From: payment.DisputeOpen, To: payment.DisputeOpen, After: d}},
		"dispute.closed":       {From: payment.StatusSucceeded, To: payment.StatusSucceeded, Dispute: &payment.DisputeStep{From: payment.DisputeOpen, To: payment.DisputeWon, After: d}},
		"payment.late_success": {From: payment.StatusFailed, To: payment.StatusFailed},
	} {
		typ, payload, err := RenderNotification(b.order(gateway.KindPayment), tr, uuid.New())
		require.NoError(t, err)
		require.Equal(t, want, typ)
		var n struct{ Dispute map[string]any }
		require.NoError(t, json.Unmarshal(payload, &n))
		require.Equal(t, tr.Dispute != nil, n.Dispute != nil)
	}
}

// What was paid before it was imported has an event type of its own.
func TestAnImportedPaymentIsNoSuccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.order(gateway.KindPayment)
	paid := payment.Transition{Sequence: 2, From: payment.StatusCreated, To: payment.StatusSucceeded}
	rendered := func() (typ string, shown map[string]any) {
		typ, payload, err := RenderNotification(o, paid, uuid.New())
		require.NoError(t, err)
		var n struct{ Order map[string]any }
		require.NoError(t, json.Unmarshal(payload, &n))
		return typ, n.Order
	}
	o.Flow, o.Recurring = gateway.FlowHosted, true
	typ, _ := rendered()
	require.Equal(t, "payment.succeeded", typ)
	o.Flow = ""
	typ, shown := rendered()
	require.Equal(t, []any{"payment.imported", "imported", nil}, []any{typ, shown["origin"], shown["flow"]})
	paid.From = payment.StatusSucceeded
	typ, _ = rendered()
	require.Equal(t, "payment.returned", typ, "what comes after has the types of any other")
}

func TestAShopDecidesAboutADispute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	address := "/v1/disputes/" + orderID + "/resolve"
	for body, status := range map[string]string{`{"action":"accept"}`: "accepted", `{"action":"refund"}`: "closed"} {
		res := b.send(t, http.MethodPost, address, body)
		require.Equal(t, http.StatusOK, res.Code, res.Body)
		require.Contains(t, res.Body.String(), `"status":"`+status+`"`)
	}
	for _, body := range []string{`{}`, `{"action":"keep"}`, `{"action":"accept","amount":1}`} {
		require.Equal(t, http.StatusUnprocessableEntity, b.send(t, http.MethodPost, address, body).Code, body)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.send(t, http.MethodGet, "/v1/disputes?kind=theft", "").Code)
}

// The references of orders that carry late money, or that a provider charged by its own schedule, are payrelay's.
func TestAReferenceOfPayrelaysOwnIsRefused(t *testing.T) {
	t.Parallel()
	for path, body := range map[string]string{
		"/v1/payments":                          `{"reference":"shop-1~late","amount":1000,"currency":"EUR"}`,
		"/v1/payments/" + orderID + "/charges":  `{"reference":"shop-1~late","amount":1000,"description":"December"}`,
		"/v1/payments/" + orderID + "/charges?": `{"reference":"shop-1~due-2-0","amount":1000,"description":"December"}`,
		"/v1/mandates/" + orderID + "/charges":  `{"reference":"shop-1~sub-0123456789abcdef","amount":1000,"description":"December"}`,
	} {
		res := setup(t).send(t, http.MethodPost, path, body)
		require.Equal(t, http.StatusUnprocessableEntity, res.Code, path)
		require.Contains(t, res.Body.String(), "must not end with ~late")
	}
	res := setup(t).send(t, http.MethodPost, "/v1/payments/"+orderID+"/refunds", `{"reference":"dispute-`+orderID+`-1","amount":400,"reason":"returned"}`)
	require.Equal(t, http.StatusUnprocessableEntity, res.Code)
	require.Contains(t, res.Body.String(), "must not be dispute-ID-NUMBER")
}
