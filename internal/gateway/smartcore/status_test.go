package smartcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestStatusByOperation(t *testing.T) {
	t.Parallel()
	const (
		none   = gateway.Status("")
		action = gateway.StatusRequiresAction
		doing  = gateway.StatusProcessing
		held   = gateway.StatusAuthorized
		done   = gateway.StatusSucceeded
		failed = gateway.StatusFailed
		gone   = gateway.StatusCanceled
	)
	statuses := []int64{-2, -1, 0, 1, 2, 3}
	for op, want := range map[gateway.Operation][2][]gateway.Status{ // without and with authorize_status
		gateway.OpSale:      {{none, failed, action, doing, done, none}, {none, failed, action, doing, done, none}},
		gateway.OpAuthorize: {{none, failed, action, doing, held, none}, {none, failed, action, held, held, none}},
		gateway.OpCapture:   {{none, failed, doing, doing, done, none}, {none, failed, doing, doing, done, none}},
		gateway.OpCancel:    {{none, gone, action, doing, none, none}, {none, gone, action, doing, none, none}},
	} {
		for i, status := range statuses {
			require.Equal(t, want[0][i], statusOf(status, op, false), "%s %d", op, status)
			require.Equal(t, want[1][i], statusOf(status, op, true), "%s %d held", op, status)
		}
	}
}

func TestFetchSettledAmount(t *testing.T) {
	t.Parallel()
	full, part, more, zero, minus := int64(1000), int64(900), int64(1001), int64(0), int64(-5)
	for body, want := range map[string]*int64{
		`"status":2,"amount":1000,"finalAmount":1000`:  &full,
		`"status":2,"amount":1000,"finalAmount":900`:   &part,
		`"status":2,"amount":1000,"finalAmount":"900"`: &part,
		`"status":2,"amount":1000,"finalAmount":1001`:  &more, // odd values are for payment to judge
		`"status":2,"amount":1000,"finalAmount":0`:     &zero,
		`"status":2,"amount":1000,"finalAmount":-5`:    &minus,
		`"status":2,"amount":1000,"finalAmount":null`:  nil,
		`"status":2,"amount":1000`:                     nil,
		`"status":2,"finalAmount":900`:                 &part,
		`"status":-1,"amount":1000,"finalAmount":900`:  nil,
		`"status":1,"amount":1000,"finalAmount":900`:   nil,
	} {
		g := open(t, newProvider(t, map[string]string{"/check": `{"order_id":"o-1",` + body + `}`}).account())
		result, err := g.Fetch(t.Context(), ref("o-1", 1000))
		require.NoError(t, err, body)
		require.Equal(t, want, result.Settled, body)
	}
}

func TestFetchDiscardsWhatIsNotAboutTheOrder(t *testing.T) {
	t.Parallel()
	known := ref("o-1", 1000)
	known.ProviderReference = "64a7eec2d46c5db10d082b3d"
	for body, want := range map[string]struct {
		kind gateway.ErrorKind
		code string
	}{
		`{"order_id":"o-2","status":2}`:      {gateway.KindUnknown, "other_order"},
		`{"order_id":null,"status":2}`:       {gateway.KindUnknown, "other_order"},
		`{"status":2}`:                       {gateway.KindUnknown, "other_order"},
		`{"order_id":"o-1"}`:                 {gateway.KindUnknown, "no_status"},
		`{"order_id":"o-1","status":"paid"}`: {gateway.KindUnknown, "unreadable_answer"},
		`{"order_id":"o-1","status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`: {gateway.KindUnknown, "VALIDATION_PROCESSING_ERROR"},
		`{"order_id":"o-1","err":"PLATFORM_ERROR_GATE_NOT_FOUND"}`:           {gateway.KindUnknown, "PLATFORM_ERROR_GATE_NOT_FOUND"},
		`{"err":"ORDER_NOT_FOUND"}`:                                          {gateway.KindNotFound, "ORDER_NOT_FOUND"},
		`{"status":-1,"err":"Order not found"}`:                              {gateway.KindNotFound, "Order not found"},
	} {
		for _, status := range []int{200, 400, 404} {
			p := newProvider(t, map[string]string{"/check": body})
			p.status = status
			_, err := open(t, p.account()).Fetch(t.Context(), known)
			var e *gateway.Error
			require.ErrorAs(t, err, &e, body)
			require.Equal(t, want.kind, e.Kind, body)
			require.Equal(t, want.code, e.Code, body)
		}
	}
	g := open(t, newProvider(t, map[string]string{"/check": `{"order_id":"64a7eec2d46c5db10d082b3d","status":2}`}).account())
	result, err := g.Fetch(t.Context(), known)
	require.NoError(t, err, "the provider's own id of the order will do")
	require.Equal(t, gateway.StatusSucceeded, result.Status)
}

func TestFetchPayoutCardHasNoSum(t *testing.T) {
	t.Parallel()
	g := open(t, newProvider(t, map[string]string{"/check": `{"order_id":"c-1","status":2,"amount":0,"finalAmount":0,"type":"Payment"}`}).account())
	result, err := g.Fetch(t.Context(), gateway.Ref{Kind: gateway.KindPayoutCard, Operation: gateway.OpSale, OrderID: "c-1"})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Nil(t, result.Amount)
	require.Empty(t, result.Kind, "any type is accepted (14.7)")
}

