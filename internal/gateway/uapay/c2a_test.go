package uapay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// openC2A opens an account whose direct payments go by the newer engine.
func openC2A(t testing.TB, url string) *Gateway {
	t.Helper()
	a := account(url)
	a.Settings[settingDirect] = directC2A
	return open(t, a)
}

func TestCardNumbersByC2A(t *testing.T) {
	t.Parallel()
	req := c2aRequest()
	req.Method = gateway.PaymentMethod{Card: mustCard(t, "4111111111111111")}
	require.NotEmpty(t, open(t, account("")).Check(req), "an account must be set up for card numbers")
	p := newProvider(t, map[string][]string{
		"p2p/payments/c2a/initiate": {ids900}, "p2p/payments/c2a/complete": {ids900}, "p2p/payments/show": {splitOf("OPEN", splitOp("SEND", "NEEDS_CONFIRMATION", "tr-900"))},
		"payments/p2p/show": {`{"id":"` + testP2P + `","status":"NEEDS_CONFIRMATION","confirmation":{"type":"3DS","url":"https://acs.example/c","form":{"PaReq":"x"}},` +
			`"redirect":{"url":"https://api.demo.uapay.ua/api/payments/p2p/confirm","params":{"id":"` + testP2P + `"}}}`},
	})
	result, err := openC2A(t, p.url).CreatePayment(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"cardFrom": map[string]any{"pan": "4111111111111111", "expiresAt": "2031-03", "securityCode": "917"}}, p.seen()[1].Data)
	require.Equal(t, gateway.StatusRequiresAction, result.Status)
	require.Equal(t, gateway.ActionPostForm, result.NextAction.Type)
	require.Equal(t, "https://api.demo.uapay.ua/api/payments/p2p/confirm?id="+testP2P, result.NextAction.Fields["TermUrl"])
	require.EqualValues(t, 10000, *result.Amount, "without the commission, which is the payer's")
	require.Equal(t, "300", result.ProviderData["commission"])
	require.Empty(t, openC2A(t, p.url).Check(hosted()), "a hosted payment is an invoice, as ever")

	for name, change := range map[string]func(*gateway.PaymentRequest){
		"no code": func(r *gateway.PaymentRequest) { r.Method.Card.CVC = mustCVC("917"); r.Method.Card.Expiry.Month = 0 },
		"a hold":  func(r *gateway.PaymentRequest) { r.Ref.Operation = gateway.OpAuthorize },
		"hosted":  func(r *gateway.PaymentRequest) { r.Flow = gateway.FlowHosted },
	} {
		bad := c2aRequest()
		bad.Method = gateway.PaymentMethod{Card: mustCard(t, "4111111111111111")}
		change(&bad)
		require.NotEmpty(t, openC2A(t, p.url).Check(bad), name)
	}
}

