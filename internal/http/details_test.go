package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// What a shop tells of its customer and site reaches the use cases twice: for the provider, and to be kept as it came.
func TestDetailsAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	const facts = `"customer":{"first_name":" Ann ","middle_name":"B","address":{"line":"Хрещатик 1|2"}},"site_url":"https://shop.example/x"`
	const browser = `"browser":{"java_enabled":false,"time_zone_offset":-120}`
	b := setup(t)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", `{"reference":"a","amount":1,"currency":"EUR",`+facts+`,`+browser+`}`).Code)
	require.JSONEq(t, `{`+facts+`,`+browser+`}`, string(b.payment.Details))
	require.Equal(t, "Хрещатик 1|2", b.payment.Customer.Address.Line)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payouts", `{"reference":"a","amount":1,"account":"a","method":{"type":"phone","phone":"+442079460612"},`+facts+`}`).Code)
	require.JSONEq(t, `{`+facts+`}`, string(b.payout.Details))
	require.Equal(t, 201, b.send(t, "POST", "/v1/transfers", `{"reference":"a","account":"a","amount":1,"currency":"EUR","from":{"card_id":"x"},"to":{"card_id":"y"},"customer":{"first_name":"Ann"}}`).Code)
	require.JSONEq(t, `{"customer":{"first_name":"Ann"}}`, string(b.moved.Details))
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", "1")).Code)
	require.Nil(t, b.payment.Details)
}

// Details are in the answer about one order, and in no list and no notification.
func TestWhereDetailsAreShown(t *testing.T) {
	t.Parallel()
	o := (&book{}).order(gateway.KindPayment)
	o.Details = []byte(`{"customer":{"first_name":"Ann"},"site_url":"https://shop.example/x"}`)
	answer, err := orderReply(t.Context(), o, false, nil)
	require.NoError(t, err)
	text, err := json.Marshal(answer.body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"details":{"customer":{"first_name":"Ann"},"site_url":"https://shop.example/x"}`)
	text, err = json.Marshal(RenderOrder(o))
	require.NoError(t, err)
	require.Contains(t, string(text), `"details":null`)
	_, text, err = RenderNotification(o, payment.Transition{Sequence: 1, To: payment.StatusSucceeded, At: at}, uuid.New())
	require.NoError(t, err)
	require.Contains(t, string(text), `"details":null`)
	require.NotContains(t, string(text), "Ann")
}

// A schedule without a recurring payment would mean nothing.
func TestAScheduleBelongsToARecurringPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := readProblem(t, b.send(t, "POST", "/v1/payments", with("recurring", `{"enabled":false,"frequency_days":7,"expires_at":"2035-01-01T00:00:00Z"}`)))
	require.ElementsMatch(t, []string{"recurring.expires_at", "recurring.frequency_days"}, p.fields())
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("recurring", `{"enabled":false}`)).Code)
}
