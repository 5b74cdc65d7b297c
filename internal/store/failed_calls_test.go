package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// Minutes of an outage leave one row of an order and not one a check: how often, the first time and the last.
func TestEqualFailuresOfQuestionsAreOneRow(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	away := func(code string) error {
		return &gateway.Error{Kind: gateway.KindNotSent, Op: "check", Code: code, ProviderData: gateway.ProviderData{"breaker": code}}
	}
	var answer error
	s := b.service(&gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: "p-1"}, nil
		},
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing}, answer
		},
	})
	o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "r", Amount: money.New(100, "EUR"), Account: "EUR-1"})
	require.NoError(t, err)
	ask := func(times int, err error) (first, last time.Time) {
		t.Helper()
		answer = err
		for i := range times {
			b.clock.Add(time.Second)
			if last = b.clock.Now(); i == 0 {
				first = last
			}
			_, err := s.Poll(t.Context(), o.Key())
			require.NoError(t, err)
		}
		return first, last
	}
	firstOpen, lastOpen := ask(27, away("breaker_open"))
	ask(2, away("connection_refused"))
	ask(2, nil) // what was answered is not folded
	ask(3, away("breaker_open"))
	calls, err := b.Calls(t.Context(), o.Key())
	require.NoError(t, err)
	var counts []int
	for _, c := range calls {
		counts = append(counts, c.Count)
	}
	require.Equal(t, []int{1, 27, 2, 1, 1, 3}, counts)
	require.Equal(t, "breaker_open", calls[1].ProviderData["breaker"])
	require.Equal(t, []time.Time{firstOpen, lastOpen}, []time.Time{calls[1].StartedAt, calls[1].LastAt})
	require.Equal(t, calls[3].StartedAt, calls[3].LastAt)
}

// What another order failed with is another order's. Behind a pooler, arguments go without types.
func TestFailuresOfTwoOrdersAreTwoRows(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		b := newFixture(t)
		config := b.pool.Config()
		config.ConnConfig.DefaultQueryExecMode = mode
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		b.Store = store.New(pool, store.Options{Keyring: b.box, Render: render, Now: b.clock.Now})
		s := b.service(&gatewaytest.Fake{
			CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
				return gateway.Result{Status: gateway.StatusProcessing}, nil
			},
			FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
				return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: "check", Code: "breaker_open"}
			},
		})
		for _, reference := range []string{"a", "b"} {
			o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: reference, Amount: money.New(100, "EUR"), Account: "EUR-1"})
			require.NoError(t, err)
			for range 3 {
				b.clock.Add(time.Second)
				_, err = s.Poll(t.Context(), o.Key())
				require.NoError(t, err, mode)
			}
			calls, err := b.Calls(t.Context(), o.Key())
			require.NoError(t, err)
			require.Len(t, calls, 2, mode)
			require.Equal(t, 3, calls[1].Count, mode)
		}
	}
}
