package httpapi

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

func TestOneAnswerTellsWhatContractConversionAndProviderMiss(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.missing = []gateway.FieldError{{Field: "customer.email", Message: "required by the provider"}, {Field: "amount", Message: "must be more than zero"}, {Field: "payment_method", Message: "required"}}
	p := readProblem(t, b.send(t, "POST", "/v1/payments", `{"reference":"x","flow":"direct"}`))
	require.Equal(t, "invalid_request", p.Code)
	require.Equal(t, []string{"amount", "currency", "customer.email", "payment_method"}, p.fields())
	require.Contains(t, p.Errors[0].Message, "is required", "each field once, in the words of who saw it first")
	require.Contains(t, p.Errors[3].Message, "exp_month", "whoever reads it knows what a card has")

	p = readProblem(t, b.send(t, "POST", "/v1/payments", with("customer", `{"ip":"x","country":1,"birth_date":7}`)))
	require.Equal(t, []string{"amount", "customer.birth_date", "customer.country", "customer.email", "customer.ip", "payment_method"}, p.fields())

	p = readProblem(t, b.send(t, "POST", "/v1/payments", `{"reference":"x","amount":1,"currency":"EUR","site_url":"x","flow":"direct","payment_method":{"type":"card"},"recurring":{"enabled":true,"expires_at":"tomorrow"}}`))
	require.Equal(t, []string{"amount", "customer.email", "payment_method.card", "recurring.expires_at", "site_url"}, p.fields(), "the provider's word on payment_method says no more than the card's")

	p = readProblem(t, b.send(t, "POST", "/v1/payouts", `{"reference":"x","account":"a","method":{"type":"bank_account"},"notification_url":"x"}`))
	require.Equal(t, []string{"amount", "customer.email", "method.number", "notification_url", "payment_method"}, p.fields())

	b.missing = nil
	p = readProblem(t, b.send(t, "POST", "/v1/payments", with("flow", `"strange"`)))
	require.Equal(t, []string{"flow"}, p.fields())
	p = readProblem(t, b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"x","notification_url":"x"}`))
	require.Equal(t, []string{"notification_url", "reason"}, p.fields())
	p = readProblem(t, b.send(t, "POST", "/v1/payout-cards", `{"reference":"x","return_urls":{"success":"x"}}`))
	require.Equal(t, []string{"account", "return_urls.success"}, p.fields())
	require.Zero(t, b.count(), "a use case was called")
}

func TestARefusalOfTheUseCaseIsCompletedToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error {
		return &payment.Error{Code: payment.CodeMissingFields, Message: "More.", Fields: []gateway.FieldError{{Field: "site_url", Message: "required"}}}
	}
	b.missing = []gateway.FieldError{{Field: "customer.email", Message: "required"}}
	p := readProblem(t, b.send(t, "POST", "/v1/payments", with("amount", "1")))
	require.Equal(t, "missing_fields", p.Code)
	require.Equal(t, []string{"customer.email", "site_url"}, p.fields())
}

func TestCardNumbersInTextsAreRefused(t *testing.T) {
	t.Parallel()
	const direct = `"flow":"direct","payment_method":{"type":"card","card":{"number":"5555555555554444","exp_month":12,"exp_year":2030,"cvc":"123","holder":%q}}`
	for field, body := range map[string]string{
		"reference":                     with("reference", `"4012 0000 0000 3010"`),
		"description":                   with("description", `"card 4012000000003010 12/30"`),
		"metadata.note":                 with("metadata", `{"note":"pan=4012-0000-0000-3010, ok"}`),
		"metadata.card":                 with("metadata", `{"card":"4012000000003010"}`),
		"metadata.hidden":               with("metadata", `{"hidden":"NDAxMjAwMDAwMDAwMzAxMA=="}`),
		"customer.first_name":           with("customer", `{"first_name":"3782 822463 10005"}`),
		"customer.address.line":         with("customer", `{"address":{"line":"４０１２００００００００３０１０"}}`),
		"customer.address.postal_code":  with("customer", `{"address":{"postal_code":"5454.5454.5454.5454"}}`),
		"customer.email":                with("customer", `{"email":"visa4012000000003010@example.com, 4012-0000-0000-3010@example.com"}`),
		"browser.user_agent":            with("browser", `{"user_agent":"&#52;012000000003010"}`),
		"site_url":                      with("site_url", `"https://shop.example/card/4012000000003010"`),
		"return_urls.success":           with("return_urls", `{"success":"https://shop.example/%34012000000003010"}`),
		"notification_url":              with("notification_url", `"https://shop.example/?pan=4012000000003010"`),
		"metadata.?.?.?.?":              with("metadata", `{"4012.0000.0000.3010":"x"}`),
		"metadata.?":                    with("metadata", `{"4012-0000-0000-3010":"x"}`),
		"payment_method.card.holder":    `{"reference":"r","amount":1,"currency":"EUR",` + fmt.Sprintf(direct, "4012000000003010") + `}`,
		"account":                       with("account", `"4012 0000 0000 3010"`),
		"reference (the request's own)": `{"reference":"order5555555555554444","amount":1,"currency":"EUR",` + fmt.Sprintf(direct, "J") + `}`,
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", body, "X-Request-Id", "request-1") // a made-up one might hold the digits
		require.Equal(t, 422, w.Code, "%s: %s", field, w.Body)
		p := readProblem(t, w)
		require.Equal(t, codeCardInText, p.Code, field)
		require.Contains(t, p.fields(), strings.Fields(field)[0])
		require.Contains(t, p.Detail, "holds a card number")
		require.Contains(t, p.Detail, "Nothing was stored or sent.")
		for _, part := range []string{"3010", "4444", "10005", "5454", "NDAx"} {
			require.NotContains(t, measured.ReplaceAllString(w.Body.String()+b.log.String(), ""), part, field)
		}
		require.Zero(t, b.count())
	}
	b := setup(t)
	p := readProblem(t, b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"x","amount":1,"reason":"card 4012000000003010"}`))
	require.Equal(t, []string{"reason"}, p.fields())
	require.NotContains(t, p.Detail, "belongs", "a refund takes no card")
}

