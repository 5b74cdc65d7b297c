package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// pausing stands for a process that is stopped (SIGSTOP, a busy machine) when it has written an order or a command down.
type pausing struct {
	payment.Store
	paused func(o *payment.Order)
}

func (p *pausing) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	o, created, err := p.Store.CreateOrder(ctx, o)
	if err == nil && created && p.paused != nil {
		p.paused(o)
	}
	return o, created, err
}

func (p *pausing) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	o, err := p.Store.UpdateOrder(ctx, key, fn)
	if err == nil && o.Operation == gateway.OpCapture && o.Status == payment.StatusProcessing && p.paused != nil {
		paused := p.paused
		p.paused = nil
		paused(o)
	}
	return o, err
}

// meanwhile is another replica, which asks until it has proof that the order never arrived.
func (b *fixture) meanwhile(t *testing.T, other *payment.Service) func(o *payment.Order) {
	return func(o *payment.Order) {
		for _, after := range []time.Duration{time.Second, time.Minute, time.Minute} {
			b.clock.Add(after)
			_, err := other.Poll(t.Context(), o.Key())
			require.NoError(t, err)
		}
	}
}

// A process that was paused for so long that another one declared its order failed does not send it any more.
func TestAPausedProcessDoesNotSendWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	sent, known := 0, false
	fake := &gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			known = true
			return gateway.Result{Status: gateway.StatusAuthorized}, nil
		},
		CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
			sent++
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
		PayoutFunc: func(context.Context, gateway.PayoutRequest) (gateway.Result, error) {
			sent++
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			if known {
				return gateway.Result{Status: gateway.StatusAuthorized}, nil
			}
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound, Op: "check"}
		},
	}
	drivers := gateway.NewRegistry(fake)
	other := payment.New(payment.Config{Store: b.Store, Drivers: drivers, Now: b.clock.Now})
	stopped := &pausing{Store: b.Store, paused: b.meanwhile(t, other)}
	s := payment.New(payment.Config{Store: stopped, Drivers: drivers, Now: b.clock.Now})

	o, _, err := s.Payout(t.Context(), payment.NewPayout{Shop: b.shop.ID, Reference: "out", Minor: 700, Currency: "EUR", Account: "EUR-1", RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, payment.StatusFailed, o.Status)
	require.Zero(t, sent)
	require.Zero(t, o.Conflicts)

	stopped.paused = nil
	o, _, err = s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "hold", Manual: true, Amount: money.New(900, "EUR"), Flow: gateway.FlowDirect, RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, payment.StatusAuthorized, o.Status)
	stopped.paused = b.meanwhile(t, other)
	_, err = s.Capture(t.Context(), o.Key(), 0)
	require.Equal(t, payment.CodeProviderFailed, payment.CodeOf(err))
	require.Zero(t, sent)
	o, err = b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusAuthorized, o.Status)
}

// Money that turns up at the provider after all, of an order that was given up here, is a contradiction that somebody must
// look at, however the word of it comes.
func TestAHoldOfAnOrderThatWasGivenUpIsAConflict(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"answer", "callback"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			givenUp(t, way == "answer")
		})
	}
}

func givenUp(t *testing.T, answered bool) {
	b := newFixture(t)
	var other *payment.Service
	known := false
	fake := &gatewaytest.Fake{}
	fake.FetchFunc = func(context.Context, gateway.Ref) (gateway.Result, error) {
		if known {
			return gateway.Result{Status: gateway.StatusAuthorized}, nil
		}
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound, Op: "check"}
	}
	var key payment.Key
	fake.CreatePaymentFunc = func(_ context.Context, r gateway.PaymentRequest) (gateway.Result, error) {
		page, err := b.Orders(context.Background(), payment.Filter{Shop: b.shop.ID})
		require.NoError(t, err)
		key = page.Items[0].Key()
		b.meanwhile(t, other)(page.Items[0])
		known = true
		if answered {
			return gateway.Result{Status: gateway.StatusAuthorized}, nil
		}
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown, Op: "authorize"}
	}
	other = payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	o, _, err := other.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "hold", Manual: true, Amount: money.New(900, "EUR"), Flow: gateway.FlowDirect, RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, payment.StatusFailed, o.Status)
	if !answered {
		require.Nil(t, o.NextPollAt)
		fake.ReadCallbackFunc = func(gateway.RawCallback) (gateway.Notification, error) {
			return gateway.Notification{OrderID: o.ProviderOrderID, Result: gateway.Result{Status: gateway.StatusAuthorized}}, nil
		}
		verdict, err := other.HandleCallback(t.Context(), "fake", b.account.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("held"), ReceivedAt: b.clock.Now()})
		require.NoError(t, err)
		require.Equal(t, payment.Verify, verdict)
	}
	// What is older, or denies it once more, does not settle the verification.
	fake.ReadCallbackFunc = func(gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: o.ProviderOrderID, Result: gateway.Result{Status: gateway.StatusRequiresAction}}, nil
	}
	_, err = other.HandleCallback(t.Context(), "fake", b.account.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("older"), ReceivedAt: b.clock.Now()})
	require.NoError(t, err)
	known = false
	o, err = other.Poll(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, o.Conflicts)
	require.NotNil(t, o.NextPollAt)
	known = true
	o, err = other.Poll(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, payment.StatusFailed, o.Status, "nothing is flipped")
	require.Equal(t, 1, o.Conflicts)
	require.Nil(t, o.NextPollAt)
}

// Finding a transfer sends nothing, so a process that was paused afterwards has not missed its time.
func TestAnImportMayBeWrittenDownLate(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	sum := int64(700)
	fake := &gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusSucceeded, Amount: &sum, Currency: "EUR", ProviderReference: "tr-1"}, nil
	}}
	stopped := &pausing{Store: b.Store, paused: func(*payment.Order) { b.clock.Add(time.Hour) }}
	s := payment.New(payment.Config{Store: stopped, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	o, _, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1"})
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, o.Status)
}
