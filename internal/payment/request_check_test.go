package payment

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// shelf is a store that has accounts and at most one order.
type shelf struct {
	Store
	accounts []Account
	order    *Order
}

func (s *shelf) ShopAccounts(context.Context, uuid.UUID) ([]Account, error) {
	return slices.Clone(s.accounts), nil
}

func (s *shelf) OrderByReference(context.Context, uuid.UUID, gateway.Kind, string) (*Order, error) {
	if s.order == nil {
		return nil, ErrNotFound
	}
	return s.order, nil
}

// Order knows no payout card.
func (s *shelf) ProviderOrderID(context.Context, uuid.UUID, gateway.Kind, string, int) (string, error) {
	return trialOrderID, nil
}

func (s *shelf) Order(context.Context, Key) (*Order, error) { return nil, ErrNotFound }

func newShelf(fake *gatewaytest.Fake) (*shelf, *Service) {
	s := &shelf{accounts: []Account{
		{ID: uuid.New(), Name: "a", Provider: fake.Name(), Currency: "EUR", Purpose: PurposeAny, Priority: 1},
		{ID: uuid.New(), Name: "b", Provider: fake.Name(), Currency: "UAH", Purpose: PurposePayments, Priority: 1},
		{ID: uuid.New(), Name: "c", Provider: fake.Name(), Currency: "USD", Purpose: PurposePayouts, Priority: 1},
	}}
	return s, New(Config{Store: s, Drivers: gateway.NewRegistry(fake)})
}

func TestARepeatIsNotJudgedAnew(t *testing.T) {
	t.Parallel()
	s, service := newShelf(&gatewaytest.Fake{})
	in := NewPayment{
		Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), RequestHash: []byte("hash"),
		Recurring: gateway.Recurring{Enabled: true, ExpiresAt: time.Now().Add(-time.Hour)},
	}
	_, _, err := service.CreatePayment(context.Background(), in)
	require.Equal(t, CodeInvalid, CodeOf(err))
	require.Equal(t, "recurring.expires_at", fieldsOf(err)[0].Field)

	s.order = &Order{Reference: "r", RequestHash: []byte("hash")}
	repeated, isNew, err := service.CreatePayment(context.Background(), in)
	require.NoError(t, err, "it was in the future when it was first sent")
	require.False(t, isNew)
	require.Same(t, s.order, repeated)
}