// TestACardsCodeIsNotKept holds that metadata takes no code by its name.
func TestACardsCodeIsNotKept(t *testing.T) {
	t.Parallel()
	send := func(name, value string) *httptest.ResponseRecorder {
		return setup(t).send(t, "POST", "/v1/payments", fmt.Sprintf(`{"reference":"r","amount":1,"currency":"EUR","metadata":{%q:%q}}`, name, value))
	}
	for _, name := range []string{"cvc", "CVV2", "security_code", "Card-Code"} {
		p := readProblem(t, send(name, "739"))
		require.Equal(t, codeCardInText, p.Code, name)
		require.Equal(t, []string{"metadata." + name}, p.fields())
		require.Equal(t, "Card data where none belongs", p.Title)
		require.Contains(t, p.Detail, "a card's code, which must never be stored")
		require.NotContains(t, p.Detail, "739")
	}
	for name, value := range map[string]string{"cvc": "matched", "code": "739", "cvc_result": "100"} {
		require.NotContains(t, send(name, value).Body.String(), codeCardInText, name)
	}
}

// TestNoSumAndNoNameIsACardNumber sends card numbers as sums, and in names, where no honest value looks like one.
func TestNoSumAndNoNameIsACardNumber(t *testing.T) {
	t.Parallel()
	names := func(first, last string) string {
		return with("customer", fmt.Sprintf(`{"first_name":%q,"last_name":%q}`, first, last))
	}
	for body, fields := range map[string][]string{
		with("amount", "4111111111111111"):                                    {"amount"},
		with("amount", "378282246310005"):                                     {"amount"},
		names("4111111111111111", "Doe"):                                      {"customer.first_name"},
		names("4111 1111", "1111 1111"):                                       {"customer.first_name"},
		names("11111111", "41111111"):                                         {"customer.last_name"},
		with("customer", `{"last_name":"41111111","middle_name":"11111111"}`): {"customer.last_name"},
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", body)
		require.Equal(t, 422, w.Code, body)
		p := readProblem(t, w)
		require.Equal(t, codeCardInText, p.Code)
		require.Equal(t, fields, p.fields(), body)
		require.NotContains(t, p.Detail, "1111")
		require.Zero(t, b.count())
	}
	for _, body := range []string{
		with("amount", "9007199254740991"), with("amount", "4111111111111112"), with("amount", "411111111111"), names("Jean 2", "Louis XIV 16"), names("4111 1111", "1111 1112"),
	} {
		require.Equal(t, 201, setup(t).send(t, "POST", "/v1/payments", body).Code, body)
	}
}

func TestItIsSaidWhereACardNumberBelongs(t *testing.T) {
	t.Parallel()
	for address, c := range map[string][2]string{
		"/v1/payments":  {`"card":{"number":"4012000000003010"}`, "card.number holds a card number, which must not be stored: leave it out. A card's number belongs in payment_method.card.number and nowhere else"},
		"/v1/payouts":   {`"method":{"card_number":"4012000000003010"}`, "A card's number belongs in method.card.number and nowhere else"},
		"/v1/transfers": {`"card":{"number":"4012000000003010"}`, "A card's number belongs in from.card.number or to.card.number and nowhere else"},
	} {
		p := readProblem(t, setup(t).send(t, "POST", address, `{"reference":"r","amount":1,"currency":"EUR",`+c[0]+`}`))
		require.Equal(t, codeCardInText, p.Code, address)
		require.Contains(t, p.Detail, c[1], address)
	}
}

