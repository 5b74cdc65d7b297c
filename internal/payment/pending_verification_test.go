package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// A pending verification that the provider cannot settle within a day is an operator's.
func TestAVerificationThatNobodySettlesIsAConflict(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusFailed, AsOf: o.Sequence, At: epoch, Failure: &gateway.Failure{Code: codeNotFound}}))
	now := epoch.Add(time.Second)
	o.verify(now)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	for range 20 {
		_, err := s.Refresh(context.Background(), o.Key())
		require.NoError(t, err)
	}
	checks := 0
	for o.NextPollAt != nil {
		require.Zero(t, o.Conflicts)
		now = *o.NextPollAt
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		checks++
		require.Less(t, checks, 2*verificationPolls)
	}
	require.Equal(t, 1, o.Conflicts)
	require.Equal(t, StatusFailed, o.Status)
	require.InDelta(t, 24*time.Hour, now.Sub(epoch), float64(time.Hour), "shops that ask do not make the day shorter")
}

// A signed callback that needs verification is polled at the pace of an order that has just changed, however long the order has
// waited for its customer, and whatever the first answer is.
func TestAVerificationBeginsTheScheduleAnew(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}))
	require.Equal(t, waitingSkips, o.PollsDone)
	now := epoch.Add(5 * time.Minute)
	o.PollsDone = 5
	o.verify(now)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	begin := now
	for _, want := range []time.Duration{3 * time.Second, 10 * time.Second, 30 * time.Second} {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		require.InEpsilon(t, want, o.NextPollAt.Sub(begin), 0.2)
		now = *o.NextPollAt
	}
}

// A signed callback says that a payment's money went back. The provider's own answers lag behind it: the first ones show the
// payment as it was, and prove nothing.
func TestAVerificationOutlastsTheProvidersDelay(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]gateway.Status{"as it was": gateway.StatusSucceeded, "something is going on": gateway.StatusProcessing, "an unlisted word": ""} {
		for _, reversed := range []bool{true, false} {
			o := newTestOrder()
			o.Provider = "fake"
			require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusSucceeded, AsOf: o.Sequence, At: epoch}))
			now := epoch.Add(time.Hour)
			o.verify(now)
			shown := now.Add(50 * time.Second)
			fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
				r := gateway.Result{Status: gateway.StatusSucceeded}
				switch {
				case now.Before(shown):
					r.Status = early
				case reversed:
					back := o.Amount.Minor()
					r.Refunded = &back
				}
				return r, nil
			}}
			s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }, VisibilityDelay: time.Minute})
			checks := 0
			for ; o.NextPollAt != nil; checks++ {
				require.Less(t, checks, 10)
				now = *o.NextPollAt
				_, err := s.Poll(context.Background(), o.Key())
				require.NoError(t, err)
			}
			require.Equal(t, reversed, o.DisputesOpen == 1, name)
			require.Equal(t, StatusSucceeded, o.Status)
			require.InDelta(t, time.Minute, now.Sub(epoch.Add(time.Hour)), float64(12*time.Second), "%s: as soon as it can be told", name)
		}
	}
}

// An answer that names no end settles no pending verification of one, however late it is.
func TestAVerificationIsNotSettledByAnAnswerWithoutAnEnd(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusSucceeded, AsOf: o.Sequence, At: epoch}))
	now, status := epoch.Add(time.Hour), gateway.StatusProcessing
	o.verify(now)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{Status: status}, nil
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }, VisibilityDelay: time.Minute})
	for range 10 {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		require.NotNil(t, o.NextPollAt)
		require.LessOrEqual(t, o.NextPollAt.Sub(now), longestPause)
		now = *o.NextPollAt
	}
	status = gateway.StatusSucceeded
	_, err := s.Poll(context.Background(), o.Key())
	require.NoError(t, err)
	require.Nil(t, o.NextPollAt)
	require.Zero(t, o.Conflicts)
}

// A pending verification of an order that has been on its way for hours is not left to the next hour when the first answer tells nothing.
func TestAVerificationOfAnOldOrderIsLookedAfterSoon(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider, o.Manual, o.Authorized, o.Operation, o.Status = "fake", true, o.Amount.Minor(), gateway.OpCapture, StatusProcessing
	o.PollsSince, o.PollsDone = epoch, 10
	o.CommandAccepted = true
	now := epoch.Add(3 * time.Hour)
	o.verify(now)
	require.Equal(t, epoch, o.PollsSince, "what is proven by time is proven from the call on")
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusAuthorized}, nil
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	for range 4 {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		require.LessOrEqual(t, o.NextPollAt.Sub(now), 2*time.Second)
		now = *o.NextPollAt
	}
}

