package store

import (
	"context"
	"fmt"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// chainedAttempt is what the chain of an attempt covers: the chain of the order's step or attempt before it, and its row.
func chainedAttempt(before []byte, a *db.InsertOrderAttemptParams) *seal.Row {
	return seal.Of("order_attempts").Bytes(before).UUID(a.ShopID).UUID(a.OrderID).Int(int64(a.Number)).Text(a.Provider).UUID(a.AccountID).
		Text(a.AccountName).Text(a.ProviderOrderID).Text(a.Reason).Text(a.FailureCode).Time(a.EndedAt)
}

// endedAttempts are the attempts of an order that ended since it was loaded, as rows, and the chain with which the order goes on.
func (s *Store) endedAttempts(ctx context.Context, o *lockedOrder) (rows []db.InsertOrderAttemptParams, chain []byte, err error) {
	chain = o.row.Chain
	ended := o.NewEndedAttempts()
	if len(ended) == 0 {
		return nil, chain, nil
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range ended {
		row := db.InsertOrderAttemptParams{
			ShopID: o.ShopID, OrderID: o.ID, Number: int32(e.Number), Provider: e.Provider, AccountID: e.AccountID, //nolint:gosec // at most payment's attempts
			AccountName: e.AccountName, ProviderOrderID: e.ProviderOrderID, Reason: text(e.Reason), FailureCode: text(e.FailureCode), EndedAt: e.At,
		}
		chain = sealer.Seal(chainedAttempt(chain, &row))
		row.Chain = chain
		rows = append(rows, row)
	}
	return rows, chain, nil
}

// moveOrder writes down the attempts that ended, and gives the order its next account after each: the database demands that order.
func (s *Store) moveOrder(ctx context.Context, q *db.Queries, o *lockedOrder) error {
	rows, _, err := s.endedAttempts(ctx, o)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := q.InsertOrderAttempt(ctx, row); err != nil {
			return err
		}
		if _, err := q.MoveOrder(ctx, db.MoveOrderParams{
			ShopID: o.ShopID, ID: o.ID, Provider: o.Provider, AccountID: o.AccountID, AccountName: o.AccountName, ProviderOrderID: o.ProviderOrderID,
		}); err != nil {
			return err
		}
	}
	return nil
}

// brokenAttempt returns the first attempt that is not as it was written, and what is wrong with it; "" is nothing. before is the chain
// of the order's first step.
func brokenAttempt(sealer *seal.Sealer, before []byte, attempts []db.OrderAttempt) (number int32, what string) {
	for i, a := range attempts {
		row := db.InsertOrderAttemptParams(a)
		switch {
		case int(a.Number) != i+1:
			return a.Number, fmt.Sprintf("the attempt before it is missing: %d follows %d", a.Number, i)
		case !sealer.Matches(chainedAttempt(before, &row), a.Chain):
			return a.Number, "the chain is broken: this attempt, or one before it, was changed"
		}
		before = a.Chain
	}
	return 0, ""
}

func endedAttempt(r db.OrderAttempt) payment.EndedAttempt {
	return payment.EndedAttempt{
		Number: int(r.Number), Provider: r.Provider, AccountID: r.AccountID, AccountName: r.AccountName, ProviderOrderID: r.ProviderOrderID,
		Reason: r.Reason, FailureCode: r.FailureCode, At: r.EndedAt.UTC(),
	}
}

// EndedAttempts implements payment.Store.
func (s *Store) EndedAttempts(ctx context.Context, key payment.Key) ([]payment.EndedAttempt, error) {
	attempts, whole, err := s.StoredAttempts(ctx, key)
	if err == nil && !whole {
		return nil, payment.ErrFrozen
	}
	return attempts, err
}

// StoredAttempts returns an order's attempts but for the present one as they are stored, and whether they are as they were written.
func (s *Store) StoredAttempts(ctx context.Context, key payment.Key) (attempts []payment.EndedAttempt, whole bool, err error) {
	var rows []db.OrderAttempt
	var history []db.HistoryRow
	err = s.read(ctx, "load attempts", func(ctx context.Context, q *db.Queries) (err error) {
		if history, err = q.History(ctx, db.HistoryParams{ShopID: key.Shop, OrderID: key.Order}); err == nil {
			rows, err = q.OrderAttempts(ctx, db.OrderAttemptsParams{ShopID: key.Shop, OrderID: key.Order})
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(history) == 0 {
		return nil, false, payment.ErrNotFound
	}
	for _, r := range rows {
		attempts = append(attempts, endedAttempt(r))
	}
	if whole, err = s.checkChain(ctx, history); err != nil || !whole {
		return attempts, false, err
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, false, err
	}
	number, what := brokenAttempt(sealer, history[0].OrderTransition.Chain, rows)
	if what != "" {
		s.sealBroken(Finding{"order_attempts", fmt.Sprintf("%s/%d", key.Order, number), what})
	}
	return attempts, what == "", nil
}
