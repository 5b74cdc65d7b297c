package payment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// What came back of money that was sent is booked when it is more than is booked already, and never more than was sent. A
// payment's goes back by its refunds, which are orders of their own.
func TestMoneyThatWasSentComesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind             gateway.Kind
		booked, reported int64
		verdict          Verdict
		want             int64
	}{
		"a payout":                {gateway.KindPayout, 0, 400, Apply, 400},
		"a transfer":              {gateway.KindTransfer, 0, 400, Apply, 400},
		"more of it":              {gateway.KindPayout, 400, 401, Apply, 401},
		"the rest":                {gateway.KindPayout, 999, 1000, Apply, 1000},
		"what is booked":          {gateway.KindPayout, 400, 400, Repeat, 400},
		"an old report":           {gateway.KindPayout, 400, 300, Repeat, 400},
		"nothing":                 {gateway.KindPayout, 0, 0, Repeat, 0},
		"all is back already":     {gateway.KindTransfer, 1000, 1000, Repeat, 1000},
		"a payment, by no refund": {gateway.KindPayment, 0, 400, Apply, 0},
	} {
		o := newTestOrder()
		o.Kind = c.kind
		require.Equal(t, Apply, o.Record(succeededWith(SourceStatusPoll, nil)), name)
		o.Refunded, o.RefundReserved = c.booked, c.booked
		steps := len(o.Transitions())
		r := succeededWith(SourceStatusPoll, nil)
		r.Refunded = &c.reported
		require.Equal(t, c.verdict, o.Record(r), name)
		require.Equal(t, [3]int64{1000, c.want, c.want}, [3]int64{o.Captured, o.Refunded, o.RefundReserved}, name)
		require.Equal(t, c.verdict == Apply, len(o.Transitions()) > steps, name)
	}
}

// Only an imported transfer is watched after its success, as long as money of it is out.
func TestOnlyAnImportedTransferIsWatched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind     gateway.Kind
		flow     gateway.Flow
		status   Status
		refunded int64
		want     bool
	}{
		"imported":                  {gateway.KindTransfer, "", StatusSucceeded, 0, true},
		"a part is back":            {gateway.KindTransfer, "", StatusSucceeded, 999, true},
		"all is back":               {gateway.KindTransfer, "", StatusSucceeded, 1000, false},
		"still open":                {gateway.KindTransfer, "", StatusProcessing, 0, false},
		"started by a shop":         {gateway.KindTransfer, gateway.FlowDirect, StatusSucceeded, 0, false},
		"a payout":                  {gateway.KindPayout, "", StatusSucceeded, 0, false},
		"a refund without any flow": {gateway.KindRefund, "", StatusSucceeded, 0, false},
	} {
		o := newTestOrder()
		o.Kind, o.Flow = c.kind, c.flow
		require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: c.status, AsOf: o.Sequence, At: epoch}), name)
		o.Captured, o.Refunded = 1000, c.refunded
		require.Equal(t, c.want, o.facts().ReversibleSince != nil, name)
	}
}
