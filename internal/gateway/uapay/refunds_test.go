package uapay

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestRefunds(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	paidNow := shown("FINISHED", "FINISHED", 25000)
	captured := known(gateway.OpCapture)
	captured.Captured = 20000
	for name, tc := range map[string]struct {
		payment gateway.Ref
		minor   int64
		vector  string
	}{
		"all":                {known(gateway.OpSale), 25000, "payment_reverse_full"},
		"all that was taken": {captured, 20000, "payment_reverse_full"},
		"a part":             {known(gateway.OpSale), 5000, "payment_reverse_partial"},
	} {
		v := vectors[tc.vector]
		p := newProvider(t, map[string][]string{"invoicer/payments/show": {paidNow}, "invoicer/payments/reverse": {v.data(t)}})
		result, err := open(t, account(p.url)).Refund(t.Context(), gateway.RefundRequest{
			Refund: gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-1", Amount: uah(tc.minor)}, Payment: tc.payment,
		})
		require.NoError(t, err, name)
		require.Equal(t, gateway.StatusProcessing, result.Status, "an acknowledgement proves nothing yet")
		require.Empty(t, result.ProviderReference)
		requireParams(t, v, p.seen()[1])
		var want struct{ Data map[string]any }
		require.NoError(t, jsonInto(v.Request, &want))
		require.Equal(t, want.Data, p.seen()[1].Data, name)
	}
	for name, tc := range map[string]struct {
		answer string
		kind   gateway.ErrorKind
		status int
	}{
		"reversed already": {`!{"code":"STATE_ERROR","message":"was partly reversed already"}`, gateway.KindDeclined, 200},
		"too much":         {`!{"code":"AMOUNT_ERROR"}`, gateway.KindDeclined, 400},
		"no money":         {`!{"code":"NOT_ENOUGH_MONEY"}`, gateway.KindDeclined, 200},
		"a broken server":  {`!{"code":"STATE_ERROR"}`, gateway.KindUnknown, 502},
		"unlisted":         {`!{"code":"SOMETHING_ELSE"}`, gateway.KindUnknown, 200},
		"the bank's state": {`!{"code":"BANK_STATE_ERROR"}`, gateway.KindUnknown, 200},
		"nobody's state":   {`!{"code":"UNKNOWN_STATUS"}`, gateway.KindUnknown, 200},
		"another payment":  {`{"paymentId":"x"}`, gateway.KindUnknown, 200},
		"nothing":          {`{}`, gateway.KindUnknown, 200},
	} {
		p := newProvider(t, map[string][]string{"invoicer/payments/reverse": {tc.answer}})
		p.status = tc.status
		mux := http.NewServeMux()
		mux.Handle("/api/invoicer/payments/show", newProvider(t, map[string][]string{"invoicer/payments/show": {paidNow}}))
		mux.Handle("/", p)
		g := open(t, account(serve(t, mux)))
		result, err := g.Refund(t.Context(), gateway.RefundRequest{Refund: gateway.Ref{Amount: uah(5000)}, Payment: known(gateway.OpSale), Last: true})
		require.Equal(t, tc.kind, kindOf(t, err), name)
		require.Len(t, p.seen(), 1, name)
		require.Equal(t, beforePaid, result.State[stateBefore].Reveal(), "%s: what was seen before is kept", name)
		require.Equal(t, "1", result.State[stateLast].Reveal(), name)
		require.Empty(t, result.State[stateAccepted], name)
	}
	p := newProvider(t, map[string][]string{"invoicer/payments/show": {"!{}"}})
	_, err := open(t, account(p.url)).Refund(t.Context(), gateway.RefundRequest{Refund: gateway.Ref{Amount: uah(5000)}, Payment: known(gateway.OpSale)})
	require.Equal(t, gateway.KindNotSent, kindOf(t, err), "the refund itself never went out")
	require.Len(t, p.seen(), 1)
	_, err = open(t, account("")).Refund(t.Context(), gateway.RefundRequest{Refund: gateway.Ref{Amount: uah(25001)}, Payment: known(gateway.OpSale)})
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
}

