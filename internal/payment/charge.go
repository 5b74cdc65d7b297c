package payment

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// NewCharge asks to charge a recurring payment's card again.
type NewCharge struct {
	Shop            uuid.UUID
	Payment         uuid.UUID
	Reference       string
	Minor           int64 // of the payment's currency
	Description     string
	Period          string
	Metadata        map[string]string
	NotificationURL string
	RequestHash     []byte
}

// Charge charges the card of a succeeded recurring payment again, as a payment of its own with a parent, within the terms of the
// mandate. The customer may have to come back: the order is requires_action then. Errors beside those of CreatePayment:
// CodeMandateNotActive, CodeMandateExpired, CodeMandateLimit, CodeMandateTooSoon, CodeMandateChargeOpen.
func (s *Service) Charge(ctx context.Context, in NewCharge) (*Order, bool, error) {
	return s.acceptChild(ctx, childIntake{
		payment: Key{in.Shop, in.Payment},
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindPayment, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
			Flow: gateway.FlowDirect, Description: in.Description, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		complete: func(ctx context.Context, parent *Order, to target, o *Order) error {
			_, ok := to.gateway.(gateway.Charger)
			switch {
			case !ok:
				return &Error{Code: CodeUnsupported, Message: "The provider of this account cannot charge a card again."}
			case !parent.Recurring:
				return &Error{Code: CodeInvalidState, Message: "Only a payment that was created with a mandate, or with recurring.enabled, can be charged again."}
			}
			o.Amount = money.New(in.Minor, parent.Amount.Currency())
			return s.takesCharge(ctx, in.Shop, to.account)
		},
		offer: func(parent *Order, to target, o *Order) (offer, error) {
			req := gateway.ChargeRequest{Ref: o.Ref(), Parent: parent.Ref(), Description: in.Description, Period: in.Period, CallbackURL: to.callbackURL}
			of := offer{"charge", req.Ref.Of(req.Parent), func(ctx context.Context) (gateway.Result, error) {
				charger, ok := to.gateway.(gateway.Charger)
				if !ok {
					return gateway.Result{}, unsupported("charge")
				}
				return charger.Charge(ctx, req)
			}}
			return of, refusalOf(nil, to.gateway.Check(req), to.account)
		},
	})
}

// takesCharge refuses a charge where none can begin, regardless of its mandate: nothing begins there, the account's contract leaves
// charges out, or the shop does not use the account any more.
func (s *Service) takesCharge(ctx context.Context, shop uuid.UUID, a Account) error {
	if err := a.allows(canRecurring); err != nil {
		return err
	}
	if err := takes(ctx, a, PurposePayments); err != nil {
		return err
	}
	used, err := s.Store.ShopAccounts(ctx, shop)
	if err != nil || slices.ContainsFunc(used, func(u Account) bool { return u.ID == a.ID }) {
		return err
	}
	return TakenFromShop(a.Name)
}

// ChargeRefused says why no charge of a mandate can begin now, regardless of its terms; nil if one can.
func (s *Service) ChargeRefused(ctx context.Context, m *Mandate) error {
	mode, err := s.Store.ShopMode(ctx, m.First.ShopID)
	if err != nil {
		return err
	}
	account, err := s.Store.Account(ctx, m.First.AccountID)
	if err != nil {
		return err
	}
	return s.takesCharge(WithMode(ctx, mode), m.First.ShopID, account)
}

// charges reports whether the order is a charge of a mandate.
func (o *Order) charges() bool {
	return o.Kind == gateway.KindPayment && o.ParentID != nil && !o.Late()
}
