package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// An adapter is told how an order was begun, and nothing where that was not recorded.
func TestARefTellsTheFlow(t *testing.T) {
	t.Parallel()
	for _, flow := range []gateway.Flow{gateway.FlowHosted, gateway.FlowDirect, ""} {
		o := newTestOrder()
		o.Flow = flow
		require.Equal(t, flow, o.Ref().Flow)
	}
}

// That a capture was answered is remembered until the next one begins: of that one, whose answer is lost, it says nothing.
func TestAnAnswerIsAboutOneCommandOnly(t *testing.T) {
	t.Parallel()
	now := epoch
	o := newTestOrder()
	o.Manual, o.Operation, o.Provider = true, gateway.OpAuthorize, "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: now}))
	var lost error
	s := New(Config{
		Store: &pollStore{order: o}, Now: func() time.Time { return now },
		Drivers: gateway.NewRegistry(&gatewaytest.Fake{
			CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
				return gateway.Result{Status: gateway.StatusProcessing}, lost
			},
			FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
				return gateway.Result{Status: gateway.StatusAuthorized}, nil
			},
		}),
	})
	capture := func() {
		_, err := s.Capture(t.Context(), o.Key(), 400)
		require.NoError(t, err)
		require.Equal(t, StatusProcessing, o.Status)
		for range 5 {
			now = now.Add(time.Hour)
			_, err = s.Poll(t.Context(), o.Key())
			require.NoError(t, err)
		}
	}
	capture()
	require.Equal(t, StatusProcessing, o.Status, "it was answered, so it did arrive")
	_, _, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusAuthorized, Reason: "the provider's support says so", Operator: "op"})
	require.NoError(t, err)
	lost = &gateway.Error{Kind: gateway.KindUnknown}
	capture()
	require.Equal(t, StatusAuthorized, o.Status, "several answers show the hold, and nothing says that this one arrived")
}