func TestC2AThatFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		initiate, complete string
		kind               gateway.ErrorKind
		failed             bool
		last               string
	}{
		"not initiated":            {`!{"code":"NO_AGREEMENT"}`, "", gateway.KindDeclined, true, "p2p/payments/c2a/initiate"},
		"initiated for another":    {`{"paymentId":"x","externalId":"tr-901"}`, "", gateway.KindDeclined, true, "p2p/payments/c2a/cancel"},
		"a card that is not there": {ids900, `!{"code":"NOT_FOUND","message":"cardFrom is not known"}`, gateway.KindDeclined, true, "p2p/payments/c2a/cancel"},
		"a card that is refused":   {ids900, `!{"code":"FORMAT_ERROR","fields":{"data":{"cardFrom":{"id":"UNKNOWN"}}}}`, gateway.KindDeclined, true, "p2p/payments/c2a/cancel"},
		"completed for another":    {ids900, `{"paymentId":"x"}`, gateway.KindUnknown, true, "p2p/payments/c2a/complete"},
		"nobody knows the second":  {ids900, `!{"code":"BANK_ERROR"}`, 0, false, "p2p/payments/c2a/complete"},
	} {
		p := newProvider(t, map[string][]string{
			"p2p/payments/c2a/initiate": {tc.initiate}, "p2p/payments/c2a/complete": {tc.complete}, "p2p/payments/c2a/cancel": {ids900},
		})
		result, err := openC2A(t, p.url).CreatePayment(t.Context(), c2aRequest())
		require.Equal(t, tc.last, p.paths()[len(p.paths())-1], name)
		if tc.failed {
			require.Equal(t, tc.kind, kindOf(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, gateway.StatusProcessing, result.Status, name)
		require.Equal(t, testP2P, result.State[statePayment].Reveal(), "%s: it is followed by its id", name)
		require.Equal(t, "BANK_ERROR", result.ProviderData["complete"])
	}
}

// What is initiated moves nothing, and lapses unless it is completed (uapay.md 9.3). A call that was not completed, and
// never will be, is given up: an answer that is lost, or that cannot be believed, does not leave the order open.
func TestInitiatingCallsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	payout := gateway.PayoutRequest{
		Ref:    gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(15000)},
		Method: gateway.PayoutMethod{Card: paidTo(t, "4111111111111111")}, Description: "Payout 900",
	}
	paid := c2aPayment()
	refund := gateway.RefundRequest{Refund: gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-900", Amount: paid.Amount}, Payment: paid}
	for name, tc := range map[string]struct {
		call   func(*Gateway) error
		cancel string
	}{
		"c2a":         {func(g *Gateway) error { _, err := g.CreatePayment(t.Context(), c2aRequest()); return err }, "c2a/cancel"},
		"a2c":         {func(g *Gateway) error { _, err := g.Payout(t.Context(), payout); return err }, "a2c/cancel"},
		"c2a/reverse": {func(g *Gateway) error { _, err := g.Refund(t.Context(), refund); return err }, "c2a/reverse/cancel"},
	} {
		for _, status := range []int{500, 200} {
			p := newProvider(t, map[string][]string{"p2p/payments/" + name + "/initiate": {`{"odd":1}`}})
			p.status = status
			g := openC2A(t, p.url)
			g.sessions.id, g.sessions.ends, g.sessions.made = testSession, testNow.Add(sessionLife), 1
			err := tc.call(g)
			require.Equal(t, gateway.KindDeclined, kindOf(t, err), name)
			require.Equal(t, gateway.CodeUnanswered, asError(t, err).Code, name)
			require.NotEmpty(t, asError(t, err).ProviderData["initiate"], name)
			require.Equal(t, []string{"p2p/payments/" + name + "/initiate", "p2p/payments/" + tc.cancel}, p.paths(), "%s: never completed", name)
		}
	}
}

// Without its id a payment is looked up by the order's, and never given up for lost.
func TestC2AWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	ref := c2aPayment()
	ref.State, ref.ProviderReference = nil, ""
	p := newProvider(t, map[string][]string{
		"invoicer/invoices/show/list": {`{"invoices":[]}`}, "payments/p2p/show": {`{"id":"` + testP2P + `","externalId":"tr-900","status":"OPEN"}`},
		"p2p/payments/show": {splitOf("FINISHED", splitOp("SEND", "FINISHED", "tr-900"))},
	})
	result, err := openC2A(t, p.url).Fetch(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Equal(t, engineSplit, result.State[stateEngine].Reveal())

	for name, answer := range map[string]string{"no such order": `!{"code":"NOT_FOUND"}`, "another": `{"id":"x","externalId":"tr-901"}`} {
		p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {`{"invoices":[]}`}, "payments/p2p/show": {answer}})
		_, err = openC2A(t, p.url).Fetch(t.Context(), ref)
		require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
	}
	p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {`{"invoices":[]}`}})
	_, err = open(t, account(p.url)).Fetch(t.Context(), ref)
	require.Equal(t, gateway.KindNotFound, kindOf(t, err), "an account of invoices has nothing else")

	// A hosted payment is an invoice on every account: that there is none proves that it never arrived. One whose flow is not
	// known may have been either.
	for flow, kind := range map[gateway.Flow]gateway.ErrorKind{
		gateway.FlowHosted: gateway.KindNotFound, gateway.FlowDirect: gateway.KindUnknown, "": gateway.KindUnknown,
	} {
		p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {`{"invoices":[]}`}, "payments/p2p/show": {`!{"code":"NOT_FOUND"}`}})
		ref.Flow = flow
		_, err = openC2A(t, p.url).Fetch(t.Context(), ref)
		require.Equal(t, kind, kindOf(t, err), flow)
	}
}

