package store

import (
	"context"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// moveOrder writes down that an attempt sent nothing, and then gives the order its next account: the database demands that order.
func moveOrder(ctx context.Context, q *db.Queries, o *payment.Order, ended payment.EndedAttempt) error {
	if _, err := q.InsertOrderAttempt(ctx, db.InsertOrderAttemptParams{
		ShopID: o.ShopID, OrderID: o.ID, Number: int32(ended.Number), Provider: ended.Provider, AccountID: ended.AccountID, //nolint:gosec // at most payment's attempts
		AccountName: ended.AccountName, ProviderOrderID: ended.ProviderOrderID, Reason: text(ended.Reason), EndedAt: ended.At,
	}); err != nil {
		return err
	}
	_, err := q.MoveOrder(ctx, db.MoveOrderParams{
		ShopID: o.ShopID, ID: o.ID, Provider: o.Provider, AccountID: o.AccountID, AccountName: o.AccountName, ProviderOrderID: o.ProviderOrderID,
	})
	return err
}

// EndedAttempts implements payment.Store.
func (s *Store) EndedAttempts(ctx context.Context, key payment.Key) ([]payment.EndedAttempt, error) {
	var rows []db.OrderAttemptsRow
	err := s.read(ctx, "load attempts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.OrderAttempts(ctx, db.OrderAttemptsParams{ShopID: key.Shop, OrderID: key.Order})
		return err
	})
	attempts := make([]payment.EndedAttempt, len(rows))
	for i, r := range rows {
		attempts[i] = payment.EndedAttempt{
			Number: int(r.Number), Provider: r.Provider, AccountID: r.AccountID, AccountName: r.AccountName, ProviderOrderID: r.ProviderOrderID,
			Reason: r.Reason, At: r.EndedAt.UTC(),
		}
	}
	return attempts, err
}
