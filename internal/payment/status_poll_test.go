package payment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// pollStore is a store of one order.
type pollStore struct {
	Store
	order *Order
}

func (s *pollStore) Order(context.Context, Key) (*Order, error) {
	loaded := *s.order
	return &loaded, nil
}

func (s *pollStore) Account(_ context.Context, id uuid.UUID) (Account, error) {
	return Account{ID: id, Name: "test", Provider: "fake", Currency: "EUR"}, nil
}

func (s *pollStore) UpdateOrder(_ context.Context, _ Key, fn func(*Order) error) (*Order, error) {
	return s.order, fn(s.order)
}

// A check that was asked about a hold is answered when the hold's cancel is under way already. The provider's word for
// "let go" reads as a failed hold there: that is neither the order's end nor a contradiction of it.
func TestACheckAskedBeforeACommandSaysNothingAboutIt(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]bool{"under way": false, "answered": true} {
		o := newTestOrder()
		o.Manual, o.Operation, o.Provider = true, gateway.OpAuthorize, "fake"
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
		store := &pollStore{order: o}
		fake := &gatewaytest.Fake{FetchFunc: func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
			require.Equal(t, gateway.OpAuthorize, ref.Operation)
			o.Operation = gateway.OpCancel // somebody else's cancel comes in between
			o.step(StatusProcessing, SourceRequest, nil, epoch)
			if answered {
				require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusCanceled, AsOf: o.Sequence, At: epoch}))
			}
			return gateway.Result{Status: gateway.StatusFailed}, nil
		}}
		s := New(Config{Store: store, Drivers: gateway.NewRegistry(fake)})
		after, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		require.Zero(t, after.Conflicts, name)
		if answered {
			require.Equal(t, StatusCanceled, after.Status)
		} else {
			require.Equal(t, StatusProcessing, after.Status)
			require.NotNil(t, after.NextPollAt, "it is asked about again")
		}
	}
}

// The provider could not be asked at first, and denies the order when the schedule's steps are wide already. The answers
// that settle it are asked for when its delay has passed, and not hours later. While it cannot be asked, nobody hurries.
func TestTheAnswersThatSettleAnOrderAreAskedForSoon(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]time.Duration{"denied early": time.Second, "denied late": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prohibitedFrom(t, first)
		})
	}
}

func prohibitedFrom(t *testing.T, first time.Duration) {
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
	now, answer := epoch, error(nil)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return gateway.Result{}, answer }}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }, VisibilityDelay: time.Minute})
	ask := func(after time.Duration, kind gateway.ErrorKind) time.Duration {
		now, answer = epoch.Add(after), &gateway.Error{Kind: kind}
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		if o.NextPollAt == nil {
			return 0
		}
		return o.NextPollAt.Sub(now)
	}
	late := 2 * time.Minute
	for _, after := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second} {
		if after == first {
			ask(after, gateway.KindNotFound)
			continue
		}
		ask(after, gateway.KindUnknown)
	}
	if first == late {
		require.Equal(t, time.Minute, ask(late, gateway.KindNotFound), "the provider's delay after the first such answer")
		late += time.Minute
	}
	require.Equal(t, DefaultSchedule[0], ask(late, gateway.KindNotFound))
	require.Greater(t, ask(late+time.Second, gateway.KindUnknown), 10*time.Second)
	require.Zero(t, ask(late+time.Minute, gateway.KindNotFound))
	require.Equal(t, StatusFailed, o.Status)
}

// A refund that a provider does not show waits for a callback or a person: it is asked about as often as any other.
func TestARefundThatIsNotShownIsAskedAboutBySchedule(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider, o.Kind = "fake", gateway.KindRefund
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
	now, checks := epoch, 0
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		checks++
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown, Code: gateway.CodeNotVisible}
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	for now.Before(epoch.Add(24 * time.Hour)) {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		now = *o.NextPollAt
	}
	require.Less(t, checks, 70)
	require.Equal(t, StatusUnknown, o.Status)
}

// A provider that was away for a while is asked again soon after it is back, and never in a hurry.
func TestAnOutageMakesAnAnswerLateByAFractionOfIt(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
	now, checks := epoch, 0
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		checks++
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent}
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	for now.Sub(epoch) < 2*time.Hour {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		pause, outage := o.NextPollAt.Sub(now), now.Sub(epoch)
		require.GreaterOrEqual(t, pause, time.Second-time.Microsecond)
		require.LessOrEqual(t, pause, max(2*time.Second, min(outage/6, 150*time.Second)))
		now = *o.NextPollAt
	}
	require.Less(t, checks, 120, "two hours")
}

// A shop that asks often takes nothing away from the schedule.
func TestRefreshingLeavesTheScheduleAlone(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}))
	now := epoch
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusRequiresAction}, nil
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	o.intend(s.policy(), now)
	planned := *o.NextPollAt
	for range 9 {
		now = now.Add(100 * time.Millisecond)
		after, err := s.Refresh(context.Background(), o.Key())
		require.NoError(t, err)
		require.Equal(t, planned, *after.NextPollAt)
		require.Equal(t, waitingSkips, after.PollsDone)
	}
	now = planned
	after, err := s.Poll(context.Background(), o.Key())
	require.NoError(t, err)
	require.InEpsilon(t, 30*time.Second, after.NextPollAt.Sub(epoch), 0.2)
}

