package payment

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// A payout goes to a card that its customer left on the provider's form, if the card is the shop's, on the same account, and the
// form is complete. Anything else is refused with the reason, also where a request is only checked.
func TestWhichPayoutCardCanBeUsed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		change  func(s *shopStore, card *Order)
		unknown bool // another card is named
		code    Code
		says    string
		err     error
	}{
		"complete":                {func(*shopStore, *Order) {}, false, "", "", nil},
		"of nobody":               {func(*shopStore, *Order) {}, true, CodeInvalid, "is not a payout card of this shop", nil},
		"of another shop":         {func(_ *shopStore, c *Order) { c.ShopID = uuid.New() }, false, CodeInvalid, "is not a payout card of this shop", nil},
		"a payout":                {func(_ *shopStore, c *Order) { c.Kind = gateway.KindPayout }, false, CodeInvalid, "is not a payout card of this shop", nil},
		"of another account":      {func(_ *shopStore, c *Order) { c.AccountID, c.AccountName = uuid.New(), "second" }, false, CodeInvalid, "belongs to another account: second", nil},
		"waiting for its form":    {func(_ *shopStore, c *Order) { c.Status = StatusRequiresAction }, false, CodeInvalid, "is requires_action: the customer must complete its form first", nil},
		"the database is away":    {func(s *shopStore, _ *Order) { s.failures["Order"] = errDatabaseDown }, false, CodeUnavailable, "down", nil},
		"something else is wrong": {func(s *shopStore, _ *Order) { s.failures["Order"] = broken }, false, "", "", broken},
	} {
		sentTo := ""
		fake := &gatewaytest.Fake{PayoutFunc: func(_ context.Context, req gateway.PayoutRequest) (gateway.Result, error) {
			sentTo = req.Method.PayoutCardID
			return gateway.Result{Status: gateway.StatusProcessing}, nil
		}}
		s, service := newShop(fake)
		card := orderIn(t, StatusSucceeded)
		card.Kind, card.ProviderOrderID = gateway.KindPayoutCard, "card-1"
		in := NewPayout{Shop: card.ShopID, Reference: "r", Minor: 500, Currency: "EUR", Account: "main", PayoutCard: &card.ID}
		tc.change(s, s.with(card))
		if tc.unknown {
			id := uuid.New()
			in.PayoutCard = &id
		}
		missing := service.Check(t.Context(), in)
		if tc.err == nil && tc.code != CodeUnavailable {
			require.Equal(t, tc.code != "", len(missing) > 0, name)
		}
		o, isNew, err := service.Payout(t.Context(), in)
		if tc.code == "" && tc.err == nil {
			require.NoError(t, err, name)
			require.True(t, isNew, name)
			require.EqualValues(t, 500, o.Amount.Minor(), name)
			require.Equal(t, "card-1", sentTo, name)
			continue
		}
		require.Equal(t, tc.code, CodeOf(err), name)
		if tc.err != nil {
			require.ErrorIs(t, err, tc.err, name)
		}
		if tc.code == CodeInvalid {
			require.Equal(t, []gateway.FieldError{{Field: "method.payout_card_id", Message: tc.says}}, fieldsOf(err), name)
			require.Equal(t, fieldsOf(err), missing, name)
		}
		require.Empty(t, fake.Calls(), name)
	}
}

// An order has the sum that its shop named: a payout's in the account's currency, and a payout card none.
func TestTheSumOfANewOrder(t *testing.T) {
	t.Parallel()
	taken := func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusProcessing}, nil }
	fake := &gatewaytest.Fake{
		CreatePaymentFunc:  func(context.Context, gateway.PaymentRequest) (gateway.Result, error) { return taken() },
		PayoutFunc:         func(context.Context, gateway.PayoutRequest) (gateway.Result, error) { return taken() },
		OpenPayoutCardFunc: func(context.Context, gateway.PayoutCardRequest) (gateway.Result, error) { return taken() },
	}
	_, service := newShop(fake)
	shop := uuid.New()
	for _, tc := range []struct {
		want money.Money
		do   func() (*Order, bool, error)
	}{
		{money.New(700, "EUR"), func() (*Order, bool, error) {
			return service.CreatePayment(t.Context(), NewPayment{Shop: shop, Reference: "payment", Amount: money.New(700, "EUR")})
		}},
		{money.New(1, "EUR"), func() (*Order, bool, error) {
			return service.Payout(t.Context(), NewPayout{Shop: shop, Reference: "payout", Minor: 1, Account: "main"})
		}},
		{money.Money{}, func() (*Order, bool, error) {
			return service.OpenPayoutCard(t.Context(), NewPayoutCard{Shop: shop, Reference: "card", Account: "main"})
		}},
	} {
		o, _, err := tc.do()
		require.NoError(t, err)
		require.Equal(t, tc.want, o.Amount, o.Kind)
	}
}

// An account whose currency was withdrawn takes no new orders, and is asked all the same.
func TestACurrencyThatWasWithdrawn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		currency money.Currency
		purpose  Purpose
		want     Code
	}{
		{"EUR", PurposePayments, ""},
		{"EUR", PurposePayouts, ""},
		{"EUR", PurposeAny, ""},
		{"HRK", PurposePayments, CodeCurrency},
		{"HRK", PurposePayouts, CodeCurrency},
		{"HRK", PurposeAny, ""},
	} {
		require.Equal(t, tc.want, CodeOf(takes(t.Context(), Account{Name: "main", Currency: tc.currency}, tc.purpose)), "%s for %s", tc.currency, tc.purpose)
	}
}
