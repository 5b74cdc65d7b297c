package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// transferOf returns a transfer request whose ends are JSON texts.
func transferOf(from, to string) string {
	return `{"reference":"t-1","account":"UAH-sandbox","amount":10000,"currency":"UAH","from":` + from + `,"to":` + to + `,"customer":{"phone":"+380000000000"}}`
}

const (
	keptEnd = `{"card_id":"2e9b7a64"}`
	cardEnd = `{"card":{"number":"4111 1111 1111 1111","exp_month":3,"exp_year":2031,"cvc":"917"}}`
)

func TestTransferRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.send(t, "POST", "/v1/transfers", transferOf(`{"card_id":"2e9b7a64","cvc":"917"}`, keptEnd))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	require.Equal(t, money.New(10000, "UAH"), b.moved.Amount)
	require.Equal(t, "2e9b7a64", b.moved.From.CardID)
	require.Equal(t, "917", b.moved.From.Card.CVC.Reveal())
	require.Equal(t, gateway.TransferEnd{CardID: "2e9b7a64"}, b.moved.To)
	require.Equal(t, "+380000000000", b.moved.Customer.Phone)
	require.NotEmpty(t, b.moved.RequestHash)

	w = b.send(t, "POST", "/v1/transfers", transferOf(cardEnd, cardEnd))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	require.Equal(t, "4111111111111111", b.moved.From.Card.Number.Reveal())
	require.Equal(t, 2031, b.moved.To.Card.Expiry.Year)

	w = b.send(t, "POST", "/v1/transfers/import", `{"account":"UAH-sandbox","provider_id":"a5878766","receipt_id":"6ZDTRBEZ9YFP"}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	require.Equal(t, payment.TransferImport{Shop: myShop, Account: "UAH-sandbox", Query: gateway.TransferQuery{ProviderID: "a5878766", ReceiptID: "6ZDTRBEZ9YFP"}}, b.sought)

	b.kind = gateway.KindTransfer
	w = b.send(t, "POST", "/v1/transfers/"+orderID+"/confirm", `{"code":"112233"}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.EqualValues(t, "112233", b.code)
	for path, status := range map[string]int{"/v1/transfers/" + orderID: 200, "/v1/payments/" + orderID: 404, "/v1/transfers/" + uuid.NewString(): 404} {
		require.Equal(t, status, b.send(t, "GET", path, "").Code, path)
	}
}

func TestBadTransferRequests(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	for name, tc := range map[string]struct{ path, body, field string }{
		"neither card nor id":    {"", transferOf(`{}`, keptEnd), "from"},
		"both card and id":       {"", transferOf(keptEnd, `{"card_id":"x","card":{"number":"4111111111111111"}}`), "to"},
		"a code beside a card":   {"", transferOf(`{"cvc":"917","card":{"number":"4111111111111111"}}`, keptEnd), "from.cvc"},
		"the recipient's code":   {"", transferOf(keptEnd, `{"card_id":"x","cvc":"917"}`), "to.cvc"},
		"no such number":         {"", transferOf(`{"card":{"number":"4111111111111112"}}`, keptEnd), "from.card.number"},
		"half an expiry":         {"", transferOf(keptEnd, `{"card":{"number":"4111111111111111","exp_month":3}}`), "to.card.exp_year"},
		"no sender":              {"", strings.Replace(transferOf(keptEnd, keptEnd), `"from"`, `"form"`, 1), "form"},
		"no such currency":       {"", strings.Replace(transferOf(keptEnd, keptEnd), "UAH\",\"f", "XQX\",\"f", 1), "currency"},
		"no account":             {"", strings.Replace(transferOf(keptEnd, keptEnd), `"account":"UAH-sandbox",`, "", 1), "account"},
		"nothing to look for":    {"/import", `{"account":"UAH-sandbox"}`, "provider_id"},
		"an import with a sum":   {"/import", `{"account":"UAH-sandbox","provider_id":"x","amount":1}`, "amount"},
		"an import of nobody's":  {"/import", `{"provider_id":"x"}`, "account"},
		"an empty id to look up": {"/import", `{"account":"UAH-sandbox","receipt_id":""}`, "receipt_id"},
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/transfers"+tc.path, tc.body, "X-Request-Id", "request-1") // a made-up one might hold the digits
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, "%s: %s", name, w.Body)
		p := readProblem(t, w)
		require.Contains(t, p.fields(), tc.field, name)
		require.Zero(t, b.count(), "%s: nothing was asked of the use cases", name)
		require.NoError(t, c.check("POST", "/v1/transfers"+tc.path, w))
		require.NotContains(t, w.Body.String(), "4111", name)
	}
	b := setup(t)
	for _, path := range []string{"/v1/transfers", "/v1/transfers/import", "/v1/transfers/" + orderID + "/confirm"} {
		require.Equal(t, http.StatusForbidden, b.send(t, "POST", path, transferOf(keptEnd, keptEnd), "Authorization", "Bearer "+readKey).Code, path)
	}
}

// A bank's form holds the card number, compressed; notifications rest as they are sent.
func TestNotificationsHoldNoForm(t *testing.T) {
	t.Parallel()
	b := &book{status: payment.StatusRequiresAction}
	o := b.order(gateway.KindPayment)
	o.NextAction.Fields = map[string]string{"PaReq": "eJxPaReqCanary", "creq": "creqCanary"}
	_, payload, err := RenderNotification(o, payment.Transition{Sequence: 2, To: payment.StatusRequiresAction, At: at}, uuid.New())
	require.NoError(t, err)
	require.NotContains(t, string(payload), "Canary")
	require.NotContains(t, string(payload), `"fields"`)
	require.Contains(t, string(payload), `"next_action":{"type":"post_form","url":"https://pay.example/?a=1&b=2"}`)
	require.Equal(t, "eJxPaReqCanary", (*RenderOrder(o).NextAction.Fields)["PaReq"], "the order itself has it")
}

// A refund's, payout's or transfer's success is not what a shop ships on.
func TestNotificationsAreTypedByKind(t *testing.T) {
	t.Parallel()
	kinds := []gateway.Kind{gateway.KindPayment, gateway.KindRefund, gateway.KindPayout, gateway.KindPayoutCard, gateway.KindTransfer}
	statuses := []payment.Status{
		payment.StatusUnknown, payment.StatusProcessing, payment.StatusRequiresAction, payment.StatusAuthorized,
		payment.StatusSucceeded, payment.StatusFailed, payment.StatusCanceled,
	}
	seen := map[string]bool{}
	for _, kind := range kinds {
		for _, status := range statuses {
			typ, payload, err := RenderNotification((&book{}).order(kind), payment.Transition{Sequence: 2, To: status, At: at}, uuid.New())
			require.NoError(t, err)
			require.Equal(t, string(kind)+"."+string(status), typ)
			require.Contains(t, string(payload), `"type":"`+typ+`"`)
			seen[typ] = true
		}
	}
	require.Len(t, seen, len(kinds)*len(statuses))
	came := payment.Transition{Sequence: 3, From: payment.StatusSucceeded, To: payment.StatusSucceeded, At: at}
	typ, _, err := RenderNotification((&book{}).order(gateway.KindTransfer), came, uuid.New())
	require.NoError(t, err)
	require.Equal(t, "transfer.returned", typ)
}
