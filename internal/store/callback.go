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
func (s *Store) ApplyCallback(ctx context.Context, cb payment.Callback, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
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
		others := 0
		if cb.Kind == gateway.KindRefund && row.Kind == string(gateway.KindPayment) {
			refund, n, err := refundOf(ctx, tx, row, cb)
			if err != nil {
				return err
			}
			if refund != nil && !unrecorded(refund, cb) {
				row, others = refund, n
			}
		}
		o, before, err := s.loaded(row)
		if err != nil {
			return err
		}
		o.SameSumRefunds = others
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

// refundOf returns the refund of a locked payment that a callback naming the payment is about, locked too, nil if there
// is none; and how many others it could as well be about.
func refundOf(ctx context.Context, tx pgx.Tx, paid *db.Order, cb payment.Callback) (*db.Order, int, error) {
	var refund *db.Order
	var batch queue
	ask(&batch, &refund, db.RefundForUpdate, paid.ShopID, &paid.ID, cb.Minor, cb.Reported)
	if err := batch.send(ctx, tx); err != nil || refund == nil {
		return nil, 0, err
	}
	others, err := db.New(tx).RefundNamesakes(ctx, db.RefundNamesakesParams{
		ShopID: paid.ShopID, ParentID: &paid.ID, ID: refund.ID, Amount: refund.Amount, Identified: refund.ProviderReference != "",
	})
	return refund, int(others), err
}

// unrecorded reports whether a callback says that a sum went back for which there is no refund, only one of another sum.
func unrecorded(refund *db.Order, cb payment.Callback) bool {
	return cb.Reported == string(payment.StatusSucceeded) && cb.Minor > 0 && (refund.Amount == nil || *refund.Amount != cb.Minor)
}
