package payment

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// UnknownAccountMessage answers the name of an account that the shop may not use.
const UnknownAccountMessage = "There is no such account for this shop. GET /v1/accounts lists those it may use."

// route picks the account that an order is meant for: the first of the candidates.
func (s *Service) route(ctx context.Context, shop uuid.UUID, name string, currency money.Currency, purpose Purpose) (Account, error) {
	candidates, err := s.candidates(ctx, shop, name, currency, purpose)
	if err != nil {
		return Account{}, err
	}
	return candidates[0], nil
}

// accountsOf are a shop's accounts. One that its provider does not open is Unusable, and keeps no order from the others.
func (s *Service) accountsOf(ctx context.Context, shop uuid.UUID) ([]Account, error) {
	accounts, err := s.Store.ShopAccounts(ctx, shop)
	for i := range accounts {
		if accounts[i].Unusable == nil {
			_, accounts[i].Unusable = s.open(accounts[i])
		}
	}
	return accounts, err
}

// candidates lists the accounts that a new order may go to: only the one named, or those that fit the currency and purpose, in the
// order of the shop's routing. Without an error there is at least one.
func (s *Service) candidates(ctx context.Context, shop uuid.UUID, name string, currency money.Currency, purpose Purpose) ([]Account, error) {
	accounts, err := s.accountsOf(ctx, shop)
	if err != nil {
		return nil, err
	}
	if name != "" && len(accounts) > 0 {
		a, err := named(accounts, name, currency, purpose)
		if err != nil {
			return nil, err
		}
		return []Account{a}, takes(ctx, a, purpose)
	}
	fitting := slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
		return a.Currency != currency || !a.serves(purpose)
	})
	if len(fitting) == 0 {
		if i := slices.IndexFunc(accounts, func(a Account) bool { return a.Unusable != nil }); i >= 0 {
			return nil, accounts[i].Unusable
		}
		return nil, noAccountFits(accounts, purpose)
	}
	routed := slices.DeleteFunc(fitting, func(a Account) bool { return a.Priority == 0 })
	if len(routed) == 0 {
		return nil, &Error{
			Code: CodeUnknownAccount, Message: "The shop's accounts for this currency are not in its routing. Name one of them, or ask the operators to give one a priority. GET /v1/accounts lists them.",
			Fields: []gateway.FieldError{{Field: "account", Message: "must name an account, because none for this currency has a priority"}},
		}
	}
	first := routed[0]
	routed = slices.DeleteFunc(routed, func(a Account) bool { return takes(ctx, a, purpose) != nil })
	if len(routed) == 0 {
		return nil, takes(ctx, first, purpose)
	}
	return routed, nil
}

// serves reports whether routing may pick the account for orders of a purpose.
func (a Account) serves(purpose Purpose) bool {
	if purpose == PurposePayouts && a.Withheld[canPayout] != "" {
		return false
	}
	return a.Purpose == PurposeAny || a.Purpose == purpose
}

// named picks the account that a request names, if it fits.
func named(accounts []Account, name string, currency money.Currency, purpose Purpose) (Account, error) {
	i := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name })
	switch {
	case i < 0:
		return Account{}, &Error{
			Code: CodeUnknownAccount, Message: UnknownAccountMessage,
			Fields: []gateway.FieldError{{Field: "account", Message: "is not an account of this shop"}},
		}
	case accounts[i].Unusable != nil:
		return Account{}, accounts[i].Unusable
	}
	if p := accounts[i].Purpose; purpose != PurposeAny && p != PurposeAny && p != purpose {
		return Account{}, &Error{
			Code: CodeUnknownAccount, Message: "The account is for " + string(p) + " only. GET /v1/accounts lists what each is for.",
			Fields: []gateway.FieldError{{Field: "account", Message: "is for " + string(p) + " only"}},
		}
	}
	if currency != "" && accounts[i].Currency != currency {
		return Account{}, &Error{
			Code: CodeCurrency, Message: "The account holds another currency. Send its currency, " + string(accounts[i].Currency) + ", or leave the account out.",
			Fields: []gateway.FieldError{{Field: "currency", Message: "must be the account's currency, " + string(accounts[i].Currency)}},
		}
	}
	return accounts[i], nil
}

// noAccountFits says why none of a shop's accounts can be picked: it has none, none is for the purpose, or none holds the currency.
func noAccountFits(accounts []Account, purpose Purpose) error {
	fit := slices.ContainsFunc(accounts, func(a Account) bool { return a.serves(purpose) })
	switch {
	case len(accounts) == 0:
		return noAccounts()
	case !fit:
		return &Error{
			Code: CodeUnknownAccount, Message: "None of the shop's accounts is for " + string(purpose) + ". GET /v1/accounts lists what each is for; an operator can add one.",
			Fields: []gateway.FieldError{{Field: "account", Message: "no account of this shop is for " + string(purpose)}},
		}
	}
	return &Error{
		Code: CodeCurrency, Message: "None of the shop's accounts for " + string(purpose) + " holds this currency. GET /v1/accounts lists them.",
		Fields: []gateway.FieldError{{Field: "currency", Message: "no account of this shop takes it"}},
	}
}

// takes refuses an account for a new order if the caller or the account begins none, or if its currency was withdrawn. What exists is
// read and refunded all the same.
func takes(ctx context.Context, a Account, purpose Purpose) error {
	if a.Unusable != nil {
		return a.Unusable
	}
	if purpose == PurposeAny {
		return nil
	}
	if err := begins(ctx, a); err != nil || a.Currency.Circulates() {
		return err
	}
	return &Error{
		Code: CodeCurrency, Message: "The currency of account " + a.Name + " is out of circulation. GET /v1/accounts lists the others.",
		Fields: []gateway.FieldError{{Field: "account", Message: "holds a currency that is out of circulation"}},
	}
}

// noAccounts answers a shop that cannot do anything yet.
func noAccounts() error {
	return &Error{
		Code: CodeUnknownAccount, Message: "This shop has no account at a provider yet, so nothing can be sent. Ask the operators for one: 'server account create' makes it, 'server account link' shares one.",
		Fields: []gateway.FieldError{{Field: "account", Message: "this shop has no account at a provider yet"}},
	}
}
