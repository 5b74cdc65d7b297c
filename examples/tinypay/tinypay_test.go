package tinypay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/money"
)

var euros = money.New(1000, "EUR")

func payment() gateway.PaymentRequest {
	return gateway.PaymentRequest{
		Ref:        gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, OrderID: "pr-1", Amount: euros},
		Flow:       gateway.FlowHosted,
		Customer:   gateway.Customer{LastName: "Canarylastname", Email: "canary@example.com"},
		ReturnURLs: gateway.ReturnURLs{Status: "https://shop.example.com/back"},
	}
}

// goodDay is Tinypay when all is well: it takes everything, and knows every order as open.
func goodDay(w http.ResponseWriter, r *http.Request) {
	var in struct{ ID string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	if r.Method == http.MethodGet {
		in.ID = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	}
	_, _ = fmt.Fprintf(w, `{"id": %q, "reference": "t-1", "state": "open", "pay_url": "https://tinypay.example/pay/t-1"}`, in.ID)
}

func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func open(t testing.TB, client *transport.Client, api string) gateway.Gateway {
	t.Helper()
	g, err := New(client).Open(gateway.Account{
		Settings: map[string]string{"api_url": api},
		Secrets:  map[string]gateway.Secret{"api_key": "canary-api-key", "callback_key": "canary-callback-key"},
	})
	require.NoError(t, err)
	return g
}

func signed(body string) gateway.RawCallback {
	mac := hmac.New(sha256.New, []byte("canary-callback-key"))
	mac.Write([]byte(body))
	return gateway.RawCallback{Method: http.MethodPost, Body: []byte(body), Query: url.Values{"signature": {hex.EncodeToString(mac.Sum(nil))}}}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	ref := payment().Ref
	refund := gateway.Ref{Kind: gateway.KindRefund, OrderID: "pr-2", Amount: euros, Parent: &ref}
	subject := gatewaytest.Subject{
		Provider: Name,
		Open:     open,
		Secrets:  []string{"canary-api-key", "canary-callback-key"},
		Answer:   http.HandlerFunc(goodDay),
		Echo: func(text string) string {
			quoted, _ := json.Marshal(text)
			return fmt.Sprintf(`{"id": "pr-1", "state": %[1]s, "reason": %[1]s, "error": %[1]s}`, quoted)
		},
		Hosted: payment,
		Operations: map[string]func(context.Context, gateway.Gateway) (gateway.Result, error){
			"fetch":        func(ctx context.Context, g gateway.Gateway) (gateway.Result, error) { return g.Fetch(ctx, ref) },
			"fetch refund": func(ctx context.Context, g gateway.Gateway) (gateway.Result, error) { return g.Fetch(ctx, refund) },
			"refund": func(ctx context.Context, g gateway.Gateway) (gateway.Result, error) {
				return g.(gateway.Refunder).Refund(ctx, gateway.RefundRequest{Refund: refund, Payment: ref})
			},
		},
		Callback: signed(`{"id": "pr-1", "reference": "t-1", "state": "paid", "amount": 1000, "currency": "EUR", "movement": "m-1"}`),
		Readings: map[string]gatewaytest.Reading{
			"paid":     {Ref: ref, Provider: says(200, `{"id": "pr-1", "state": "paid", "amount": 1000, "currency": "EUR"}`), Status: gateway.StatusSucceeded},
			"refunded": {Ref: ref, Provider: says(200, `{"id": "pr-1", "state": "paid", "amount": 1000, "refunded": 300}`), Status: gateway.StatusSucceeded, Refunded: 300},
			"declined": {Ref: ref, Provider: says(200, `{"id": "pr-1", "state": "declined", "reason": "no_funds"}`), Status: gateway.StatusFailed, Class: gateway.RetrySameLater},
		},
		Callbacks: map[string]gatewaytest.CallbackReading{
			"declined": {
				Callback: signed(`{"id": "pr-1", "reference": "t-1", "state": "declined", "reason": "no_funds", "amount": 1000, "currency": "EUR"}`),
				Status:   gateway.StatusFailed, Class: gateway.RetrySameLater,
			},
		},
	}
	gatewaytest.Run(t, subject)
	gatewaytest.RequireWhole(t, subject)
}

// Only the documented words prove that there is no such order, or that a call was not taken.
func TestErrorsNeedTheDocumentedWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   gateway.ErrorKind
	}{
		{404, `{"error": "no_such_order"}`, gateway.KindNotFound},
		{404, `{"error": "no route"}`, gateway.KindUnknown},
		{200, `{"error": "no_such_order"}`, gateway.KindUnknown},
		{422, `{"error": "not_possible"}`, gateway.KindDeclined},
		{500, `{"error": "not_possible"}`, gateway.KindUnknown},
		{200, `{"id": "pr-9", "state": "paid"}`, gateway.KindUnknown}, // another order's answer
	} {
		_, err := read("fetch", transport.Response{Status: c.status, Body: []byte(c.body)}, "pr-1")
		require.Equal(t, c.want, gateway.KindOf(err), "%d %s", c.status, c.body)
	}
}

func TestAnUnknownStateOfACallbackIsVerified(t *testing.T) {
	t.Parallel()
	n, err := open(t, nil, "https://api.tinypay.example").ReadCallback(signed(`{"id": "pr-1", "state": "new"}`))
	require.NoError(t, err)
	require.NotEmpty(t, n.VerifyReason)
	require.Empty(t, n.Result.Status)
}
