package gatewaytest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func TestFakeIsScripted(t *testing.T) {
	t.Parallel()
	f := &Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
		CaptureFunc: func(_ context.Context, _ gateway.Ref, m money.Money) (gateway.Result, error) {
			minor := m.Minor()
			return gateway.Result{Settled: &minor}, nil
		},
	}
	require.Equal(t, "fake", f.Name())
	require.NotZero(t, f.Describe().VisibilityDelay)
	gw, err := f.Open(gateway.Account{})
	require.NoError(t, err)
	result, err := gw.CreatePayment(t.Context(), gateway.PaymentRequest{})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	result, err = gw.(gateway.Capturer).Capture(t.Context(), gateway.Ref{}, money.New(5, "EUR"))
	require.NoError(t, err)
	require.EqualValues(t, 5, *result.Settled)
	_, err = gw.Fetch(t.Context(), gateway.Ref{})
	require.Equal(t, gateway.KindUnsupported, gateway.KindOf(err))
	_, err = gw.ReadCallback(gateway.RawCallback{})
	require.Equal(t, gateway.KindRejected, gateway.KindOf(err))
	require.Equal(t, []string{"CreatePayment", "Capture", "Fetch"}, f.Calls())
	require.Len(t, gateway.Capabilities(gw), 11)
}

func TestFakePlainHasNoOptionalMethods(t *testing.T) {
	t.Parallel()
	gw, err := (&Fake{Plain: true}).Open(gateway.Account{})
	require.NoError(t, err)
	require.Empty(t, gateway.Capabilities(gw))
}