// What the parent's payment proves about a refund.
func TestFetchRefund(t *testing.T) {
	t.Parallel()
	const all, part = 25000, 5000
	const paid, back = beforePaid, beforeReversed
	finished, reversed := shown("FINISHED", "FINISHED", 25000), shown("REVERSED", "REVERSED", 25000)
	for name, tc := range map[string]struct {
		minor    int64
		accepted bool
		last     bool
		before   string
		read     string
		status   gateway.Status
		proof    string
		code     string
	}{
		"all, reversed":                      {all, true, false, paid, reversed, gateway.StatusSucceeded, "reversed", ""},
		"all, returned":                      {all, true, false, paid, shown("RETURNED", "REVERSED", 25000), gateway.StatusSucceeded, "reversed", ""},
		"all, reversed, answer lost":         {all, false, false, paid, reversed, gateway.StatusSucceeded, "reversed", ""},
		"all, reversed before, answer lost":  {all, false, false, back, reversed, "", "", "refund_not_visible"},
		"all, nobody knows what was before":  {all, false, false, "", reversed, "", "", "refund_not_visible"},
		"all, reversed before, acknowledged": {all, true, false, back, reversed, gateway.StatusSucceeded, "acknowledged", ""},
		"all, not yet":                       {all, true, false, paid, finished, gateway.StatusProcessing, "", ""},
		"all, answer lost":                   {all, false, false, paid, finished, "", "", "refund_not_visible"},
		"a part, acknowledged":               {part, true, false, paid, finished, gateway.StatusSucceeded, "acknowledged", ""},
		"a part, acknowledged and reversed":  {part, true, false, paid, reversed, gateway.StatusSucceeded, "reversed", ""},
		"a part, acknowledged again":         {part, true, false, back, reversed, gateway.StatusSucceeded, "acknowledged", ""},
		"a part, all reversed":               {part, false, false, paid, reversed, "", "", "refund_not_visible"},
		"a part, reversed before":            {part, false, false, back, reversed, "", "", "refund_not_visible"},
		"a part, answer lost":                {part, false, false, paid, finished, "", "", "refund_not_visible"},
		"the rest, not yet":                  {part, true, true, paid, finished, gateway.StatusProcessing, "", ""},
		"the rest, reversed, answer lost":    {part, false, true, paid, reversed, gateway.StatusSucceeded, "reversed", ""},
		"the rest, reversed before":          {part, false, true, back, reversed, "", "", "refund_not_visible"},
		"a part, of a payment on the way":    {part, true, false, paid, shown("PENDING", "PAID", 25000), gateway.StatusProcessing, "", ""},
		"a part, unlisted":                   {part, true, false, paid, shown("SOMETHING_NEW", "FINISHED", 25000), "", "", ""},
		"another payment":                    {part, true, false, paid, `{"paymentId":"x","status":"REVERSED","paymentStatus":"REVERSED"}`, "", "", "other_order"},
	} {
		p := newProvider(t, map[string][]string{"invoicer/payments/show": {tc.read}})
		parent := known(gateway.OpSale)
		ref := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "rf-1", Amount: uah(tc.minor), Parent: &parent}
		ref.State = saved(stateBefore, tc.before)
		if ref.State == nil {
			ref.State = map[string]gateway.Secret{}
		}
		if tc.accepted {
			ref.State[stateAccepted] = "1"
		}
		if tc.last {
			ref.State[stateLast] = "1"
		}
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		if tc.code != "" {
			require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
			require.Equal(t, tc.code, asError(t, err).Code, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, tc.proof, result.ProviderData["proof"], name)
		require.Nil(t, result.Amount, "the payment's sum is not the refund's")
	}
	p := newProvider(t, map[string][]string{"invoicer/invoices/show/list": {`{"invoices":[]}`}})
	parent := payment(gateway.OpSale)
	_, err := open(t, account(p.url)).Fetch(t.Context(), gateway.Ref{Kind: gateway.KindRefund, Parent: &parent})
	require.Equal(t, gateway.KindUnknown, kindOf(t, err), "that the payment is not found never fails a refund")
}
