package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
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
	shop, err := s.namedShop(ctx, cb.ProviderOrderID)
	if err != nil {
		return "", false, err
	}
	w := write{
		doing: "keep a callback", callback: &cb, callbackShop: shop,
		judge:   func(o *payment.Order) error { verdict, reason = fn(o); return nil },
		verdict: func() (payment.Verdict, string) { return verdict, reason },
	}
	switch err := s.commit(ctx, &w); {
	case errors.Is(err, errAlone):
		return s.applyAlone(ctx, cb, shop, pick, fn)
	case err != nil:
		return "", false, err
	case w.kept != nil:
		return payment.Verdict(w.kept.Verdict), true, nil
	}
	w.order.Saved()
	return verdict, false, nil
}

// keptCallback is the row of a callback that was judged.
func keptCallback(cb *payment.Callback, o *lockedOrder, judged func() (payment.Verdict, string)) (db.InsertCallbackParams, error) {
	providerData, err := sealData(o.key, cb.ProviderData, placeCallback)
	verdict, reason := judged()
	return db.InsertCallbackParams{
		AccountID: cb.AccountID, DedupeKey: cb.DedupeKey, ShopID: o.ShopID, OrderID: o.ID, ProviderOrderID: text(cb.ProviderOrderID),
		Verdict: string(verdict), Reason: text(reason), Reported: text(cb.Reported), ProviderData: providerData, ReceivedAt: cb.ReceivedAt,
	}, err
}

// namedShop is whose order an id at a provider is of, by what the id says; nil if it says nothing.
func (s *Store) namedShop(ctx context.Context, id string) (*uuid.UUID, error) {
	shop, ok, err := s.ShopOfProviderOrderID(ctx, id)
	if err != nil || !ok {
		return nil, err
	}
	return &shop, nil
}

// shopWith returns the shop that has the order of a callback: the one that its id names, or else any; nil if none has it.
func (s *Store) shopWith(ctx context.Context, cb *payment.Callback, named *uuid.UUID) (*uuid.UUID, error) {
	var shop *uuid.UUID
	err := s.read(ctx, "find the order of a callback", func(ctx context.Context, q *db.Queries) error {
		shop = nil
		p := db.ShopOfProviderOrderParams{ProviderOrderID: text(cb.ProviderOrderID), ShopID: named, AccountID: cb.AccountID}
		found, err := q.ShopOfProviderOrder(ctx, p)
		if errors.Is(err, pgx.ErrNoRows) && named != nil {
			p.ShopID = nil
			found, err = q.ShopOfProviderOrder(ctx, p)
		}
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err == nil:
			shop = &found
		}
		return err
	})
	return shop, err
}

// keepOrderless keeps a callback that no order is known for, and reports whether it was kept before.
func (s *Store) keepOrderless(ctx context.Context, cb *payment.Callback) (seen bool, err error) {
	providerData, err := toJSONObject(cb.ProviderData)
	if err != nil {
		return false, err
	}
	err = s.read(ctx, "keep a callback", func(ctx context.Context, q *db.Queries) error { // one statement is a transaction of its own
		n, err := q.InsertOrderlessCallback(ctx, db.InsertOrderlessCallbackParams{
			AccountID: cb.AccountID, DedupeKey: cb.DedupeKey, ProviderOrderID: text(cb.ProviderOrderID), Reported: text(cb.Reported),
			ProviderData: providerData, ReceivedAt: cb.ReceivedAt,
		})
		seen = n == 0
		return err
	})
	return seen, err
}

// callbackLock is how the order of a callback is locked: ask queues the statements, and order reads what they brought.
type callbackLock struct {
	ask   func(*queue)
	order func(context.Context, pgx.Tx) (*lockedOrder, error)
}

// errMoved says that an order went to another account while its lock was awaited.
var errMoved = errors.New("the order of a callback has gone to another account")

// applyAlone waits for the order's lock, keeps a callback that no order is known for, and finds the refund that one means.
func (s *Store) applyAlone(ctx context.Context, cb payment.Callback, named *uuid.UUID, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	shop, err := s.shopWith(ctx, &cb, named)
	if err != nil {
		return "", false, err
	}
	if shop == nil {
		return s.applyToEnded(ctx, cb, named, pick, fn)
	}
	id := text(cb.ProviderOrderID)
	var parents []*db.Order
	var row *db.Order
	verdict, seen, err := s.judgeAlone(ctx, &cb, *shop, fn, callbackLock{
		ask: func(lock *queue) {
			parents, row = nil, nil
			askAll(lock, func(found []*db.Order) { parents = found }, db.LockParentByProviderOrderID, id, *shop)
			ask(lock, &row, db.OrderByProviderOrderIDForUpdate, id, *shop, cb.AccountID)
		},
		order: func(ctx context.Context, tx pgx.Tx) (*lockedOrder, error) {
			if row == nil {
				return nil, errMoved
			}
			if cb.Kind == gateway.KindRefund && row.Kind == string(gateway.KindPayment) {
				refund, err := refundMeant(ctx, tx, row, pick)
				if err != nil {
					return nil, err
				}
				if refund != nil {
					parents, row = []*db.Order{row}, refund
				}
			}
			return s.loaded(ctx, row, parentOf(row, parents))
		},
	})
	if errors.Is(err, errMoved) {
		return s.applyToEnded(ctx, cb, named, pick, fn)
	}
	return verdict, seen, err
}

