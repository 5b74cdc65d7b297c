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
		o.Manual, o.Authorized, o.Operation, o.CaptureAmount = true, 1000, gateway.OpCapture, 400
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		return o
	}
	givenUp := func(t *testing.T) *Order {
		o := orderIn(t, StatusRequiresAction)
		o.Operation = gateway.OpCancel
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		return o
	}
	contradicted := func(t *testing.T) *Order {
		o := orderIn(t, StatusAuthorized)
		o.Conflicts = 1
		return o
	}
	partlyHeld := func(t *testing.T) *Order {
		o := capturing(t)
		o.Authorized, o.CaptureAmount = 900, 0
		return o
	}
	in := func(s Status) func(*testing.T) *Order { return func(t *testing.T) *Order { return orderIn(t, s) } }
	for _, tc := range []struct {
		name   string
		order  func(*testing.T) *Order
		as     Status
		reason string
		want   Code
		minor  int64
	}{
		{"unknown, money moved", in(StatusUnknown), StatusSucceeded, "seen in the list", "", 0},
		{"unknown, never arrived", in(StatusUnknown), StatusFailed, "ticket 4711", "", 0},
		{"processing", in(StatusProcessing), StatusSucceeded, "ticket", "", 0},
		{"a hold in good health", in(StatusAuthorized), StatusCanceled, "ticket", CodeInvalidState, 0},
		{"a form in good health", in(StatusRequiresAction), StatusFailed, "ticket", CodeInvalidState, 0},
		{"hold is gone", contradicted, StatusCanceled, "ticket", "", 0},
		{"all that was held", partlyHeld, StatusSucceeded, "ticket", "", 0},
		{"more than was held", partlyHeld, StatusSucceeded, "ticket", CodeInvalid, 901},
		{"captured", capturing, StatusSucceeded, "ticket", "", 0},
		{"another sum was captured", capturing, StatusSucceeded, "ticket", "", 250},
		{"more than the order", capturing, StatusSucceeded, "ticket", CodeInvalid, 1001},
		{"less than nothing", capturing, StatusSucceeded, "ticket", CodeInvalid, -1},
		{"a sum of nothing that moved", capturing, StatusFailed, "ticket", CodeInvalid, 1},
		{"capture took no effect", capturing, StatusAuthorized, "ticket", "", 0},
		{"nothing was ever held", givenUp, StatusAuthorized, "ticket", CodeInvalidState, 0},
		{"no reason", in(StatusUnknown), StatusFailed, "", CodeInvalid, 0},
		{"no end", in(StatusUnknown), StatusProcessing, "ticket", CodeInvalid, 0},
		{"no command was sent", in(StatusProcessing), StatusAuthorized, "ticket", CodeInvalidState, 0},
		{"final", in(StatusFailed), StatusSucceeded, "ticket", CodeInvalidState, 0},
		{"final, nothing to settle", in(StatusFailed), StatusFailed, "ticket", CodeInvalidState, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := &oneOrder{o: tc.order(t)}
			before := store.o
			s := New(Config{Store: store, Now: func() time.Time { return epoch.Add(time.Hour) }})
			o, _, err := s.Resolve(t.Context(), before.Key(), Resolution{Status: tc.as, Reason: tc.reason, Operator: "ann", Minor: tc.minor})
			if tc.want != "" {
				require.Equal(t, tc.want, CodeOf(err))
				require.Same(t, before, store.o, "nothing was changed")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.as, o.Status)
			last := o.Transitions()[len(o.Transitions())-1]
			require.Equal(t, SourceOperator, last.Source)
			require.Subset(t, last.ProviderData, gateway.ProviderData{"reason": tc.reason, "operator": "ann"})
			require.Contains(t, o.StatusReason, tc.reason)
			require.Equal(t, tc.as.Final(), o.NextPollAt == nil)
			require.NotContains(t, last.ProviderData, "forced")
			if before.Authorized == 900 {
				require.EqualValues(t, 900, o.Captured)
			}
			if before.CaptureAmount == 400 && tc.as == StatusSucceeded {
				want := int64(400)
				if tc.minor > 0 {
					want = tc.minor
				}
				require.Equal(t, want, o.Captured)
				require.Zero(t, o.Conflicts)
			}
		})
	}
}

func TestAnOperatorWhoKnowsBetter(t *testing.T) {
	t.Parallel()
	for status, as := range map[Status]Status{StatusAuthorized: StatusCanceled, StatusRequiresAction: StatusFailed} {
		store := &oneOrder{o: orderIn(t, status)}
		s := New(Config{Store: store})
		_, _, err := s.Resolve(t.Context(), store.o.Key(), Resolution{Status: as, Reason: "the provider released it", Operator: "ann"})
		require.Equal(t, CodeInvalidState, CodeOf(err))
		require.ErrorContains(t, err, "through the API")
		o, _, err := s.Resolve(t.Context(), store.o.Key(), Resolution{Status: as, Reason: "the provider released it", Operator: "ann", Force: true})
		require.NoError(t, err)
		require.Equal(t, as, o.Status)
		require.Equal(t, "true", o.Transitions()[len(o.Transitions())-1].ProviderData["forced"])
	}
}

func TestAnOperatorAcknowledgesAConflict(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusSucceeded)
	require.Equal(t, Conflict, o.Record(undated(StatusFailed)))
	store := &oneOrder{o: o}
	s := New(Config{Store: store})
	_, _, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusFailed, Reason: "the bank says so", Operator: "ann"})
	require.Equal(t, CodeInvalidState, CodeOf(err), "a final status is never changed")
	require.Equal(t, 1, store.o.Conflicts)
	o, _, err = s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusSucceeded, Reason: "a second charge, refunded by hand", Operator: "ann"})
	require.NoError(t, err)
	require.Equal(t, StatusSucceeded, o.Status)
	require.Zero(t, o.Conflicts)
	decided := o.NewConflicts()[len(o.NewConflicts())-1]
	require.Equal(t, SourceOperator, decided.Source)
	require.Contains(t, decided.Reason, "a second charge")
}
