package uapay

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/money"
)

const (
	invoiceMade = `{"id":"` + testInvoice + `","paymentPageUrl":"https://pay.demo.uapay.ua/payment/` + testInvoice + `"}`
	paymentMade = `{"id":"` + testPayment + `","key":"SimKey"}`
	lookup      = `{"id":"` + testPayment + `","status":"NEEDS_CONFIRMATION","amount":25000,"paymentStatus":"NEW","confirmation":{"type":"LOOKUP","confirmationsLeft":3}}`
	lookup2     = `{"id":"` + testPayment + `","status":"NEEDS_CONFIRMATION","amount":25000,"paymentStatus":"NEW","confirmation":{"type":"LOOKUP","confirmationsLeft":2}}`
	pending     = `{"id":"` + testPayment + `","status":"PENDING","amount":25000,"paymentStatus":"NEW"}`
	finished    = `{"id":"` + testPayment + `","status":"FINISHED","amount":25000,"paymentStatus":"FINISHED"}`
	threeDS     = `{"id":"` + testPayment + `","status":"NEEDS_CONFIRMATION","amount":25000,"paymentStatus":"NEW",
		"confirmation":{"type":"3DS","url":"https://acs.example/c","form":{"creq":"x","threeDSSessionData":7}},
		"redirect":{"url":"https://api.demo.uapay.ua/api/payments/ecom/confirm","params":{"id":"` + testPayment + `"}}}`
)

// kindOf is the kind of an error that there must be.
func kindOf(t testing.TB, err error) gateway.ErrorKind {
	t.Helper()
	require.Error(t, err)
	return gateway.KindOf(err)
}

func asError(t testing.TB, err error) *gateway.Error {
	t.Helper()
	e, ok := errors.AsType[*gateway.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

func TestDirectPayment(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)["payment_create"]
	for name, tc := range map[string]struct {
		checks []string
		status gateway.Status
		action gateway.ActionType
		calls  int
	}{
		"a code":             {[]string{lookup}, gateway.StatusRequiresAction, gateway.ActionConfirmCode, 1},
		"a code, in a while": {[]string{pending, lookup}, gateway.StatusRequiresAction, gateway.ActionConfirmCode, 2},
		"3-D Secure":         {[]string{threeDS}, gateway.StatusRequiresAction, gateway.ActionPostForm, 1},
		"at once":            {[]string{finished}, gateway.StatusSucceeded, "", 1},
		"later":              {[]string{pending}, gateway.StatusProcessing, "", 2},
		"not readable":       {[]string{"!{}"}, gateway.StatusProcessing, "", 1},
	} {
		p := newProvider(t, map[string][]string{
			"invoicer/invoices/create": {invoiceMade}, "invoicer/payments/create": {paymentMade}, "invoicer/payments/checkStatus": tc.checks,
		})
		result, err := open(t, account(p.url)).CreatePayment(t.Context(), direct(t))
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, testInvoice, result.ProviderReference, name)
		require.Equal(t, "SimKey", result.State[stateKey].Reveal(), name)
		require.Equal(t, testPayment, result.State[statePayment].Reveal(), name)
		require.Equal(t, "1", result.State[stateDirect].Reveal(), name)
		require.Len(t, p.seen(), 2+tc.calls, name)
		if tc.action == "" {
			require.Nil(t, result.NextAction, name)
			continue
		}
		require.Equal(t, tc.action, result.NextAction.Type, name)
		if tc.action == gateway.ActionPostForm {
			require.Equal(t, map[string]string{
				"creq": "x", "threeDSSessionData": "7",
				"TermUrl": "https://api.demo.uapay.ua/api/payments/ecom/confirm?id=" + testPayment + "&key=SimKey&redirect=https%3A%2F%2Fshop.example%2Freturn%2Ford-1001",
			}, result.NextAction.Fields)
		}
		// what was sent is the documented example, but for the sizes of the window, which we are not told
		var want struct{ Params, Data map[string]any }
		require.NoError(t, jsonInto(v.Request, &want))
		got := p.seen()[1]
		device, _ := want.Params["device"].(map[string]any)
		device["windowHeight"], device["windowWidth"] = 900.0, 1440.0
		want.Data["cardFrom"].(map[string]any)["securityCode"] = "9173"
		require.Equal(t, want.Params, got.Params)
		require.Equal(t, want.Data, got.Data)
		require.Equal(t, `{"orderRef":"ord-1001","payrelay":"direct"}`, p.seen()[0].Data["extraInfo"])
	}
}

