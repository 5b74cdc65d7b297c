package smartcore

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCredentialsAndContentType(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, who := range [][2]string{{"test", "wrong"}, {"nobody", "qwerty"}, {"", ""}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/gateway/check", strings.NewReader(`{"order_id":"x"}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if who[0] != "" {
			req.SetBasicAuth(who[0], who[1])
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/gateway/check", strings.NewReader("order_id=x"))
	require.NoError(t, err)
	req.SetBasicAuth("test", "qwerty")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnsupportedMediaType, resp.StatusCode)
}

func TestASecretIsChanged(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	status := func(secret string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/gateway/check", strings.NewReader(`{"order_id":"x"}`))
		require.NoError(t, err)
		req.SetBasicAuth("test", secret)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	change := func(body string, want int) {
		t.Helper()
		got, _, err := b.raw(http.MethodPost, "/control/merchant-secrets", body)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	change(`{"merchant":"test","secret":"second","overlap":true}`, http.StatusNoContent)
	require.Equal(t, []int{200, 200, 401}, []int{status("qwerty"), status("second"), status("third")})
	change(`{"merchant":"test","secret":"second"}`, http.StatusNoContent)
	require.Equal(t, []int{401, 200}, []int{status("qwerty"), status("second")})
	change(`{"merchant":"nobody","secret":"x"}`, http.StatusBadRequest)
	change(`{"merchant":"test"}`, http.StatusBadRequest)
}

// Every required field of every column is missed in turn.
func TestMissingFields(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	full := with(b.pay("miss", card(CardFrictionless)), object{
		"reason": "r", "purpose": "p", "parent_order_id": "x", "payment_method": "card", "customer_card_number": CardFrictionless,
	})
	wallet := func(kind, name string) object {
		return with(b.pay("miss", nil), object{"payment_method": kind + "PayDPan", name + "_pay_dpan": "e30=", name + "_pay_payment_method_network": "Visa"})
	}
	for _, c := range []struct {
		path     string
		body     object
		required []string
	}{
		{"/gateway/initPayment", b.pay("miss", nil), formFields},
		{"/pci/initPaymentHost2Host", full, cardFields},
		{"/pci/initPaymentHost2Host", wallet("apple", "apple"), applePayFields[1:]},
		{"/pci/initPaymentHost2Host", wallet("google", "google"), googlePayFields[1:]},
		{"/pci/authorize", full, authorizeFields},
		{"/gateway/refund", object{"order_id": "miss", "amount": 1, "reason": "r"}, refundFields},
		{"/gateway/recurrent", object{"order_id": "miss", "amount": 1, "purpose": "r", "parent_order_id": "p"}, recurrentFields},
		{"/gateway/withdrawal/tokenize-form", object{"account": "EUR-sandbox-payout", "order_id": "miss"}, tokenizeFields},
		{"/pci/withdrawal/init", with(full, object{"account": "EUR-sandbox-payout"}), append([]string{"customer_card_number"}, withdrawalFields...)},
		{"/gateway/check", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/capture", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/cancel", object{"order_id": "x"}, []string{"order_id"}},
		{"/gateway/withdrawal/balance/get", object{"account": "x"}, []string{"account"}},
	} {
		for _, field := range c.required {
			body := with(c.body, nil)
			delete(body, field)
			got := b.call(c.path, body)
			require.EqualValues(t, -1, got["status"], "%s without %s", c.path, field)
			require.Equal(t, CodeValidation, got["err"])
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.Contains(t, string(text), field+" is required", c.path)
			require.Nil(t, got["form_url"])
		}
	}
	require.Empty(t, b.simulator.Orders(0))
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.ValidationStatus = 400 }))
	status, _, err := b.raw(http.MethodPost, "/gateway/check", `{}`)
	require.NoError(t, err)
	require.Equal(t, 400, status)
}

func TestDuplicateOrderLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/gateway/initPayment", b.pay("dup", nil))
	payout := object{"account": "EUR-sandbox-payout", "order_id": "dup", "amount": 5, "payment_method": "card", "customer_card_number": CardFrictionless}
	for path, body := range map[string]object{
		"/gateway/initPayment":              b.pay("dup", object{"amount": 77}),
		"/pci/initPaymentHost2Host":         b.pay("dup", card(CardFrictionless)),
		"/pci/authorize":                    b.pay("dup", card(CardFrictionless)),
		"/gateway/withdrawal/tokenize-form": {"account": "EUR-sandbox-payout", "order_id": "dup"},
		"/pci/withdrawal/init":              payout,
	} {
		got := b.call(path, body)
		require.EqualValues(t, -1, got["status"], path)
		require.Equal(t, CodeDuplicate, got["err"], path)
	}
	got := b.check("dup")
	require.EqualValues(t, 0, got["status"])
	require.EqualValues(t, 1000, got["amount"])
	require.Len(t, b.simulator.Orders(0), 1)
	require.EqualValues(t, 0, b.call("/gateway/withdrawal/balance/get", object{"account": "EUR-sandbox-payout"})["holdBalance"])
}

func TestHostsAreSeparate(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	status, _, err := b.raw(http.MethodPost, "/gateway/initPaymentHost2Host", `{}`)
	require.NoError(t, err)
	require.Equal(t, 404, status)
	status, _, err = b.raw(http.MethodPost, "/pci/check", `{}`)
	require.NoError(t, err)
	require.Equal(t, 404, status)

	got := b.call("/gateway/initPayment", b.pay("host-1", card(CardFrictionless)))
	require.Equal(t, CodeValidation, got["err"])
	require.Contains(t, got["description"], "pci host only")
	base := object{"account": "EUR-sandbox-payout", "order_id": "host-2", "amount": 5}
	for _, c := range []struct {
		path, method, field, value string
		ok                         bool
	}{
		{"/gateway", "card", "customer_card_number", CardFrictionless, false},
		{"/pci", "phoneBalance", "phone_withdrawal", "79123456789", false},
		{"/pci", "token", "tokenize_transaction_order_id", "tok", false},
		{"/gateway", "account", "account_withdrawal", "DE89370400440532013000", false},
		{"/pci", "account", "account_withdrawal", "DE89370400440532013000", true},
	} {
		got := b.call(c.path+"/withdrawal/init", with(base, object{"payment_method": c.method, c.field: c.value}))
		require.Equal(t, c.ok, got["err"] == nil, "%s %v", c.method, got)
	}
}

func TestAWithdrawalMayNameItsProvider(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	got := b.call("/pci/withdrawal/init", object{
		"account": "EUR-sandbox-payout", "order_id": "route-1", "amount": 5, "payment_method": "account",
		"account_withdrawal": "DE89370400440532013000", "provider_id": "17",
	})
	require.Nil(t, got["err"])
	_, raw, err := b.raw(http.MethodGet, "/control/orders/route-1", "")
	require.NoError(t, err)
	require.Contains(t, string(raw), `"provider_id": "17"`)
}
