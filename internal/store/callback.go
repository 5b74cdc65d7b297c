package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// errSeen ends the transaction of a callback that was kept before.
var errSeen = errors.New("the callback was kept before")

// ApplyCallback implements payment.Store.
func (s *Store) ApplyCallback(ctx context.Context, cb payment.Callback, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	providerData, err := toJSONObject(cb.ProviderData)
	if err != nil {
		return "", false, err
	}
	id := text(cb.ProviderOrderID)
	verdict := payment.NoOrder
	var saved *payment.Order
	err = s.write(ctx, "keep a callback", func(ctx context.Context, tx pgx.Tx) error {
		verdict, saved = payment.NoOrder, nil
		var kept int64
		var parent *lockedParent
		var row *db.Order
		var lock queue
		// A second callback with this key waits at the first statement until this transaction is over.
		lock.batch.Queue(db.InsertCallback, cb.AccountID, cb.DedupeKey, id, text(cb.Reported), providerData, cb.ReceivedAt).
			Exec(func(tag pgconn.CommandTag) error { kept = tag.RowsAffected(); return nil })
		ask(&lock, &parent, db.LockParentByProviderOrderID, id)
		ask(&lock, &row, db.OrderByProviderOrderIDForUpdate, id, cb.AccountID)
		if err := lock.send(ctx, tx); err != nil {
			return err
		}
		if kept == 0 {
			return errSeen
		}
		if row == nil {
			return nil
		}
		if cb.Kind == gateway.KindRefund && row.Kind == string(gateway.KindPayment) {
			refund, err := refundMeant(ctx, tx, row, pick)
			if err != nil {
				return err
			}
			if refund != nil {
				row = refund
			}
		}
		o, before, err := s.loaded(row)
		if err != nil {
			return err
		}
		var reason string
		verdict, reason = fn(o)
		saved = o
		var q queue
		if _, err := db.New(&q).SettleCallback(ctx, db.SettleCallbackParams{
			ShopID: &o.ShopID, OrderID: &o.ID, Verdict: string(verdict), Reason: text(reason), AccountID: cb.AccountID, DedupeKey: cb.DedupeKey,
		}); err != nil {
			return err
		}
		return s.save(ctx, tx, row, before, o, &q)
	})
	if errors.Is(err, errSeen) {
		err = s.read(ctx, "read a kept callback", func(ctx context.Context, q *db.Queries) error {
			kept, err := q.CallbackVerdict(ctx, db.CallbackVerdictParams{AccountID: cb.AccountID, DedupeKey: cb.DedupeKey})
			verdict = payment.Verdict(kept)
			return err
		})
		return verdict, err == nil, err
	}
	if err != nil {
		return "", false, err
	}
	if saved != nil {
		saved.Saved()
	}
	return verdict, false, nil
}

// refundMeant returns the refund that pick chooses among those of a locked payment, locked too, nil if it chooses none. Whoever
// changes a refund's status locks its payment first, so the facts hold as long as the payment's lock.
func refundMeant(ctx context.Context, tx pgx.Tx, paid *db.Order, pick func([]payment.RefundFacts) *payment.RefundFacts) (*db.Order, error) {
	rows, err := db.New(tx).RefundsOf(ctx, db.RefundsOfParams{ShopID: paid.ShopID, ParentID: &paid.ID})
	if err != nil {
		return nil, err
	}
	meant := pick(refundFacts(rows))
	if meant == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	var refund *db.Order
	var batch queue
	ask(&batch, &refund, db.OrderForUpdate, paid.ShopID, meant.ID)
	return refund, batch.send(ctx, tx)
}

// refundFacts gathers the rows of each refund, which has one for each thing that callbacks said of it.
func refundFacts(rows []db.RefundsOfRow) []payment.RefundFacts {
	var facts []payment.RefundFacts
	for _, row := range rows {
		if n := len(facts); n == 0 || facts[n-1].ID != row.ID {
			facts = append(facts, payment.RefundFacts{
				ID: row.ID, Minor: row.Minor, Status: payment.Status(row.Status), FinalizedAt: row.FinalizedAt,
				ProviderReference: row.ProviderReference, FailureCode: row.FailureCode,
			})
		}
		if row.Verdict != "" {
			last := &facts[len(facts)-1]
			last.Judged = append(last.Judged, payment.JudgedCallback{Reported: row.Reported, Verdict: payment.Verdict(row.Verdict)})
		}
	}
	return facts
}
