package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// Money of an ended order moved, and the callback was lost. An operator has the provider asked: an order carries the money if its answers
// prove that, and nothing changes if they do not.
func TestLateMoneyWhoseCallbackWasLost(t *testing.T) {
	t.Parallel()
	for _, kind := range []gateway.Kind{gateway.KindPayment, gateway.KindPayout} {
		for shown, moved := range map[gateway.Status]bool{gateway.StatusSucceeded: true, gateway.StatusFailed: false} {
			t.Run(string(kind)+" "+string(shown), func(t *testing.T) {
				t.Parallel()
				o, now := orderIn(t, StatusFailed), epoch
				o.Kind = kind
				s := reportedOrder(o, &now, nil, func() (gateway.Result, error) { return gateway.Result{Status: shown}, nil })
				_, err := s.AskAbout(t.Context(), o.Key(), 0, "the customer says so", "ann")
				require.NoError(t, err)
				s.checks(t, o, &now, epoch.Add(time.Hour))
				require.Nil(t, o.NextPollAt, "it is settled")
				require.Equal(t, []any{StatusFailed, moved, 0}, []any{o.Status, o.SupersededBy != nil, o.Conflicts})
				if moved {
					_, err = s.AskAbout(t.Context(), o.Key(), 0, "once more", "ann")
					require.Equal(t, CodeInvalidState, CodeOf(err))
				}
			})
		}
	}
}

// An operator who knows that money of an ended order moved says so, and an order carries it as after a poll that says so.
func TestAnOperatorSettlesALateSuccess(t *testing.T) {
	t.Parallel()
	part, tooMuch := int64(300), int64(1001)
	for name, tc := range map[string]struct {
		change func(*Order)
		d      Resolution
		code   Code
		moved  int64
	}{
		"a conflict of a payment":        {func(o *Order) { o.Conflicts = 1 }, Resolution{}, "", 1000},
		"a conflict of a payout":         {func(o *Order) { o.Kind, o.Conflicts = gateway.KindPayout, 2 }, Resolution{Minor: part}, "", part},
		"a hold that was taken":          {func(o *Order) { o.Manual, o.Conflicts = true, 1 }, Resolution{Minor: part}, "", part},
		"more than the order":            {func(o *Order) { o.Conflicts = 1 }, Resolution{Minor: tooMuch}, CodeInvalid, 0},
		"nothing says so":                {func(*Order) {}, Resolution{}, CodeInvalidState, 0},
		"nothing says so, by force":      {func(*Order) {}, Resolution{Force: true}, "", 1000},
		"an order has its money":         {func(o *Order) { o.SupersededBy, o.Conflicts = &o.ShopID, 1 }, Resolution{}, CodeInvalidState, 0},
		"a transfer: no order can carry": {func(o *Order) { o.Kind, o.Conflicts = gateway.KindTransfer, 1 }, Resolution{}, CodeInvalidState, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, now := orderIn(t, StatusFailed), epoch
			o.Saved()
			tc.change(o)
			s := reportedOrder(o, &now, nil, prohibited)
			tc.d.Status, tc.d.Reason, tc.d.Operator = StatusSucceeded, "seen in the cabinet", "ann"
			_, _, err := s.Resolve(t.Context(), o.Key(), tc.d)
			require.Equal(t, tc.code, CodeOf(err), "%v", err)
			require.Equal(t, StatusFailed, o.Status)
			if tc.code != "" {
				require.Nil(t, o.NewLate())
				return
			}
			require.Zero(t, o.Conflicts)
			late := o.NewLate()
			late.Complete()
			require.Equal(t, []any{StatusSucceeded, tc.moved, o.SupersededBy}, []any{late.Order.Status, late.Order.Captured, &late.Order.ID})
			last := late.Order.transitions[1]
			require.Equal(t, []any{SourceOperator, "seen in the cabinet"}, []any{last.Source, last.ProviderData["reason"]})
		})
	}
}

// The same is said of a refund that was carried out late: a dispute of its payment has the sum.
func TestAnOperatorSettlesARefundThatWasCarriedOutLate(t *testing.T) {
	t.Parallel()
	o, now := orderIn(t, StatusFailed), epoch
	o.Saved()
	paid := orderIn(t, StatusSucceeded)
	o.Kind, o.Conflicts = gateway.KindRefund, 1
	o.SetPayment(paid)
	s := reportedOrder(o, &now, nil, prohibited)
	_, settled, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusSucceeded, Reason: "seen in the cabinet"})
	require.NoError(t, err)
	require.Equal(t, 1, settled)
	require.Equal(t, DisputeExternalRefund, lastDispute(t, paid).Kind)
	require.NotNil(t, o.SupersededBy)
}
