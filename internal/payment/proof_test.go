package payment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// A payout that never arrived ends only by several answers in a row, the last one past the provider's delay.
func TestNoSuchOrderIsBelievedLate(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	missing := &gateway.Error{Kind: gateway.KindNotFound, Op: "check", Code: "ORDER_NOT_FOUND"}
	lost := func() *Order {
		o := newTestOrder()
		o.Kind, o.Amount = gateway.KindPayout, money.New(700, "EUR")
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
		return o
	}
	ask := func(o *Order, after time.Duration, err error) Verdict {
		return recordPoll(s, o, d, gateway.Result{Status: gateway.StatusProcessing}, err, o.Sequence, epoch.Add(after), epoch.Add(after))
	}
	o := lost()
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 6 * time.Second, delay + timeout - 1} {
		require.Equal(t, Stale, ask(o, after, missing), "after %s", after)
		require.Equal(t, StatusUnknown, o.Status)
	}
	require.Equal(t, Apply, ask(o, delay+timeout, missing))
	require.Equal(t, StatusFailed, o.Status)
	require.Equal(t, gateway.FailureUnavailable, o.Failure.Category)
	require.Equal(t, gateway.AdviceRetryLater, o.Failure.Advice)

	o = lost()
	require.Equal(t, Stale, ask(o, time.Minute, missing), "one answer is no proof, however late")
	require.Equal(t, Stale, ask(o, 61*time.Second, missing))
	require.Equal(t, Stale, ask(o, 62*time.Second, missing), "the first was less than the delay ago")
	require.Equal(t, Stale, ask(o, 63*time.Second, &gateway.Error{Kind: gateway.KindUnknown}))
	require.Equal(t, Apply, ask(o, 66*time.Second, missing), "not having been able to ask breaks no row")

	o = lost()
	require.Equal(t, Stale, ask(o, time.Second, missing))
	require.Equal(t, Stale, ask(o, 2*time.Second, missing))
	require.Equal(t, Apply, ask(o, 3*time.Second, nil), "it was there all the time")
	for _, after := range []time.Duration{10 * time.Second, 20 * time.Second, time.Hour, 2 * time.Hour} {
		require.Equal(t, Stale, ask(o, after, missing), "that it is gone proves nothing about money")
	}
	require.Equal(t, StatusProcessing, o.Status)

	o = lost()
	o.Kind = gateway.KindRefund // without the provider's id of it
	for _, after := range []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, time.Hour} {
		require.Equal(t, Stale, ask(o, after, missing))
	}
	require.Equal(t, StatusUnknown, o.Status)
}

// The process was stopped between an answer and its recording: the answer is as old as its question, and says nothing about
// a call that was under way then.
func TestAnOldNoSuchOrderIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]bool{"a payout": false, "a capture": true} {
		o := newTestOrder()
		o.Provider = "fake"
		answer, missing := gateway.Result{}, error(&gateway.Error{Kind: gateway.KindNotFound})
		now := epoch
		if command {
			o.Manual, o.Authorized, o.Operation = true, o.Amount.Minor(), gateway.OpCapture
			o.Status, o.PollsSince = StatusUnknown, epoch
			answer, missing = gateway.Result{Status: gateway.StatusAuthorized}, nil // the hold as it was
		} else {
			require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
		}
		before := o.Status
		stop := time.Duration(0)
		fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			now = now.Add(stop)
			return answer, missing
		}}
		s := New(Config{
			Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }, ProviderTimeout: 30 * time.Second, VisibilityDelay: time.Minute,
		})
		check := func(at time.Duration) {
			now = epoch.Add(at)
			_, err := s.Refresh(context.Background(), o.Key())
			require.NoError(t, err, name)
		}
		check(time.Second)
		check(3 * time.Second)
		stop = 2 * time.Minute
		check(5 * time.Second)
		require.Equal(t, before, o.Status, name)
		stop = 0
		check(3 * time.Minute)
		require.NotEqual(t, before, o.Status, "%s: asked for late enough", name)
	}
}

// An answer about what was before a command counts for nothing when the command is judged.
func TestAnAnswerFromBeforeACommandDoesNotCountAgainstIt(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	o := newTestOrder()
	o.Manual, o.Authorized, o.Operation, o.Status = true, o.Amount.Minor(), gateway.OpCapture, StatusProcessing
	o.PollsSince = epoch.Add(time.Hour)
	late := epoch.Add(2 * time.Hour)
	for range 2 * denialsNeeded {
		require.False(t, o.countDenial(s.policy(), Poll{Asked: epoch, Answered: late}))
	}
	require.Zero(t, o.Denials)
}

