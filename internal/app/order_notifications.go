package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"payrelay/internal/payment"
	"payrelay/internal/plural"
)

// notificationLines tells of an order's notifications and of each attempt to deliver them.
func notificationLines(ctx context.Context, db *database, key payment.Key) ([]line, error) {
	notifications, err := db.store.NotificationsOf(ctx, key)
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, n := range notifications {
		detail := fmt.Sprintf("%d: %s %s", n.Sequence, n.Type, n.State)
		if n.Attempts > 0 {
			detail += " after " + plural.Of(n.Attempts, "attempt", "attempts")
		}
		if n.State == "pending" && n.Attempts > 0 {
			detail += ", next at " + n.NextAttemptAt.Format(time.RFC3339)
		}
		if n.URL != "" {
			detail += ", to " + n.URL
		}
		lines = append(lines, line{n.CreatedAt, "notification", detail, nil})
	}
	attempts, err := db.store.Attempts(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts {
		detail := fmt.Sprintf("%d: attempt %d: %s", a.Sequence, a.Attempt, cmp.Or(a.Error, "delivered"))
		if a.HTTPStatus != 0 {
			detail += fmt.Sprintf(", HTTP %d", a.HTTPStatus)
		}
		lines = append(lines, line{a.At, "delivery", detail + " after " + a.Duration.String(), nil})
	}
	return lines, nil
}
