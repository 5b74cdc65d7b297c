package payment

import (
	"context"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/routing"
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
	// Mandate has the terms that Recurring does not, and MandateNamed says that the request called them mandate.
	Mandate      MandateTerms
	MandateNamed bool
	// RequestHash is a keyed hash of the request.
	RequestHash []byte
}

// CreatePayment starts a payment and reports whether it is new. The same reference with the same request gives the
// first order. Errors: CodeUnknownAccount, CodeCurrency, CodeInvalid, CodeMissingFields, CodeUnsupported,
// CodeReferenceConflict, CodeProviderFailed, CodeUnavailable; nothing is stored or sent on any of them but the last, which
// says nothing about what was stored.
func (s *Service) CreatePayment(ctx context.Context, in NewPayment) (*Order, bool, error) {
	return s.accept(ctx, s.paymentIntake(in))
}

// paymentIntake is a payment as every new order is taken in.
func (s *Service) paymentIntake(in NewPayment) intake {
	return intake{
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindPayment, Reference: in.Reference, RequestHash: in.RequestHash,
			Operation: in.operation(), Manual: in.Manual, Amount: in.Amount, Flow: in.Flow, Recurring: in.Recurring.Enabled, Terms: in.terms(),
			Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		account: in.Account, currency: in.Amount.Currency(), purpose: PurposePayments,
		facts: func(shop string) routing.Facts { return s.paymentFacts(in, shop) },
		offer: func(_ context.Context, to target, o *Order) (offer, error) {
			o.CardFingerprint = s.cardFingerprint(in.Method.Card)
			req := s.paymentRequest(in, o.Ref(), to.account)
			return offer{"create_payment", req.Ref, func(ctx context.Context) (gateway.Result, error) {
				return to.gateway.CreatePayment(ctx, req)
			}}, refusalOf(in.named(expired(req, s.Now())), in.named(to.gateway.Check(req)), to.account)
		},
	}
}

func (in NewPayment) operation() gateway.Operation { //nolint:gocritic // as the other methods
	if in.Manual {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}
