package payment

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/orderid"
)

// NewTransfer asks to move money from card to card.
type NewTransfer struct {
	Shop            uuid.UUID
	Reference       string
	Account         string
	Amount          money.Money
	From, To        gateway.TransferEnd
	Customer        gateway.Customer // who receives the money
	Description     string
	Details         []byte // what Order.Details keeps
	Metadata        map[string]string
	NotificationURL string
	RequestHash     []byte
}

// Transfer moves money from card to card. It is never sent twice, whatever becomes of the first try. Errors are those of
// CreatePayment.
func (s *Service) Transfer(ctx context.Context, in NewTransfer) (*Order, bool, error) {
	return s.accept(ctx, intake{
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindTransfer, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
			Amount: in.Amount, Flow: gateway.FlowDirect, Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		account: in.Account, currency: in.Amount.Currency(), purpose: PurposePayouts,
		offer: func(_ context.Context, to target, o *Order) (offer, error) {
			transferrer, ok := to.gateway.(gateway.Transferrer)
			if !ok {
				return offer{}, &Error{Code: CodeUnsupported, Message: "The provider of this account cannot move money from card to card."}
			}
			if err := to.account.allows(canTransfer); err != nil {
				return offer{}, err
			}
			req := gateway.TransferRequest{
				Ref: o.Ref(), From: in.From, To: in.To, Customer: in.Customer, Description: in.Description, CallbackURL: to.callbackURL,
			}
			return offer{"transfer", req.Ref, func(ctx context.Context) (gateway.Result, error) { return transferrer.Transfer(ctx, req) }},
				refusalOf(endsOver(in, s.Now()), to.gateway.Check(req), to.account)
		},
	})
}

// TransferImport asks to follow a transfer that was started elsewhere.
type TransferImport struct {
	Shop    uuid.UUID
	Account string
	Query   gateway.TransferQuery
}

// ImportTransfer makes an order of a transfer that was started elsewhere, and follows it. The provider is asked first,
// since only it knows the sum; what it said then takes the same road as any answer: the order is written down as created,
// with all that a later status poll needs, and the answer is recorded behind it. The order's reference is made of the provider's
// own id, so that importing a transfer twice, by whichever of its ids, gives the same order; one that the shop started here
// gives the order that it has. Errors: CodeUnknownAccount, CodeUnsupported, CodeInvalid, CodeNotFound if the provider shows
// no such transfer, CodeProviderFailed; nothing is stored on any of them.
func (s *Service) ImportTransfer(ctx context.Context, in TransferImport) (*Order, bool, error) {
	to, err := s.destination(ctx, in.Shop, in.Account, "", PurposePayouts)
	if err != nil {
		return nil, false, err
	}
	found, err := s.findTransfer(ctx, in, to)
	if err != nil {
		return nil, false, err
	}
	if own, err := s.startedHere(ctx, in.Shop, to.account, found.OrderID); own != nil || err != nil {
		return own, false, err
	}
	if orderid.HasForm(found.OrderID) {
		// Another shop's that shares the account: not even that it exists is told.
		return nil, false, importRejected(&gateway.Error{Kind: gateway.KindNotFound})
	}
	hash := sha256.Sum256([]byte("import\x00" + to.account.Provider + "\x00" + found.ProviderReference))
	o, err := s.newOrder(ctx, Order{
		ShopID: in.Shop, Kind: gateway.KindTransfer, Reference: importReference(found.ProviderReference), RequestHash: hash[:], Operation: gateway.OpSale,
		Amount: money.New(*found.Amount, to.account.Currency), ProviderReference: found.ProviderReference, ProviderState: found.State,
	}.at(to.account), 1)
	if err != nil {
		return nil, false, err
	}
	a := attempt{operation: "find_transfer", call: func(context.Context) (gateway.Result, error) { return found, nil }}
	stored, isNew, err := s.begin(ctx, o, a)
	if err != nil || isNew {
		return stored, isNew, err
	}
	// It is followed already. What was said of it now is recorded all the same, as an observation of unknown age.
	a.read = func(o *Order, result gateway.Result, err error, _ int, now time.Time) Observation {
		return answerObservation(o, result, err, 0, now)
	}
	stored, _, err = s.attempt(ctx, stored, a)
	return stored, false, err
}

// findTransfer asks the provider for a transfer, which must have an id and a sum.
func (s *Service) findTransfer(ctx context.Context, in TransferImport, to target) (gateway.Result, error) {
	importer, ok := to.gateway.(gateway.TransferImporter)
	if !ok {
		return gateway.Result{}, &Error{Code: CodeUnsupported, Message: "The provider of this account cannot show transfers that were started elsewhere."}
	}
	if err := to.account.allows(canTransferImport); err != nil {
		return gateway.Result{}, err
	}
	found, _, err := callProvider(ctx, s, Subject{Shop: in.Shop, Account: to.account.Name}, s.CheckTimeout, func(ctx context.Context) (gateway.Result, error) {
		return importer.FindTransfer(ctx, in.Query)
	})
	if err != nil {
		return gateway.Result{}, importRejected(err)
	}
	if found.ProviderReference == "" || found.Amount == nil || *found.Amount <= 0 || found.Currency != to.account.Currency {
		return gateway.Result{}, &Error{Code: CodeProviderFailed, Message: "The provider showed the transfer without an id, or without a sum in the account's currency. Nothing was stored. Try again later."}
	}
	return found, nil
}

// startedHere returns the shop's order that the provider knows by one of our ids, nil if there is none. To follow it as
// a second order would count its money twice.
func (s *Service) startedHere(ctx context.Context, shop uuid.UUID, account Account, id string) (*Order, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	page, err := s.Store.Orders(ctx, Filter{Shop: shop, Account: account.Name, ProviderOrderID: id, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}

// importReference is the reference of an imported transfer, within what a reference may be.
func importReference(providerID string) string {
	const prefix, longest = "import-", 64
	if len(prefix)+len(providerID) <= longest {
		return prefix + providerID
	}
	return prefix + uuid.NewSHA1(uuid.NameSpaceOID, []byte(providerID)).String()
}

// importRejected tells the shop why a transfer was not found.
func importRejected(err error) error {
	e, ok := errors.AsType[*gateway.Error](err)
	switch kind := gateway.KindOf(err); {
	case kind == gateway.KindInvalid && ok:
		return &Error{Code: CodeInvalid, Message: "The provider cannot look for this.", Fields: e.Fields, Err: err}
	case clockOff(err):
		return &Error{Code: CodeProviderFailed, Message: clockMessage + " Nothing was stored.", Err: err}
	case kind == gateway.KindNotFound || kind == gateway.KindDeclined:
		return &Error{Code: CodeNotFound, Message: "The provider shows no such transfer to this account. Check the ids, and that the transfer is this account's.", Err: err}
	case kind == gateway.KindCredentials:
		return &Error{Code: CodeProviderFailed, Message: "The provider refused this account's credentials; the operators must mend them. Nothing was stored.", Err: err}
	}
	return providerFailed("The provider gave no answer that can be believed. Nothing was stored. Try again later.", err)
}

// ConfirmTransfer answers a transfer's confirm_code action, as ConfirmCode does a payment's.
func (s *Service) ConfirmTransfer(ctx context.Context, key Key, code gateway.Secret) (*Order, error) {
	return s.confirm(ctx, key, gateway.KindTransfer, code)
}
