package uapay

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// shownInvoice is an answer of invoices/show with payments that are written "id number system/invoicer".
func shownInvoice(rest string, payments ...string) string {
	shown := make([]string, len(payments))
	for i, p := range payments {
		word := strings.FieldsFunc(p, func(r rune) bool { return r == ' ' || r == '/' })
		shown[i] = `{"paymentId":"` + word[0] + `","number":` + word[1] + `,"paymentStatus":"` + word[2] + `","status":"` + word[3] + `","amount":25000}`
	}
	return `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE"` + rest + `,"payments":[` + strings.Join(shown, ",") + `]}`
}

// Which payment of an invoice tells about the order, and whether the next look holds on to it. A payment that was under
// way when it was looked at does not stand in the way of the one that brings the money; one that brought it does.
func TestWhichPaymentOfAnInvoiceDecides(t *testing.T) {
	t.Parallel()
	const sale, hold, capture, cancel = gateway.OpSale, gateway.OpAuthorize, gateway.OpCapture, gateway.OpCancel
	type poll []string
	for name, tc := range map[string]struct {
		op     gateway.Operation
		polls  []poll
		status gateway.Status
		id     string
		held   bool
	}{
		"a success behind a failure":        {sale, []poll{{"a 9 FINISHED/FINISHED", "b 10 REJECTED/CANCELED"}}, gateway.StatusSucceeded, "a", true},
		"a try under way":                   {sale, []poll{{"a 1 REJECTED/CANCELED", "b 2 PENDING/NEW", "c 3 CANCELED/CANCELED"}}, gateway.StatusProcessing, "b", false},
		"the payer's turn on the page":      {sale, []poll{{"a 1 REJECTED/CANCELED", "b 2 OPEN/NEW"}}, gateway.StatusRequiresAction, "b", false},
		"the newest failure":                {sale, []poll{{"b 10 REJECTED/CANCELED", "a 9 CANCELED/CANCELED"}}, gateway.StatusFailed, "b", true},
		"a success before what went back":   {sale, []poll{{"a 1 FINISHED/FINISHED", "b 2 REVERSED/REVERSED"}}, gateway.StatusSucceeded, "a", true},
		"a success after what went back":    {sale, []poll{{"a 1 REVERSED/REVERSED", "b 2 FINISHED/FINISHED"}}, gateway.StatusSucceeded, "b", true},
		"what went back before a new try":   {sale, []poll{{"a 1 REVERSED/REVERSED", "b 2 PENDING/NEW"}}, gateway.StatusSucceeded, "a", true},
		"a subscription's first charge":     {sale, []poll{{"b 10 FINISHED/FINISHED", "a 9 FINISHED/FINISHED", "c 11 FINISHED/FINISHED"}}, gateway.StatusSucceeded, "a", true},
		"an unlisted word hides failure":    {sale, []poll{{"a 1 SOMETHING_NEW/NEW", "b 2 REJECTED/CANCELED"}}, "", "a", false},
		"a hold beside a newer try":         {hold, []poll{{"a 9 HOLDED/PAID", "b 10 OPEN/NEW"}}, gateway.StatusAuthorized, "a", true},
		"two charges seen under way before": {sale, []poll{{"a 9 PENDING/NEW", "b 10 PENDING/NEW"}, {"a 9 FINISHED/FINISHED", "b 10 FINISHED/FINISHED"}}, gateway.StatusSucceeded, "a", true},
		"a newer try that never ends":       {sale, []poll{{"a 9 OPEN/NEW", "b 10 OPEN/NEW"}, {"a 9 FINISHED/FINISHED", "b 10 OPEN/NEW"}}, gateway.StatusSucceeded, "a", true},
		"a newer try beside a new hold":     {hold, []poll{{"a 9 OPEN/NEW", "b 10 OPEN/NEW"}, {"a 9 HOLDED/PAID", "b 10 OPEN/NEW"}}, gateway.StatusAuthorized, "a", true},
		"paid twice, the newer one first":   {sale, []poll{{"a 9 OPEN/NEW", "b 10 FINISHED/FINISHED"}, {"a 9 FINISHED/FINISHED", "b 10 FINISHED/FINISHED"}}, gateway.StatusSucceeded, "b", true},
		"held twice, the newer one first":   {hold, []poll{{"a 9 OPEN/NEW", "b 10 HOLDED/PAID"}, {"a 9 HOLDED/PAID", "b 10 HOLDED/PAID"}}, gateway.StatusAuthorized, "b", true},
		"the one that was paid went back":   {sale, []poll{{"a 9 OPEN/NEW", "b 10 FINISHED/FINISHED"}, {"a 9 FINISHED/FINISHED", "b 10 REVERSED/REVERSED"}}, gateway.StatusSucceeded, "b", true},
		"paid after a failure was seen":     {sale, []poll{{"b 10 REJECTED/CANCELED"}, {"a 11 FINISHED/FINISHED", "b 10 REJECTED/CANCELED"}}, gateway.StatusSucceeded, "a", true},
		"a capture under way":               {capture, []poll{{"a 9 OPEN/NEW", "b 10 HOLDED/PAID"}, {"a 9 OPEN/NEW", "b 10 PENDING/PAID", "c 11 OPEN/NEW"}}, gateway.StatusProcessing, "b", true},
		"a capture seen under way":          {capture, []poll{{"a 9 OPEN/NEW", "b 10 PENDING/PAID"}, {"a 9 OPEN/NEW", "b 10 PENDING/PAID", "c 11 OPEN/NEW"}}, gateway.StatusProcessing, "b", true},
		"a cancel seen under way":           {cancel, []poll{{"a 9 OPEN/NEW", "b 10 PENDING/PAID"}, {"a 9 OPEN/NEW", "b 10 PENDING/PAID", "c 11 OPEN/NEW"}}, gateway.StatusProcessing, "b", true},
		"a refused capture, paid otherwise": {capture, []poll{{"b 10 HOLDED/PAID"}, {"a 9 FINISHED/FINISHED", "b 10 REJECTED/CANCELED"}}, gateway.StatusSucceeded, "a", true},
		"a canceled hold, paid otherwise":   {capture, []poll{{"b 10 HOLDED/PAID"}, {"a 9 FINISHED/FINISHED", "b 10 CANCELED/CANCELED"}}, gateway.StatusSucceeded, "a", true},
	} {
		invoices := make([]string, len(tc.polls))
		for i, payments := range tc.polls {
			invoices[i] = shownInvoice("", payments...)
		}
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": invoices})
		g, ref := open(t, account(p.url)), payment(tc.op)
		ref.State = saved(stateInvoice, testInvoice)
		var last gateway.Result
		for range tc.polls {
			var err error
			last, err = g.Fetch(t.Context(), ref)
			require.NoError(t, err, name)
			maps.Copy(ref.State, last.State)
		}
		require.Equal(t, tc.status, last.Status, name)
		require.Equal(t, tc.id, last.ProviderData["payment_id"], name)
		require.Equal(t, tc.held, last.State[statePayment].Reveal() == tc.id, name)
	}
}

