package payment

import (
	"context"

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
			if err := to.account.allows(canRecurring); err != nil {
				return err
			}
			return takes(ctx, to.account, PurposePayments)
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

// charges reports whether the order is a charge of a mandate.
func (o *Order) charges() bool {
	return o.Kind == gateway.KindPayment && o.ParentID != nil && !o.Late()
}
