package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// CreateProviderCharges implements payment.MandateStore. Whoever comes second waits for the mandate's lock, and finds the references
// of the first. That no reference is given twice, the table of references holds.
func (s *Store) CreateProviderCharges(ctx context.Context, key payment.Key, references []string, charges func(*payment.Mandate, map[string]payment.KnownCharge) []*payment.ProviderCharge) ([]*payment.ProviderCharge, error) {
	if _, err := s.distributed(ctx); err != nil { // else oneShop does not know
		return nil, err
	}
	var made []*payment.ProviderCharge
	var all changes
	err := s.write(ctx, "write down the charges of a mandate's provider", func(ctx context.Context, tx pgx.Tx) error {
		made, all = nil, changes{store: s, shop: s.oneShop(key.Shop)}
		m, _, err := s.lockMandate(ctx, tx, key, nil)
		if err != nil {
			return err
		}
		known, err := knownCharges(ctx, db.New(tx), key.Shop, references)
		if err != nil {
			return err
		}
		made = charges(m, known)
		for _, c := range made {
			if err := all.addBorn(ctx, c.Order, c.Complete); err != nil {
				return err
			}
		}
		return all.send(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range made {
		c.Order.Saved()
	}
	all.committed()
	return made, nil
}

// knownCharges are the orders that a shop has of these references.
func knownCharges(ctx context.Context, q *db.Queries, shop uuid.UUID, references []string) (map[string]payment.KnownCharge, error) {
	rows, err := q.ChargesCalled(ctx, db.ChargesCalledParams{ShopID: shop, Names: references})
	known := map[string]payment.KnownCharge{}
	for _, r := range rows {
		known[r.Reference] = payment.KnownCharge{Key: payment.Key{Shop: shop, Order: r.ID}, Status: payment.Status(r.Status)}
	}
	return known, err
}

// PlanMandate implements payment.MandateStore.
func (s *Store) PlanMandate(ctx context.Context, key payment.Key, at *time.Time) error {
	return s.read(ctx, "plan a mandate", func(ctx context.Context, q *db.Queries) error { // one statement is a transaction of its own
		if at == nil {
			return q.UnplanMandate(ctx, db.UnplanMandateParams{ShopID: key.Shop, ID: key.Order})
		}
		if !at.After(s.Now()) {
			return q.RunMandateAtOnce(ctx, db.RunMandateAtOnceParams{ShopID: key.Shop, ID: key.Order})
		}
		return q.PlanMandate(ctx, db.PlanMandateParams{ShopID: key.Shop, ID: key.Order, DueAt: *at})
	})
}

// runSchedule makes the mandate of a charge due at once, if its schedule goes on because of what the charge gathered.
func runSchedule(ctx context.Context, q *db.Queries, o *payment.Order) error {
	if !o.MovesSchedule() {
		return nil
	}
	return q.RunMandateAtOnce(ctx, db.RunMandateAtOnceParams{ShopID: o.ShopID, ID: *o.ParentID})
}

// LeaseDueMandates returns up to limit mandates that something is due about. Nobody else gets them before lease is over.
func (s *Store) LeaseDueMandates(ctx context.Context, limit int, lease time.Duration) ([]payment.Key, error) {
	var keys []payment.Key
	now := s.Now()
	err := s.leaseDue(ctx, due{
		doing: "lease due mandates",
		shops: func(ctx context.Context, q *db.Queries, most int32) ([]uuid.UUID, error) {
			return q.ShopsOfDueMandates(ctx, db.ShopsOfDueMandatesParams{Now: now, MaxRows: most})
		},
		take: func(ctx context.Context, q *db.Queries, shop *uuid.UUID, most int32) (int, error) {
			rows, err := q.LeaseDueMandates(ctx, db.LeaseDueMandatesParams{Now: now, ShopID: shop, LeasedUntil: now.Add(lease), MaxRows: most})
			for _, r := range rows {
				keys = append(keys, payment.Key{Shop: r.ShopID, Order: r.ID})
			}
			return len(rows), err
		},
	}, limit)
	return keys, err
}
