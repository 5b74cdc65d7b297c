package payment

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// A shop learns whether it has no account at all, none for this kind of order, or none in the currency.
func TestWhyNoAccountFits(t *testing.T) {
	t.Parallel()
	shop, hash, euros := uuid.New(), []byte("hash"), money.New(100, "EUR")
	payment := func(s *Service) (*Order, bool, error) {
		return s.CreatePayment(t.Context(), NewPayment{Shop: shop, Reference: "r", Amount: euros, RequestHash: hash})
	}
	named := func(s *Service) (*Order, bool, error) {
		return s.CreatePayment(t.Context(), NewPayment{Shop: shop, Reference: "r", Amount: euros, Account: "a", RequestHash: hash})
	}
	payout := func(s *Service) (*Order, bool, error) {
		return s.Payout(t.Context(), NewPayout{Shop: shop, Reference: "r", Minor: 100, Account: "a", RequestHash: hash})
	}
	account := func(currency money.Currency, purpose Purpose) []Account {
		return []Account{{ID: uuid.New(), Name: "x", Provider: "fake", Currency: currency, Purpose: purpose}}
	}
	for name, c := range map[string]struct {
		accounts []Account
		send     func(*Service) (*Order, bool, error)
		code     Code
		field    string
		says     string
	}{
		"none at all":              {nil, payment, CodeUnknownAccount, "account", "has no account"},
		"none at all, one named":   {nil, named, CodeUnknownAccount, "account", "has no account"},
		"none at all, for payouts": {nil, payout, CodeUnknownAccount, "account", "has no account"},
		"none for payments":        {account("EUR", PurposePayouts), payment, CodeUnknownAccount, "account", "is for payments"},
		"none in the currency":     {account("UAH", PurposeAny), payment, CodeCurrency, "currency", "holds this currency"},
		"another is named":         {account("EUR", PurposeAny), named, CodeUnknownAccount, "account", "no such account"},
	} {
		s, service := newShelf(&gatewaytest.Fake{})
		s.accounts = c.accounts
		_, _, err := c.send(service)
		require.Equal(t, c.code, CodeOf(err), name)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, c.field, fieldsOf(err)[0].Field, name)
	}
	s, service := newShelf(&gatewaytest.Fake{})
	s.accounts = nil
	require.Equal(t, "account", service.Check(t.Context(), NewPayment{})[0].Field, "also beside other problems")
}
