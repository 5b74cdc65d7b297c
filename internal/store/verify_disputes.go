package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// verifiedDisputes are a shop's disputes with what is compared with them, as of one moment.
type verifiedDisputes struct {
	rows    []db.DisputesToVerifyRow
	orders  []db.DisputedOrdersToVerifyRow
	missing []uuid.UUID
}

// disputes verifies that a shop's disputes are as payrelay wrote them, as their steps end, and as their payments say.
func (v *verification) disputes(ctx context.Context, shop uuid.UUID) error {
	var all verifiedDisputes
	err := v.store.snapshot(ctx, "verify disputes", func(ctx context.Context, q *db.Queries) (err error) {
		if all.rows, err = q.DisputesToVerify(ctx, shop); err != nil {
			return err
		}
		if all.missing, err = q.StepsWithoutDispute(ctx, shop); err != nil {
			return err
		}
		all.orders, err = q.DisputedOrdersToVerify(ctx, shop)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range all.missing {
		v.found(Finding{"disputes", id.String(), "the dispute is missing, and its history is there"})
	}
	return v.compareDisputes(ctx, all)
}

// disputedSums are what disputes took of an order, and how many of them refuse refunds.
type disputedSums struct{ taken, open int64 }

func (v *verification) compareDisputes(ctx context.Context, all verifiedDisputes) error {
	sealer, err := v.store.sealer(ctx)
	if err != nil {
		return err
	}
	sums := map[uuid.UUID]disputedSums{}
	for i := range all.rows {
		row := &all.rows[i]
		d := &row.Dispute
		switch {
		case !sealer.Matches(sealedDispute(d), d.Seal):
			v.found(Finding{"disputes", d.ID.String(), disputeFinding})
			continue
		case row.LastStatus != d.Status || row.Steps != int64(d.Sequence):
			v.found(Finding{"dispute_steps", d.ID.String(), "the dispute is not as its history ends"})
		}
		read, err := v.store.dispute(ctx, d)
		if err != nil {
			return err
		}
		sums[d.OrderID] = sums[d.OrderID].with(read)
	}
	for _, o := range all.orders {
		if want := (disputedSums{o.Taken, int64(o.DisputesOpen)}); sums[o.ID] != want {
			v.found(Finding{"disputes", o.ID.String(), fmt.Sprintf("disputes took %d of the payment and %d are open, and by their rows %d and %d", want.taken, want.open, sums[o.ID].taken, sums[o.ID].open)})
		}
	}
	return nil
}

// disputesOf verifies what one order says that disputes took of it.
func (v *verification) disputesOf(ctx context.Context, q *db.Queries, o *db.Order) error {
	const most = 1000
	rows, err := q.Disputes(ctx, db.DisputesParams{ShopID: &o.ShopID, OrderID: &o.ID, MaxRows: most})
	if err != nil {
		return err
	}
	all := verifiedDisputes{orders: []db.DisputedOrdersToVerifyRow{{ID: o.ID, Taken: o.AmountDisputed + o.AmountOverdrawn, DisputesOpen: o.DisputesOpen}}}
	for _, d := range rows {
		all.rows = append(all.rows, db.DisputesToVerifyRow{Dispute: d, LastStatus: d.Status, Steps: int64(d.Sequence)})
	}
	return v.compareDisputes(ctx, all)
}

func (s disputedSums) with(d payment.Dispute) disputedSums {
	taken, open := d.Weight()
	return disputedSums{s.taken + taken, s.open + int64(open)}
}
