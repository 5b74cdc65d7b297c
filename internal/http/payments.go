package httpapi

import (
	"context"
	"net/http"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// earlier answers a request that is not valid with the order that it made before, if there is one. It may have been valid
// then, such as an address in a network that the shop was allowed.
func (s *server) earlier(ctx context.Context, kind gateway.Kind, reference string, reason error) (*payment.Order, bool, error) {
	o, err := s.Orders.Earlier(ctx, shopID(ctx), kind, reference, requestHash(ctx))
	if o == nil && err == nil {
		err = reason
	}
	return o, false, err
}

func (s *server) createPayment(ctx context.Context, b *oapi.PaymentRequest) (*payment.Order, bool, error) {
	in, err := newPayment(ctx, b)
	if err != nil {
		return s.earlier(ctx, gateway.KindPayment, b.Reference, err)
	}
	return s.Orders.CreatePayment(ctx, in)
}

func (s *server) previewPayment(ctx context.Context, _ *call, b *oapi.PaymentRequest) (reply, error) {
	in, err := newPayment(ctx, b)
	if err != nil {
		return reply{}, err
	}
	p, err := s.Orders.PreviewPayment(ctx, in)
	if err != nil {
		return reply{}, err
	}
	body := oapi.PaymentPreview{Account: p.Account.Name, Provider: p.Account.Provider, Rule: nullable(p.Rule), Candidates: []oapi.PreviewCandidate{}}
	for _, c := range p.Candidates {
		body.Candidates = append(body.Candidates, oapi.PreviewCandidate{Account: c.Account.Name, Provider: c.Account.Provider, Reason: nullable(string(c.Reason))})
	}
	return reply{status: http.StatusOK, body: body, secret: true}, nil // a repeat is a new question
}

func (s *server) capturePayment(ctx context.Context, key payment.Key, b *oapi.CaptureRequest) (*payment.Order, error) {
	return s.Orders.Capture(ctx, key, valueOf(b.Amount))
}

func (s *server) confirmPayment(ctx context.Context, key payment.Key, b *oapi.ConfirmRequest) (*payment.Order, error) {
	code, err := typedCode(b.Code)
	if err != nil {
		return nil, err
	}
	return s.Orders.ConfirmCode(ctx, key, code)
}

// typedCode returns what a customer typed without the blanks around it, which pasting leaves there.
func typedCode(code gateway.Secret) (gateway.Secret, error) {
	code = gateway.Secret(strings.TrimSpace(code.Reveal()))
	if code == "" {
		return "", problems{{Field: "code", Message: "must hold more than blanks"}}.err()
	}
	return code, nil
}

func (s *server) refundPayment(ctx context.Context, of payment.Key, b *oapi.RefundRequest) (*payment.Order, bool, error) {
	if err := checkCommon(ctx, map[string]*string{"notification_url": b.NotificationUrl}, b.Metadata); err != nil {
		return s.earlier(ctx, gateway.KindRefund, b.Reference, err)
	}
	if payment.ReservedRefundReference(b.Reference) {
		return nil, false, problems{{Field: "reference", Message: "must not be dispute-ID-NUMBER: so are those of the refunds that payrelay makes for disputes"}}.err()
	}
	return s.Orders.Refund(ctx, payment.NewRefund{
		Shop: of.Shop, Payment: of.Order, Reference: b.Reference, Minor: valueOf(b.Amount), Reason: b.Reason,
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), AllowDuplicate: valueOf(b.AllowDuplicate), RequestHash: requestHash(ctx),
	})
}

func (s *server) chargePayment(ctx context.Context, of payment.Key, b *oapi.ChargeRequest) (*payment.Order, bool, error) {
	var bad problems
	if badReference(b.Reference, &bad); len(bad) > 0 {
		return nil, false, bad.err()
	}
	if err := checkCommon(ctx, map[string]*string{"notification_url": b.NotificationUrl}, b.Metadata); err != nil {
		return s.earlier(ctx, gateway.KindPayment, b.Reference, err)
	}
	return s.Orders.Charge(ctx, payment.NewCharge{
		Shop: of.Shop, Payment: of.Order, Reference: b.Reference, Minor: b.Amount, Description: b.Description,
		Period: string(valueOf(b.Period)), Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	})
}
