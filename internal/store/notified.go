package store

import (
	"context"

	"payrelay/internal/payment"
)

// Notified implements payment.Store.
func (s *Store) Notified(ctx context.Context, key payment.Key) ([]payment.Notified, error) {
	notifications, err := s.NotificationsOf(ctx, key)
	if err != nil {
		return nil, err
	}
	attempts, err := s.Attempts(ctx, key)
	if err != nil {
		return nil, err
	}
	last := map[int]*payment.Attempt{} // by sequence: attempts come in order
	for _, a := range attempts {
		last[a.Sequence] = &payment.Attempt{At: a.At, Duration: a.Duration, HTTPStatus: a.HTTPStatus, Error: a.Error, Delivered: a.Error == ""}
	}
	list := make([]payment.Notified, len(notifications))
	for i, n := range notifications {
		list[i] = payment.Notified{
			Sequence: n.Sequence, ID: n.ID, State: stateOf(n.State), URL: n.URL, Attempts: n.Attempts, Last: last[n.Sequence], DeliveredAt: n.DeliveredAt,
		}
		if n.State == statePending {
			list[i].NextAttemptAt = &n.NextAttemptAt
		}
	}
	return list, nil
}

// stateOf is a state as shops and operators know it.
func stateOf(state string) payment.NotificationState {
	if state == stateDeadLettered {
		return payment.NotificationDead
	}
	return payment.NotificationState(state)
}
