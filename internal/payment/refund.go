package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// NewRefund asks to give money back.
type NewRefund struct {
	Shop            uuid.UUID
	Payment         uuid.UUID
	Reference       string
	Minor           int64 // of the payment's currency; 0 is all that is left
	Reason          string
	Metadata        map[string]string
	NotificationURL string
	AllowDuplicate  bool
	RequestHash     []byte

	settlesDisputes int // how many open disputes of the payment end by the refund
}

// Refund gives back all or part of a succeeded payment, as an order of its own. The sum of refunds never exceeds what
// was captured, however many run at once: the database holds that. Errors: CodeInvalidState, CodeRefundTooLarge,
// CodeRefundInProgress, CodePaymentDisputed, CodeMissingFields, CodeUnsupported, CodeReferenceConflict, CodeProviderFailed.
func (s *Service) Refund(ctx context.Context, in NewRefund) (*Order, bool, error) {
	return s.acceptChild(ctx, childIntake{
		payment: Key{in.Shop, in.Payment},
		order: Order{
			ShopID: in.Shop, Kind: gateway.KindRefund, Reference: in.Reference, RequestHash: in.RequestHash, Operation: gateway.OpSale,
			Description: in.Reason, Metadata: in.Metadata, NotificationURL: in.NotificationURL, AllowDuplicate: in.AllowDuplicate,
			SettlesDisputes: in.settlesDisputes,
		},
		complete: func(_ context.Context, parent *Order, to target, o *Order) error {
			_, ok := to.gateway.(gateway.Refunder)
			switch {
			case !ok:
				return &Error{Code: CodeUnsupported, Message: "The provider of this account cannot refund."}
			case parent.Status != StatusSucceeded:
				return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Only a succeeded payment can be refunded; this one is %s.", parent.Status)}
			case parent.DisputesOpen > in.settlesDisputes:
				return PaymentDisputed()
			}
			minor, err := refundable(parent, in.Minor)
			if err != nil {
				return err
			}
			o.Amount, o.parentReserved = money.New(minor, parent.Amount.Currency()), minor
			return to.account.allows(canRefund)
		},
		offer: func(parent *Order, to target, o *Order) (offer, error) {
			o.Fingerprint = s.fingerprint(o, parent.ID.String())
			req := gateway.RefundRequest{Refund: o.Ref(), Payment: parent.Ref(), Reason: in.Reason, CallbackURL: to.callbackURL}
			of := offer{"refund", req.Refund.Of(req.Payment), func(ctx context.Context) (gateway.Result, error) { return s.sendRefund(ctx, to, parent.Key(), req) }}
			return of, refusalOf(nil, to.gateway.Check(req), to.account)
		},
	})
}

// sendRefund sends a refund. What is left of its payment is known only now that it is written down: another may have failed
// since the payment was read.
func (s *Service) sendRefund(ctx context.Context, to target, parent Key, req gateway.RefundRequest) (gateway.Result, error) {
	refunder, ok := to.gateway.(gateway.Refunder)
	if !ok {
		return gateway.Result{}, unsupported("refund")
	}
	payment, err := s.Store.Order(ctx, parent)
	if err != nil {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: "refund", Code: "database", Err: err}
	}
	req.Last = payment.Captured == payment.RefundReserved
	return refunder.Refund(ctx, req)
}

// refundable returns the sum of a refund, where 0 asks for all that is left. What an open refund has reserved may become
// free again, so only a sum beyond what went back already is refused for good. Every other refund beside an open one is
// refused by mayBegin.
func refundable(parent *Order, minor int64) (int64, error) {
	left := parent.Captured - parent.Refunded - parent.Disputed
	switch {
	case minor > left || left == 0:
		return 0, &Error{
			Code: CodeRefundTooLarge, Message: fmt.Sprintf("The refunds of this payment would exceed what was captured and not disputed: at most %d is left to refund.", left),
			Fields: []gateway.FieldError{{Field: "amount", Message: fmt.Sprintf("must be at most %d", left)}},
		}
	case minor > left-(parent.RefundReserved-parent.Refunded), minor == 0 && parent.RefundReserved > parent.Refunded:
		return 0, RefundInProgress()
	case minor == 0:
		return left, nil
	}
	return minor, nil
}

