package smartcore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// smartcore.md 14.1: what the answer to a request with an order id of its own means, with and without help from a check.
func TestOutcomesOfACall(t *testing.T) {
	t.Parallel()
	const unknownOrder = `{"err":"ORDER_NOT_FOUND"}`
	for _, tc := range []struct {
		name, answer, check string
		status              gateway.Status
		kind                gateway.ErrorKind // when status is empty
		code                string
	}{
		{"waiting with a form", `{"status":0,"form_url":"https://f/1"}`, "", gateway.StatusRequiresAction, 0, ""},
		{"processing", `{"status":1}`, "", gateway.StatusProcessing, 0, ""},
		{"status as text", `{"status":"1"}`, "", gateway.StatusProcessing, 0, ""},
		{"success confirmed", `{"status":2}`, `{"order_id":"o-1","status":2,"amount":1000}`, gateway.StatusSucceeded, 0, ""},
		{"success not confirmed", `{"status":2}`, "", gateway.StatusProcessing, 0, ""},
		{"success of an order that is not known", `{"status":2}`, unknownOrder, gateway.StatusProcessing, 0, ""},
		{"success contradicted", `{"status":2}`, `{"order_id":"o-1","status":-1,"errorMessage":"LIMIT_PROCESSING_ERROR"}`, gateway.StatusFailed, 0, "LIMIT_PROCESSING_ERROR"},
		{"failure confirmed", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":-1}`, gateway.StatusFailed, 0, "VALIDATION_PROCESSING_ERROR"},
		{"failure with details", `{"status":-1}`, `{"order_id":"o-1","status":-1,"errorMessage":"LIMIT_PROCESSING_ERROR"}`, gateway.StatusFailed, 0, "LIMIT_PROCESSING_ERROR"},
		{"failure of an order that was never made", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, unknownOrder, gateway.StatusFailed, 0, "VALIDATION_PROCESSING_ERROR"},
		{"failure, no check", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "", gateway.StatusFailed, 0, "VALIDATION_PROCESSING_ERROR"},
		{"failure contradicted", `{"status":-1}`, `{"order_id":"o-1","status":1}`, gateway.StatusProcessing, 0, ""},
		{"err, order not known", `{"err":"VALIDATION_PROCESSING_ERROR"}`, unknownOrder, gateway.StatusFailed, 0, "VALIDATION_PROCESSING_ERROR"},
		{"err of the provider's own trouble, order not known", `{"err":"TECHNICAL_PROCESSING_ERROR"}`, unknownOrder, "", gateway.KindUnknown, "TECHNICAL_PROCESSING_ERROR"},
		{"unclassified err, order not known", `{"err":"PROCESSING_ERROR"}`, unknownOrder, "", gateway.KindUnknown, "PROCESSING_ERROR"},
		{"unlisted err, order not known", `{"err":"request timed out"}`, unknownOrder, "", gateway.KindUnknown, "request timed out"},
		{"err, order failed", `{"err":"PROCESSING_ERROR"}`, `{"order_id":"o-1","status":-1,"errorMessage":"LIMIT_PROCESSING_ERROR"}`, gateway.StatusFailed, 0, "LIMIT_PROCESSING_ERROR"},
		{"err, order lives", `{"err":"PROCESSING_ERROR"}`, `{"order_id":"o-1","status":1}`, gateway.StatusProcessing, 0, ""},
		{"err, no check", `{"err":"PROCESSING_ERROR"}`, "", "", gateway.KindUnknown, "PROCESSING_ERROR"},
		{"duplicate", `{"status":-1,"err":"PLATFORM_ERROR_DUPLICATED_ORDER_ID"}`, "", "", gateway.KindDuplicate, "PLATFORM_ERROR_DUPLICATED_ORDER_ID"},
		{"duplicate without status", `{"err":"PLATFORM_ERROR_DUPLICATED_ORDER_ID"}`, "", "", gateway.KindDuplicate, "PLATFORM_ERROR_DUPLICATED_ORDER_ID"},
		{"form without status", `{"form_url":"https://f/1"}`, "", "", gateway.KindUnknown, "no_status"},
	} {
		for _, httpStatus := range []int{200, 400} {
			answers := map[string]string{"/initPayment": tc.answer}
			if tc.check != "" {
				answers["/check"] = tc.check
			}
			p := newProvider(t, answers)
			p.status = httpStatus
			result, err := open(t, p.account()).CreatePayment(t.Context(), documented("o-1"))
			if tc.status == "" {
				var e *gateway.Error
				require.ErrorAs(t, err, &e, tc.name)
				require.Equal(t, tc.kind, e.Kind, tc.name)
				require.Equal(t, tc.code, e.Code, tc.name)
				require.NotEmpty(t, e.ProviderData, tc.name)
				continue
			}
			require.NoError(t, err, tc.name)
			require.Equal(t, tc.status, result.Status, tc.name)
			if tc.code != "" {
				require.Equal(t, tc.code, result.Failure.Code, tc.name)
			} else {
				require.Nil(t, result.Failure, tc.name)
			}
			require.LessOrEqual(t, len(p.seen()), 2, tc.name+": one check at most")
		}
	}
	p := newProvider(t, map[string]string{"/initPayment": `{"status":7}`})
	result, err := open(t, p.account()).CreatePayment(t.Context(), documented("o-1"))
	require.NoError(t, err)
	require.Empty(t, result.Status, "a status nobody knows leaves the order where it is")
}

// A status that says nothing about what became of the request makes no refusal of an answer, whatever a single check right
// after it does not know.
func TestARefusalNeedsAStatusThatRefuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]gateway.Status{
		200: gateway.StatusFailed, 400: gateway.StatusFailed, 404: gateway.StatusFailed, 422: gateway.StatusFailed,
		402: "", 408: "", 409: "", 425: "", 429: "", 451: "", 499: "", 500: "", 504: "", 599: "",
	} {
		for _, refused := range []string{`{"err":"VALIDATION_PROCESSING_ERROR"}`, `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`} {
			p := newProvider(t, map[string]string{"/withdrawal/init": refused, "/check": `{"err":"ORDER_NOT_FOUND"}`})
			p.statuses = map[string]int{"/withdrawal/init": status}
			result, err := open(t, p.account()).Payout(t.Context(), documentedPayout(t, gateway.PayoutMethod{Card: mustCard(t, "4123540003981114", "")}))
			require.Equal(t, want, result.Status, "%d %s", status, refused)
			if want == "" {
				require.Equal(t, gateway.KindUnknown, gateway.KindOf(err), "%d %s", status, refused)
			}
		}
	}
	p := newProvider(t, map[string]string{"/initPayment": `{"err":"PLATFORM_ERROR_DUPLICATED_ORDER_ID"}`})
	p.status = 409
	_, err := open(t, p.account()).CreatePayment(t.Context(), documented("o-1"))
	require.Equal(t, gateway.KindDuplicate, gateway.KindOf(err))
}

func TestCreatePaymentRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	wallet := &gateway.Wallet{Token: card.NewToken("t"), Network: "Visa"}
	p := newProvider(t, nil)
	g := open(t, p.account())
	hold := documented("o-1")
	hold.Ref.Operation = gateway.OpAuthorize
	stored := documented("o-1")
	stored.Method.StoredCard = &gateway.StoredCard{ID: "c"}
	for name, req := range map[string]gateway.PaymentRequest{
		"hold on the form":  hold,
		"hold on a wallet":  direct("o-1", gateway.PaymentMethod{ApplePay: wallet}, gateway.OpAuthorize),
		"hold on the other": direct("o-1", gateway.PaymentMethod{GooglePay: wallet}, gateway.OpAuthorize),
		"card kept by them": stored,
	} {
		require.NotEmpty(t, g.Check(req), name)
		_, err := g.CreatePayment(t.Context(), req)
		require.Equal(t, gateway.KindUnsupported, gateway.KindOf(err), name)
		require.ErrorContains(t, err, "SmartCore", name)
	}

	for _, currency := range []money.Currency{"JPY", "KWD"} {
		req := documented("o-1")
		req.Ref.Amount = money.New(1000, currency)
		_, err := g.CreatePayment(t.Context(), req)
		var e *gateway.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, gateway.KindInvalid, e.Kind)
		require.Equal(t, "currency", e.Fields[0].Field)
	}
	for _, id := range []string{"", "a|b", "a b", "Å", strings.Repeat("x", 65), "a\n"} {
		_, err := g.CreatePayment(t.Context(), documented(id))
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err), "%q", id)
	}
	require.Empty(t, p.seen(), "nothing was sent")
}

