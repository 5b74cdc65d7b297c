package httpapi

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

func TestMandateIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const want = `{"id":"` + orderID + `","object":"mandate","status":"active","reference":"shop-1015","provider":"smartcore","account":"EUR-sandbox","driver":"on_demand",
		"currency":"EUR","max_amount":500,"min_days":30,"expires_at":null,"max_charges":null,"schedule":null,"charges":0,"last_charged_at":null,"next_charge_from":"2026-02-13T09:00:00Z",
		"open_charge_id":null,"decided_at":null,"schedule_ends_at":null,"created_at":"2026-01-15T09:00:00Z"}`
	for _, what := range []string{"", "/pause", "/resume", "/revoke"} {
		method := "POST"
		if what == "" {
			method = "GET"
		}
		w := b.send(t, method, "/v1/mandates/"+orderID+what, "")
		require.Equal(t, http.StatusOK, w.Code, what)
		require.JSONEq(t, want, w.Body.String(), what)
	}
	w := b.send(t, "GET", "/v1/mandates", "")
	require.JSONEq(t, `{"data":[`+want+`],"next_cursor":null}`, w.Body.String())
	w = b.send(t, "POST", "/v1/mandates/0193f0a2-6d1c-7c7b-9d53-000000000000/pause", "")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, readProblem(t, w).Detail, "mandate")
}

// A payment's mandate is the same thing as its recurring, by two names.
func TestAPaymentNamesItsTerms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	until := time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("mandate", `{"max_amount":700,"min_days":30,"expires_at":"2035-01-01T00:00:00Z","max_charges":12}`)).Code)
	require.Equal(t, payment.MandateTerms{MaxAmount: 700, MaxCharges: 12}, b.payment.Mandate)
	require.Equal(t, gateway.Recurring{Enabled: true, FrequencyDays: 30, ExpiresAt: until}, b.payment.Recurring)
	require.True(t, b.payment.MandateNamed)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("mandate", `{}`)).Code)
	require.Equal(t, gateway.Recurring{Enabled: true}, b.payment.Recurring)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("mandate", `{"schedule":{"every":"month","amount":500,"retry_days":[1,3]}}`)).Code)
	require.Equal(t, &payment.MandateSchedule{Every: payment.EveryMonth, Interval: 1, Amount: 500, RetryDays: []int{1, 3}}, b.payment.Mandate.Schedule)
	for _, schedule := range []string{`{}`, `{"every":"year"}`, `{"every":"day","interval":0}`, `{"every":"day","retry_days":[0]}`, `{"every":"day","retry_days":[1,2,3,4,5,6,7,8,9]}`} {
		require.Equal(t, 422, b.send(t, "POST", "/v1/payments", with("mandate", `{"schedule":`+schedule+`}`)).Code, schedule)
	}
	for _, terms := range []string{`{"max_amount":0}`, `{"min_days":0}`, `{"min_days":367}`, `{"max_charges":0}`, `{"expires_at":"soon"}`, `{"amount":5}`} {
		require.Equal(t, 422, b.send(t, "POST", "/v1/payments", with("mandate", terms)).Code, terms)
	}
}

// Who may begin payments may charge; who may only charge begins no payment and gives nothing back.
func TestAKeyForMandatesAlone(t *testing.T) {
	t.Parallel()
	only := shop.Principal{Scopes: []shop.Scope{shop.ScopeMandates}}
	require.True(t, only.May(shop.ScopeMandates))
	require.False(t, only.May(shop.ScopePayments))
	require.False(t, only.May(shop.ScopeRead))
	require.True(t, shop.Principal{Scopes: []shop.Scope{shop.ScopePayments}}.May(shop.ScopeMandates))
	require.False(t, shop.Principal{Scopes: []shop.Scope{shop.ScopeRefunds, shop.ScopeRead}}.May(shop.ScopeMandates))
	operations := operationsOf(document(t))
	for _, path := range []string{"/v1/payments/{id}/charges", "/v1/mandates/{id}/charges", "/v1/mandates/{id}/revoke"} {
		require.Equal(t, shop.ScopeMandates, operations["POST "+path].scope, path)
	}
}

func TestARefusedChargeSaysWhen(t *testing.T) {
	t.Parallel()
	p := problemOf(&payment.Error{Code: payment.CodeMandateTooSoon, Message: "x", RetryAfter: 36 * time.Hour})
	require.Equal(t, http.StatusConflict, p.Status)
	require.Equal(t, 129600, p.RetryAfter)
	_, err := json.Marshal(p)
	require.NoError(t, err)
}
