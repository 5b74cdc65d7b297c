package uapay

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// A schedule is ended by moving its end near; only an answer that names that end, of that subscription, says that it did.
func TestEndSchedule(t *testing.T) {
	t.Parallel()
	ref := gateway.Ref{Kind: gateway.KindPayment, OrderID: "sub-1", State: saved(stateInvoice, testInvoice)}
	for name, tc := range map[string]struct {
		answer  string
		planned bool
		unknown bool
	}{
		"ended":                      {answer: `{"invoiceId":"` + testInvoice + `","interval":30,"expiresAt":"END","plannedPaidAt":null,"status":"ACTIVE"}`},
		"one more charge is planned": {answer: `{"invoiceId":"` + testInvoice + `","expiresAt":"END","plannedPaidAt":"2099-01-01T00:00:00.000Z"}`, planned: true},
		"goes on":                    {answer: `{"invoiceId":"` + testInvoice + `","expiresAt":"2099-01-01T00:00:00.000Z"}`, unknown: true},
		"names no end":               {answer: `{"invoiceId":"` + testInvoice + `"}`, unknown: true},
		"another subscription":       {answer: `{"invoiceId":"11111111-2222-4333-8444-555555555555","expiresAt":"END"}`, unknown: true},
	} {
		answer := strings.Replace(tc.answer, "END", testNow.Add(scheduleGrace).UTC().Format("2006-01-02T15:04:05.000Z"), 1)
		p := newProvider(t, map[string][]string{"invoicer/subscriptions/update": {answer}})
		until, err := open(t, account(p.url)).EndSchedule(t.Context(), ref, 30)
		require.Equal(t, map[string]any{"sessionId": testSession, "id": testInvoice, "invoiceId": testInvoice}, p.seen()[0].Params, name)
		require.Equal(t, map[string]any{"interval": 30.0, "expiresAt": float64(testNow.Add(scheduleGrace).UnixMilli())}, p.seen()[0].Data, name)
		if tc.unknown {
			require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		want := testNow.Add(scheduleGrace + scheduleMargin)
		if tc.planned {
			want = time.Date(2099, 1, 2, 0, 0, 0, 0, time.UTC)
		}
		require.True(t, want.Equal(until), "%s: %s", name, until)
	}
	_, err := open(t, account("https://nowhere.example")).EndSchedule(t.Context(), gateway.Ref{Kind: gateway.KindPayment, OrderID: "sub-1"}, 30)
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
}
