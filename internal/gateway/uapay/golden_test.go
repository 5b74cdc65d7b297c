package uapay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// neutral is how the reference's words read in payrelay's: initiated is the customer's turn on the provider's page, and
// refunded is a success of which everything went back.
func neutral(t testing.TB, word *string) (status gateway.Status, refunded bool) {
	if word == nil {
		return "", false
	}
	switch *word {
	case "initiated", "requires_action":
		return gateway.StatusRequiresAction, false
	case "cancelled":
		return gateway.StatusCanceled, false
	case "refunded":
		return gateway.StatusSucceeded, true
	case "processing", "authorized", "succeeded", "failed":
		return gateway.Status(*word), false
	}
	require.Fail(t, "unknown word", *word)
	return "", false
}

func operationFor(name string) gateway.Operation {
	if strings.Contains(name, "hold") {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}

func TestDocumentedInvoices(t *testing.T) {
	t.Parallel()
	n := 0
	for name, v := range loadVectors(t) {
		if !strings.HasPrefix(name, "invoice_show_") {
			continue
		}
		n++
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {v.data(t)}})
		ref := payment(operationFor(name))
		ref.ProviderReference = testInvoice
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		require.NoError(t, err, name)
		want, refunded := neutral(t, v.Want)
		require.Equal(t, want, result.Status, name)
		require.Equal(t, refunded, result.Refunded != nil, name)
		require.EqualValues(t, 25000, *result.Amount, name)
		require.Equal(t, want == gateway.StatusFailed, result.Failure != nil, name)
		require.Equal(t, testInvoice, result.State[stateInvoice].Reveal(), name)
		requireParams(t, v, p.seen()[0])
		if name != "invoice_show_no_payment_yet" {
			require.Equal(t, testPayment, result.State[statePayment].Reveal(), name)
			require.Equal(t, &gateway.MaskedMethod{Type: "card", Masked: "411111******1111", BIN: "411111"}, result.PaymentMethod, name)
			require.EqualValues(t, "UAH", result.Currency, name)
		}
	}
	require.Equal(t, 7, n)
}

// requireParams compares what was sent with the documented example, but for the order's id of a look-up.
func requireParams(t testing.TB, v vector, call seenCall) {
	t.Helper()
	var want struct{ Params map[string]any }
	require.NoError(t, json.Unmarshal(v.Request, &want))
	want.Params["sessionId"] = testSession
	require.Equal(t, want.Params, call.Params, v.Name)
	require.Equal(t, strings.TrimPrefix(v.path(), "/api/"), call.Path, v.Name)
}

func TestDocumentedCheckStatus(t *testing.T) {
	t.Parallel()
	n := 0
	for name, v := range loadVectors(t) {
		if !strings.Contains(v.Method, "checkStatus") {
			continue
		}
		n++
		var request struct{ Params map[string]string }
		require.NoError(t, json.Unmarshal(v.Request, &request))
		p := newProvider(t, map[string][]string{"invoicer/payments/checkStatus": {v.data(t)}})
		ref := payment(operationFor(name))
		ref.State = remember(stateInvoice, request.Params["invoiceId"], statePayment, request.Params["paymentId"],
			stateDirect, "1", stateReturn, "https://shop.example/return/ord-1001")
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		require.NoError(t, err, name)
		requireParams(t, v, p.seen()[0])
		want, refunded := neutral(t, v.Want)
		if name == "checkstatus_open_new" {
			want = gateway.StatusProcessing // nobody is on a page: the provider works
		}
		require.Equal(t, want, result.Status, name)
		require.Equal(t, refunded, result.Refunded != nil, name)
		require.Equal(t, want == gateway.StatusRequiresAction, result.NextAction != nil, name)
		if v.TermURL != "" {
			require.Equal(t, v.TermURL, result.NextAction.Fields["TermUrl"])
			require.Equal(t, "3f2e1d0c-9b8a-4796-8574-635241302f1e", result.NextAction.Fields["MD"])
			require.Equal(t, "UEFSRVEtU0lN", result.NextAction.Fields["PaReq"])
		}
		if strings.Contains(name, "lookup") {
			require.Equal(t, gateway.ActionConfirmCode, result.NextAction.Type)
			require.Contains(t, []int{2, 3}, *result.NextAction.AttemptsLeft)
		}
		encoded, err := json.Marshal(result.Evidence)
		require.NoError(t, err)
		for _, hidden := range []string{"SimKey", "UEFSR"} {
			require.NotContains(t, string(encoded), hidden, name)
		}
	}
	require.Equal(t, 19, n)
}