// RefundInProgress says that a payment has a refund that is not settled yet.
func RefundInProgress() *Error {
	return &Error{
		Code: CodeRefundInProgress, RetryAfter: refundRetry,
		Message: "Another refund of this payment is not settled yet. Wait until it is, then send this one again.",
	}
}

// OtherRefunds are the refunds of a payment beside which another one is to begin.
type OtherRefunds struct {
	// Open are those that are not settled.
	Open []uuid.UUID
	// Contested are those that failed and that the provider may have carried out all the same: something contradicts their end,
	// or is being verified. ContestedMinor is their sum.
	Contested      []uuid.UUID
	ContestedMinor int64
	// Left is what no refund and no dispute has taken of the payment.
	Left int64
}

// mayBegin refuses a refund beside one that is not settled yet: a callback that names their payment could be about either. What
// contested ones may have given back is not given back once more.
func (o *Order) mayBegin(beside OtherRefunds) error {
	switch left := max(0, beside.Left-beside.ContestedMinor); {
	case len(beside.Open) > 0:
		return RefundInProgress()
	case len(beside.Contested) > 0 && o.Amount.Minor() > left:
		return &Error{
			Code: CodeRefundInProgress, RetryAfter: refundRetry,
			Message: fmt.Sprintf("Refund %s of this payment failed here, and the provider may have carried it out all the same. Until that is settled its sum counts as given back, so at most %d can be refunded now. Nothing was stored or sent. Wait, or ask the operators.", beside.Contested[0], left),
		}
	}
	return nil
}

// Contested reports whether a refund failed here and may have been carried out all the same: something contradicts its end, or is
// being verified. Once a dispute has its sum it is none.
func (o *Order) Contested() bool {
	return o.Kind == gateway.KindRefund && o.endedWithoutMoney() && o.SupersededBy == nil && (o.Conflicts > 0 || o.NextPollAt != nil)
}

// refundRetry is when to try again beside an open refund. How long it stays open only the provider knows.
const refundRetry = 10 * time.Second

// Earlier returns the order that the shop made earlier with the same reference and request, nil if there is none. What was
// good when it was first sent stays so, however much later it is sent again: it comes before every refusal that something
// may have caused which changed since, such as what is left to refund, the shop's accounts or its allowed networks. Errors:
// CodeReferenceConflict, and those of the store.
func (s *Service) Earlier(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*Order, error) {
	o, err := s.Store.OrderByReference(ctx, shop, kind, reference)
	switch {
	case errors.Is(err, ErrNotFound) || CodeOf(err) == CodeNotFound:
		return nil, nil //nolint:nilnil // none is an answer
	case err != nil:
		return nil, err
	case !equalHash(o.RequestHash, hash):
		return nil, errReferenceConflict
	}
	return o, nil
}

// rejections are the codes that say that a request cannot be carried out as things are now.
var rejections = []Code{CodeInvalid, CodeMissingFields, CodeUnknownAccount, CodeNoRoute, CodeCurrency, CodeUnsupported, CodeProviderFailed, CodeDisabled}

// refuse answers a request that cannot be carried out: with the order that it made earlier, if there is one, else with why.
func (s *Service) rejectOrReplay(ctx context.Context, o *Order, reason error) (*Order, bool, error) {
	if slices.Contains(rejections, CodeOf(reason)) {
		if earlier, err := s.Earlier(ctx, o.ShopID, o.Kind, o.Reference, o.RequestHash); earlier != nil || err != nil {
			return earlier, false, err
		}
	}
	return nil, false, reason
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
