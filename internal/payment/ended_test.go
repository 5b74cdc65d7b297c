package payment

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// An order's end is reported once, by whatever road it came.
func TestTheEndOfAnOrderIsReportedOnce(t *testing.T) {
	t.Parallel()
	var reported []Ended
	watched := func(fake *gatewaytest.Fake) *Service {
		_, service := newShop(fake)
		service.Observe = func(e Event) {
			if e.Ended != nil {
				reported = append(reported, *e.Ended)
			}
		}
		return service
	}
	declined := gateway.Result{
		Status: gateway.StatusFailed, Failure: &gateway.Failure{Category: gateway.FailureFunds}, PaymentMethod: &gateway.MaskedMethod{Type: "card"},
	}
	fake := &gatewaytest.Fake{CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) { return declined, nil }}
	service := watched(fake)
	in := euros()
	for range 2 { // the second is a repeat
		_, _, err := service.CreatePayment(t.Context(), in)
		require.NoError(t, err)
	}
	require.Equal(t, []Ended{{Kind: "payment", Status: StatusFailed, Method: "card", Category: "insufficient_funds"}}, reported)

	reported = nil
	fake.CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusProcessing}, nil
	}
	fake.FetchFunc = func(context.Context, gateway.Ref) (gateway.Result, error) {
		sum := int64(100)
		return gateway.Result{Status: gateway.StatusSucceeded, Amount: &sum, Settled: &sum, Currency: "EUR", PaymentMethod: &gateway.MaskedMethod{Type: "some-wallet"}}, nil
	}
	o, _, err := service.CreatePayment(t.Context(), euros(func(in *NewPayment) { in.Reference = "r2" }))
	require.NoError(t, err)
	require.Empty(t, reported, "it has not ended")
	for range 2 {
		_, err = service.Refresh(t.Context(), o.Key())
		require.NoError(t, err)
	}
	require.Equal(t, []Ended{{Kind: "payment", Status: StatusSucceeded, Method: "other"}}, reported)
}

func TestAChargeOfAMandateIsAKindOfItsOwn(t *testing.T) {
	t.Parallel()
	parent := uuid.New()
	o := &Order{Kind: gateway.KindPayment, ParentID: &parent, Status: StatusSucceeded, transitions: []Transition{{From: StatusProcessing, To: StatusSucceeded}}}
	require.Equal(t, &Ended{Kind: "charge", Status: StatusSucceeded}, o.endedNow())
	o.Reference = "r~late2" // an attempt that was taken over is the payment itself, once more
	require.Equal(t, &Ended{Kind: "payment", Status: StatusSucceeded}, o.endedNow())
	o.transitions = []Transition{{From: StatusSucceeded, To: StatusSucceeded}} // the step of a dispute
	require.Nil(t, o.endedNow())
}