// Every payment of an invoice that has the payer's money is named, the one that decides first: a second may be a second charge.
func TestEveryPaymentWithMoneyIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		op       gateway.Operation
		rest     string
		payments []string
		want     []string
	}{
		"one":                    {gateway.OpSale, "", []string{"a 9 FINISHED/FINISHED"}, []string{"a"}},
		"paid twice":             {gateway.OpSale, "", []string{"b 10 FINISHED/FINISHED", "a 9 FINISHED/FINISHED"}, []string{"a", "b"}},
		"held twice":             {gateway.OpAuthorize, "", []string{"a 9 HOLDED/PAID", "b 10 HOLDED/PAID"}, []string{"a", "b"}},
		"beside what was no sum": {gateway.OpSale, "", []string{"a 9 FINISHED/FINISHED", "b 10 REJECTED/CANCELED", "c 11 PENDING/NEW", "d 12 REVERSED/REVERSED"}, []string{"a"}},
		"a subscription":         {gateway.OpSale, `,"type":"SUBSCRIBE"`, []string{"a 9 FINISHED/FINISHED", "b 10 FINISHED/FINISHED"}, []string{"a"}},
	} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {shownInvoice(tc.rest, tc.payments...)}})
		ref := payment(tc.op)
		ref.State = saved(stateInvoice, testInvoice)
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, result.BankReferences, name)
	}
	n, err := open(t, account("")).ReadCallback(sealed(t, callbackClaims()))
	require.NoError(t, err)
	require.Equal(t, []string{testPayment}, n.Result.BankReferences)
}

// The payment of an invoice that is only an envelope is our own, and is known from the first look.
func TestThePaymentOfOurOwnInvoiceIsKnown(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"invoicer/invoices/show": {shownInvoice(`,"extraInfo":{"payrelay":"direct"}`, "a 9 PENDING/NEW")}})
	ref := payment(gateway.OpSale)
	ref.State = saved(stateInvoice, testInvoice)
	result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusProcessing, result.Status)
	require.Equal(t, "a", result.State[statePayment].Reveal())
}

func TestAnInvoiceThatNobodyCanPayAnyMoreIsCanceled(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"invoicer/invoices/show": {`{"id":"` + testInvoice + `","invoiceStatus":"INACTIVE","amount":25000,"payments":[]}`}})
	result, err := open(t, account(p.url)).Fetch(t.Context(), known(gateway.OpSale))
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCanceled, result.Status, "uapay.md 15.4")
}

// A capture in part lowers the sum that is shown; without one, a lower sum is another order's.
func TestALoweredSumIsToldOfUnlessItIsBeingCaptured(t *testing.T) {
	t.Parallel()
	lowered := int64(20000)
	for op, want := range map[gateway.Operation]*int64{gateway.OpCapture: nil, gateway.OpSale: &lowered, gateway.OpCancel: &lowered} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {strings.ReplaceAll(shownInvoice("", "a 9 PENDING/PAID"), "25000", "20000")}})
		ref := payment(op)
		ref.State = saved(stateInvoice, testInvoice)
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		require.NoError(t, err, op)
		require.Equal(t, gateway.StatusProcessing, result.Status, op)
		require.Equal(t, want, result.Amount, op)
	}
}
