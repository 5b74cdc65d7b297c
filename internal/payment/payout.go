package payment

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
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
	RequestHash     []byte
}

// Payout sends money out. It is never sent twice, whatever becomes of the first try.
func (s *Service) Payout(ctx context.Context, in NewPayout) (*Order, bool, error) {
	refuse := func(reason error) (*Order, bool, error) {
		return s.rejectOrReplay(ctx, in.Shop, gateway.KindPayout, in.Reference, in.RequestHash, reason)
	}
	account, err := s.route(ctx, in.Shop, in.Account, in.Currency, PurposePayouts)
	if err != nil {
		return refuse(err)
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, false, err
	}
	payer, ok := gw.gateway.(gateway.Payer)
	if !ok {
		return refuse(&Error{Code: CodeUnsupported, Message: "The provider of this account cannot send money out."})
	}
	if in.PayoutCard != nil {
		if in.Method.PayoutCardID, err = s.payoutCard(ctx, in, account); err != nil {
			return refuse(err)
		}
	}
	o := s.newOrder(Order{
		ShopID: in.Shop, Kind: gateway.KindPayout, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
		Amount: money.New(in.Minor, account.Currency), Flow: gateway.FlowDirect, Provider: account.Provider, AccountID: account.ID, AccountName: account.Name,
		Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
	})
	req := gateway.PayoutRequest{
		Ref: o.Ref(), Method: in.Method, Customer: in.Customer, Description: in.Description, SiteURL: in.SiteURL, CallbackURL: s.CallbackURL(account),
	}
	if err := refusalOf(cardOver("method.card", in.Method.Card, s.Now()), payer.MissingPayoutFields(req), account); err != nil {
		return refuse(err)
	}
	if held := heldBack(gw.gateway, req.Ref); held != nil {
		return refuse(held)
	}
	return s.begin(ctx, o, attempt{operation: "payout", until: s.latest(o), call: func(ctx context.Context) (gateway.Result, error) { return payer.Payout(ctx, req) }})
}

// payoutCard returns the provider's key of a payout card of the same shop and account.
func (s *Service) payoutCard(ctx context.Context, in NewPayout, account Account) (string, error) {
	wrong := func(text string) error {
		return &Error{Code: CodeInvalid, Message: "The payout card cannot be used.", Fields: []gateway.FieldError{{Field: "method.payout_card_id", Message: text}}}
	}
	c, err := s.Store.Order(ctx, Key{in.Shop, *in.PayoutCard})
	switch {
	case CodeOf(err) == CodeNotFound, err == nil && c.Kind != gateway.KindPayoutCard:
		return "", wrong("is not a payout card of this shop")
	case err != nil:
		return "", err
	case c.AccountID != account.ID:
		return "", wrong("belongs to another account: " + c.AccountName)
	case c.Status != StatusSucceeded:
		return "", wrong(fmt.Sprintf("is %s: the customer must complete its form first", c.Status))
	}
	return c.ProviderOrderID, nil
}

// NewPayoutCard asks for a form on which the customer leaves a card for payouts.
type NewPayoutCard struct {
	Shop            uuid.UUID
	Reference       string
	Account         string
	ReturnURLs      gateway.ReturnURLs
	Metadata        map[string]string
	NotificationURL string
	RequestHash     []byte
}

// OpenPayoutCard opens a form on which the customer leaves a card for payouts. Once it succeeded, its id is what
// payouts name.
func (s *Service) OpenPayoutCard(ctx context.Context, in NewPayoutCard) (*Order, bool, error) {
	refuse := func(reason error) (*Order, bool, error) {
		return s.rejectOrReplay(ctx, in.Shop, gateway.KindPayoutCard, in.Reference, in.RequestHash, reason)
	}
	account, err := s.route(ctx, in.Shop, in.Account, "", PurposePayouts)
	if err != nil {
		return refuse(err)
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, false, err
	}
	opener, ok := gw.gateway.(gateway.PayoutCardOpener)
	if !ok {
		return refuse(&Error{Code: CodeUnsupported, Message: "The provider of this account keeps no cards for payouts."})
	}
	o := s.newOrder(Order{
		ShopID: in.Shop, Kind: gateway.KindPayoutCard, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
		Flow: gateway.FlowHosted, Provider: account.Provider, AccountID: account.ID, AccountName: account.Name,
		Metadata: in.Metadata, NotificationURL: in.NotificationURL,
	})
	req := gateway.PayoutCardRequest{Ref: o.Ref(), ReturnURLs: in.ReturnURLs, CallbackURL: s.CallbackURL(account)}
	if err := refusalOf(nil, opener.MissingPayoutCardFields(req), account); err != nil {
		return refuse(err)
	}
	if held := heldBack(gw.gateway, req.Ref); held != nil {
		return refuse(held)
	}
	return s.begin(ctx, o, attempt{operation: "open_payout_card", until: s.latest(o), call: func(ctx context.Context) (gateway.Result, error) { return opener.OpenPayoutCard(ctx, req) }})
}

// errNoBalance refuses to ask for what an account does not have.
var errNoBalance = &Error{Code: CodeUnsupported, Message: "This account has no balance to tell. GET /v1/accounts lists the capabilities of each."}

// Balance asks the provider what an account of the shop holds. Errors: CodeUnknownAccount, CodeUnsupported,
// CodeProviderFailed.
func (s *Service) Balance(ctx context.Context, shop uuid.UUID, name string) (gateway.Balance, error) {
	account, err := s.route(ctx, shop, name, "", PurposeAny)
	if err != nil {
		return gateway.Balance{}, err
	}
	gw, err := s.open(account)
	if err != nil {
		return gateway.Balance{}, err
	}
	reader, ok := gw.gateway.(gateway.BalanceReader)
	if !ok || !slices.Contains(capabilities(account, gw.gateway), "balance") {
		return gateway.Balance{}, errNoBalance
	}
	b, _, err := callProvider(ctx, s, Subject{Shop: shop, Account: account.Name}, s.CheckTimeout, reader.Balance)
	if gateway.KindOf(err) == gateway.KindDeclined {
		return gateway.Balance{}, &Error{Code: CodeUnsupported, Message: "The provider refuses to tell the balance of this account.", Err: err}
	}
	if err != nil {
		return gateway.Balance{}, providerFailed("The provider did not tell the balance. Try again later.", err)
	}
	return b, nil
}