func TestDirectPaymentWhoseSecondAnswerIsLost(t *testing.T) {
	t.Parallel()
	entry := `{"invoices":[{"Id":"` + testInvoice + `","externalId":"ord-1001"}]}`
	show := func(payments string) string {
		return `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE","redirectUrl":"https://shop.example/r","extraInfo":{"payrelay":"direct"},"payments":[` + payments + `]}`
	}
	p := newProvider(t, map[string][]string{"invoicer/invoices/create": {invoiceMade}, "invoicer/payments/create": {`!{"code":"BANK_ERROR"}`}})
	_, err := open(t, account(p.url)).CreatePayment(t.Context(), direct(t))
	require.Equal(t, gateway.KindUnknown, kindOf(t, err), "a code that is not listed proves nothing about money")
	require.Equal(t, "BANK_ERROR", asError(t, err).Code)

	p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {entry}, "invoicer/invoices/show": {show("")}})
	_, err = open(t, account(p.url)).Fetch(t.Context(), payment(gateway.OpSale))
	require.Equal(t, gateway.KindNotFound, kindOf(t, err), "the payment never arrived")
	require.Equal(t, map[string]any{"sessionId": testSession, "externalIds": []any{"ord-1001"}}, p.seen()[0].Params)

	p = newProvider(t, map[string][]string{
		"invoicer/invoices/show/list":   {entry},
		"invoicer/invoices/show":        {show(`{"paymentId":"` + testPayment + `","status":"NEW","paymentStatus":"NEEDS_CONFIRMATION","amount":25000,"currency":980}`)},
		"invoicer/payments/checkStatus": {threeDS},
	})
	result, err := open(t, account(p.url)).Fetch(t.Context(), payment(gateway.OpSale))
	require.NoError(t, err)
	require.Equal(t, gateway.StatusRequiresAction, result.Status)
	require.Contains(t, result.NextAction.Fields["TermUrl"], "redirect=https%3A%2F%2Fshop.example%2Fr")
	require.Equal(t, "1", result.State[stateDirect].Reveal())

	known := payment(gateway.OpSale)
	known.State = saved(stateReturn, "https://shop.example/known")
	result, err = open(t, account(p.url)).Fetch(t.Context(), known)
	require.NoError(t, err)
	require.Contains(t, result.NextAction.Fields["TermUrl"], "redirect=https%3A%2F%2Fshop.example%2Fknown", "what is remembered is not forgotten")

	known.State = saved(stateInvoice, testInvoice, statePayment, testPayment, stateDirect, "1")
	p = newProvider(t, map[string][]string{"invoicer/payments/checkStatus": {`{"id":"` + testPayment + `","amount":25000,"currency":980}`}})
	_, err = open(t, account(p.url)).Fetch(t.Context(), known)
	require.Equal(t, gateway.KindUnknown, kindOf(t, err), "an answer without a status says nothing")
	require.Equal(t, "no_status", asError(t, err).Code)
}

