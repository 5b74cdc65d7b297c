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
	gw := open(t, account("https://nowhere.example"))
	require.True(t, New(nil).Describe().OwnSchedule)
	require.NotImplements(t, (*gateway.Charger)(nil), gw)
	_, err := gw.EndSchedule(t.Context(), gateway.Ref{Kind: gateway.KindPayment, OrderID: "sub-1"}, 30)
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
}

// The other payments of a subscription's invoice are its later charges: each with its own id, sum and state, the oldest first.
func TestLaterChargesOfASubscription(t *testing.T) {
	t.Parallel()
	ref := payment(gateway.OpSale)
	ref.State = saved(stateInvoice, testInvoice)
	shown := func(rest string, payments ...string) (gateway.Result, error) {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {shownInvoice(rest, payments...)}})
		return open(t, account(p.url)).Fetch(t.Context(), ref)
	}
	const subscribe = `,"type":"SUBSCRIBE"`
	all := []string{"z 8 REJECTED/CANCELED", "d 13 REVERSED/REVERSED", "b 10 FINISHED/FINISHED", "a 9 FINISHED/FINISHED", "c 11 REJECTED/CANCELED", "e 14 PENDING/NEW", "f 15 CANCELED/CANCELED"}
	result, err := shown(subscribe, all...)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, result.BankReferences)
	type charge struct {
		id       string
		status   gateway.Status
		minor    int64
		refunded bool
		failed   bool
	}
	var got []charge
	for _, c := range result.ProviderCharges {
		got = append(got, charge{c.ProviderReference, c.Status, *c.Amount, c.Refunded != nil, c.Failure != nil})
		require.Equal(t, []string{c.ProviderReference}, c.BankReferences)
		require.Equal(t, saved(stateInvoice, testInvoice, statePayment, c.ProviderReference, stateLater, "1"), c.State)
		require.Equal(t, c.ProviderReference, c.ProviderData["payment_id"])
	}
	require.Equal(t, []charge{
		{"b", gateway.StatusSucceeded, 25000, false, false}, {"c", gateway.StatusFailed, 25000, false, true}, {"d", gateway.StatusSucceeded, 25000, true, false},
	}, got)

	result, err = shown("", all...)
	require.NoError(t, err)
	require.Empty(t, result.ProviderCharges, "it is no subscription")
	result, err = shown(subscribe, "a 9 PENDING/NEW")
	require.NoError(t, err)
	require.Empty(t, result.ProviderCharges)
	_, err = shown(subscribe, "a 9 FINISHED/FINISHED", `",x 10 FINISHED/FINISHED`)
	require.Error(t, err, "one without an id cannot be told from the others")
}

// An order of a later charge is about its own payment, whatever else its invoice shows; so is its refund.
func TestALaterChargeIsItsOwnPayment(t *testing.T) {
	t.Parallel()
	ref := payment(gateway.OpSale)
	ref.State = saved(stateInvoice, testInvoice, statePayment, "b", stateLater, "1")
	const paid = `,"type":"SUBSCRIBE"`
	for name, tc := range map[string]struct {
		payments []string
		status   gateway.Status
		unknown  bool
	}{
		"paid":           {payments: []string{"a 9 FINISHED/FINISHED", "b 10 FINISHED/FINISHED"}, status: gateway.StatusSucceeded},
		"refused":        {payments: []string{"a 9 FINISHED/FINISHED", "b 10 REJECTED/CANCELED"}, status: gateway.StatusFailed},
		"not shown":      {payments: []string{"a 9 FINISHED/FINISHED"}, unknown: true},
		"of no payments": {unknown: true},
	} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {shownInvoice(paid, tc.payments...)}})
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		if tc.unknown {
			require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, "b", result.ProviderReference, name)
		require.Equal(t, []string{"b"}, result.BankReferences, name)
		require.Empty(t, result.ProviderCharges, name)
	}
	p := newProvider(t, map[string][]string{
		"invoicer/payments/show":    {`{"paymentId":"b","paymentStatus":"FINISHED","status":"FINISHED","amount":25000}`},
		"invoicer/payments/reverse": {`{"paymentId":"b"}`},
	})
	refund := gateway.Ref{Kind: gateway.KindRefund, OrderID: "r-1", Amount: ref.Amount}
	_, err := open(t, account(p.url)).Refund(t.Context(), gateway.RefundRequest{Refund: refund, Payment: ref})
	require.NoError(t, err)
	calls := p.seen()
	require.Equal(t, "b", calls[len(calls)-1].Params["paymentId"])
}
