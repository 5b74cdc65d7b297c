package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// A doubt that the provider cannot settle within a day is an operator's.
func TestADoubtThatNobodySettlesIsAConflict(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Report{Cause: CauseCheck, Status: StatusFailed, Basis: o.Sequence, At: epoch, Failure: &gateway.Failure{Code: codeNotFound}}))
	now := epoch.Add(time.Second)
	o.doubt(now)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
	}}
	s := New(Config{Store: &lookStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	for range 20 {
		_, err := s.Refresh(context.Background(), o.Key())
		require.NoError(t, err)
	}
	checks := 0
	for o.NextCheckAt != nil {
		require.Zero(t, o.Conflicts)
		now = *o.NextCheckAt
		_, err := s.Check(context.Background(), o.Key())
		require.NoError(t, err)
		checks++
		require.Less(t, checks, 2*doubtTries)
	}
	require.Equal(t, 1, o.Conflicts)
	require.Equal(t, StatusFailed, o.Status)
	require.InDelta(t, 24*time.Hour, now.Sub(epoch), float64(time.Hour), "shops that ask do not make the day shorter")
}

// A signed callback that is in doubt is looked after at the pace of an order that has just changed, however long the order has
// waited for its customer, and whatever the first answer is.
func TestADoubtBeginsTheScheduleAnew(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Report{Cause: CauseAnswer, Status: StatusRequiresAction, Basis: o.Sequence, At: epoch, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}))
	require.Equal(t, waitingSkips, o.Checks)
	now := epoch.Add(5 * time.Minute)
	o.Checks = 5
	o.doubt(now)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
	}}
	s := New(Config{Store: &lookStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
	begin := now
	for _, want := range []time.Duration{3 * time.Second, 10 * time.Second, 30 * time.Second} {
		_, err := s.Check(context.Background(), o.Key())
		require.NoError(t, err)
		require.InEpsilon(t, want, o.NextCheckAt.Sub(begin), 0.2)
		now = *o.NextCheckAt
	}
}