func TestASumThatIsTooLargeIsToldTheLargest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, sum := range []string{"9223372036854775808", "99999999999999999999999999"} {
		p := readProblem(t, b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"x","reason":"y","amount":`+sum+`}`))
		require.Regexp(t, "amount must be a whole number .*9223372036854775807", p.Detail, sum)
		p = readProblem(t, b.send(t, "POST", "/v1/payments", with("amount", sum)))
		require.Contains(t, p.Detail, "amount must be ", sum)
		require.Contains(t, p.Detail, "9007199254740991", sum)
	}
}

func TestOnlyASumIsToldOfMinorUnits(t *testing.T) {
	t.Parallel()
	for _, month := range []string{`"12"`, `12.5`} {
		p := readProblem(t, setup(t).send(t, "POST", "/v1/payments", direct(`{"type":"card","card":{"number":"4012000000003010","exp_month":`+month+`,"exp_year":2030}}`)))
		require.Contains(t, p.Detail, "payment_method.card.exp_month must be a whole number")
		require.NotContains(t, p.Detail, "minor units")
	}
}

// A number alone may be anything: one in thirty of a shop's own numbers has the form of a card's.
func TestWhatOnlyMightBeACardNumberIsTaken(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		with("reference", `"4012000000003010"`), with("metadata", `{"order":"ORD-4012000000003010"}`),
		with("customer", `{"phone":"+442079460612"}`), with("description", `"DE89 3704 0044 0532 0130 00"`),
	} {
		require.Equal(t, 201, setup(t).send(t, "POST", "/v1/payments", body).Code, body)
	}
	require.Equal(t, 201, setup(t).send(t, "POST", "/v1/payouts",
		`{"reference":"x","amount":1,"account":"a","method":{"type":"bank_account","number":"4012000000003010","holder":"J"},"customer":{"phone":"+442079460612"}}`).Code)
}

func TestIdsOfKeptCardsAreNoCardNumbers(t *testing.T) {
	t.Parallel()
	const number = "4012000000003010"
	wrong, reference := judgeCards([]bodyText{{"payment_method.card_id", number, false}, {"method.payout_card_id", number, false}, {"from.card.number", "5555 5555 5555 4444", false}})
	require.Empty(t, wrong)
	require.Empty(t, reference)
	wrong, _ = judgeCards([]bodyText{{"metadata.card_id", number, false}, {"metadata.card.number", number, false}})
	require.Len(t, wrong, 2)
}

// A shop that sends card numbers in the place of references shows by how many of them may be some.
func TestReferencesAreCountedByVerdict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, reference := range []string{"order-1", "4012000000003010", "card 4012 0000 0000 3010"} {
		b.send(t, "POST", "/v1/payments", with("reference", `"`+reference+`"`))
	}
	b.send(t, "GET", "/v1/orders", "")
	text := counters(t, b)
	for _, want := range []string{"clean 1", "ambiguous 1", "evident 1"} {
		require.Contains(t, text, "payrelay_references_judged_total mine "+want)
	}
}

func TestEveryPatternHasItsWords(t *testing.T) {
	t.Parallel()
	doc, err := Document()
	require.NoError(t, err)
	seen := 0
	var walk func(s *openapi3.SchemaRef)
	walk = func(s *openapi3.SchemaRef) {
		if p := s.Value.Pattern; p != "" {
			seen++
			require.NotEmpty(t, forms[p], "no words for %s", p)
		}
		for _, member := range s.Value.Properties {
			walk(member)
		}
	}
	for _, s := range doc.Components.Schemas {
		walk(s)
	}
	for _, p := range doc.Components.Parameters {
		walk(p.Value.Schema)
	}
	require.Greater(t, seen, 5)
	b := setup(t)
	p := readProblem(t, b.send(t, "POST", "/v1/payments", with("customer", `{"phone":"12 34","address":{"country":"gb"}}`)))
	require.Contains(t, p.Errors[0].Message, "two capital letters")
	require.Contains(t, p.Errors[1].Message, "E.164")
}

func TestABalanceOfNoAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error {
		return &payment.Error{Code: payment.CodeUnknownAccount, Message: "None."}
	}
	p := readProblem(t, b.send(t, "GET", "/v1/accounts/none/balance", ""))
	require.Equal(t, "not_found", p.Code)
	require.Contains(t, p.Detail, "no such account")
}

func TestAfterAConflictTheSameKeyIsANewTry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error {
		return &payment.Error{Code: payment.CodeInvalidState, Message: "Wait until it is, then send this one again."}
	}
	send := func() int {
		return b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"x","amount":1,"reason":"y"}`, "Idempotency-Key", "k").Code
	}
	require.Equal(t, 409, send())
	b.hook = nil
	require.Equal(t, 201, send())
	b.hook = func(context.Context, string) error { return payment.ErrNotFound }
	require.Equal(t, 201, send(), "what succeeded is replayed")
}

func TestAPayoutMayNameWhoCarriesItOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.send(t, "POST", "/v1/payouts", `{"reference":"x","amount":1,"account":"a","method":{"type":"bank_account","number":"1","holder":"J","withdrawal_provider_id":"17"}}`)
	require.Equal(t, 201, w.Code, w.Body)
	require.Equal(t, "17", b.payout.Method.BankAccount.WithdrawalProviderID)
	p := readProblem(t, b.send(t, "POST", "/v1/payouts", `{"reference":"x","amount":1,"account":"a","method":{"type":"phone","phone":"+79123456789","withdrawal_provider_id":"17"}}`))
	require.Equal(t, []string{"method.withdrawal_provider_id"}, p.fields())
}