func TestMissingFieldsNamesThemAll(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	names := func(req gateway.PaymentRequest) []string {
		var out []string
		for _, f := range g.Check(req) {
			out = append(out, f.Field)
		}
		return out
	}
	customer := []string{
		"customer.first_name", "customer.last_name", "customer.address.line", "customer.address.city", "customer.address.postal_code",
		"customer.address.country", "customer.phone", "customer.email", "customer.ip",
	}
	require.Equal(t, customer, names(gateway.PaymentRequest{Ref: ref("o-1", 1), Flow: gateway.FlowHosted}))
	require.Equal(t, append([]string{"amount", "currency", "provider_order_id"}, customer...), names(gateway.PaymentRequest{}))
	bare := gateway.PaymentRequest{Ref: ref("o-1", 1), Flow: gateway.FlowDirect}
	require.Equal(t, append(customer[:len(customer):len(customer)], "site_url", "payment_method"), names(bare))
	full := direct("o-1", gateway.PaymentMethod{Card: &card.Card{}}, gateway.OpSale)
	require.Equal(t, []string{
		"payment_method.card.number", "payment_method.card.cvc", "payment_method.card.holder", "payment_method.card.exp_month", "payment_method.card.exp_year",
	}, names(full))
	full.Method = gateway.PaymentMethod{ApplePay: &gateway.Wallet{}}
	require.Equal(t, []string{"payment_method.token", "payment_method.network"}, names(full))
	onForm := documented("o-1")
	onForm.Method.Card = mustCard(t, "4012000000003010", "123")
	require.Equal(t, []string{"payment_method"}, names(onForm))
	onlyBars := documented("o-1")
	onlyBars.Customer.FirstName = " | \x00"
	require.Equal(t, []string{"customer.first_name"}, names(onlyBars), "what is left after cleaning counts")
}

// A text goes out as it came. One that may come back in a callback and could take its signature apart is refused.
func TestATextIsSentAsItCameOrRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	g := open(t, p.account())
	full := func(change func(*gateway.PaymentRequest)) gateway.PaymentRequest {
		req := direct("o-1", gateway.PaymentMethod{Card: mustCard(t, "4012000000003010", "123")}, gateway.OpSale)
		change(&req)
		return req
	}
	req := full(func(r *gateway.PaymentRequest) {
		r.Customer.FirstName, r.Description = " Ann ", "Socks, two  pairs "
		r.Customer.Address = gateway.Address{Line: "Хрещатик 1|2", City: "Київ|", PostalCode: "01|001", Country: "UA"}
	})
	_, _ = g.CreatePayment(t.Context(), req)
	body := p.seen()[0].Body
	for key, want := range map[string]string{
		"customer_first_name": " Ann ", "purpose": "Socks, two  pairs ", "customer_address": "Хрещатик 1|2", "customer_city": "Київ|", "customer_zip_code": "01|001",
	} {
		require.Equal(t, want, body[key], key)
	}

	for _, bad := range []string{"A|nn", "A\u2028nn", "A\nnn", "A\xffnn"} {
		for field, req := range map[string]gateway.PaymentRequest{
			"customer.first_name":        full(func(r *gateway.PaymentRequest) { r.Customer.FirstName = bad }),
			"customer.last_name":         full(func(r *gateway.PaymentRequest) { r.Customer.LastName = bad }),
			"description":                full(func(r *gateway.PaymentRequest) { r.Description = bad }),
			"payment_method.card.holder": full(func(r *gateway.PaymentRequest) { r.Method.Card.Holder = bad }),
		} {
			missing := g.Check(req)
			require.Len(t, missing, 1, "%s %q", field, bad)
			require.Equal(t, field, missing[0].Field)
			require.True(t, missing[0].Unsupported)
			_, err := g.CreatePayment(t.Context(), req)
			require.Equal(t, gateway.KindUnsupported, gateway.KindOf(err))
		}
		payout := documentedPayout(t, gateway.PayoutMethod{Phone: "+79123456789"})
		payout.Customer.FirstName, payout.Customer.MiddleName, payout.Customer.LastName, payout.Description = bad, bad, bad, bad
		require.Len(t, g.Check(payout), 4, "%q", bad)
		require.Len(t, g.Check(gateway.RefundRequest{Refund: ref("r-1", 100), Payment: ref("o-1", 1000), Reason: bad}), 1, "%q", bad)
		require.Len(t, g.Check(gateway.ChargeRequest{Ref: ref("c-1", 100), Parent: ref("o-1", 1000), Description: bad}), 1, "%q", bad)
	}
	require.Len(t, p.seen(), 1, "nothing else was sent")
}

