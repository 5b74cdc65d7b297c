package payment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// What the provider says is going on with an order that ended without money calls for a question only if it can be news.
func TestWhatContradictsAnEndWithoutMoney(t *testing.T) {
	t.Parallel()
	lost, unsent, refused := &gateway.Failure{Code: codeNotFound}, &gateway.Failure{Code: codeNotSent}, &gateway.Failure{Code: "LIMIT"}
	for name, tc := range map[string]struct {
		order  Order
		status Status
		source Source
		want   bool
	}{
		"held, after a refusal":             {Order{Status: StatusFailed, Failure: refused}, StatusAuthorized, SourceCallback, true},
		"held, after a cancel of no hold":   {Order{Status: StatusCanceled}, StatusAuthorized, SourceCallback, true},
		"held, as it was before its cancel": {Order{Status: StatusCanceled, Manual: true, Authorized: 1000}, StatusAuthorized, SourceCallback, false},
		"held, of an open order":            {Order{Status: StatusProcessing}, StatusAuthorized, SourceCallback, false},
		"held, of a success":                {Order{Status: StatusSucceeded}, StatusAuthorized, SourceCallback, false},
		"with the provider, after all":      {Order{Status: StatusFailed, Failure: lost}, StatusProcessing, SourceCallback, true},
		"with the provider, and was sent":   {Order{Status: StatusFailed, Failure: unsent}, StatusProcessing, SourceCallback, true},
		"with the provider, then refused":   {Order{Status: StatusFailed, Failure: refused}, StatusProcessing, SourceCallback, false},
		"with the provider, then canceled":  {Order{Status: StatusCanceled}, StatusProcessing, SourceCallback, false},
		"a refund is taken":                 {Order{Status: StatusFailed, Kind: gateway.KindRefund, Failure: refused}, StatusProcessing, SourceAnswer, true},
		"a refund was taken":                {Order{Status: StatusFailed, Kind: gateway.KindRefund, Failure: refused}, StatusProcessing, SourceCallback, false},
		"a payment's answer, come late":     {Order{Status: StatusFailed, Kind: gateway.KindPayment, Failure: refused}, StatusProcessing, SourceAnswer, false},
		"a form, come late":                 {Order{Status: StatusFailed, Failure: lost}, StatusRequiresAction, SourceCallback, false},
	} {
		require.Equal(t, tc.want, tc.order.contradictedBy(Observation{Status: tc.status, Source: tc.source}), name)
	}
}

// An order is unpaid while its customer has a form, or would have one if its address had not been lost.
func TestWhatIsUnpaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		order Order
		want  bool
	}{
		"it has a form":                  {Order{Status: StatusRequiresAction}, true},
		"its form is lost":               {Order{Status: StatusProcessing, FormLost: true, Operation: gateway.OpSale}, true},
		"its form is lost, it is a hold": {Order{Status: StatusProcessing, FormLost: true, Operation: gateway.OpAuthorize}, true},
		"it is being given up":           {Order{Status: StatusProcessing, FormLost: true, Operation: gateway.OpCancel}, false},
		"it is being paid":               {Order{Status: StatusProcessing, Operation: gateway.OpSale}, false},
		"it is unknown":                  {Order{Status: StatusUnknown, FormLost: true, Operation: gateway.OpSale}, false},
		"it is held":                     {Order{Status: StatusAuthorized, FormLost: true, Operation: gateway.OpAuthorize}, false},
		"it is paid":                     {Order{Status: StatusSucceeded, FormLost: true, Operation: gateway.OpSale}, false},
	} {
		require.Equal(t, tc.want, tc.order.unpaid(), name)
	}
}

// Only an order's own history tells that an operator decided: one that was just loaded has none with it.
func TestAnOrderThatWasJustLoadedIsNotDecided(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusUnknown)
	require.False(t, o.facts().Decided)
	require.Equal(t, Apply, o.Record(Observation{Source: SourceOperator, Status: StatusFailed, AsOf: o.Sequence, At: epoch}))
	require.True(t, o.facts().Decided)
	o.Saved()
	require.False(t, o.facts().Decided)
}
