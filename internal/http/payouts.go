package httpapi

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

func (s *server) createPayout(ctx context.Context, b *oapi.PayoutRequest) (*payment.Order, bool, error) {
	in, err := newPayout(ctx, b)
	if err != nil {
		return s.earlier(ctx, gateway.KindPayout, b.Reference, err)
	}
	return s.Orders.Payout(ctx, in)
}

func (s *server) createPayoutCard(ctx context.Context, b *oapi.PayoutCardRequest) (*payment.Order, bool, error) {
	urls, fields := returnsOf(ctx, b.ReturnUrls)
	fields["notification_url"] = b.NotificationUrl
	if err := checkCommon(ctx, fields, b.Metadata); err != nil {
		return s.earlier(ctx, gateway.KindPayoutCard, b.Reference, err)
	}
	return s.Orders.OpenPayoutCard(ctx, payment.NewPayoutCard{
		Shop: shopID(ctx), Reference: b.Reference, Account: b.Account, ReturnURLs: urls,
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	})
}
