package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/plural"
	"payrelay/internal/store/internal/db"
)

// uses verifies that what is used of limits is the sum of the orders that are counted with them.
func (v *verification) uses(ctx context.Context) error {
	return v.store.readWithin(ctx, verifyLimit, "read what is used of limits", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.UsesToVerify(ctx, v.store.Now())
		for _, r := range rows {
			v.found(Finding{"limit_uses", r.ID.String(), fmt.Sprintf("from %s on, %s in %s is used, and by the orders %s in %d",
				r.BeginsAt.UTC().Format("2006-01-02T15:04:05Z"), r.UsedAmount, plural.Of(r.UsedOrders, "order", "orders"), r.CountedAmount, r.CountedOrders)})
		}
		return err
	})
}

// pauses verifies that the shops are paused that operators or declines paused.
func (v *verification) pauses(ctx context.Context) error {
	return v.store.readWithin(ctx, verifyLimit, "read pauses", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.PausesToVerify(ctx)
		for _, shop := range rows {
			v.found(Finding{"paused_shops", shop.String(), "the direct card payments of the shop must be paused, and are not"})
		}
		return err
	})
}

// reservations verifies the sums with which a shop's orders are counted.
func (v *verification) reservations(ctx context.Context, shop uuid.UUID) error {
	return v.store.readWithin(ctx, verifyLimit, "read what orders are counted with", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.ReservationsToVerify(ctx, shop)
		for _, order := range rows {
			v.found(Finding{"limit_reservations", order.String(), "the order is counted with limits by another sum than its own, or is missing"})
		}
		return err
	})
}
