package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// cutAll breaks the pool's connections from outside, as a restart or a failover does.
func (b *fixture) cutAll(t *testing.T) {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), b.pool.Config().ConnConfig)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
}

// unheard commits, and the answers to some commits are lost.
type unheard struct {
	payment.Store
	create, update int // how many answers are still to be lost
}

var errUnheard = &payment.Error{Code: payment.CodeUnavailable, Message: "the connection was cut"}

func (u *unheard) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	if u.create > 0 {
		u.create--
		written := *o
		if _, _, err := u.Store.CreateOrder(ctx, &written); err != nil {
			return nil, false, err
		}
		return nil, false, errUnheard
	}
	return u.Store.CreateOrder(ctx, o)
}

func (u *unheard) UpdateOrder(ctx context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	o, err := u.Store.UpdateOrder(ctx, key, fn)
	if err == nil && u.update > 0 {
		u.update--
		return nil, errUnheard
	}
	return o, err
}

// refunder answers every call at once. A refund is known by the id of its answer alone.
func refunder(onRefund func()) *gatewaytest.Fake {
	return &gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded, ProviderReference: "p-1"}, nil
		},
		RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) {
			onRefund()
			return gateway.Result{Status: gateway.StatusSucceeded, ProviderReference: "refund-77"}, nil
		},
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown, Op: "check", Code: gateway.CodeNotVisible}
		},
	}
}

func (b *fixture) paidBy(t *testing.T, s *payment.Service) *payment.Order {
	t.Helper()
	paid, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "p", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")})
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, paid.Status)
	return paid
}

func (b *fixture) refundOf(paid *payment.Order) payment.NewRefund {
	return payment.NewRefund{Shop: b.shop.ID, Payment: paid.ID, Reference: "r", Minor: 400, RequestHash: []byte("h")}
}

// What a provider answered is known to this process alone. It is written down also when the connections were cut meanwhile.
func TestAnAnswerOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(refunder(func() { b.cutAll(t) })), Now: b.clock.Now})
	paid := b.paidBy(t, s)
	r, _, err := s.Refund(t.Context(), b.refundOf(paid))
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, r.Status)
	require.Equal(t, "refund-77", r.ProviderReference)
}

// An answer whose commit was not heard is written down once.
func TestAnAnswerIsRecordedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st := &unheard{Store: b.Store}
	s := payment.New(payment.Config{Store: st, Drivers: gateway.NewRegistry(refunder(func() { st.update = 2 })), Now: b.clock.Now})
	r, _, err := s.Refund(t.Context(), b.refundOf(b.paidBy(t, s)))
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, r.Status)
	history, err := b.History(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, history, 2)
	var calls int
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM provider_calls WHERE order_id = $1`, r.ID).Scan(&calls))
	require.Equal(t, 1, calls)
}

// An order whose commit was not heard is this process's to send: nobody else could tell that nothing was sent.
func TestAnOrderIsSentAlthoughItsCommitWasNotHeard(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	st, sent := &unheard{Store: b.Store}, 0
	s := payment.New(payment.Config{Store: st, Drivers: gateway.NewRegistry(refunder(func() { sent++ })), Now: b.clock.Now})
	paid := b.paidBy(t, s)
	st.create = 2
	r, created, err := s.Refund(t.Context(), b.refundOf(paid))
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, payment.StatusSucceeded, r.Status)
	_, created, err = s.Refund(t.Context(), b.refundOf(paid))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, 1, sent)
	now, err := b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.EqualValues(t, 400, now.Refunded)
}

// gone is a client that leaves while its order is written down.
type gone struct {
	payment.Store
	leave context.CancelFunc
}

func (g *gone) CreateOrder(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	g.leave()
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	return g.Store.CreateOrder(ctx, o)
}

func TestAClientThatLeavesDoesNotStopItsOrderHalfWay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	ctx, leave := context.WithCancel(t.Context())
	st := &gone{b.Store, leave}
	s := payment.New(payment.Config{Store: st, Drivers: gateway.NewRegistry(refunder(func() {})), Now: b.clock.Now})
	in := payment.NewPayment{Shop: b.shop.ID, Reference: "p", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")}
	o, _, err := s.CreatePayment(ctx, in)
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, o.Status)
	in.Reference = "p-2"
	_, _, err = s.CreatePayment(ctx, in)
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "p-2")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err), "nothing was written for a client that had left before")
}

// While no connection is to be had nothing was begun, and a caller is told at once.
func TestAnExhaustedPoolIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	refused := 0
	st := &exhausted{Store: b.Store, refused: &refused}
	s := payment.New(payment.Config{Store: st, Drivers: gateway.NewRegistry(refunder(func() {})), Now: b.clock.Now})
	_, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "p", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")})
	require.Equal(t, payment.CodeUnavailable, payment.CodeOf(err))
	require.Equal(t, 1, refused)
}

type exhausted struct {
	payment.Store
	refused *int
}

func (e *exhausted) CreateOrder(context.Context, *payment.Order) (*payment.Order, bool, error) {
	*e.refused++
	return nil, false, &payment.Error{Code: payment.CodeUnavailable, Err: errors.Join(payment.ErrNothingSent, errors.New("no connection"))}
}

// The answer of a slow call comes when a capture was begun meanwhile. It says nothing of the capture.
func TestALateAnswerIsNotTheCaptures(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var s *payment.Service
	var order payment.Key
	fake := &gatewaytest.Fake{
		CreatePaymentFunc: func(ctx context.Context, in gateway.PaymentRequest) (gateway.Result, error) {
			o, err := b.OrderByReference(ctx, b.shop.ID, gateway.KindPayment, "p")
			require.NoError(t, err)
			order = o.Key()
			b.report(t, order, payment.StatusAuthorized) // a callback was faster
			_, err = s.Capture(ctx, order, 0)
			require.NoError(t, err)
			return gateway.Result{Status: gateway.StatusProcessing, State: map[string]gateway.Secret{"hold": "old", "id": "7"}}, nil
		},
		CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
			return gateway.Result{State: map[string]gateway.Secret{"hold": "new"}}, &gateway.Error{Kind: gateway.KindUnknown, Code: "reset"} // lost on its way
		},
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusAuthorized}, nil // the money is still held
		},
	}
	s = payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	_, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "p", Amount: money.New(1000, "EUR"), Manual: true, Flow: gateway.FlowDirect, RequestHash: []byte("h")})
	require.NoError(t, err)
	o, err := b.Order(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, payment.StatusProcessing, o.Status)
	require.Equal(t, gateway.Secret("new"), o.ProviderState["hold"])
	require.Equal(t, gateway.Secret("7"), o.ProviderState["id"])
	for range 6 {
		b.clock.Add(time.Minute)
		o, err = s.Poll(t.Context(), order)
		require.NoError(t, err)
	}
	require.Equal(t, payment.StatusAuthorized, o.Status, "the capture never arrived")
}