func TestOrdersThatTheProviderDoesNotShowPlainly(t *testing.T) {
	t.Parallel()
	const one = `{"id":"` + testInvoice + `","externalId":"ord-1001"}`
	shown := func(rest string) string {
		return `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE"` + rest + `}`
	}
	for name, tc := range map[string]struct {
		list, show string
		kind       gateway.ErrorKind
		code       string
	}{
		"unknown":        {`{"invoices":[]}`, "", gateway.KindNotFound, "empty_list"},
		"no list":        {`{}`, "", gateway.KindUnknown, "no_list"},
		"another order":  {`{"invoices":[{"id":"x","externalId":"ord-1002"}]}`, "", gateway.KindUnknown, "other_order"},
		"two":            {`{"invoices":[` + one + `,` + one + `]}`, "", gateway.KindUnknown, "several_orders"},
		"error":          {`!{"code":"NOT_FOUND"}`, "", gateway.KindUnknown, "NOT_FOUND"},
		"other invoice":  {`{"invoices":[` + one + `]}`, `{"id":"x","payments":[]}`, gateway.KindUnknown, "other_order"},
		"no payments":    {`{"invoices":[` + one + `]}`, shown(""), gateway.KindUnknown, "no_payments"},
		"another's":      {`{"invoices":[` + one + `]}`, shown(`,"payments":[{"invoiceId":"x","paymentId":"p","paymentStatus":"FINISHED","amount":25000}]`), gateway.KindUnknown, "other_order"},
		"without an id":  {`{"invoices":[` + one + `]}`, shown(`,"payments":[{"paymentStatus":"FINISHED","amount":25000}]`), gateway.KindUnknown, "other_order"},
		"other currency": {`{"invoices":[` + one + `]}`, shown(`,"payments":[{"paymentId":"p","paymentStatus":"FINISHED","amount":25000,"currency":840}]`), gateway.KindUnknown, "other_currency"},
	} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show/list": {tc.list}, "invoicer/invoices/show": {tc.show}})
		_, err := open(t, account(p.url)).Fetch(t.Context(), payment(gateway.OpSale))
		require.Equal(t, tc.kind, kindOf(t, err), name)
		require.Equal(t, tc.code, asError(t, err).Code, name)
		require.NotEmpty(t, asError(t, err).ProviderData, name)
	}
}

// uapay.md 15.1, by the last operation that was asked for.
func TestStatusesByOperation(t *testing.T) {
	t.Parallel()
	const sale, hold, capture, cancel = 0, 1, 2, 3
	ops := []gateway.Operation{gateway.OpSale, gateway.OpAuthorize, gateway.OpCapture, gateway.OpCancel}
	type row [4]gateway.Status
	same := func(s gateway.Status) row { return row{s, s, s, s} }
	for _, tc := range []struct {
		system, invoicer string
		want             row
	}{
		{"OPEN", "NEW", same(gateway.StatusProcessing)},
		{"PENDING", "NEW", same(gateway.StatusProcessing)},
		{"PAYED", "PAID", same(gateway.StatusProcessing)},
		{"HOLDED", "PAID", row{sale: gateway.StatusProcessing, hold: gateway.StatusAuthorized, capture: gateway.StatusProcessing, cancel: gateway.StatusProcessing}},
		{"HOLDED", "NEW", same(gateway.StatusProcessing)},
		{"HOLDED", "", same(gateway.StatusProcessing)},
		{"FINISHED", "NEW", same(gateway.StatusSucceeded)},
		{"REJECTED", "CANCELED", same(gateway.StatusFailed)},
		{"CANCELED", "CANCELED", same(gateway.StatusCanceled)},
		{"CLOSED", "CANCELED", same(gateway.StatusCanceled)},
		{"REVERSED", "REVERSED", row{gateway.StatusSucceeded, gateway.StatusCanceled, gateway.StatusSucceeded, gateway.StatusCanceled}},
		{"", "NEW", same(gateway.StatusProcessing)},
		{"", "PAID", same(gateway.StatusProcessing)},
		{"", "FINISHED", same(gateway.StatusSucceeded)},
		{"", "CANCELED", same(gateway.StatusCanceled)},
		{"", "SOMETHING", same("")},
		{"SOMETHING", "FINISHED", same("")},
		{"payed", "PAID", same("")},
		{"", "", same("")},
		{"PAID", "HOLDED", row{gateway.StatusProcessing, gateway.StatusAuthorized, gateway.StatusProcessing, gateway.StatusProcessing}}, // swapped
		{"NEW", "OPEN", same(gateway.StatusProcessing)},
		{"CANCELED", "REJECTED", same(gateway.StatusFailed)},
	} {
		for i, op := range ops {
			require.Equal(t, tc.want[i], align(tc.system, tc.invoicer).meaning(op).status, "%s/%s after %s", tc.system, tc.invoicer, op)
		}
	}
}