func TestDirectPaymentWritesBrowserAndRecurring(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	req := direct("o-1", gateway.PaymentMethod{Card: mustCard(t, "4012000000003010", "123")}, gateway.OpSale)
	yes, no, depth, offset := true, false, 24, -300
	req.Browser = &gateway.Browser{AcceptHeader: "*/*", UserAgent: "UA", Language: "en-US", JavaEnabled: &no, JavaScriptEnabled: &yes, ColorDepth: &depth, TimeZoneOffset: &offset}
	req.Recurring = gateway.Recurring{Enabled: true, FrequencyDays: 30, ExpiresAt: time.Date(2023, 12, 13, 17, 0, 53, 421e6, time.FixedZone("", 3*3600))}
	_, _ = open(t, p.account()).CreatePayment(t.Context(), req)
	body := p.seen()[0].Body
	for key, want := range map[string]any{
		"browser_accept_header": "*/*", "browser_user_agent": "UA", "browser_language": "en-US", "browser_java_enabled": false, "browser_js_enabled": true,
		"browser_color_depth": "24", "browser_time_zone": "-300", "recurrent": true, "recur_freq": 30.0, "recur_exp": "2023-12-13T14:00:53.421Z",
	} {
		require.Equal(t, want, body[key], key)
	}
	require.NotContains(t, body, "browser_screen_width")

	req.Ref.Operation = gateway.OpAuthorize // which lists none of these (smartcore.md 4.3)
	form := req
	form.Ref.Operation, form.Flow, form.Method = gateway.OpSale, gateway.FlowHosted, gateway.PaymentMethod{}
	for _, f := range open(t, p.account()).Check(form) {
		require.NotContains(t, f.Field, "recurring", "payrelay holds the terms, whatever the provider knows of them")
	}
	_, _ = open(t, p.account()).CreatePayment(t.Context(), req)
	held := p.seen()[1]
	require.Equal(t, "/authorize", held.Path)
	for _, key := range []string{"browser_user_agent", "recur_freq", "recur_exp", "payment_method"} {
		require.NotContains(t, held.Body, key)
	}
	require.Equal(t, true, held.Body["recurrent"])
}

func TestCharge(t *testing.T) {
	t.Parallel()
	req := gateway.ChargeRequest{Ref: ref("o-2", 1000), Parent: ref("o-1", 1000), Description: "month two", Period: "monthly"}
	for answer, want := range map[string]gateway.Status{
		`{"success":true,"payment_id":"p-1"}`:                                       gateway.StatusProcessing,
		`{"success":false,"payment_id":"p-1"}`:                                      gateway.StatusProcessing,
		`{"success":true,"payment_id":"p-1","form_url":"https://f/1"}`:              gateway.StatusRequiresAction,
		`{"success":false,"status":-1,"err":"INSUFFICIENT_FUNDS_PROCESSING_ERROR"}`: gateway.StatusFailed,
		`{"success":false,"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`:         gateway.StatusFailed,
	} {
		p := newProvider(t, map[string]string{"/recurrent": answer})
		result, err := open(t, p.account()).Charge(t.Context(), req)
		require.NoError(t, err, answer)
		require.Equal(t, want, result.Status, answer)
		require.Equal(t, "06", p.seen()[0].Body["recur_period"])
	}
	for answer, want := range map[string]gateway.ErrorKind{
		`{"success":false,"err":"PLATFORM_ERROR_DUPLICATED_ORDER_ID"}`:             gateway.KindDuplicate,
		`{"success":false,"status":-1,"err":"PLATFORM_ERROR_DUPLICATED_ORDER_ID"}`: gateway.KindDuplicate,
		`{"success":false,"err":"INSUFFICIENT_FUNDS_PROCESSING_ERROR"}`:            gateway.KindUnknown, // smartcore.md A12: open
		`{"success":false,"status":-1,"err":"PLATFORM_ERROR_GATE_NOT_FOUND"}`:      gateway.KindUnknown, // no decline, so polls prove what it was
		`{"success":false,"status":-1}`:                                            gateway.KindUnknown,
		`{"message":"hm"}`:                                                         gateway.KindUnknown,
	} {
		_, err := open(t, newProvider(t, map[string]string{"/recurrent": answer}).account()).Charge(t.Context(), req)
		require.Equal(t, want, gateway.KindOf(err), answer)
	}
	p := newProvider(t, nil)
	_, err := open(t, p.account()).Charge(t.Context(), gateway.ChargeRequest{Ref: ref("o-2", 0), Parent: gateway.Ref{Amount: money.New(1, "USD")}, Period: "hourly"})
	var e *gateway.Error
	require.ErrorAs(t, err, &e)
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Field)
	}
	require.Equal(t, []string{"amount", "description", "period", "currency"}, names)
	require.Empty(t, p.seen())
}