func TestFetchRefund(t *testing.T) {
	t.Parallel()
	payment := ref("pay-1", 1000)
	payment.ProviderReference = "64a40ee3c4125fdb1d5cf635"
	refund := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "ours-1", ProviderReference: "refund-id", Amount: eur(300), Parent: &payment}
	for body, want := range map[string]gateway.Status{
		`{"order_id":"refund-id","status":2,"type":"Refund","amount":300}`:                         gateway.StatusSucceeded,
		`{"order_id":"refund-id","status":2}`:                                                      gateway.StatusSucceeded,
		`{"order_id":"pay-1","status":-1,"type":"Refund","errorMessage":"LIMIT_PROCESSING_ERROR"}`: gateway.StatusFailed,
		`{"order_id":"64a40ee3c4125fdb1d5cf635","status":1,"type":"Refund"}`:                       gateway.StatusProcessing,
		`{"order_id":"pay-1","status":2,"type":"Payment","amount":1000}`:                           "", // the payment, not the refund
		`{"order_id":"pay-1","status":2,"amount":1000}`:                                            "",
		`{"order_id":"refund-id","status":2,"type":"Payment"}`:                                     "",
		`{"order_id":"other","status":2,"type":"Refund"}`:                                          "",
		`{"err":"ORDER_NOT_FOUND"}`:                                                                "", // never not_found: it proves nothing
		`{"status":-1,"err":"TECHNICAL_PROCESSING_ERROR","order_id":"refund-id","type":"Refund"}`:  "",
	} {
		p := newProvider(t, map[string]string{"/check": body})
		result, err := open(t, p.account()).Fetch(t.Context(), refund)
		if want == "" {
			require.Error(t, err, body)
			require.Equal(t, gateway.KindUnknown, gateway.KindOf(err), body)
			continue
		}
		require.NoError(t, err, body)
		require.Equal(t, want, result.Status, body)
		require.Equal(t, "refund-id", p.seen()[0].Body["order_id"])
	}
	refund.ProviderReference = ""
	p := newProvider(t, map[string]string{"/check": `{"order_id":"pay-1","status":2,"type":"Refund","amount":300,"finalAmount":300}`})
	_, err := open(t, p.account()).Fetch(t.Context(), refund)
	var e *gateway.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, gateway.KindUnknown, e.Kind, "it may be an earlier refund of the same sum")
	require.Equal(t, "300", e.ProviderData["amount"], "but a person may see it")
}

func TestNextAction(t *testing.T) {
	t.Parallel()
	get := func(url string) *gateway.NextAction {
		return &gateway.NextAction{Type: gateway.ActionRedirect, URL: url}
	}
	v2 := &gateway.NextAction{Type: gateway.ActionPostForm, URL: "https://acs", Fields: map[string]string{"creq": "c"}}
	v1 := &gateway.NextAction{Type: gateway.ActionPostForm, URL: "https://acs", Fields: map[string]string{"PaReq": "p", "MD": "m", "TermUrl": "https://t"}}
	for body, want := range map[string]*gateway.NextAction{
		`"form_url":"https://f/1","acsurl":"https://acs","creq":"c","paReq":"p"`:       get("https://f/1"),
		`"ACSUrl":"https://acs","creq":"c","PaReq":"p","MD":"m","TermUrl":"https://t"`: v2,
		`"acsUrl":"https://acs","PaReq":"p","MD":"m","TermUrl":"https://t"`:            v1,
		`"acsurl":"https://acs","paReq":"p","md":"m","termUrl":"https://t"`:            v1,
		`"acsurl":"https://acs","threeDSMethodData":"d"`:                               nil,

		// nothing that a browser could be sent to
		`"threeDSMethodData":"d"`: nil,
		`"creq":"c"`:              nil,

		`"form_url":null,"acsurl":null,"creq":null`: nil,
		`"form_url":"javascript:alert(1)"`:          nil,
		`"form_url":"http://elsewhere.example/1"`:   nil,
		`"form_url":"https://user:pass@f/1"`:        nil,
		`"acsurl":"http://acs.example","creq":"c"`:  nil,
		`"form_url":"http://127.0.0.1:9/1"`:         get("http://127.0.0.1:9/1"),
	} {
		g := open(t, newProvider(t, map[string]string{"/initPayment": `{"status":1,` + body + `}`}).account())
		result, err := g.CreatePayment(t.Context(), documented("o-1"))
		require.NoError(t, err, body)
		require.Equal(t, want, result.NextAction, body)
		if want == nil {
			require.Equal(t, gateway.StatusProcessing, result.Status, body)
		} else {
			require.Equal(t, gateway.StatusRequiresAction, result.Status, body)
		}
	}
	a := account("")
	a.Settings = map[string]string{"form_hosts": "Payment.smartcore.pro, payment.magua-pay.com"}
	g := open(t, a)
	require.True(t, g.mayOpen("https://payment.smartcore.pro/1", true))
	require.False(t, g.mayOpen("https://payment.smartcore.pro.evil.example/1", true))
	require.False(t, g.mayOpen("http://127.0.0.1/1", true), "plain http only when the provider is on this machine")
	require.True(t, g.mayOpen("https://issuer.example", false), "issuers are everywhere")
}
