package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
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

// The sum of a decision is within what the order is about, or what was held of it. A refund moves all of its sum or nothing.
func TestTheSumOfADecision(t *testing.T) {
	t.Parallel()
	held := func(authorized, captured int64) Order {
		return Order{Kind: gateway.KindPayment, Manual: true, Authorized: authorized, Operation: gateway.OpCapture, CaptureAmount: captured}
	}
	payment, refund := Order{Kind: gateway.KindPayment}, Order{Kind: gateway.KindRefund}
	for name, tc := range map[string]struct {
		order  Order
		status Status
		minor  int64
		want   *int64
		code   Code
	}{
		"a payment, nothing said":               {payment, StatusSucceeded, 0, nil, ""},
		"a payment, a part":                     {payment, StatusSucceeded, 1, ptr(1), ""},
		"a payment, all of it":                  {payment, StatusSucceeded, 1000, ptr(1000), ""},
		"a payment, more":                       {payment, StatusSucceeded, 1001, nil, CodeInvalid},
		"a refund, nothing said":                {refund, StatusSucceeded, 0, nil, ""},
		"a refund, all of it":                   {refund, StatusSucceeded, 1000, ptr(1000), ""},
		"a refund, a part":                      {refund, StatusSucceeded, 999, nil, CodeInvalid},
		"a refund that failed":                  {refund, StatusFailed, 0, nil, ""},
		"a capture of all that is held":         {held(900, 900), StatusSucceeded, 0, nil, ""},
		"a capture of a part":                   {held(900, 400), StatusSucceeded, 0, nil, ""},
		"a capture of more than is held":        {held(900, 901), StatusSucceeded, 0, ptr(900), ""},
		"a capture of the order's own sum":      {held(900, 0), StatusSucceeded, 0, ptr(900), ""},
		"a capture that failed":                 {held(900, 0), StatusCanceled, 0, nil, ""},
		"a capture, more than is held, said so": {held(900, 900), StatusSucceeded, 901, nil, CodeInvalid},
	} {
		tc.order.Amount = money.New(1000, "EUR")
		got, err := Resolution{Status: tc.status, Minor: tc.minor}.sum(&tc.order)
		require.Equal(t, tc.code, CodeOf(err), name)
		require.Equal(t, tc.want, got, name)
	}
}

// An operator settles no more contradictions than they have seen.
func TestAnOperatorSettlesWhatTheyHaveSeen(t *testing.T) {
	t.Parallel()
	for seen, code := range map[int]Code{0: CodeInvalidState, 1: CodeInvalidState, 2: "", 3: ""} {
		o := orderIn(t, StatusUnknown)
		o.Conflicts = 2
		store := &oneOrder{o: o}
		resolved, settled, err := New(Config{Store: store}).Resolve(t.Context(), o.Key(), Resolution{Status: StatusFailed, Reason: "ticket", Seen: &seen})
		require.Equal(t, code, CodeOf(err), seen)
		if code == "" {
			require.Equal(t, 2, settled, seen)
			require.Zero(t, resolved.Conflicts, seen)
			continue
		}
		require.ErrorContains(t, err, "2 reports contradict this order", seen)
		require.Same(t, o, store.o, "nothing was changed")
	}
}

// Only a failure has a cause, and it says who found it.
func TestTheFailureOfADecision(t *testing.T) {
	t.Parallel()
	for status, failed := range map[Status]bool{StatusFailed: true, StatusCanceled: false, StatusSucceeded: false} {
		o := orderIn(t, StatusUnknown)
		resolved, _, err := New(Config{Store: &oneOrder{o: o}}).Resolve(t.Context(), o.Key(), Resolution{Status: status, Reason: "ticket"})
		require.NoError(t, err)
		require.Equal(t, failed, resolved.Failure != nil, status)
		if failed {
			require.Equal(t, "operator", resolved.Failure.Code)
		}
	}
}