// An order that waits for its customer or its shop is left alone at first; one whose call may be under way is not.
func TestTheScheduleOfAnOrderThatWaits(t *testing.T) {
	t.Parallel()
	times := func(status Status, operation gateway.Operation) (all []time.Duration) {
		o := newTestOrder()
		o.Status, o.Operation = status, operation
		o.Verification = o.OnStep(o.facts(), epoch)
		for now := epoch; len(all) < 4; {
			o.intend(Policy{Schedule: DefaultSchedule}, now)
			all = append(all, o.NextPollAt.Sub(epoch))
			now, o.PollsDone = *o.NextPollAt, o.PollsDone+1
		}
		return all
	}
	soon, later := DefaultSchedule[:4], DefaultSchedule[2:6]
	for status, ops := range map[Status]map[gateway.Operation]Schedule{
		StatusCreated:        {gateway.OpSale: soon},
		StatusUnknown:        {gateway.OpSale: soon, gateway.OpCapture: soon},
		StatusProcessing:     {gateway.OpSale: soon},
		StatusRequiresAction: {gateway.OpSale: later, gateway.OpAuthorize: later, gateway.OpCancel: soon},
		StatusAuthorized:     {gateway.OpAuthorize: later, gateway.OpCapture: soon, gateway.OpCancel: soon},
	} {
		for op, want := range ops {
			for i, at := range times(status, op) {
				require.InEpsilon(t, want[i], at, 0.2, "%s %s, check %d", status, op, i+1)
			}
		}
	}
}

// Jitter spreads orders evenly, and is the same for the same order and step, so that a life can be repeated.
func TestJitterFollowsFromTheOrder(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	var parts [4]int
	for range 1000 {
		o := newTestOrder()
		o.ID = uuid.Must(uuid.NewV7())
		j := jitter(o, limit)
		require.GreaterOrEqual(t, j, time.Duration(0))
		require.Less(t, j, limit)
		require.Equal(t, j, jitter(o, limit))
		parts[j*4/limit]++
		o.PollsDone++
		require.NotEqual(t, j, jitter(o, limit), "the next step is spread otherwise")
	}
	for _, n := range parts {
		require.Greater(t, n, 150)
	}
	require.Zero(t, jitter(newTestOrder(), 0))
}

// A status poll that was asked earlier is written down after one that found the order: its denial is none in a row with those
// that follow, and none of them makes untrue what the provider has shown.
func TestAnOrderThatWasShownOnceIsNotDeniedAway(t *testing.T) {
	t.Parallel()
	const delay, timeout = 60 * time.Second, 30 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	missing := &gateway.Error{Kind: gateway.KindNotFound, Op: "check"}
	o := newTestOrder()
	at := func(after time.Duration) time.Time { return epoch.Add(after) }
	shown := gateway.Result{Status: gateway.StatusRequiresAction}
	require.Equal(t, Stale, recordPoll(s, o, d, shown, nil, o.Sequence, at(20*time.Second), at(20*time.Second)), "the call's own answer may still come")
	require.Equal(t, Stale, recordPoll(s, o, d, gateway.Result{}, missing, o.Sequence, at(2*time.Second), at(28*time.Second)))
	for _, asked := range []time.Duration{2 * time.Minute, 3 * time.Minute, time.Hour} {
		require.Equal(t, Stale, recordPoll(s, o, d, gateway.Result{}, missing, o.Sequence, at(asked), at(asked)))
		require.Equal(t, StatusCreated, o.Status)
	}
	require.Equal(t, Apply, recordPoll(s, o, d, shown, nil, o.Sequence, at(2*time.Hour), at(2*time.Hour)))
}

// recordPoll records an answer as a status poll does, and plans nothing.
func recordPoll(s *Service, o *Order, d gateway.Description, result gateway.Result, err error, asOf int, asked, answered time.Time) Verdict {
	a := statusPoll{Poll: Poll{Asked: asked, Answered: answered, VisibilityDelay: d.VisibilityDelay}, result: result, err: err, operation: o.Operation, asOf: asOf}
	a.Answer = a.classify()
	return o.recordPoll(s.policy(), a)
}

func jitter(o *Order, limit time.Duration) time.Duration {
	return o.jitter(o.facts(), limit)
}

// The history keeps by what word the provider denied an order, where it had one.
func TestTheWordOfADenialIsKept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want gateway.ProviderData
	}{
		{&gateway.Error{Kind: gateway.KindNotFound, Code: "NO_SUCH_ORDER"}, gateway.ProviderData{"code": "NO_SUCH_ORDER"}},
		{&gateway.Error{Kind: gateway.KindNotFound}, gateway.ProviderData{}},
	} {
		tc.want["outcome"], tc.want["answers"], tc.want["since"] = "not_found", "3", "2026-11-21T12:00:00Z"
		o := newTestOrder()
		o.Denials, o.FirstDenialAt = 3, &epoch
		r := o.neverReached(statusPoll{err: tc.err, asOf: 1})
		require.Equal(t, tc.want, r.ProviderData)
		require.Equal(t, codeNotFound, r.Failure.Code)
		require.Equal(t, StatusFailed, r.Status)
	}
}
