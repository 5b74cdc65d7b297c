package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// reportedOrder is a service of one order whose provider shows it as shown says, and whose next callback is *n.
func reportedOrder(o *Order, now *time.Time, n *gateway.Notification, shown func() (gateway.Result, error)) *Service {
	o.Provider = "fake"
	fake := &gatewaytest.Fake{
		FetchFunc:        func(context.Context, gateway.Ref) (gateway.Result, error) { return shown() },
		ReadCallbackFunc: func(gateway.RawCallback) (gateway.Notification, error) { return *n, nil },
	}
	return New(Config{
		Store: &callbackStore{pollStore: pollStore{order: o}}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return *now }, VisibilityDelay: time.Minute,
	})
}

func (s *Service) call(t *testing.T) Verdict {
	t.Helper()
	verdict, err := s.HandleCallback(t.Context(), "fake", "token", gateway.RawCallback{})
	require.NoError(t, err)
	return verdict
}

// checks asks about an order whenever it is due, until it is not or that would be later than until.
func (s *Service) checks(t *testing.T, o *Order, now *time.Time, until time.Time) {
	t.Helper()
	for n := 0; o.NextPollAt != nil && !o.NextPollAt.After(until); n++ {
		require.Less(t, n, 1000)
		if o.NextPollAt.After(*now) {
			*now = *o.NextPollAt
		}
		_, err := s.Poll(t.Context(), o.Key())
		require.NoError(t, err)
	}
}

func prohibited() (gateway.Result, error) {
	return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
}

// The provider signed a callback about an order, or refused a second one of its id: it has the order, whatever its checks say.
func TestWhatTheProviderHasNamedWasNeverLost(t *testing.T) {
	t.Parallel()
	success := gateway.Result{Status: gateway.StatusSucceeded}
	for name, n := range map[string]*gateway.Notification{
		"policy":                {OrderID: "o", Result: success},
		"unverified":            {OrderID: "o", VerifyReason: "it is the payer's turn"},
		"weak":                  {OrderID: "o", Weak: "success without finalAmount", Result: success},
		"a word without a step": {OrderID: "o"},
		"a duplicate":           nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, now := newTestOrder(), epoch
			shown := prohibited
			s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return shown() })
			s.AlwaysConfirm = name == "policy"
			kind := gateway.KindUnknown
			if n == nil {
				kind = gateway.KindDuplicate
			}
			_, err := s.ask(t.Context(), o, "payment", func(context.Context) (gateway.Result, error) {
				return gateway.Result{}, &gateway.Error{Kind: kind}
			})
			require.NoError(t, err)
			require.Equal(t, StatusUnknown, o.Status)
			s.checks(t, o, &now, epoch.Add(40*time.Second)) // denied often enough, but not late enough
			if n != nil {
				now = epoch.Add(91 * time.Second)
				s.call(t)
			}
			s.checks(t, o, &now, epoch.Add(24*time.Hour))
			require.Equal(t, StatusUnknown, o.Status)
			require.NotNil(t, o.NextPollAt)
			shown = func() (gateway.Result, error) { return success, nil }
			s.checks(t, o, &now, epoch.Add(28*time.Hour))
			require.Equal(t, StatusSucceeded, o.Status)
		})
	}
}

// ProviderState is the adapter's alone: what it hands back may be old, and touches nothing that the domain knows.
func TestAnAdaptersStateTouchesNothingOfTheDomain(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	before := o.Verification
	before.PollsSince = epoch // by the step
	o.Record(Observation{Source: SourceAnswer, Status: StatusProcessing, AsOf: o.Sequence, At: epoch, State: map[string]gateway.Secret{"command_accepted": "true", "theirs": "1"}})
	require.Equal(t, before, o.Verification)
	require.Equal(t, map[string]gateway.Secret{"command_accepted": "true", "theirs": "1"}, o.ProviderState)
}