// Nor is one of anything else that makes orders, whatever would refuse it by now: what the provider needs, or the shop's accounts.
func TestNoRepeatIsJudgedAnew(t *testing.T) {
	t.Parallel()
	needs := []gateway.FieldError{{Field: "customer.email", Message: "required"}}
	s, service := newShelf(&gatewaytest.Fake{
		CheckFunc: func(r gateway.Request) []gateway.FieldError {
			switch r.(type) {
			case gateway.PayoutRequest, gateway.TransferRequest:
				return needs
			}
			return nil
		},
	})
	ctx, shop, hash, noCard := t.Context(), uuid.New(), []byte("hash"), uuid.New()
	for name, c := range map[string]struct {
		send func() (*Order, bool, error)
		code Code
	}{
		"a payout that needs more": {func() (*Order, bool, error) {
			return service.Payout(ctx, NewPayout{Shop: shop, Reference: "r", Minor: 100, Account: "a", RequestHash: hash})
		}, CodeMissingFields},
		"a payout to a card that is gone": {func() (*Order, bool, error) {
			return service.Payout(ctx, NewPayout{Shop: shop, Reference: "r", Minor: 100, Account: "a", PayoutCard: &noCard, RequestHash: hash})
		}, CodeInvalid},
		"a payout of an account that is for payments by now": {func() (*Order, bool, error) {
			return service.Payout(ctx, NewPayout{Shop: shop, Reference: "r", Minor: 100, Account: "b", RequestHash: hash})
		}, CodeUnknownAccount},
		"a transfer that needs more": {func() (*Order, bool, error) {
			return service.Transfer(ctx, NewTransfer{Shop: shop, Reference: "r", Amount: money.New(100, "EUR"), Account: "a", RequestHash: hash})
		}, CodeMissingFields},
		"a transfer of an account that is gone": {func() (*Order, bool, error) {
			return service.Transfer(ctx, NewTransfer{Shop: shop, Reference: "r", Amount: money.New(100, "EUR"), Account: "gone", RequestHash: hash})
		}, CodeUnknownAccount},
		"a payout card of an account that is gone": {func() (*Order, bool, error) {
			return service.OpenPayoutCard(ctx, NewPayoutCard{Shop: shop, Reference: "r", Account: "gone", RequestHash: hash})
		}, CodeUnknownAccount},
		"a payment of an account that is gone": {func() (*Order, bool, error) {
			return service.CreatePayment(ctx, NewPayment{Shop: shop, Reference: "r", Amount: money.New(100, "EUR"), Account: "gone", RequestHash: hash})
		}, CodeUnknownAccount},
	} {
		s.order = nil
		_, _, err := c.send()
		require.Equal(t, c.code, CodeOf(err), name)
		s.order = &Order{Reference: "r", RequestHash: hash}
		repeated, isNew, err := c.send()
		require.NoError(t, err, name)
		require.False(t, isNew, name)
		require.Same(t, s.order, repeated, name)
		s.order = &Order{Reference: "r", RequestHash: []byte("another")}
		_, _, err = c.send()
		require.Equal(t, CodeReferenceConflict, CodeOf(err), name)
	}
}

// TestAProvidersNeedsAreToldOnceItIsKnownWhichProviderItIs holds that what an account needs is not told of a request that
// does not go there.
func TestAProvidersNeedsAreToldOnceItIsKnownWhichProviderItIs(t *testing.T) {
	t.Parallel()
	_, service := newShelf(&gatewaytest.Fake{CheckFunc: func(req gateway.Request) []gateway.FieldError {
		return []gateway.FieldError{{Field: "customer.email", Message: "required at " + string(req.(gateway.PaymentRequest).Ref.Amount.Currency())}}
	}})
	fields := func(in NewPayment) (names []string) {
		for _, f := range service.Check(context.Background(), in) {
			names = append(names, f.Field+" "+f.Message)
		}
		return names
	}
	require.Empty(t, fields(NewPayment{}), "neither account nor currency")
	require.Equal(t, []string{"customer.email required at EUR"}, fields(NewPayment{Amount: money.New(1, "EUR")}))
	require.Equal(t, []string{"customer.email required at UAH"}, fields(NewPayment{Account: "b"}), "the account is known, whatever is wrong with the currency")
	require.Equal(t, []string{"currency must be the account's currency, UAH"}, fields(NewPayment{Account: "b", Amount: money.New(1, "EUR")}))
	require.Equal(t, []string{"account is not an account of this shop"}, fields(NewPayment{Account: "none"}))
	require.Equal(t, []string{"currency no account of this shop takes it"}, fields(NewPayment{Amount: money.New(1, "JPY")}))
}

