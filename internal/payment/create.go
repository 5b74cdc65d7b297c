package payment

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// NewPayment asks for a payment.
type NewPayment struct {
	Shop            uuid.UUID
	Reference       string
	Amount          money.Money
	Account         string // a name, or "" for routing
	Flow            gateway.Flow
	Manual          bool // hold now, capture later
	Method          gateway.PaymentMethod
	Customer        gateway.Customer
	Browser         *gateway.Browser
	Description     string
	SiteURL         string
	Details         []byte // what Order.Details keeps
	Metadata        map[string]string
	ReturnURLs      gateway.ReturnURLs
	NotificationURL string
	Recurring       gateway.Recurring
	// RequestHash is a keyed hash of the request.
	RequestHash []byte
}

// CreatePayment starts a payment and reports whether it is new. The same reference with the same request gives the
// first order. Errors: CodeUnknownAccount, CodeCurrency, CodeInvalid, CodeMissingFields, CodeUnsupported,
// CodeReferenceConflict, CodeProviderFailed, CodeUnavailable; nothing is stored or sent on any of them but the last, which
// says nothing about what was stored.
func (s *Service) CreatePayment(ctx context.Context, in NewPayment) (*Order, bool, error) {
	operation := gateway.OpSale
	if in.Manual {
		operation = gateway.OpAuthorize
	}
	return s.accept(ctx, intake{
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindPayment, Reference: in.Reference, RequestHash: in.RequestHash,
			Operation: operation, Manual: in.Manual, Amount: in.Amount, Flow: in.Flow, Recurring: in.Recurring.Enabled,
			Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		account: in.Account, currency: in.Amount.Currency(), purpose: PurposePayments,
		offer: func(_ context.Context, to target, o *Order) (offer, error) {
			req := s.paymentRequest(in, o.Ref(), to.account)
			return offer{"create_payment", req.Ref, func(ctx context.Context) (gateway.Result, error) {
				return to.gateway.CreatePayment(ctx, req)
			}}, refusalOf(expired(req, s.Now()), to.gateway.Check(req), to.account)
		},
	})
}

// UnknownAccountMessage answers the name of an account that the shop may not use.
const UnknownAccountMessage = "There is no such account for this shop. GET /v1/accounts lists those it may use."

// route picks the account: the named one, or the first by name that fits the currency and purpose.
func (s *Service) route(ctx context.Context, shop uuid.UUID, name string, currency money.Currency, purpose Purpose) (Account, error) {
	accounts, err := s.Store.ShopAccounts(ctx, shop)
	if err != nil {
		return Account{}, err
	}
	if name != "" && len(accounts) > 0 {
		i := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name })
		if i < 0 {
			return Account{}, &Error{
				Code: CodeUnknownAccount, Message: UnknownAccountMessage,
				Fields: []gateway.FieldError{{Field: "account", Message: "is not an account of this shop"}},
			}
		}
		if p := accounts[i].Purpose; purpose != PurposeAny && p != PurposeAny && p != purpose {
			return Account{}, &Error{
				Code: CodeUnknownAccount, Message: "The account is for " + string(p) + " only. GET /v1/accounts lists what each is for.",
				Fields: []gateway.FieldError{{Field: "account", Message: "is for " + string(p) + " only"}},
			}
		}
		if currency != "" && accounts[i].Currency != currency {
			return Account{}, &Error{
				Code: CodeCurrency, Message: "The account holds another currency. Send its currency, or leave the account out.",
				Fields: []gateway.FieldError{{Field: "currency", Message: "must be the account's currency, " + string(accounts[i].Currency)}},
			}
		}
		return accounts[i], takes(ctx, accounts[i], purpose)
	}
	fitting := slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
		return a.Currency != currency || a.Purpose != PurposeAny && a.Purpose != purpose
	})
	if len(fitting) == 0 {
		return Account{}, noAccountFits(accounts, purpose)
	}
	i := slices.IndexFunc(fitting, func(a Account) bool { return begins(ctx, a) == nil })
	return fitting[max(i, 0)], takes(ctx, fitting[max(i, 0)], purpose)
}

// noAccountFits says why none of a shop's accounts can be picked: it has none, none is for the purpose, or none holds the currency.
func noAccountFits(accounts []Account, purpose Purpose) error {
	fit := slices.ContainsFunc(accounts, func(a Account) bool { return a.Purpose == PurposeAny || a.Purpose == purpose })
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
		Code: CodeUnknownAccount, Message: "This shop has no account at a provider yet, so nothing can be sent. Ask the operators for one: 'server account create' makes it, 'server account set --shop' shares one.",
		Fields: []gateway.FieldError{{Field: "account", Message: "this shop has no account at a provider yet"}},
	}
}
