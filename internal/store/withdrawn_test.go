package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// TestAWithdrawnCurrencyIsReadAndNotTaken holds that orders in a currency that left ISO 4217 are read, listed and refunded,
// and that nothing new is begun in it.
func TestAWithdrawnCurrencyIsReadAndNotTaken(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "old", 1000)
	b.exec(t, "UPDATE orders SET currency = 'BGN', recurring = true")
	require.NoError(t, b.Reseal(t.Context(), paid.Key()))
	b.exec(t, "UPDATE accounts SET currency = 'BGN'")
	require.NoError(t, b.AcceptAccount(t.Context(), "EUR-1"))
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", shop.ModeEnabled))

	ctx := t.Context()
	o, err := b.Order(ctx, paid.Key())
	require.NoError(t, err)
	require.Equal(t, money.New(1000, "BGN"), o.Amount)
	page, err := b.Orders(ctx, payment.Filter{Shop: b.shop.ID, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)

	fake := &gatewaytest.Fake{RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusProcessing}, nil
	}}
	s := b.service(fake)
	refund, isNew, err := s.Refund(ctx, payment.NewRefund{Shop: b.shop.ID, Payment: paid.ID, Reference: "back", Minor: 400, Reason: "x", RequestHash: []byte{1}})
	require.NoError(t, err, "what was taken can be given back")
	require.True(t, isNew)
	require.Equal(t, money.New(400, "BGN"), refund.Amount)

	calls := len(fake.Calls())
	for name, send := range map[string]func() error{
		"a payment": func() error {
			_, _, err := s.CreatePayment(ctx, payment.NewPayment{Shop: b.shop.ID, Reference: "new", Amount: money.New(1, "BGN"), RequestHash: []byte{1}})
			return err
		},
		"a payment at the account": func() error {
			_, _, err := s.CreatePayment(ctx, payment.NewPayment{Shop: b.shop.ID, Reference: "new", Account: "EUR-1", Amount: money.New(1, "BGN"), RequestHash: []byte{1}})
			return err
		},
		"a payout that names no currency": func() error {
			_, _, err := s.Payout(ctx, payment.NewPayout{Shop: b.shop.ID, Reference: "new", Account: "EUR-1", Minor: 1, RequestHash: []byte{1}})
			return err
		},
		"a transfer": func() error {
			_, _, err := s.Transfer(ctx, payment.NewTransfer{Shop: b.shop.ID, Reference: "new", Account: "EUR-1", Amount: money.New(1, "BGN"), RequestHash: []byte{1}})
			return err
		},
		"another charge": func() error {
			_, _, err := s.Charge(ctx, payment.NewCharge{Shop: b.shop.ID, Payment: paid.ID, Reference: "new", Minor: 1, Description: "x", RequestHash: []byte{1}})
			return err
		},
	} {
		require.Equal(t, payment.CodeCurrency, payment.CodeOf(send()), name)
	}
	require.Len(t, fake.Calls(), calls, "nothing was sent")
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM orders"), "nothing was stored")
	repeated, isNew, err := s.CreatePayment(ctx, payment.NewPayment{Shop: b.shop.ID, Reference: "old", Amount: money.New(1000, "BGN"), RequestHash: []byte("hash of old")})
	require.NoError(t, err, "a repeat finds its order")
	require.False(t, isNew)
	require.Equal(t, paid.ID, repeated.ID)
}
