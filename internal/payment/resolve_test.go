package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// oneOrder is a Store that holds one order and can do nothing but update it.
type oneOrder struct {
	Store
	o *Order
}

func (s *oneOrder) UpdateOrder(_ context.Context, _ Key, change func(*Order) error) (*Order, error) {
	o := *s.o
	if err := change(&o); err != nil {
		return nil, err
	}
	s.o = &o
	return &o, nil
}

func TestAnOperatorsDecision(t *testing.T) {
	t.Parallel()
	capturing := func(t *testing.T) *Order {
		o := orderIn(t, StatusAuthorized)
		o.Authorized, o.Operation, o.CaptureAmount = 1000, gateway.OpCapture, 400
		o.step(StatusProcessing, CauseRequest, nil, epoch)
		return o
	}
	in := func(s Status) func(*testing.T) *Order { return func(t *testing.T) *Order { return orderIn(t, s) } }
	for _, tc := range []struct {
		name   string
		order  func(*testing.T) *Order
		as     Status
		reason string
		want   Code
	}{
		{"unknown, money moved", in(StatusUnknown), StatusSucceeded, "seen in the list", ""},
		{"unknown, never arrived", in(StatusUnknown), StatusFailed, "ticket 4711", ""},
		{"processing", in(StatusProcessing), StatusSucceeded, "ticket", ""},
		{"hold is gone", in(StatusAuthorized), StatusCanceled, "ticket", ""},
		{"captured", capturing, StatusSucceeded, "ticket", ""},
		{"capture took no effect", capturing, StatusAuthorized, "ticket", ""},
		{"no reason", in(StatusUnknown), StatusFailed, "", CodeInvalid},
		{"no end", in(StatusUnknown), StatusProcessing, "ticket", CodeInvalid},
		{"nothing was commanded", in(StatusProcessing), StatusAuthorized, "ticket", CodeInvalidState},
		{"final", in(StatusFailed), StatusSucceeded, "ticket", CodeInvalidState},
		{"final, nothing to settle", in(StatusFailed), StatusFailed, "ticket", CodeInvalidState},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := &oneOrder{o: tc.order(t)}
			before := store.o
			s := New(Config{Store: store, Now: func() time.Time { return epoch.Add(time.Hour) }})
			o, err := s.Resolve(t.Context(), before.Key(), Resolution{Status: tc.as, Reason: tc.reason, Operator: "ann"})
			if tc.want != "" {
				require.Equal(t, tc.want, CodeOf(err))
				require.Same(t, before, store.o, "nothing was changed")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.as, o.Status)
			last := o.Transitions()[len(o.Transitions())-1]
			require.Equal(t, CauseOperator, last.Cause)
			require.Equal(t, gateway.Evidence{"reason": tc.reason, "operator": "ann"}, last.Evidence)
			require.Contains(t, o.StatusReason, tc.reason)
			require.Equal(t, tc.as.Final(), o.NextCheckAt == nil)
			if before.CaptureAmount == 400 && tc.as == StatusSucceeded {
				require.EqualValues(t, 400, o.Captured)
			}
		})
	}
}

func TestAnOperatorAcknowledgesAConflict(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusSucceeded)
	require.Equal(t, ConflictVerdict, o.Record(undated(StatusFailed)))
	store := &oneOrder{o: o}
	s := New(Config{Store: store})
	_, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusFailed, Reason: "the bank says so", Operator: "ann"})
	require.Equal(t, CodeInvalidState, CodeOf(err), "a final status is never changed")
	require.Equal(t, 1, store.o.Conflicts)
	o, err = s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusSucceeded, Reason: "a second charge, refunded by hand", Operator: "ann"})
	require.NoError(t, err)
	require.Equal(t, StatusSucceeded, o.Status)
	require.Zero(t, o.Conflicts)
	decided := o.NewConflicts()[len(o.NewConflicts())-1]
	require.Equal(t, CauseOperator, decided.Cause)
	require.Contains(t, decided.Reason, "a second charge")
}