// A callback whose signature would also hold for another reading may not call an operator by itself: the provider is asked.
func TestAWeakContradictionIsAVerification(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shown     gateway.Status
		conflicts int
		late      bool
	}{"confirmed": {gateway.StatusFailed, 0, false}, "contradicted": {gateway.StatusSucceeded, 0, true}, "nobody can tell": {"", 1, false}} {
		o := orderIn(t, StatusFailed)
		now := epoch.Add(time.Hour)
		n := &gateway.Notification{OrderID: "o", Weak: "success without finalAmount", Result: gateway.Result{Status: gateway.StatusSucceeded}}
		s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return gateway.Result{Status: tc.shown}, nil })
		require.Equal(t, Verify, s.call(t), name)
		require.Zero(t, o.Conflicts, name)
		s.checks(t, o, &now, now.Add(48*time.Hour))
		require.Equal(t, tc.conflicts, o.Conflicts, name)
		require.Equal(t, tc.late, o.SupersededBy != nil, name)
		require.Equal(t, StatusFailed, o.Status)
		require.Nil(t, o.NextPollAt)
	}
	o, now := orderIn(t, StatusSucceeded), epoch
	n := &gateway.Notification{OrderID: "o", Weak: "success without finalAmount", Result: gateway.Result{Status: gateway.StatusSucceeded}}
	require.Equal(t, Repeat, reportedOrder(o, &now, n, prohibited).call(t), "it says nothing new")
}

// A provider has one word for a hold and for its capture. The hold's own callback, come after its capture has failed,
// contradicts nothing; the provider is asked, and says so.
func TestTheHoldsCallbackAfterAFailedCaptureIsVerified(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shown     gateway.Status
		conflicts int
	}{"the capture failed": {gateway.StatusFailed, 0}, "it did not": {gateway.StatusSucceeded, 1}} {
		o := capturing(t, 1000)
		require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusFailed, AsOf: o.Sequence, At: epoch}))
		now := epoch.Add(time.Hour)
		n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: ptr(1000)}}
		s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return gateway.Result{Status: tc.shown}, nil })
		require.Equal(t, Verify, s.call(t), name)
		require.Zero(t, o.Conflicts, name)
		s.checks(t, o, &now, now.Add(48*time.Hour))
		require.Equal(t, tc.conflicts, o.Conflicts, name)
		require.Equal(t, StatusFailed, o.Status)
		require.Nil(t, o.NextPollAt)
	}
}

// Money that went back by no refund of ours: nobody says why, and a shop could give it back once more.
func TestMoneyThatWentBackElsewhereIsTold(t *testing.T) {
	t.Parallel()
	sum := int64(600)
	for name, tc := range map[string]struct {
		n    gateway.Notification
		want Verdict
	}{
		"it went back":    {gateway.Notification{Result: gateway.Result{Status: gateway.StatusSucceeded}}, Apply},
		"it did not":      {gateway.Notification{Result: gateway.Result{Status: gateway.StatusFailed}}, Stale},
		"it is under way": {gateway.Notification{Result: gateway.Result{Status: gateway.StatusProcessing}}, Stale},
		"nothing known":   {gateway.Notification{VerifyReason: "C2"}, Stale},
	} {
		o, now := orderIn(t, StatusSucceeded), epoch
		n := tc.n
		n.OrderID, n.Result.Kind, n.Result.Amount, n.Result.Currency = "o", gateway.KindRefund, &sum, "EUR"
		require.Equal(t, tc.want, reportedOrder(o, &now, &n, prohibited).call(t), name)
		require.Equal(t, tc.want == Apply, o.DisputesOpen == 1, name)
		require.Equal(t, StatusSucceeded, o.Status)
		require.Zero(t, o.RefundReserved)
	}
}

// A refund that a callback has ended wrongly is looked after again when its own answer says that the provider has only begun.
func TestARefundsOwnAnswerPutsItsEndInVerification(t *testing.T) {
	t.Parallel()
	for _, kind := range []gateway.Kind{gateway.KindRefund, gateway.KindPayment} {
		o, now := newTestOrder(), epoch
		o.Kind = kind
		parent := o.ID
		o.ParentID = &parent
		s := reportedOrder(o, &now, nil, func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil })
		_, err := s.ask(t.Context(), o, "refund", func(context.Context) (gateway.Result, error) {
			require.Equal(t, Apply, o.Record(undated(StatusFailed)))
			return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: "its id"}, nil
		})
		require.NoError(t, err)
		s.checks(t, o, &now, epoch.Add(time.Hour))
		require.Equal(t, kind == gateway.KindRefund, o.Conflicts == 1, kind)
		require.False(t, o.contradictedBy(undated(StatusProcessing)), "a callback that comes late says so too, and is old news")
	}
}
