package payment

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// attemptStore is a store of one order, which it does not save if refusal says why.
type attemptStore struct {
	pollStore
	refusal error
}

func (s *attemptStore) CreateOrder(_ context.Context, o *Order) (*Order, bool, error) {
	s.order = o
	return o, true, nil
}

func (s *attemptStore) UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error) {
	if s.refusal != nil {
		return nil, s.refusal
	}
	return s.pollStore.UpdateOrder(ctx, key, fn)
}

// An answer that cannot be written down is an error, and no order is returned as if it had been.
func TestAnAnswerThatCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, refusal := range []error{nil, broken} {
		s := New(Config{Store: &attemptStore{refusal: refusal}})
		o, isNew, err := s.begin(t.Context(), newTestOrder(), attempt{operation: "payment", call: func(context.Context) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing}, nil
		}})
		require.ErrorIs(t, err, refusal)
		require.Equal(t, refusal == nil, isNew)
		require.Equal(t, refusal == nil, o != nil)
	}
}

// A capture was begun while an older call was under way. That call's failure says nothing of the capture. What it brought is
// recorded, but for what the adapter knows already by a newer answer.
func TestAnAnswerThatACommandHasOvertaken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err       error
		reference string
		verdict   Verdict
		state     map[string]gateway.Secret
	}{
		"an answer":  {nil, "p-1", Stale, map[string]gateway.Secret{"session": "newer", "only here": "old"}},
		"a failure":  {&gateway.Error{Kind: gateway.KindDeclined, Code: "NO"}, "", Stale, map[string]gateway.Secret{"session": "newer"}},
		"no answer":  {&gateway.Error{Kind: gateway.KindUnknown}, "", Stale, map[string]gateway.Secret{"session": "newer"}},
		"a taken id": {&gateway.Error{Kind: gateway.KindDuplicate}, "", Stale, map[string]gateway.Secret{"session": "newer"}},
	} {
		o, verdict := authorizedOrder(t), Verdict("")
		s := New(Config{Store: &attemptStore{pollStore: pollStore{order: o}}, Observe: func(e Event) { verdict = e.Verdict }})
		asked := *o
		_, _, err := s.attempt(t.Context(), &asked, attempt{operation: "payment", call: func(context.Context) (gateway.Result, error) {
			o.command(s.policy(), gateway.OpCapture, epoch)
			o.ProviderState = map[string]gateway.Secret{"session": "newer"}
			return gateway.Result{
				Status: gateway.StatusAuthorized, ProviderReference: "p-1", State: map[string]gateway.Secret{"session": "old", "only here": "old"},
			}, tc.err
		}})
		require.NoError(t, err, name)
		require.Equal(t, tc.verdict, verdict, name)
		require.Equal(t, tc.reference, o.ProviderReference, name)
		require.Equal(t, tc.state, o.ProviderState, name)
		require.Equal(t, StatusProcessing, o.Status, name)
		require.False(t, o.CommandAccepted, name)
		require.Zero(t, o.Conflicts, name)
	}
}

// A call begins only before its time is over, however long its order was written down for.
func TestACallBeginsInTime(t *testing.T) {
	t.Parallel()
	for left, sent := range map[time.Duration]bool{time.Minute: true, time.Nanosecond: true, 0: false, -time.Second: false} {
		made := false
		call := New(Config{Now: func() time.Time { return epoch }}).inTime(attempt{
			operation: "payment", until: epoch.Add(left), call: func(context.Context) (gateway.Result, error) { made = true; return gateway.Result{}, nil },
		})
		_, err := call(t.Context())
		require.Equal(t, sent, made, left)
		require.Equal(t, sent, err == nil, left)
		if !sent {
			require.Equal(t, gateway.KindNotSent, gateway.KindOf(err), left)
		}
	}
}