// A pending verification of an order that has not ended outlasts its end, whatever road that comes by, until the provider was asked late
// enough. An end that is as that report said needs no second poll.
func TestAVerificationOutlastsTheOrdersEnd(t *testing.T) {
	t.Parallel()
	contradictedAt := epoch.Add(time.Hour)
	for name, tc := range map[string]struct {
		n       gateway.Notification
		confirm bool
		end     func(*testing.T, *Service, *Order, *gateway.Notification)
		resumed bool
	}{
		"by a check": {n: gateway.Notification{VerifyReason: "the money went back"}, resumed: true},
		"by a callback": {n: gateway.Notification{VerifyReason: "the money went back"}, resumed: true, end: func(t *testing.T, s *Service, _ *Order, n *gateway.Notification) {
			*n = gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded}}
			require.Equal(t, Apply, s.call(t))
		}},
		"by an operator": {n: gateway.Notification{VerifyReason: "the money went back"}, end: func(t *testing.T, s *Service, o *Order, _ *gateway.Notification) {
			_, _, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: StatusSucceeded, Reason: "seen", Operator: "me"})
			require.NoError(t, err)
		}},
		"another end was said": {n: gateway.Notification{Result: gateway.Result{Status: gateway.StatusFailed}}, confirm: true, resumed: true},
		"this end was said":    {n: gateway.Notification{Result: gateway.Result{Status: gateway.StatusSucceeded}}, confirm: true},
		"no end was said":      {n: gateway.Notification{Result: gateway.Result{Status: gateway.StatusProcessing}}, confirm: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, reversed := range []bool{true, false} {
				o, now, n := orderIn(t, StatusProcessing), contradictedAt, tc.n
				n.OrderID = "o"
				s := reportedOrder(o, &now, &n, func() (gateway.Result, error) {
					r := gateway.Result{Status: gateway.StatusSucceeded}
					if back := o.Amount.Minor(); reversed && now.After(contradictedAt.Add(50*time.Second)) {
						r.Refunded = &back
					}
					return r, nil
				})
				s.AlwaysConfirm = tc.confirm
				require.Equal(t, Verify, s.call(t))
				now = now.Add(250 * time.Millisecond)
				if tc.end != nil {
					tc.end(t, s, o, &n)
				} else {
					_, err := s.Poll(t.Context(), o.Key())
					require.NoError(t, err)
				}
				require.Equal(t, StatusSucceeded, o.Status)
				require.Equal(t, tc.resumed, o.NextPollAt != nil)
				s.checks(t, o, &now, contradictedAt.Add(time.Hour))
				require.Equal(t, reversed && tc.resumed, o.DisputesOpen == 1)
				require.Nil(t, o.NextPollAt)
				if tc.resumed {
					require.Equal(t, contradictedAt.Add(time.Minute), now, "as soon as it can be told")
				}
				require.Nil(t, o.PendingSince)
			}
		})
	}
}

// An answer that was asked for late enough settles a pending verification also when it names no end.
func TestAVerificationIsForgottenOnceItWasLookedAfter(t *testing.T) {
	t.Parallel()
	o, now, status := orderIn(t, StatusProcessing), epoch.Add(time.Hour), gateway.StatusProcessing
	n := &gateway.Notification{OrderID: "o", VerifyReason: "the money went back"}
	s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return gateway.Result{Status: status}, nil })
	s.call(t)
	s.checks(t, o, &now, now.Add(10*time.Minute))
	status = gateway.StatusSucceeded
	*n = gateway.Notification{OrderID: "o", Result: gateway.Result{Status: status}}
	require.Equal(t, Apply, s.call(t))
	require.Nil(t, o.NextPollAt)
}

// Two reports to verify that name different ends are not settled by either.
func TestTwoVerificationsThatDisagreeAreBothKept(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusProcessing)
	o.Verification = o.OnPending(o.facts(), StatusSucceeded, epoch)
	o.Verification = o.OnPending(o.facts(), StatusFailed, epoch.Add(time.Second))
	require.NotNil(t, o.PendingSince)
	require.Empty(t, o.PendingStatus)
	require.Equal(t, epoch.Add(time.Second), *o.PendingSince)
}

// What the provider denied before a report to verify is no part of the proof that a capture never arrived.
func TestAVerificationBeginsProofsAnew(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Manual, o.Authorized, o.Operation, o.Status = true, o.Amount.Minor(), gateway.OpCapture, StatusProcessing
	o.PollsSince, o.PollsDone = epoch, 4
	now := epoch.Add(time.Second)
	n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded}}
	s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusAuthorized}, nil })
	for range 2 {
		_, err := s.Refresh(t.Context(), o.Key())
		require.NoError(t, err)
	}
	now = epoch.Add(2 * time.Minute)
	require.Equal(t, Verify, s.call(t))
	_, err := s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, StatusProcessing, o.Status)
	s.checks(t, o, &now, epoch.Add(time.Hour))
	require.Equal(t, StatusAuthorized, o.Status)
}