// A card that has expired is never sent, by whatever request it comes.
func TestACardThatHasExpiredIsRefused(t *testing.T) {
	t.Parallel()
	s, service := newShelf(&gatewaytest.Fake{CheckFunc: func(gateway.Request) []gateway.FieldError { return nil }})
	service.Now = func() time.Time { return time.Date(2026, time.November, 1, 12, 0, 0, 0, time.UTC) }
	ctx, hash := t.Context(), []byte("hash")
	over, good := &card.Card{Expiry: card.Expiry{Month: 10, Year: 2026}}, &card.Card{Expiry: card.Expiry{Month: 11, Year: 2026}}
	for field, c := range map[string]struct {
		send    func(*card.Card) error
		missing func(*card.Card) []gateway.FieldError
	}{
		"payment_method.card.exp_year": {func(c *card.Card) error {
			_, _, err := service.CreatePayment(ctx, NewPayment{Reference: "r", Amount: money.New(100, "EUR"), Method: gateway.PaymentMethod{Card: c}, RequestHash: hash})
			return err
		}, func(c *card.Card) []gateway.FieldError {
			return service.Check(ctx, NewPayment{Account: "a", Method: gateway.PaymentMethod{Card: c}})
		}},
		"method.card.exp_year": {func(c *card.Card) error {
			_, _, err := service.Payout(ctx, NewPayout{Reference: "r", Minor: 100, Account: "a", Method: gateway.PayoutMethod{Card: c}, RequestHash: hash})
			return err
		}, func(c *card.Card) []gateway.FieldError {
			return service.Check(ctx, NewPayout{Account: "a", Method: gateway.PayoutMethod{Card: c}})
		}},
		"from.card.exp_year": {func(c *card.Card) error {
			_, _, err := service.Transfer(ctx, NewTransfer{Reference: "r", Amount: money.New(100, "EUR"), Account: "a", From: gateway.TransferEnd{Card: c}, RequestHash: hash})
			return err
		}, func(c *card.Card) []gateway.FieldError {
			return service.Check(ctx, NewTransfer{Account: "a", From: gateway.TransferEnd{Card: c}})
		}},
		"to.card.exp_year": {func(c *card.Card) error {
			_, _, err := service.Transfer(ctx, NewTransfer{Reference: "r", Amount: money.New(100, "EUR"), Account: "a", To: gateway.TransferEnd{Card: c}, RequestHash: hash})
			return err
		}, func(c *card.Card) []gateway.FieldError {
			return service.Check(ctx, NewTransfer{Account: "a", To: gateway.TransferEnd{Card: c}})
		}},
	} {
		s.order = nil
		err := c.send(over)
		require.Equal(t, CodeInvalid, CodeOf(err), field)
		require.Equal(t, field, fieldsOf(err)[0].Field)
		require.Equal(t, field, c.missing(over)[0].Field, "a request that is refused for other reasons says so too")
		require.Empty(t, c.missing(good), field)
		s.order = &Order{Reference: "r", RequestHash: hash}
		require.NoError(t, c.send(over), "%s: the card was good when it was first sent", field)
	}
}

// Every field that stands in the way is listed, what is no longer good before what the provider needs, and the code is that of the
// worst of them.
func TestWhyARequestIsRefused(t *testing.T) {
	t.Parallel()
	late := gateway.FieldError{Field: "payment_method.card.exp_year", Message: "past"}
	need := gateway.FieldError{Field: "customer.email", Message: "required"}
	cannot := gateway.FieldError{Field: "capture_method", Message: "cannot", Unsupported: true}
	for name, tc := range map[string]struct {
		late, needs []gateway.FieldError
		want        Code
	}{
		"nothing":                       {nil, nil, ""},
		"past":                          {[]gateway.FieldError{late}, nil, CodeInvalid},
		"needed":                        {nil, []gateway.FieldError{need}, CodeMissingFields},
		"past and needed":               {[]gateway.FieldError{late}, []gateway.FieldError{need}, CodeInvalid},
		"needed and impossible":         {nil, []gateway.FieldError{need, cannot}, CodeUnsupported},
		"past, needed and impossible":   {[]gateway.FieldError{late}, []gateway.FieldError{need, cannot}, CodeUnsupported},
		"past twice, and needed":        {[]gateway.FieldError{late, late}, []gateway.FieldError{need}, CodeInvalid},
		"past twice and needed as well": {[]gateway.FieldError{late, late}, []gateway.FieldError{need, need}, CodeInvalid},
	} {
		err := refusalOf(tc.late, tc.needs, Account{Name: "main"})
		require.Equal(t, tc.want, CodeOf(err), name)
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, append(slices.Clone(tc.late), tc.needs...), fieldsOf(err), name)
	}
}
