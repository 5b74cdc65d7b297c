package gatewaytest

import (
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// capability is something that a gateway may be able to do, and the operation of the suite that is about it.
type capability struct {
	operation string
	can       func(gateway.Gateway) bool
}

func can[T any](operation string) capability {
	return capability{operation, func(g gateway.Gateway) bool {
		_, ok := g.(T)
		return ok
	}}
}

// capabilities are those that move money, or decide about money that moved without us.
var capabilities = []capability{
	can[gateway.Capturer]("capture"), can[gateway.Canceler]("cancel"), can[gateway.Refunder]("refund"), can[gateway.Charger]("charge"),
	can[gateway.ScheduleEnder]("end schedule"), can[gateway.CodeConfirmer]("confirm"), can[gateway.Payer]("payout"), can[gateway.PayoutCardOpener]("payout card"),
	can[gateway.Transferrer]("transfer"), can[gateway.TransferImporter]("find transfer"),
}

// RequireWhole fails if the subjects of an adapter leave out a call that it can make, declines by a status poll and by a callback, or
// money that went back.
func RequireWhole(t *testing.T, subjects ...Subject) {
	t.Helper()
	var called, declined, back []string
	for _, s := range subjects {
		for _, op := range s.operations() {
			called = append(called, op.name)
		}
		for name, r := range s.Readings {
			if r.Status == gateway.StatusFailed && r.Class != "" {
				declined = append(declined, "poll: "+name)
			}
			if r.Refunded > 0 {
				back = append(back, "poll: "+name)
			}
		}
		for name, c := range s.Callbacks {
			if c.Status == gateway.StatusFailed && c.Class != "" {
				declined = append(declined, "callback: "+name)
			}
			if c.Kind == gateway.KindRefund || c.Asked {
				back = append(back, "callback: "+name)
			}
		}
	}
	g := subjects[0].open(t, "http://127.0.0.1:1", io.Discard)
	for _, c := range capabilities {
		if c.can(g) {
			require.True(t, slices.Contains(called, c.operation), "the gateway can do %q, and no operation of the suite does", c.operation)
		}
	}
	require.GreaterOrEqual(t, len(declined), 2, "a payment that is declined, with what may follow, by a status poll and by a callback: %v", declined)
	require.NotEmpty(t, back, "money that goes back without us, by a status poll or a callback")
}

// CallbackReading is what ReadCallback must make of a genuine callback.
type CallbackReading struct {
	Callback gateway.RawCallback
	Kind     gateway.Kind
	Status   gateway.Status
	// Minor is the amount that it names, 0 for none.
	Minor int64
	// Class is what may follow a decline.
	Class gateway.RetryClass
	// Asked says that it proves nothing: the provider must be asked.
	Asked bool
}

func (s Subject) testCallbackReadings(t *testing.T) {
	t.Parallel()
	g := s.open(t, "http://127.0.0.1:1", io.Discard)
	for name, c := range s.Callbacks {
		n, err := g.ReadCallback(c.Callback)
		require.NoError(t, err, name)
		require.NotEmpty(t, n.OrderID, name)
		s.requireClean(t, name, n)
		if c.Asked {
			require.NotEmpty(t, n.VerifyReason, name)
			require.Empty(t, n.Result.Status, name)
			continue
		}
		require.Empty(t, n.VerifyReason, name)
		require.Equal(t, []any{c.Kind, c.Status}, []any{n.Result.Kind, n.Result.Status}, name)
		require.Equal(t, c.Status == gateway.StatusFailed, n.Result.Failure != nil, name)
		requireClass(t, n.Result, name)
		if c.Class != "" {
			require.Equal(t, c.Class, n.Result.Failure.Retry, name)
		}
		if c.Minor > 0 {
			require.Equal(t, c.Minor, *n.Result.Amount, name)
		}
	}
}