// applyToEnded has a callback judged that is about an attempt which has ended, or else keeps it as one that no order is known for. If
// another callback or an operator has the attempt taken over meanwhile, the callback is about the order that did.
func (s *Store) applyToEnded(ctx context.Context, cb payment.Callback, named *uuid.UUID, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	attempt, err := s.endedAttemptCalled(ctx, &cb, named)
	if err != nil {
		return "", false, err
	}
	if attempt == nil {
		seen, err := s.keepOrderless(ctx, &cb)
		return payment.NoOrder, seen, err
	}
	var row *db.Order
	verdict, seen, err := s.judgeAlone(ctx, &cb, attempt.ShopID, fn, callbackLock{
		ask: func(lock *queue) {
			row = nil
			ask(lock, &row, db.OrderForUpdate, attempt.ShopID, attempt.OrderID)
		},
		order: func(ctx context.Context, _ pgx.Tx) (*lockedOrder, error) {
			if row == nil {
				return nil, errors.New("the order of an attempt is gone")
			}
			o, err := s.loaded(ctx, row, nil)
			if err == nil {
				ended := endedAttempt(*attempt)
				o.EndedAttempt = &ended
			}
			return o, err
		},
	})
	if errors.Is(err, payment.ErrReferenceTaken) {
		if shop, failed := s.shopWith(ctx, &cb, named); failed == nil && shop != nil {
			return s.applyAlone(ctx, cb, named, pick, fn)
		}
	}
	return verdict, seen, err
}

// judgeAlone has an order judged by a callback in a transaction of its own, unless the callback was kept before.
func (s *Store) judgeAlone(ctx context.Context, cb *payment.Callback, shop uuid.UUID, fn func(*payment.Order) (payment.Verdict, string), locked callbackLock) (verdict payment.Verdict, seen bool, err error) {
	var saved *payment.Order
	var all changes
	err = s.write(ctx, "keep a callback", func(ctx context.Context, tx pgx.Tx) error {
		verdict, seen, saved = "", false, nil
		var kept *keptVerdict
		var lock queue
		locked.ask(&lock)
		// A statement of its own, so that it sees what was committed by whoever had the lock before.
		ask(&lock, &kept, db.CallbackVerdict, cb.DedupeKey, shop)
		if err := lock.send(ctx, tx); err != nil {
			return err
		}
		if kept != nil {
			verdict, seen = payment.Verdict(kept.Verdict), true
			return nil
		}
		o, err := locked.order(ctx, tx)
		if err != nil {
			return err
		}
		var reason string
		verdict, reason = fn(o.Order)
		saved = o.Order
		judged, err := keptCallback(cb, o, func() (payment.Verdict, string) { return verdict, reason })
		if err != nil {
			return err
		}
		all = changes{store: s, shop: s.oneShop(o.ShopID), callbacks: []db.InsertCallbackParams{judged}}
		if err := all.add(ctx, o); err != nil {
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

// endedAttemptCalled returns the attempt that has ended and that a callback is about, nil for none.
func (s *Store) endedAttemptCalled(ctx context.Context, cb *payment.Callback, named *uuid.UUID) (attempt *db.OrderAttempt, err error) {
	err = s.read(ctx, "find the attempt of a callback", func(ctx context.Context, q *db.Queries) error {
		attempt = nil
		found, err := q.EndedAttemptCalled(ctx, db.EndedAttemptCalledParams{ProviderOrderID: text(cb.ProviderOrderID), AccountID: cb.AccountID, ShopID: named})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err == nil:
			attempt = &found
		}
		return err
	})
	return attempt, err
}

// parentOf returns the payment of a refund among locked ones, nil for none.
func parentOf(row *db.Order, parents []*db.Order) *db.Order {
	for _, p := range parents {
		if row.ParentID != nil && *row.ParentID == p.ID {
			return p
		}
	}
	return nil
}

// refundMeant returns the refund that pick chooses among those of a locked payment, locked too, nil if it chooses none. Whoever
// changes a refund's status locks its payment first, so the facts hold as long as the payment's lock.
func refundMeant(ctx context.Context, tx pgx.Tx, paid *db.Order, pick func([]payment.RefundFacts) *payment.RefundFacts) (*db.Order, error) {
	rows, err := db.New(tx).RefundsOf(ctx, db.RefundsOfParams{ShopID: paid.ShopID, ParentID: &paid.ID})
	if err != nil {
		return nil, err
	}
	facts, err := refundFacts(rows)
	if err != nil {
		return nil, err
	}
	meant := pick(facts)
	if meant == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	var refund *db.Order
	var batch queue
	ask(&batch, &refund, db.OrderForUpdate, paid.ShopID, meant.ID)
	return refund, batch.send(ctx, tx)
}

// refundFacts gathers the rows of each refund, which has one for each thing that callbacks said of it.
func refundFacts(rows []db.RefundsOfRow) (facts []payment.RefundFacts, err error) {
	for _, row := range rows {
		if n := len(facts); n == 0 || facts[n-1].ID != row.ID {
			var references map[string]payment.Status
			if err := fromJSON(row.BankReferences, &references); err != nil {
				return nil, err
			}
			facts = append(facts, payment.RefundFacts{
				ID: row.ID, Minor: row.Minor, Status: payment.Status(row.Status), FinalizedAt: row.FinalizedAt,
				ProviderReference: row.ProviderReference, FailureCode: row.FailureCode, CarriedOut: row.CarriedOut, BankReferences: references,
			})
		}
		if row.Verdict != "" {
			last := &facts[len(facts)-1]
			last.Judged = append(last.Judged, payment.JudgedCallback{Reported: row.Reported, Verdict: payment.Verdict(row.Verdict)})
		}
	}
	return facts, nil
}
