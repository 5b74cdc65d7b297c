package uapay

import (
	"fmt"
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
		kind    gateway.ErrorKind
	}{
		"ended":                      {answer: `{"invoiceId":"` + testInvoice + `","interval":30,"expiresAt":"END","plannedPaidAt":null,"status":"ACTIVE"}`},
		"one more charge is planned": {answer: `{"invoiceId":"` + testInvoice + `","expiresAt":"END","plannedPaidAt":"2099-01-01T00:00:00.000Z"}`, planned: true},
		"goes on":                    {answer: `{"invoiceId":"` + testInvoice + `","expiresAt":"2099-01-01T00:00:00.000Z"}`, kind: gateway.KindUnknown},
		"names no end":               {answer: `{"invoiceId":"` + testInvoice + `"}`, kind: gateway.KindUnknown},
		"another subscription":       {answer: `{"invoiceId":"11111111-2222-4333-8444-555555555555","expiresAt":"END"}`, kind: gateway.KindUnknown},
	} {
		end := time.Now().UTC().Add(time.Minute).Format("2006-01-02T15:04:05.000Z")
		answer := tc.answer
		for i := 0; i+3 <= len(answer); i++ {
			if answer[i:i+3] == "END" {
				answer = answer[:i] + end + answer[i+3:]
				break
			}
		}
		p := newProvider(t, map[string][]string{"invoicer/subscriptions/update": {answer}})
		before := time.Now()
		until, err := open(t, account(p.url)).EndSchedule(t.Context(), ref, 30)
		sent := p.seen()[1]
		require.Equal(t, map[string]any{"sessionId": testSession, "id": testInvoice, "invoiceId": testInvoice}, sent.Params, name)
		require.EqualValues(t, 30, sent.Data["interval"], name)
		require.InDelta(t, before.Add(scheduleGrace).UnixMilli(), sent.Data["expiresAt"], 60_000, name)
		switch {
		case tc.kind != 0:
			require.Equal(t, tc.kind, kindOf(t, err), name)
		case tc.planned:
			require.NoError(t, err, name)
			require.Equal(t, "2099-01-02T00:00:00Z", until.Format(time.RFC3339), name)
		default:
			require.NoError(t, err, name)
			require.WithinDuration(t, before.Add(scheduleGrace+scheduleMargin), until, time.Minute, fmt.Sprint(name))
		}
	}
	_, err := open(t, account("https://nowhere.example")).EndSchedule(t.Context(), gateway.Ref{Kind: gateway.KindPayment, OrderID: "sub-1"}, 30)
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
}
