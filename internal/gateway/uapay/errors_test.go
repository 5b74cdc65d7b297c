package uapay

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

func TestFieldsAreNamedAsTheShopNamesThem(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{
		"invoicer/invoices/create": {invoiceMade},
		"invoicer/payments/create": {`!{"code":"FORMAT_ERROR","message":"Wrong input","fields":{"params":{"device":{"userAgent":"REQUIRED"}},"data":{"cardFrom":{"securityCode":"LENGTH"},"email":"FORMAT","odd":"REQUIRED"}}}`},
	})
	_, err := open(t, account(p.url)).CreatePayment(t.Context(), direct(t))
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	e := asError(t, err)
	require.Equal(t, []gateway.FieldError{
		{Field: "payment_method.cvc", Message: "is not accepted by the provider: LENGTH"},
		{Field: "customer.email", Message: "is not accepted by the provider: FORMAT"},
		{Field: "provider.data.odd", Message: "is required by the provider"},
		{Field: "browser.user_agent", Message: "is required by the provider"},
	}, e.Fields)
	require.Equal(t, "Wrong input", e.ProviderData["error_message"])
	require.Equal(t, "FORMAT_ERROR", e.ProviderData["error_code"])
}

// A call that cannot find the card that it names does nothing; the word is inferred. A broken server proves nothing.
func TestACardThatIsNotThere(t *testing.T) {
	t.Parallel()
	const lost = `!{"code":"NOT_FOUND","message":"cardFrom is not known"}`
	unknown := func(field string) []gateway.FieldError {
		return []gateway.FieldError{{Field: field, Message: "is not known to the provider"}}
	}
	p := newProvider(t, map[string][]string{"invoicer/invoices/create": {invoiceMade}, "invoicer/payments/create": {lost}, "payments/p2p/direct/create": {lost}})
	g := open(t, account(p.url))
	_, err := g.CreatePayment(t.Context(), direct(t))
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	require.Equal(t, unknown("payment_method.card_id"), asError(t, err).Fields)
	_, err = g.Transfer(t.Context(), transferRequest(t))
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	require.Equal(t, unknown("from.card_id"), asError(t, err).Fields)

	p = newProvider(t, map[string][]string{"payments/p2p/direct/create": {lost}})
	p.status = 500
	g = open(t, account(p.url))
	g.sessions.id, g.sessions.ends, g.sessions.made = testSession, testNow.Add(sessionLife), 1
	_, err = g.Transfer(t.Context(), transferRequest(t))
	require.Equal(t, gateway.KindUnknown, kindOf(t, err))
}

func TestClockIsToldAsAClock(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"invoicer/invoices/create": {string(`!{"code":"TIMELIMIT_ERROR"}`)}})
	_, err := open(t, account(p.url)).CreatePayment(t.Context(), hosted())
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	require.Equal(t, "clock_skew", asError(t, err).Code)
	require.ErrorContains(t, err, "synchronise this machine's clock")
}

// An error may repeat what the call held: the security code, a card number, the session, the key.
func TestErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	for _, held := range []string{"9173", "4003830171874018", testSession, testKey, "payer@shop.example", "Kateryna 9173"} {
		fault := fmt.Sprintf(`!{"code":%[1]q,"message":%[1]q,"fields":{"data":{"x":%[1]q,"y":{"z":[%[1]q]}}}}`, held)
		p := newProvider(t, map[string][]string{"invoicer/invoices/create": {invoiceMade}, "invoicer/payments/create": {fault}})
		_, err := open(t, account(p.url)).CreatePayment(t.Context(), direct(t))
		e := asError(t, err)
		require.NotContains(t, fmt.Sprintf("%v %v %v %v", err, e.Code, e.ProviderData, e.Fields), held)
	}
}

func TestErrorsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"text": `{"error":"maintenance"}`, "a list": `{"error":[]}`, "no code": `{"error":{"message":"x"}}`,
		"beside data": `{"status":1,"error":{"code":"X"},"data":{"token":"` + sealToken([]byte(testKey), []byte(paymentMade)) + `"}}`,
	} {
		p := newProvider(t, map[string][]string{
			"sessions/create": {signed(`{"id":"` + testSession + `"}`)}, "invoicer/payments/reverse": {body},
			"invoicer/payments/show": {signed(shown("FINISHED", "FINISHED", 25000))},
		})
		p.raw = true
		_, err := open(t, account(p.url)).Refund(t.Context(), gateway.RefundRequest{Refund: gateway.Ref{Amount: uah(5000)}, Payment: known(gateway.OpSale)})
		require.Equal(t, gateway.KindUnknown, kindOf(t, err), name)
		require.NotContains(t, err.Error(), "maintenance", name)
	}
}

func TestMessagesRepeatNothing(t *testing.T) {
	t.Parallel()
	r := reply{hide: kit.Redactor{"swordfish"}}
	require.Equal(t, "Wrong input", r.message([]byte(`"Wrong input"`)))
	for _, text := range []string{`"key swordfish"`, `"card 4111"`, `"a@b"`, `7`, `{}`} {
		require.Empty(t, r.message([]byte(text)))
	}
}

func TestTwelveDigitsAreNoCardNumber(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ref 401288888886", kit.Redactor(nil).Text("ref 401288888886"), "it passes the check of card numbers")
	require.NotContains(t, kit.Redactor(nil).Text("4222222222222"), "4222222222222")
}