// A check that is under way when the call's answer begins a new schedule uses up no step of that: the customer's order would be
// looked at after 30 s instead of 10.
func TestALookOfTheScheduleBeforeUsesUpNothing(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider, o.PollsSince = "fake", epoch
	now := epoch
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: now, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}))
		o.intend(Policy{Schedule: DefaultSchedule}, now)
		return gateway.Result{Status: gateway.StatusRequiresAction}, nil
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	now = epoch.Add(1100 * time.Millisecond)
	after, err := s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	require.WithinDuration(t, now.Add(10*time.Second), *after.NextPollAt, 1100*time.Millisecond)
}

// Nor does a check that was leased before the new schedule began, and whose process comes to read the order only then.
func TestACheckThatWasLeasedForTheScheduleBeforeUsesUpNothing(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]struct {
		status Status
		after  time.Duration // until the new schedule's first look
	}{
		"waiting for the customer": {StatusRequiresAction, 10 * time.Second},
		"unknown":                  {StatusUnknown, time.Second},
	} {
		o := newTestOrder()
		o.Provider, o.PollsSince = "fake", epoch
		now := epoch.Add(1100 * time.Millisecond)
		leased := now.Add(20 * time.Second)
		o.NextPollAt = &leased
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: begins.status, AsOf: o.Sequence, At: now, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}))
		o.intend(Policy{Schedule: DefaultSchedule}, now)
		planned := *o.NextPollAt
		fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
		}}
		s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }, VisibilityDelay: time.Minute})
		checks := o.PollsDone
		now = now.Add(50 * time.Millisecond)
		after, err := s.Poll(t.Context(), o.Key())
		require.NoError(t, err)
		require.Equal(t, planned, *after.NextPollAt, name)
		require.Equal(t, checks, after.PollsDone, name)

		now = planned
		leased = now.Add(20 * time.Second)
		o.NextPollAt = &leased
		after, err = s.Poll(t.Context(), o.Key())
		require.NoError(t, err)
		require.Equal(t, checks+1, after.PollsDone, "%s: a check of its own does", name)
	}
}

// A shop that asks for an order's status is answered by the provider, unless the order is final and nothing can change it any more.
func TestWhatIsAskedForAShop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		order func(*Order)
		asked bool
	}{
		"under way":                      {func(*Order) {}, true},
		"failed":                         {func(o *Order) { o.Record(undated(StatusFailed)) }, true}, // it may have been paid since
		"failed, and paid since":         {func(o *Order) { o.Record(undated(StatusFailed)); o.SupersededBy = &o.ShopID }, false},
		"a hold that failed":             {func(o *Order) { o.Manual = true; o.Record(undated(StatusFailed)) }, false},
		"a refund that failed":           {func(o *Order) { o.Kind = gateway.KindRefund; o.Record(undated(StatusFailed)) }, false},
		"a payment that succeeded":       {func(o *Order) { o.Record(undated(StatusSucceeded)) }, false},
		"failed, and a callback says no": {func(o *Order) { o.Record(undated(StatusFailed)); o.NextPollAt = &epoch }, true},
		"a transfer that may come back":  {func(o *Order) { o.Kind = gateway.KindTransfer; o.Record(undated(StatusSucceeded)) }, true},
		"a transfer that is back": {func(o *Order) {
			o.Kind = gateway.KindTransfer
			o.Record(undated(StatusSucceeded))
			o.Refunded = o.Captured
		}, false},
	} {
		fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return gateway.Result{}, nil }}
		s, service := newShop(fake)
		o := orderIn(t, StatusProcessing)
		o.NextPollAt = nil
		tc.order(s.with(o))
		if o.Kind == gateway.KindTransfer {
			o.NextPollAt = nil
		}
		_, err := service.Refresh(t.Context(), o.Key())
		require.NoError(t, err, name)
		require.Equal(t, tc.asked, len(fake.Calls()) > 0, name)
	}
}

// A question without an answer is written down as one that failed, so that a row of them is counted as one call.
func TestAQuestionWithoutAnAnswerIsWrittenDown(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{nil, &gateway.Error{Kind: gateway.KindUnknown}, &gateway.Error{Kind: gateway.KindNotFound}} {
		s, service := newShop(&gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing}, answer
		}})
		o := s.with(orderIn(t, StatusProcessing))
		polled, err := service.Poll(t.Context(), o.Key())
		require.NoError(t, err)
		require.Len(t, polled.NewCalls(), 1)
		require.Equal(t, "fetch", polled.NewCalls()[0].Operation)
		require.Equal(t, answer != nil, polled.NewCalls()[0].Failed)
	}
}
