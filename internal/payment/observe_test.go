package payment

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// callbackStore is a pollStore that every callback is about.
type callbackStore struct {
	pollStore
	refunds []RefundFacts // of the order's payment
}

func (s *callbackStore) AccountByCallbackToken(context.Context, string) (Account, error) {
	return Account{ID: s.order.AccountID, Name: "test", Provider: "fake", Currency: "EUR"}, nil
}

func (s *callbackStore) ApplyCallback(_ context.Context, _ Callback, pick func([]RefundFacts) *RefundFacts, fn func(*Order) (Verdict, string)) (Verdict, bool, error) {
	pick(s.refunds)
	verdict, _ := fn(s.order)
	return verdict, false, nil
}

// TestEveryNewConflictIsTold: an observation that is applied may be a contradiction too, by whatever road it came.
func TestEveryNewConflictIsTold(t *testing.T) {
	t.Parallel()
	part := int64(900)
	settled := gateway.Result{Status: gateway.StatusSucceeded, Settled: &part}
	fake := &gatewaytest.Fake{
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return settled, nil },
		ReadCallbackFunc: func(gateway.RawCallback) (gateway.Notification, error) {
			return gateway.Notification{OrderID: "o", Fingerprint: []byte("f"), Result: settled}, nil
		},
	}
	for cause, report := range map[Source]func(*Service, *Order) error{
		SourceAnswer: func(s *Service, o *Order) error {
			_, err := s.ask(t.Context(), o, "payment", func(context.Context) (gateway.Result, error) { return settled, nil })
			return err
		},
		SourceStatusPoll: func(s *Service, o *Order) error {
			_, err := s.Poll(t.Context(), o.Key())
			return err
		},
		SourceCallback: func(s *Service, _ *Order) error {
			_, err := s.HandleCallback(t.Context(), "fake", "token", gateway.RawCallback{})
			return err
		},
	} {
		o := orderIn(t, StatusProcessing)
		o.Provider, o.AccountID = "fake", uuid.New()
		var reported []Event
		s := New(Config{Store: &callbackStore{pollStore: pollStore{order: o}}, Drivers: gateway.NewRegistry(fake), Observe: func(e Event) { reported = append(reported, e) }})
		require.NoError(t, report(s, o), cause)
		require.Len(t, reported, 1, cause)
		require.Equal(t, cause, reported[0].Source)
		require.Equal(t, Apply, reported[0].Verdict, cause)
		require.Equal(t, 1, reported[0].Conflicts, cause)
		require.Equal(t, o.ID, reported[0].Order, cause)
	}
}

// ask makes an attempt as every use case does.
func (s *Service) ask(ctx context.Context, stored *Order, operation string, call providerCall) (*Order, error) {
	o, _, err := s.attempt(ctx, stored, attempt{operation: operation, call: call})
	return o, err
}
