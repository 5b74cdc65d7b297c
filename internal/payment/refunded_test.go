package payment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// A payment may be given back, in the provider's own cabinet say, before anybody saw it succeed.
func TestAPaymentFirstSeenWhenItHadGoneBack(t *testing.T) {
	t.Parallel()
	all, part, tooMuch, moved := int64(1000), int64(400), int64(1001), int64(700)
	for name, tc := range map[string]struct {
		report            Observation
		captured, refunds int64
	}{
		"all of it":                 {Observation{Refunded: &all}, 1000, 1000},
		"a part":                    {Observation{Refunded: &part}, 1000, 400},
		"more than was captured":    {Observation{Refunded: &all, Settled: &moved}, 700, 700},
		"nothing, said in so many":  {Observation{Refunded: new(int64)}, 1000, 0},
		"nothing is said of it":     {Observation{}, 1000, 0},
		"all of a partial capture":  {Observation{Refunded: &moved, Settled: &moved}, 700, 700},
		"part of a partial capture": {Observation{Refunded: &part, Settled: &moved}, 700, 400},
	} {
		for _, from := range []Status{StatusCreated, StatusUnknown, StatusProcessing, StatusRequiresAction, StatusAuthorized} {
			o := orderIn(t, from)
			r := tc.report
			r.Source, r.Status, r.At = SourceStatusPoll, StatusSucceeded, epoch
			require.Equal(t, Apply, o.Record(r), name)
			require.Equal(t, StatusSucceeded, o.Status, name)
			require.Equal(t, tc.captured, o.Captured, name)
			require.Equal(t, tc.refunds, o.Refunded, name)
			require.Equal(t, tc.refunds, o.RefundReserved, "%s: no refund of ours may give it back again", name)
			require.Equal(t, Repeat, o.Record(r), name)
			last := o.Transitions()[len(o.Transitions())-1]
			require.Equal(t, tc.refunds, last.After.Refunded, "%s: its notification says so", name)
		}
	}
	o := newTestOrder()
	require.Equal(t, Conflict, o.Record(Observation{Status: StatusSucceeded, Refunded: &tooMuch, At: epoch}))
	require.Equal(t, StatusCreated, o.Status)

	hold := newTestOrder()
	hold.Operation, hold.Manual = gateway.OpAuthorize, true
	require.Equal(t, Apply, hold.Record(Observation{Status: StatusCanceled, At: epoch}), "held money was let go")
	require.Zero(t, hold.Captured)
	require.Zero(t, hold.Refunded)
}

// A refund gives back, and is not given back.
func TestARefundIsNotGivenBack(t *testing.T) {
	t.Parallel()
	all := int64(1000)
	refund := newTestOrder()
	refund.Kind = gateway.KindRefund
	require.Equal(t, Apply, refund.Record(Observation{Status: StatusSucceeded, Refunded: &all, At: epoch}))
	require.Zero(t, refund.Refunded, "a refund gives back, and is not given back")
}
