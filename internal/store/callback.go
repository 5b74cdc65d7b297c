package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// keptVerdict is what became of a callback that was kept before.
type keptVerdict struct {
	Verdict string `db:"verdict"`
}

// ApplyCallback implements payment.Store.
func (s *Store) ApplyCallback(ctx context.Context, cb payment.Callback, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	var verdict payment.Verdict
	var reason string
	w := write{
		doing: "keep a callback", callback: &cb,
		judge:   func(o *payment.Order) error { verdict, reason = fn(o); return nil },
		verdict: func() (payment.Verdict, string) { return verdict, reason },
	}
	switch err := s.commit(ctx, &w); {
	case errors.Is(err, errAlone):
		return s.applyAlone(ctx, cb, pick, fn)
	case err != nil:
		return "", false, err
	case w.kept != nil:
		return payment.Verdict(w.kept.Verdict), true, nil
	}
	w.order.Saved()
	return verdict, false, nil
}

// keptCallback is the row of a callback that was judged.
func keptCallback(cb *payment.Callback, o *payment.Order, judged func() (payment.Verdict, string)) (db.InsertCallbackParams, error) {
	providerData, err := toJSONObject(cb.ProviderData)
	verdict, reason := judged()
	return db.InsertCallbackParams{
		AccountID: cb.AccountID, DedupeKey: cb.DedupeKey, ShopID: o.ShopID, OrderID: o.ID, ProviderOrderID: text(cb.ProviderOrderID),
		Verdict: string(verdict), Reason: text(reason), Reported: text(cb.Reported), ProviderData: providerData, ReceivedAt: cb.ReceivedAt,
	}, err
}

// applyAlone waits for the order's lock, keeps a callback that no order is known for, and finds the refund that one means.
func (s *Store) applyAlone(ctx context.Context, cb payment.Callback, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	providerData, err := toJSONObject(cb.ProviderData)
	if err != nil {
		return "", false, err
	}
	id := text(cb.ProviderOrderID)
	verdict, seen := payment.NoOrder, false
	var saved *payment.Order
	var all changes
	err = s.write(ctx, "keep a callback", func(ctx context.Context, tx pgx.Tx) error {
		verdict, seen, saved = payment.NoOrder, false, nil
		var kept *keptVerdict
		var parent *lockedParent
		var row *db.Order
		var lock queue
		ask(&lock, &parent, db.LockParentByProviderOrderID, id)
		ask(&lock, &row, db.OrderByProviderOrderIDForUpdate, id, cb.AccountID)
		// A statement of its own, so that it sees what was committed by whoever had the lock before.
		ask(&lock, &kept, db.CallbackVerdict, cb.DedupeKey)
		if err := lock.send(ctx, tx); err != nil {
			return err
		}
		if kept != nil {
			verdict, seen = payment.Verdict(kept.Verdict), true
			return nil
		}
		if row == nil {
			n, err := db.New(tx).InsertOrderlessCallback(ctx, db.InsertOrderlessCallbackParams{
				AccountID: cb.AccountID, DedupeKey: cb.DedupeKey, ProviderOrderID: id, Reported: text(cb.Reported), ProviderData: providerData, ReceivedAt: cb.ReceivedAt,
			})
			seen = n == 0
			return err
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
		judged, err := keptCallback(&cb, o, func() (payment.Verdict, string) { return verdict, reason })
		if err != nil {
			return err
		}
		all = changes{store: s, shop: s.oneShop(row.ShopID), callbacks: []db.InsertCallbackParams{judged}}
		if err := all.add(ctx, row, before, o); err != nil {
			return err
		}
		return all.send(ctx, tx)
	})
	if err != nil {
		return "", false, err
	}
	if saved != nil {
		saved.Saved()
		all.committed()
	}
	return verdict, seen, nil
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
