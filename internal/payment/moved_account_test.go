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

// movedStore is a store of one order, at an account that was moved.
type movedStore struct {
	pollStore
	movedAt *time.Time
}

func (s *movedStore) Account(_ context.Context, id uuid.UUID) (Account, error) {
	return Account{ID: id, Name: "test", Provider: "fake", Currency: "EUR", MovedAt: s.movedAt}, nil
}

// denials asks about an order for a day, at an account that was moved, and is always told that there is none.
func denials(t *testing.T, o *Order, movedAt *time.Time, answer gateway.Result, denial error) {
	t.Helper()
	now := epoch.Add(time.Second)
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return answer, denial }}
	s := New(Config{
		Store: &movedStore{pollStore{order: o}, movedAt}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now },
		ProviderTimeout: 30 * time.Second, VisibilityDelay: time.Minute,
	})
	polls := 0
	for ; now.Before(epoch.Add(24*time.Hour)) && o.NextPollAt != nil; polls++ {
		_, err := s.Poll(context.Background(), o.Key())
		require.NoError(t, err)
		if o.NextPollAt != nil {
			now = *o.NextPollAt
		}
	}
	require.Less(t, polls, 70, "nobody hurries")
}

// An order was sent to one installation of the provider, and another one does not know it: that proves nothing, however often it is
// said. What was sent after the move is denied as ever.
func TestADenialProvesNothingAfterTheAccountWasMoved(t *testing.T) {
	t.Parallel()
	missing := &gateway.Error{Kind: gateway.KindNotFound, Code: "ORDER_NOT_FOUND"}
	for name, tc := range map[string]struct {
		movedAfter time.Duration // after the order
		sent       Status
		want       Status
	}{
		"moved after it was sent":                {time.Minute, StatusUnknown, StatusUnknown},
		"its call's outcome was never recorded":  {time.Minute, StatusCreated, StatusUnknown},
		"moved before, which not all knew":       {-moveKnownWithin / 2, StatusUnknown, StatusUnknown},
		"moved long before":                      {-time.Hour, StatusUnknown, StatusFailed},
		"moved long before, its outcome is lost": {-time.Hour, StatusCreated, StatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newTestOrder()
			o.Provider = "fake"
			o.intend(Policy{Schedule: DefaultSchedule}, epoch)
			if tc.sent == StatusUnknown {
				require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: epoch}))
			}
			moved := epoch.Add(tc.movedAfter)
			denials(t, o, &moved, gateway.Result{}, missing)
			require.Equal(t, tc.want, o.Status)
			if tc.want == StatusUnknown {
				require.Equal(t, deniedAfterMove, o.StatusReason)
				require.Zero(t, o.Denials)
			}
		})
	}
}

// A hold that stands proves that its capture never arrived, unless the account was moved between.
func TestAHoldThatStandsProvesNothingAfterTheAccountWasMoved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		movedAfter time.Duration // after the capture
		want       Status
	}{
		"moved after the capture":  {time.Minute, StatusProcessing},
		"moved before the capture": {-time.Hour, StatusAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newTestOrder()
			o.Provider, o.Manual, o.Operation, o.CreatedAt = "fake", true, gateway.OpAuthorize, epoch.Add(-24*time.Hour)
			require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
			o.Operation = gateway.OpCapture
			o.step(StatusProcessing, SourceRequest, nil, epoch)
			o.Verification = o.OnCommand(epoch)
			o.intend(Policy{Schedule: DefaultSchedule}, epoch)
			moved := epoch.Add(tc.movedAfter)
			hold := gateway.Result{Status: gateway.StatusAuthorized}
			if tc.want == StatusProcessing {
				denials(t, o, &moved, hold, nil)
				require.Equal(t, deniedAfterMove, o.StatusReason)
			} else {
				now := epoch
				fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return hold, nil }}
				s := New(Config{Store: &movedStore{pollStore{order: o}, &moved}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now }})
				for o.Status == StatusProcessing && now.Before(epoch.Add(time.Hour)) {
					now = *o.NextPollAt
					_, err := s.Poll(context.Background(), o.Key())
					require.NoError(t, err)
				}
			}
			require.Equal(t, tc.want, o.Status)
		})
	}
}
