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
	ReturnURLs      ReturnURLs
	NotificationURL string
	Recurring       gateway.Recurring
	// Mandate has the terms that Recurring does not, and MandateNamed says that the request called them mandate.
	Mandate      MandateTerms
	MandateNamed bool
	// NoFailover keeps the payment at the account that routing chose, also where nothing was sent. Cascade says which declines let it
	// go to another one, if it is of a kind that can.
	NoFailover bool
	Cascade    Cascade
	// RequestHash is a keyed hash of the request.
	RequestHash []byte
}

// ReturnURLs is where the customer's browser goes afterwards.
type ReturnURLs struct {
	gateway.ReturnURLs
	// Default says that they are the shop's, and not the request's. What the provider cannot be told of them is left out.
	Default bool
}

// accepted are the addresses that a provider has a field for. refused is what it says of a request with all of them.
func (u ReturnURLs) accepted(refused []gateway.FieldError) gateway.ReturnURLs {
	for _, f := range refused {
		switch {
		case !u.Default || !f.Unsupported:
		case f.Field == "return_urls.success":
			u.Success = ""
		case f.Field == "return_urls.fail":
			u.Fail = ""
		case f.Field == "return_urls.status":
			u.Status = ""
		}
	}
	return u.ReturnURLs
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
			Operation: in.operation(), Manual: in.Manual, Amount: in.Amount, Flow: in.Flow, Recurring: in.Recurring.Enabled, Terms: in.terms(), Cascade: in.cascades(),
			Description: in.Description, Details: in.Details, Metadata: in.Metadata, NotificationURL: in.NotificationURL,
		},
		account: in.Account, currency: in.Amount.Currency(), purpose: PurposePayments, failover: !in.NoFailover,
		facts: func(shop string) routing.Facts { return s.paymentFacts(in, shop) },
		offer: func(_ context.Context, to target, o *Order) (offer, error) {
			o.CardFingerprint = s.cardFingerprint(in.Method.Card)
			if err := to.account.allows(in.needs()...); err != nil {
				return offer{}, err
			}
			req := s.paymentRequest(in, o.Ref(), to.account, to.gateway)
			late, needs := in.complaints(req, to.gateway, s.Now())
			return offer{"create_payment", req.Ref, func(ctx context.Context) (gateway.Result, error) {
				return to.gateway.CreatePayment(ctx, req)
			}}, refusalOf(late, needs, to.account)
		},
	}
}

func (in NewPayment) operation() gateway.Operation { //nolint:gocritic // as the other methods
	if in.Manual {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}