func TestDocumentedPayments(t *testing.T) {
	t.Parallel()
	n := 0
	for name, v := range loadVectors(t) {
		if !strings.Contains(v.Method, "invoicer/payments/show") || name == "payment_show_commission" {
			continue
		}
		n++
		var a answer
		require.NoError(t, json.Unmarshal([]byte(v.data(t)), &a))
		m := shownState(a).meaning(operationFor(name))
		want, refunded := neutral(t, v.Want)
		if want == gateway.StatusRequiresAction {
			require.True(t, m.waiting, name)
			continue
		}
		require.Equal(t, want, m.status, name)
		require.Equal(t, refunded, m.reversed, name)
	}
	require.Equal(t, 11, n)
}

func TestDocumentedTransfers(t *testing.T) {
	t.Parallel()
	n := 0
	for name, v := range loadVectors(t) {
		ref := gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", ProviderReference: testP2P, Amount: uah(10000)}
		switch v.path() {
		case "/api/p2p/payments/show":
			ref.State = remember(stateEngine, engineSplit)
		case "/api/payments/p2p/show":
		default:
			continue
		}
		n++
		if name == "seed_p2p_payments_show_bucket_finished" {
			ref.ProviderReference, ref.Amount = "a5878766-9a1f-485e-adb9-4c14d6bcceb1", uah(400)
		}
		p := newProvider(t, map[string][]string{strings.TrimPrefix(v.path(), "/api/"): {v.data(t)}})
		result, err := open(t, account(p.url)).Fetch(t.Context(), ref)
		require.NoError(t, err, name)
		want, refunded := neutral(t, v.Want)
		if refunded {
			want = gateway.StatusFailed // the money is not where it was sent
		}
		if *v.Want == "initiated" {
			want = gateway.StatusProcessing // a completion is under way, or the provider lets it lapse
		}
		require.Equal(t, want, result.Status, name)
		require.Equal(t, refunded, result.Refunded != nil && *result.Refunded == ref.Amount.Minor(), name)
		require.Equal(t, want == gateway.StatusFailed, result.Failure != nil, name)
		require.Equal(t, ref.Amount.Minor(), *result.Amount, name)
	}
	require.Equal(t, 20, n)
}

func TestDocumentedInvoiceRequests(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	for name, change := range map[string]func(*gateway.PaymentRequest){
		"invoice_create_pay":  func(*gateway.PaymentRequest) {},
		"invoice_create_hold": func(r *gateway.PaymentRequest) { r.Ref.OrderID, r.Ref.Operation = "ord-1002", gateway.OpAuthorize },
		"invoice_create_subscribe": func(r *gateway.PaymentRequest) {
			r.Ref.OrderID = "sub-1"
			r.Recurring = gateway.Recurring{Enabled: true, FrequencyDays: 30, ExpiresAt: testNow.AddDate(0, 6, 2)}
		},
	} {
		v := vectors[name]
		p := newProvider(t, map[string][]string{"invoicer/invoices/create": {v.data(t)}})
		req := hosted()
		change(&req)
		result, err := open(t, account(p.url)).CreatePayment(t.Context(), req)
		require.NoError(t, err, name)
		require.Equal(t, gateway.StatusRequiresAction, result.Status)
		require.Equal(t, &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://pay.demo.uapay.ua/payment/" + testInvoice}, result.NextAction)
		require.Equal(t, testInvoice, result.ProviderReference)
		requireParams(t, v, p.seen()[0])
		var want struct{ Data map[string]any }
		require.NoError(t, json.Unmarshal(v.Request, &want))
		delete(want.Data, "extraInfo") // ours has none
		got := p.seen()[0].Data
		if name == "invoice_create_subscribe" {
			require.InDelta(t, want.Data["expiresAt"], got["expiresAt"], 3*86400e3)
			want.Data["expiresAt"] = got["expiresAt"]
		}
		require.Equal(t, want.Data, got, name)
	}
}