func TestC2ARefunds(t *testing.T) {
	t.Parallel()
	parent := c2aPayment()
	part := gateway.Ref{Kind: gateway.KindRefund, OrderID: "rf-900", Amount: uah(5000), Parent: &parent}
	_, err := openC2A(t, "").Refund(t.Context(), gateway.RefundRequest{Refund: part, Payment: parent})
	require.Equal(t, gateway.KindInvalid, kindOf(t, err), "only whole")
	missing := openC2A(t, "").Check(gateway.RefundRequest{Refund: part, Payment: parent})
	require.Equal(t, []gateway.FieldError{{Field: "amount", Message: "must be left out: UAPAY gives a payment of this kind back whole"}}, missing, "and that is told before anything is stored")
	all := part
	all.Amount = uah(10000)
	for name, tc := range map[string]struct {
		operation string
		status    gateway.Status
		code      string
	}{
		"done":         {splitOp("RETURN", "FINISHED", "rf-900"), gateway.StatusSucceeded, ""},
		"under way":    {splitOp("RETURN", "NEEDS_COMPLETE", "rf-900"), gateway.StatusProcessing, ""},
		"lapsed":       {splitOp("RETURN", "CANCELED", "rf-900"), gateway.StatusFailed, ""},
		"refused":      {splitOp("RETURN", "REJECTED", "rf-900"), gateway.StatusFailed, ""},
		"an odd word":  {splitOp("RETURN", "SOMETHING", "rf-900"), "", ""},
		"another's":    {splitOp("RETURN", "FINISHED", "rf-901"), "", "refund_not_visible"},
		"nobody knows": {splitOp("SEND", "FINISHED", "rf-900"), "", "refund_not_visible"},
	} {
		p := newProvider(t, map[string][]string{"p2p/payments/show": {splitOf("FINISHED", tc.operation)}})
		result, err := openC2A(t, p.url).Fetch(t.Context(), all)
		if tc.code != "" {
			require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
			require.Equal(t, tc.code, asError(t, err).Code, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, tc.status == gateway.StatusFailed, result.Failure != nil, name)
	}
}

func TestCancelOfWhatNobodyPaid(t *testing.T) {
	t.Parallel()
	show := func(status string) string {
		return `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"` + status + `","payments":[]}`
	}
	ref := payment(gateway.OpSale)
	ref.State = saved(stateInvoice, testInvoice)
	for name, tc := range map[string]struct {
		answer string
		after  string
		status gateway.Status
		kind   gateway.ErrorKind
	}{
		"given up":          {`{"id":"` + testInvoice + `"}`, show("INACTIVE"), gateway.StatusCanceled, 0},
		"acknowledged only": {`{"id":"` + testInvoice + `"}`, show("ACTIVE"), gateway.StatusProcessing, 0},
		"paid meanwhile": {
			`!{"code":"BAD_STATE"}`, `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE","payments":[` + shown("FINISHED", "FINISHED", 25000) + `]}`,
			gateway.StatusSucceeded, 0,
		},
		"refused":      {`!{"code":"BAD_STATE"}`, show("ACTIVE"), "", gateway.KindDeclined},
		"slow":         {`!{"code":"PROCESSING_TIMEOUT"}`, show("ACTIVE"), "", gateway.KindUnknown},
		"slow, done":   {`!{"code":"PROCESSING_TIMEOUT"}`, show("INACTIVE"), gateway.StatusCanceled, 0},
		"nobody knows": {`!{"code":"BAD_STATE"}`, `!{"code":"LATER"}`, "", gateway.KindUnknown},
	} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/cancel": {tc.answer}, "invoicer/invoices/show": {show("ACTIVE"), tc.after}})
		result, err := open(t, account(p.url)).Cancel(t.Context(), ref)
		require.Equal(t, map[string]any{"sessionId": testSession, "id": testInvoice}, p.seen()[1].Params)
		if tc.status == "" {
			require.Equal(t, tc.kind, kindOf(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
	}
}
