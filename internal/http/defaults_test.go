package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/shop"
)

// What a request leaves out is the shop's default. What it has is its own, and return addresses are all the one's or all the other's.
func TestARequestHasTheDefaultsOfItsShop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keys.defaults = shop.Defaults{
		SiteURL: "https://shop.example", ReturnURL: "https://shop.example/back", SuccessURL: "https://shop.example/thanks", FailURL: "https://shop.example/sorry", Flow: "direct",
	}
	const card = `"payment_method":{"type":"card","card":{"number":"4012000000003010","exp_month":12,"exp_year":2031,"cvc":"123","holder":"ANN"}}`
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", `{"reference":"a","amount":1,"currency":"EUR",`+card+`}`).Code)
	require.Equal(t, gateway.FlowDirect, b.payment.Flow)
	require.Equal(t, "https://shop.example", b.payment.SiteURL)
	require.JSONEq(t, `{"site_url":"https://shop.example"}`, string(b.payment.Details), "it is kept as it was used")
	require.True(t, b.payment.ReturnURLs.Default)
	require.Equal(t, gateway.ReturnURLs{Success: "https://shop.example/thanks", Fail: "https://shop.example/sorry", Status: "https://shop.example/back"}, b.payment.ReturnURLs.ReturnURLs)

	own := `{"reference":"a","amount":1,"currency":"EUR","flow":"hosted","site_url":"https://other.example","return_urls":{"success":"https://other.example/x"}}`
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", own).Code)
	require.Equal(t, gateway.FlowHosted, b.payment.Flow)
	require.Equal(t, "https://other.example", b.payment.SiteURL)
	require.False(t, b.payment.ReturnURLs.Default)
	require.Equal(t, gateway.ReturnURLs{Success: "https://other.example/x"}, b.payment.ReturnURLs.ReturnURLs)

	require.Equal(t, 201, b.send(t, "POST", "/v1/payouts", `{"reference":"a","amount":1,"account":"a","method":{"type":"phone","phone":"+442079460612"}}`).Code)
	require.Equal(t, "https://shop.example", b.payout.SiteURL)
	require.JSONEq(t, `{"site_url":"https://shop.example"}`, string(b.payout.Details))

	require.Contains(t, readProblem(t, b.send(t, "POST", "/v1/payments", `{"reference":"a","amount":1,"currency":"EUR"}`)).fields(), "payment_method", "flow direct needs one")
}

// A default may be changed between a request and its repeat.
func TestARepeatIsOneWhateverTheDefaultsAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"reference":"a","amount":1,"currency":"EUR"}`
	first := b.send(t, "POST", "/v1/payments", body, "Idempotency-Key", "k")
	require.Equal(t, 201, first.Code)
	hash := b.payment.RequestHash
	b.keys.defaults = shop.Defaults{SiteURL: "https://shop.example", ReturnURL: "https://shop.example/back"}
	repeat := b.send(t, "POST", "/v1/payments", body, "Idempotency-Key", "k")
	require.Equal(t, "true", repeat.Header().Get("Idempotency-Replayed"))
	require.Equal(t, first.Body.String(), repeat.Body.String())
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", body).Code)
	require.Equal(t, "https://shop.example", b.payment.SiteURL)
	require.Equal(t, hash, b.payment.RequestHash)
}