func TestMissingFields(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	names := func(req gateway.PaymentRequest) []string {
		var out []string
		for _, f := range g.Check(req) {
			out = append(out, f.Field)
		}
		return out
	}
	require.Empty(t, names(hosted()))
	require.Empty(t, names(direct(t)))
	empty := gateway.PaymentRequest{Ref: payment(gateway.OpSale), Flow: gateway.FlowDirect}
	require.Equal(t, []string{"description", "payment_method", "browser"}, names(empty))
	empty.Method.StoredCard = &gateway.StoredCard{}
	empty.Ref.Amount = money.New(0, "EUR")
	require.Equal(t, []string{"currency", "amount", "description", "payment_method.card_id", "payment_method.cvc", "browser"}, names(empty))
	recurring := hosted()
	recurring.Recurring = gateway.Recurring{Enabled: true, FrequencyDays: 400}
	require.Equal(t, []string{"recurring.frequency_days", "recurring.expires_at"}, names(recurring))
	stored := hosted()
	stored.Method = direct(t).Method
	require.Equal(t, []string{"payment_method"}, names(stored))
	for name, change := range map[string]func(*gateway.PaymentRequest){
		"card":           func(r *gateway.PaymentRequest) { r.Method.Card = mustCard(t, "4111111111111111") },
		"wallet":         func(r *gateway.PaymentRequest) { r.Method.ApplePay = &gateway.Wallet{} },
		"recurring hold": func(r *gateway.PaymentRequest) { r.Recurring.Enabled, r.Ref.Operation = true, gateway.OpAuthorize },
	} {
		req := hosted()
		change(&req)
		require.NotEmpty(t, names(req), name)
		_, err := g.CreatePayment(t.Context(), req)
		require.Equal(t, gateway.KindUnsupported, kindOf(t, err), name)
	}
}

func TestPagesThatNobodyMayBeSentTo(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"none": "", "plain http": "http://pay.uapay.ua/x", "a script": "javascript:alert(1)", "a user": "https://a@b/"} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/create": {`{"id":"` + testInvoice + `","paymentPageUrl":"` + page + `"}`}})
		result, err := open(t, account(p.url)).CreatePayment(t.Context(), hosted())
		require.NoError(t, err, name)
		require.Nil(t, result.NextAction, name)
		require.Equal(t, testInvoice, result.ProviderReference, name)
	}
	g := open(t, account("https://api.uapay.ua"))
	require.False(t, kit.MayOpen("http://localhost/x", g.base), "this machine is nowhere for a payer of the real provider")
}

func TestSessions(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"invoicer/invoices/create": {invoiceMade}})
	g := open(t, account(p.url))
	var mu sync.Mutex
	now := testNow
	g.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := g.CreatePayment(t.Context(), hosted())
			require.NoError(t, err)
		})
	}
	group.Wait()
	require.Equal(t, 1, p.session, "one for all")
	mu.Lock()
	now = now.Add(sessionLife)
	mu.Unlock()
	_, err := g.CreatePayment(t.Context(), hosted())
	require.NoError(t, err)
	require.Equal(t, 2, p.session, "renewed in time")

	for name, lost := range map[string]string{"by code": `!{"code":"SESSION_NOT_FOUND"}`, "by field": `!{"code":"FORMAT_ERROR","fields":{"params":{"sessionId":"UNKNOWN"}}}`} {
		p = newProvider(t, map[string][]string{"invoicer/payments/reverse": {lost, `{"paymentId":"` + testPayment + `"}`}, "invoicer/payments/show": {shown("FINISHED", "FINISHED", 25000)}})
		g = open(t, account(p.url))
		refund := gateway.RefundRequest{Refund: gateway.Ref{Kind: gateway.KindRefund, Amount: uah(5000)}, Payment: known(gateway.OpSale)}
		result, err := g.Refund(t.Context(), refund)
		require.NoError(t, err, name)
		require.Equal(t, gateway.StatusProcessing, result.Status, name)
		require.Equal(t, 2, p.session, name)
		require.Len(t, p.seen(), 3, name)

		p = newProvider(t, map[string][]string{"invoicer/payments/reverse": {lost}, "invoicer/payments/show": {shown("FINISHED", "FINISHED", 25000)}})
		_, err = open(t, account(p.url)).Refund(t.Context(), refund)
		require.Equal(t, gateway.KindCredentials, kindOf(t, err), name)
		require.Len(t, p.seen(), 3, "%s: once and no more", name)
	}
	p = newProvider(t, map[string][]string{"invoicer/payments/complete": {`!{"code":"SESSION_NOT_FOUND"}`}})
	p.status = http.StatusInternalServerError
	_, err = open(t, account(p.url)).Capture(t.Context(), known(gateway.OpAuthorize), uah(25000))
	require.Equal(t, gateway.KindUnknown, kindOf(t, err))
	require.Len(t, p.seen(), 1, "a broken server proves nothing")
}

func TestSessionThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		status int
		kind   gateway.ErrorKind
		code   string
	}{
		"refused":        {`!{"code":"WRONG_TOKEN"}`, 200, gateway.KindCredentials, "WRONG_TOKEN"},
		"missing client": {`!{"code":"FORMAT_ERROR","fields":{"params":{"clientId":"REQUIRED"}}}`, 200, gateway.KindCredentials, "FORMAT_ERROR"},
		"clock":          {`!{"code":"TIMELIMIT_ERROR"}`, 200, gateway.KindDeclined, "clock_skew"},
		"broken":         {`{}`, 500, gateway.KindNotSent, "http_500"},
		"no id":          {`{}`, 200, gateway.KindNotSent, "no_session"},
	} {
		p := newProvider(t, map[string][]string{"sessions/create": {tc.answer}})
		p.status = tc.status
		_, err := open(t, account(p.url)).CreatePayment(t.Context(), hosted())
		require.Equal(t, tc.kind, kindOf(t, err), name)
		require.Equal(t, tc.code, asError(t, err).Code, name)
		require.Equal(t, []string{"sessions/create"}, p.paths(), name)
	}
	for name, body := range map[string]string{
		"unsigned": `{"status":1,"data":{"id":"` + testSession + `"}}`, "bad_signature": `{"status":1,"data":{"token":"` + sealToken([]byte("other"), []byte(`{"id":"x"}`)) + `"}}`,
	} {
		p := newProvider(t, map[string][]string{"sessions/create": {body}})
		p.raw = true
		_, err := open(t, account(p.url)).CreatePayment(t.Context(), hosted())
		require.Equal(t, gateway.KindNotSent, kindOf(t, err), name)
		require.Equal(t, gateway.CodeNotSigned, asError(t, err).Code, name)
		require.Contains(t, asError(t, err).ProviderData["signature"], name)
		require.ErrorContains(t, err, "compare the account's secret")
		require.Equal(t, []string{"sessions/create"}, p.paths(), name)
	}
}

func TestAnswersMustBeSigned(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	for name, tc := range map[string]struct {
		body, code string
		lenient    bool
	}{
		"signed":                      {string(vectors["invoice_create_pay_signed"].Response), "", false},
		"plain":                       {string(vectors["invoice_create_pay"].Response), "unsigned_answer", false},
		"plain where that is allowed": {string(vectors["invoice_create_pay"].Response), "", true},
		"other key":                   {`{"status":1,"data":{"token":"` + sealToken([]byte("other"), []byte(invoiceMade)) + `"}}`, "bad_signature", false},
		"other key, lenient":          {`{"status":1,"data":{"token":"` + sealToken([]byte("other"), []byte(invoiceMade)) + `"}}`, "bad_signature", true},
		"no data":                     {`{"status":1}`, "unsigned_answer", false},
		"status as text":              {strings.Replace(signed(invoiceMade), `"status":1`, `"status":"1"`, 1), "", false},
		"status 0":                    {strings.Replace(signed(invoiceMade), `"status":1`, `"status":0`, 1), "no_status", false},
		"claims of another shape":     {signed(`{"id":{}}`), "unreadable_answer", false},
	} {
		p := newProvider(t, map[string][]string{"sessions/create": {signed(`{"id":"` + testSession + `"}`)}, "invoicer/invoices/create": {tc.body}})
		p.raw = true
		a := account(p.url)
		if tc.lenient {
			a.Settings["require_signed_answers"] = "false"
		}
		_, err := open(t, a).CreatePayment(t.Context(), hosted())
		if tc.code == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
		require.Equal(t, tc.code, asError(t, err).Code, name)
	}
	for _, name := range []string{"sessions_create_documented_flat", "sessions_create_unsigned_live"} {
		p := newProvider(t, map[string][]string{"sessions/create": {string(vectors[name].Response)}, "invoicer/invoices/create": {signed(invoiceMade)}})
		p.raw = true
		a := account(p.url)
		a.Settings["require_signed_answers"] = "false"
		_, err := open(t, a).CreatePayment(t.Context(), hosted())
		require.NoError(t, err, name)
		require.Equal(t, testSession, p.seen()[1].Params["sessionId"], name)
	}
}
