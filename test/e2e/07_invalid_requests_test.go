package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneRoundTellsAllAndNothingIsStored holds what a shop's developer meets first: requests that are far from whole.
func TestOneRoundTellsAllAndNothingIsStored(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	const unprocessable = http.StatusUnprocessableEntity
	hosted := []string{
		"customer.address.city", "customer.address.country", "customer.address.line", "customer.address.postal_code",
		"customer.email", "customer.first_name", "customer.ip", "customer.last_name", "customer.phone",
	}
	p := d.refuses("/v1/payments", `{"reference":"x","flow":"direct"}`, unprocessable, "invalid_request")
	require.Equal(t, []string{"amount", "currency", "payment_method"}, p.fields(), "no account is chosen: nobody's needs are this request's")
	for _, currency := range []string{`"eur"`, `"ZZZ"`, `"BGN"`, `7`, `null`} {
		p = d.refuses("/v1/payments", `{"reference":"x","amount":1,"currency":`+currency+`}`, unprocessable, "invalid_request")
		require.Equal(t, []string{"currency"}, p.fields(), currency)
	}
	p = d.refuses("/v1/payments", `{"reference":"x","amount":0,"account":"EUR-sandbox","currency":"UAH"}`, unprocessable, "invalid_request")
	require.Equal(t, []string{"amount", "currency"}, p.fields(), "the account that the currency does not fit is not asked")
	p = d.refuses("/v1/payments", `{"reference":"x","amount":1,"currency":"eur","account":"EUR-sandbox"}`, unprocessable, "invalid_request")
	require.Equal(t, append([]string{"currency"}, hosted...), p.fields(), "the account is named")
	p = d.refuses("/v1/payments", `{"reference":"x","flow":"direct","payment_method":{"type":"card"},"account":"EUR-sandbox"}`, unprocessable, "invalid_request")
	require.Equal(t, append(append([]string{"amount", "currency"}, hosted...), "payment_method.card", "payment_method.card.cvc", "payment_method.card.exp_month",
		"payment_method.card.exp_year", "payment_method.card.holder", "payment_method.card.number", "site_url"), p.fields())
	p = d.refuses("/v1/payments", `{"reference":"x","amount":1,"currency":"EUR","customer":{"ip":"nowhere"}}`, unprocessable, "invalid_request")
	require.Equal(t, hosted, p.fields())
	p = d.refuses("/v1/payments", `{"reference":"x","account":"none","customer":{"phone":"x"}}`, unprocessable, "invalid_request")
	require.Equal(t, []string{"account", "amount", "currency", "customer.phone"}, p.fields())
	p = d.refuses("/v1/payouts", `{"reference":"x","amount":1,"account":"EUR-sandbox-payout","method":{"type":"bank_account"}}`, unprocessable, "invalid_request")
	require.Equal(t, []string{"method.holder", "method.number"}, p.fields())
	p = d.refuses("/v1/payouts", `{"reference":"x","account":"EUR-sandbox-payout","method":{"type":"payout_card","payout_card_id":"0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10"}}`, unprocessable, "invalid_request")
	require.Equal(t, []string{"amount", "method.payout_card_id"}, p.fields())

	const past = `"recurring":{"enabled":true,"expires_at":"2020-01-01T00:00:00Z"}`
	p = d.refuses("/v1/payments", direct("past", 1000, cardMethod(cardSuccess), past), unprocessable, "invalid_request")
	require.Equal(t, []string{"recurring.expires_at"}, p.fields())
	expired := strings.Replace(cardMethod(cardSuccess), `"exp_year":2030`, `"exp_year":2020`, 1)
	p = d.refuses("/v1/payments", direct("expired", 1000, expired, `"capture":"automatic"`), unprocessable, "invalid_request")
	require.Equal(t, []string{"payment_method.card.exp_year"}, p.fields())
	p = d.refuses("/v1/transfers", strings.Replace(transfer("expired", uahSuccess), `2031`, `2020`, 1), unprocessable, "invalid_request")
	require.Equal(t, []string{"from.card.exp_year"}, p.fields())
	p = d.refuses("/v1/payments", direct("kept", 1000, `{"type":"stored_card","card_id":"x"}`, `"capture":"automatic"`), unprocessable, "not_supported_by_provider")
	require.Equal(t, []string{"payment_method.type"}, p.fields())
	require.Contains(t, p.Detail, "use a card")

	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	d.call(http.MethodGet, "/v1/orders", "", &list)
	require.Empty(t, list.Data, "nothing was stored")
}

// TestATextOfWhichNothingIsLeft holds that a reference is not used up by what the provider could not be told.
func TestATextOfWhichNothingIsLeft(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	first := d.paid("text-1", 1000, `"recurring":{"enabled":true}`)
	for _, blank := range []string{`"|"`, `" "`, `"\u2028"`} {
		p := d.refuses("/v1/payments/"+first.ID+"/refunds", `{"reference":"r","amount":100,"reason":`+blank+`}`, http.StatusUnprocessableEntity, "missing_fields")
		require.Equal(t, []string{"reason"}, p.fields())
		p = d.refuses("/v1/payments/"+first.ID+"/charges", `{"reference":"c","amount":100,"description":`+blank+`}`, http.StatusUnprocessableEntity, "missing_fields")
		require.Equal(t, []string{"description"}, p.fields())
	}
	d.makes("/v1/payments/"+first.ID+"/refunds", `{"reference":"r","amount":100,"reason":"torn"}`, http.StatusCreated)
	d.makes("/v1/payments/"+first.ID+"/charges", `{"reference":"c","amount":100,"description":"May"}`, http.StatusCreated)
}
