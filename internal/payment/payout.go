package payment

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/routing"
)

// NewPayout asks to send money out.
type NewPayout struct {
	Shop            uuid.UUID
	Reference       string
	Minor           int64
	Currency        money.Currency // "" is the account's
	Account         string
	Method          gateway.PayoutMethod
	PayoutCard      *uuid.UUID // our order id of a payout card, instead of Method
	Customer        gateway.Customer
	Description     string
	SiteURL         string
	Details         []byte // what Order.Details keeps
	Metadata        map[string]string
	NotificationURL string
	AllowDuplicate  bool
	RequestHash     []byte
}

// Payout sends money out. It is never sent twice, whatever becomes of the first try.
func (s *Service) Payout(ctx context.Context, in NewPayout) (*Order, bool, error) {
	it := s.payoutIntake(in)
	account, err := s.payoutAccount(ctx, in)
	if err != nil {
		return s.rejectOrReplay(ctx, &it.order, err)
	}
	it.account = account
	return s.accept(ctx, it)
}

// payoutAccount is the account that a payout must go to, "" for one that is routed: the one that it names, that has its payout card, or
// that an operator is asked to release it for.
func (s *Service) payoutAccount(ctx context.Context, in NewPayout) (string, error) {
	switch {
	case in.Account != "":
		return in.Account, nil
	case in.PayoutCard != nil:
		c, err := s.payoutCardOf(ctx, in)
		if err != nil {
			return "", err
		}
		return c.AccountName, nil
	case in.Currency == "":
		return "", &Error{
			Code: CodeInvalid, Message: "The request is not valid.",
			Fields: []gateway.FieldError{{Field: "currency", Message: "is needed where no account is named: send it, or the name of an account"}},
		}
	}
	return s.Store.ApprovalAccount(ctx, in.Shop, in.Reference, in.RequestHash)
}

// payoutIntake is a payout as every new order is taken in.
func (s *Service) payoutIntake(in NewPayout) intake {
	return intake{
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindPayout, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
			Flow: gateway.FlowDirect, Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
			AllowDuplicate: in.AllowDuplicate,
		},
		account: in.Account, currency: in.Currency, purpose: PurposePayouts, minor: in.Minor,
		facts: func(shop string) routing.Facts { return s.payoutFacts(in, shop) },
		offer: func(ctx context.Context, to target, o *Order) (_ offer, err error) {
			payer, ok := to.gateway.(gateway.Payer)
			if !ok {
				return offer{}, &Error{Code: CodeUnsupported, Message: "The provider of this account cannot send money out."}
			}
			if err := to.account.allows(in.needs()...); err != nil {
				return offer{}, err
			}
			if in.PayoutCard != nil {
				if in.Method.PayoutCardID, err = s.payoutCard(ctx, in, to.account); err != nil {
					return offer{}, err
				}
			}
			o.Fingerprint, o.Destination = s.fingerprint(o, s.payoutTarget(in.Method)...), maskedDestination(in.Method)
			req := gateway.PayoutRequest{
				Ref: o.Ref(), Method: in.Method, Customer: in.Customer, Description: in.Description, SiteURL: in.SiteURL, CallbackURL: to.callbackURL,
			}
			return offer{"payout", req.Ref, func(ctx context.Context) (gateway.Result, error) { return payer.Payout(ctx, req) }},
				refusalOf(cardOver("method.card", in.Method.Card, s.Now()), to.gateway.Check(req), to.account)
		},
	}
}

// payoutCard returns the provider's key of a payout card of the same shop and account.
func (s *Service) payoutCard(ctx context.Context, in NewPayout, account Account) (string, error) {
	c, err := s.payoutCardOf(ctx, in)
	switch {
	case err != nil:
		return "", err
	case c.AccountID != account.ID:
		return "", wrongPayoutCard("belongs to another account: " + c.AccountName)
	case c.Status != StatusSucceeded:
		return "", wrongPayoutCard(fmt.Sprintf("is %s: the customer must complete its form first", c.Status))
	}
	return c.ProviderOrderID, nil
}

// payoutCardOf is the payout card that a payout names.
func (s *Service) payoutCardOf(ctx context.Context, in NewPayout) (*Order, error) {
	c, err := s.Store.Order(ctx, Key{in.Shop, *in.PayoutCard})
	if CodeOf(err) == CodeNotFound || err == nil && c.Kind != gateway.KindPayoutCard {
		return nil, wrongPayoutCard("is not a payout card of this shop")
	}
	return c, err
}

func wrongPayoutCard(text string) error {
	return &Error{Code: CodeInvalid, Message: "The payout card cannot be used.", Fields: []gateway.FieldError{{Field: "method.payout_card_id", Message: text}}}
}

// NewPayoutCard asks for a form on which the customer leaves a card for payouts.
type NewPayoutCard struct {
	Shop            uuid.UUID
	Reference       string
	Account         string
	ReturnURLs      ReturnURLs
	Metadata        map[string]string
	NotificationURL string
	RequestHash     []byte
}

// OpenPayoutCard opens a form on which the customer leaves a card for payouts. Once it succeeded, its id is what
// payouts name.
func (s *Service) OpenPayoutCard(ctx context.Context, in NewPayoutCard) (*Order, bool, error) {
	return s.accept(ctx, intake{
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindPayoutCard, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
			Flow: gateway.FlowHosted, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		account: in.Account, purpose: PurposePayouts,
		offer: func(_ context.Context, to target, o *Order) (offer, error) {
			opener, ok := to.gateway.(gateway.PayoutCardOpener)
			if !ok {
				return offer{}, &Error{Code: CodeUnsupported, Message: "The provider of this account keeps no cards for payouts."}
			}
			if err := to.account.allows(canPayoutCard); err != nil {
				return offer{}, err
			}
			req := gateway.PayoutCardRequest{Ref: o.Ref(), ReturnURLs: in.ReturnURLs.ReturnURLs, CallbackURL: to.callbackURL}
			req.ReturnURLs = in.ReturnURLs.accepted(to.gateway.Check(req))
			return offer{"open_payout_card", req.Ref, func(ctx context.Context) (gateway.Result, error) { return opener.OpenPayoutCard(ctx, req) }},
				refusalOf(nil, to.gateway.Check(req), to.account)
		},
	})
}

// errNoBalance refuses to ask for what an account does not have.
var errNoBalance = &Error{Code: CodeUnsupported, Message: "This account has no balance to tell. GET /v1/accounts lists the capabilities of each."}

// Balance asks the provider what an account of the shop holds. Errors: CodeUnknownAccount, CodeUnsupported,
// CodeProviderFailed.
func (s *Service) Balance(ctx context.Context, shop uuid.UUID, name string) (gateway.Balance, error) {
	to, err := s.destination(ctx, shop, name, "", PurposeAny)
	if err != nil {
		return gateway.Balance{}, err
	}
	if err := to.account.allows(canBalance); err != nil {
		return gateway.Balance{}, err
	}
	reader, ok := to.gateway.(gateway.BalanceReader)
	if !ok || !InfoOf(to.account, to.gateway).can(canBalance) {
		return gateway.Balance{}, errNoBalance
	}
	b, _, err := callProvider(ctx, s, Subject{Shop: shop, Account: to.account.Name}, s.CheckTimeout, reader.Balance)
	if gateway.KindOf(err) == gateway.KindDeclined {
		return gateway.Balance{}, &Error{Code: CodeUnsupported, Message: "The provider refuses to tell the balance of this account.", Err: err}
	}
	if err != nil {
		return gateway.Balance{}, providerFailed("The provider did not tell the balance. Try again later.", err)
	}
	return b, nil
}
