package payment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/shop"
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
		return []Account{{ID: uuid.New(), Name: "x", Provider: "fake", Currency: currency, Purpose: purpose, Priority: 1}}
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

// threeAccounts returns a shop with accounts for euros at providers of the same names, in the order of routing: first, second, and
// spare, which must be named.
func threeAccounts() (s *shopStore, service *Service, providers map[string]*gatewaytest.Fake) {
	s = &shopStore{orders: map[uuid.UUID]*Order{}, failures: map[string]error{}}
	providers = map[string]*gatewaytest.Fake{}
	var drivers []gateway.Driver
	for i, name := range []string{"first", "second", "spare"} {
		s.accounts = append(s.accounts, Account{ID: uuid.New(), Name: name, Provider: name, Currency: "EUR", Purpose: PurposeAny, Priority: (i + 1) % 3})
		providers[name] = &gatewaytest.Fake{ProviderName: name, CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing}, nil
		}}
		drivers = append(drivers, providers[name])
	}
	return s, New(Config{Store: s, Drivers: gateway.NewRegistry(drivers...), Now: func() time.Time { return epoch }, PublicURL: "https://pay.example"}), providers
}

// An order goes to the account it names, or to the first by priority that begins orders and whose provider answers. One that
// would be held back goes to the next, because nothing was written or sent.
func TestWhereAnOrderGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account           string
		drained, heldBack []string
		unusable          string // changed past the service
		broken            string // which cannot be used
		unable            string // whose provider cannot take the request
		want              string
		code              Code
	}{
		"the first":                          {want: "first"},
		"the one named":                      {account: "second", want: "second"},
		"one that must be named":             {account: "spare", want: "spare"},
		"a drained one is passed over":       {drained: []string{"first"}, want: "second"},
		"one held back is passed over":       {heldBack: []string{"first"}, want: "second"},
		"one that is broken is passed over":  {broken: "first", want: "second"},
		"a named one is broken":              {account: "first", broken: "first", code: CodeAccountFrozen},
		"none is left":                       {heldBack: []string{"first", "second"}, code: CodeProviderFailed},
		"none begins":                        {drained: []string{"first", "second"}, code: CodeDisabled},
		"a named one is never rerouted":      {account: "first", heldBack: []string{"first"}, code: CodeProviderFailed},
		"the next cannot take it":            {heldBack: []string{"first"}, unable: "second", code: CodeProviderFailed},
		"what the first lacks is not evaded": {unable: "first", code: CodeMissingFields},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := threeAccounts()
			for i := range s.accounts {
				if s.accounts[i].Name == c.broken {
					s.accounts[i].Unusable = &Error{Code: CodeAccountFrozen}
				}
				for _, drained := range c.drained {
					if s.accounts[i].Name == drained {
						s.accounts[i].Mode = shop.ModeDrain
					}
				}
			}
			for _, heldBack := range c.heldBack {
				providers[heldBack].HeldBackFunc = func(gateway.Ref) time.Duration { return time.Second }
			}
			if c.unable != "" {
				providers[c.unable].CheckFunc = func(gateway.Request) []gateway.FieldError {
					return []gateway.FieldError{{Field: "description", Message: "is needed"}}
				}
			}
			o, _, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), Account: c.account, RequestHash: []byte("h")})
			require.Equal(t, c.code, CodeOf(err), "%v", err)
			if c.want == "" {
				require.Empty(t, s.orders, "nothing is written")
				return
			}
			require.Equal(t, c.want, o.AccountName)
			for provider, fake := range providers {
				require.Equal(t, provider == c.want, len(fake.Calls()) > 0, "%s was called %v", provider, fake.Calls())
			}
		})
	}
}

// A shop whose accounts must all be named is told so.
func TestNoAccountIsRouted(t *testing.T) {
	t.Parallel()
	s, service, _ := threeAccounts()
	s.accounts = s.accounts[2:]
	_, _, err := service.CreatePayment(t.Context(), NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), RequestHash: []byte("h")})
	require.Equal(t, CodeUnknownAccount, CodeOf(err))
	require.ErrorContains(t, err, "Name one of them")
}
