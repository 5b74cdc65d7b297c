package payment

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// A refund reserves its sum of the payment before it is sent, and tells the provider whether it is the last one.
func TestARefundIsSent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked, before int64 // minor units; before is what went back already
		url           string
		sum           int64
		last          bool
		notified      string
	}{
		"all of it":             {0, 0, "", 1000, true, "https://shop.example/payment"},
		"all of it, by its sum": {1000, 0, "https://shop.example/refund", 1000, true, "https://shop.example/refund"},
		"a part":                {400, 0, "", 400, false, "https://shop.example/payment"},
		"the rest":              {0, 400, "", 600, true, "https://shop.example/payment"},
		"a part of the rest":    {599, 400, "", 599, false, "https://shop.example/payment"},
	} {
		var sent gateway.RefundRequest
		s, service := newShop(&gatewaytest.Fake{RefundFunc: func(_ context.Context, req gateway.RefundRequest) (gateway.Result, error) {
			sent = req
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		}})
		payment := s.with(paidOrder(t))
		payment.NotificationURL, payment.Refunded, payment.RefundReserved = "https://shop.example/payment", tc.before, tc.before
		o, isNew, err := service.Refund(t.Context(), NewRefund{Shop: payment.ShopID, Payment: payment.ID, Reference: "r", Minor: tc.asked, NotificationURL: tc.url})
		require.NoError(t, err, name)
		require.True(t, isNew, name)
		require.Equal(t, StatusSucceeded, o.Status, name)
		require.Equal(t, tc.sum, o.Amount.Minor(), name)
		require.Equal(t, tc.notified, o.NotificationURL, name)
		require.Equal(t, payment.ID, *o.ParentID, name)
		require.Equal(t, tc.before+tc.sum, payment.RefundReserved, name)
		require.Equal(t, tc.last, sent.Last, name)
	}
}

// What cannot be given back is refused, and nothing is stored or sent.
func TestARefundThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		payment func(*Order)
		minor   int64
		open    int
		want    Code
	}{
		"more than was captured":   {func(*Order) {}, 1001, 0, CodeRefundTooLarge},
		"more than is left":        {func(o *Order) { o.Refunded, o.RefundReserved = 400, 400 }, 601, 0, CodeRefundTooLarge},
		"nothing is left":          {func(o *Order) { o.Refunded, o.RefundReserved = 1000, 1000 }, 0, 0, CodeRefundTooLarge},
		"the rest may become free": {func(o *Order) { o.RefundReserved = 400 }, 0, 0, CodeRefundInProgress},
		"another is open":          {func(*Order) {}, 1, 1, CodeRefundInProgress},
		"a payment that failed":    {func(o *Order) { o.Status = StatusFailed }, 1, 0, CodeInvalidState},
		"a payment that is erased": {func(o *Order) { o.Erased = true }, 1, 0, CodeInvalidState},
		"a refund of a refund":     {func(o *Order) { o.Kind = gateway.KindRefund }, 1, 0, CodeNotFound},
	} {
		fake := &gatewaytest.Fake{}
		s, service := newShop(fake)
		payment := s.with(paidOrder(t))
		tc.payment(payment)
		before := *payment
		for range tc.open {
			s.open = append(s.open, uuid.New())
		}
		_, _, err := service.Refund(t.Context(), NewRefund{Shop: payment.ShopID, Payment: payment.ID, Reference: "r", Minor: tc.minor})
		require.Equal(t, tc.want, CodeOf(err), name)
		require.Len(t, s.orders, 1, name)
		require.Equal(t, before, *payment, name)
		require.Empty(t, fake.Calls(), name)
	}
}

// Whether a refund is the last one is read when it is written down. If it cannot be read, nothing is sent.
func TestARefundWhosePaymentCannotBeRead(t *testing.T) {
	t.Parallel()
	fake := &gatewaytest.Fake{RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) { return gateway.Result{}, nil }}
	s, service := newShop(fake)
	payment := s.with(paidOrder(t))
	to, err := service.targetOf(s.accounts[0])
	require.NoError(t, err)
	s.failures["Order"] = errors.New("broken")
	_, err = service.sendRefund(t.Context(), to, payment.Key(), gateway.RefundRequest{})
	require.Equal(t, gateway.KindNotSent, gateway.KindOf(err))
	require.ErrorIs(t, err, s.failures["Order"])
	require.Empty(t, fake.Calls())
}
