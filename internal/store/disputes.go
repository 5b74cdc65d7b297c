package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// A dispute's row has a seal, as an order's has. Its history is told by the steps of its order, whose chain covers them.

// disputeFinding is what is found of a dispute that something else than payrelay changed.
const disputeFinding = "this dispute was not written by payrelay as it is"

// sealedDispute is what the seal of a dispute covers: every column.
func sealedDispute(d *db.Dispute) *seal.Row {
	r := seal.Of("disputes").UUID(d.ShopID).UUID(d.ID).UUID(d.OrderID).Text(d.Kind).Text(d.Status).Int(d.Amount).Text(d.Currency).Int(d.Overdrawn).
		Bool(d.RefundsAllowed).Text(d.ReasonCode).Text(d.ProviderCase).Text(d.Source).Int(int64(d.Sequence)).Time(d.OpenedAt).Time(d.UpdatedAt)
	seal.Nullable(r, d.DueAt, (*seal.Row).Time)
	seal.Nullable(r, d.ClosedAt, (*seal.Row).Time)
	return seal.Nullable(r, d.RefundID, func(r *seal.Row, id uuid.UUID) *seal.Row { return r.UUID(id) })
}

// addDisputes adds the steps of disputes that an order gathered, and what they took of its money.
func (c *changes) addDisputes(ctx context.Context, statements *db.Queries, o *payment.Order) error {
	disputed := false
	for _, t := range o.Transitions() {
		if t.Dispute == nil {
			continue
		}
		disputed = true
		if err := c.store.writeDispute(ctx, statements, t.Dispute, t.Sequence); err != nil {
			return err
		}
	}
	if !disputed {
		return nil
	}
	_, err := statements.MoveDisputed(ctx, db.MoveDisputedParams{
		ShopID: o.ShopID, ID: o.ID, AmountDisputed: o.Disputed, AmountOverdrawn: o.Overdrawn, DisputesOpen: int32(o.DisputesOpen), //nolint:gosec // a count
	})
	return err
}

// lastDisputeStep is the step of a dispute that an order gathered last, nil for none.
func lastDisputeStep(o *payment.Order) *payment.Transition {
	for _, t := range slices.Backward(o.Transitions()) {
		if t.Dispute != nil {
			return &t
		}
	}
	return nil
}

// disputeAct is the entry in the audit log about an operator's step of a dispute. before are the facts of its order.
func disputeAct(t *payment.Transition, shop string, before map[string]any, o *payment.Order) act {
	step := t.Dispute
	action, d := "dispute set", step.After
	switch {
	case step.From == "":
		action = "dispute open"
	case d.Status.Final():
		action = "dispute resolve"
	}
	before["dispute_status"] = step.From
	after := orderFacts(o)
	after["order"], after["disputed"], after["overdrawn"] = o.ID, o.Disputed, o.Overdrawn
	after["dispute_kind"], after["dispute_status"], after["dispute_amount"], after["refunds_allowed"] = d.Kind, d.Status, d.Amount.Minor(), d.RefundsAllowed
	for _, field := range []string{payment.FieldNote, payment.FieldEvidence, payment.FieldEvidenceSHA256, payment.FieldEvidenceBytes} {
		if said := t.ProviderData[field]; said != "" {
			after[field] = said
		}
	}
	return act{action: action, kind: "dispute", object: d.ID.String(), shop: shop, before: before, after: after}
}

// addLate adds the order that carries money which came after an order had ended.
func (c *changes) addLate(ctx context.Context, o *lockedOrder) error {
	late := o.NewLate()
	if late == nil {
		return nil
	}
	if err := c.addBorn(ctx, late.Order, late.Complete); err != nil || o.SupersededBy == nil || *o.SupersededBy != late.Order.ID {
		return err
	}
	_, err := db.New(&c.rare).SupersedeOrder(ctx, db.SupersedeOrderParams{SupersededBy: &late.Order.ID, ShopID: o.ShopID, ID: o.ID})
	return err
}

// addBorn adds a new order as it is at first, and what it becomes when it is completed.
func (c *changes) addBorn(ctx context.Context, o *payment.Order, complete func()) error {
	born, err := c.store.insertion(ctx, o)
	if err != nil {
		return err
	}
	key, err := c.store.dataKey(o.ID, born.DataKey)
	if err != nil {
		return err
	}
	before, err := changeable(o)
	if err != nil {
		return err
	}
	o.Saved()
	complete()
	c.late.missed = payment.ErrReferenceTaken
	if _, err := db.New(&c.late).InsertOrder(ctx, born); err != nil {
		return err
	}
	return c.add(ctx, &lockedOrder{Order: o, row: &db.Order{Chain: born.Chain, Sequence: born.Sequence}, key: key, before: before})
}

// addPayment adds the dispute that a refund led to which had failed and was carried out after all.
func (c *changes) addPayment(ctx context.Context, refund *lockedOrder) error {
	if refund.payment == nil || len(refund.payment.Transitions()) == 0 {
		return nil
	}
	if _, err := db.New(&c.rare).SupersedeOrder(ctx, db.SupersedeOrderParams{SupersededBy: refund.SupersededBy, ShopID: refund.ShopID, ID: refund.ID}); err != nil {
		return err
	}
	return c.add(ctx, refund.payment)
}

func (s *Store) writeDispute(ctx context.Context, q *db.Queries, step *payment.DisputeStep, orderSequence int) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	d := disputeRow(&step.After)
	d.Seal = sealer.Seal(sealedDispute(&d))
	if step.From == "" {
		_, err = q.InsertDispute(ctx, db.InsertDisputeParams(d))
	} else {
		_, err = q.UpdateDispute(ctx, db.UpdateDisputeParams{
			Kind: d.Kind, Status: d.Status, RefundsAllowed: d.RefundsAllowed, ReasonCode: d.ReasonCode, ProviderCase: d.ProviderCase, DueAt: d.DueAt,
			Sequence: d.Sequence, UpdatedAt: d.UpdatedAt, ClosedAt: d.ClosedAt, Seal: d.Seal, ShopID: d.ShopID, ID: d.ID,
		})
	}
	if err != nil {
		return err
	}
	_, err = q.InsertDisputeStep(ctx, db.InsertDisputeStepParams{
		ShopID: d.ShopID, DisputeID: d.ID, Sequence: d.Sequence, OrderID: d.OrderID, OrderSequence: int32(orderSequence), //nolint:gosec // a count
		FromStatus: string(step.From), ToStatus: d.Status,
	})
	return err
}

// disputeRow is a dispute as a row, but for its seal.
func disputeRow(d *payment.Dispute) db.Dispute {
	return db.Dispute{
		ShopID: d.ShopID, ID: d.ID, OrderID: d.OrderID, Kind: string(d.Kind), Status: string(d.Status), Amount: d.Amount.Minor(), Currency: string(d.Amount.Currency()),
		Overdrawn: d.Overdrawn, RefundsAllowed: d.RefundsAllowed, ReasonCode: text(d.ReasonCode), ProviderCase: text(d.ProviderCase), DueAt: d.DueAt,
		Source: string(d.Source), Sequence: int32(d.Sequence), OpenedAt: d.OpenedAt, UpdatedAt: d.UpdatedAt, ClosedAt: d.ClosedAt, RefundID: d.RefundID, //nolint:gosec // a count
	}
}

// dispute turns a row into a dispute. One that payrelay has not written is an error: nothing is decided by it.
func (s *Store) dispute(ctx context.Context, r *db.Dispute) (payment.Dispute, error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return payment.Dispute{}, err
	}
	if !sealer.Matches(sealedDispute(r), r.Seal) {
		s.sealBroken(Finding{"disputes", r.ID.String(), disputeFinding})
		return payment.Dispute{}, payment.ErrFrozen
	}
	currency, err := money.KnownCurrency(r.Currency)
	if err != nil {
		return payment.Dispute{}, fmt.Errorf("read dispute %s: %w", r.ID, err)
	}
	return payment.Dispute{
		ID: r.ID, ShopID: r.ShopID, OrderID: r.OrderID, Kind: payment.DisputeKind(r.Kind), Status: payment.DisputeStatus(r.Status), Amount: money.New(r.Amount, currency),
		Overdrawn: r.Overdrawn, RefundsAllowed: r.RefundsAllowed, ReasonCode: r.ReasonCode, ProviderCase: r.ProviderCase, DueAt: utc(r.DueAt),
		Source: payment.Source(r.Source), Sequence: int(r.Sequence), OpenedAt: r.OpenedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), ClosedAt: utc(r.ClosedAt), RefundID: r.RefundID,
	}, nil
}

// Dispute implements payment.DisputeStore. With no shop it is of any shop, as an operator names it.
func (s *Store) Dispute(ctx context.Context, shop, id uuid.UUID) (payment.Dispute, error) {
	var row db.Dispute
	err := s.read(ctx, "load a dispute", func(ctx context.Context, q *db.Queries) (err error) {
		row, err = q.DisputeByID(ctx, db.DisputeByIDParams{ID: id, ShopID: anyShop(shop)})
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrNoDispute
		}
		return err
	})
	if err != nil {
		return payment.Dispute{}, err
	}
	return s.dispute(ctx, &row)
}

// disputeOfStep returns the step of a dispute that a step of an order is, with the dispute as it stands now; nil if it is none.
func (s *Store) disputeOfStep(ctx context.Context, key payment.Key, sequence int) (*payment.DisputeStep, error) {
	var row *db.DisputeOfStepRow
	err := s.read(ctx, "load the dispute of a step", func(ctx context.Context, q *db.Queries) error {
		found, err := q.DisputeOfStep(ctx, db.DisputeOfStepParams{ShopID: key.Shop, OrderID: key.Order, OrderSequence: int32(sequence)}) //nolint:gosec // a count
		if errors.Is(err, pgx.ErrNoRows) {
			row = nil
			return nil
		}
		row = &found
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	d, err := s.dispute(ctx, &row.Dispute)
	return &payment.DisputeStep{From: payment.DisputeStatus(row.FromStatus), To: payment.DisputeStatus(row.ToStatus), After: d}, err
}

// anyShop is a shop, or none for the zero id.
func anyShop(shop uuid.UUID) *uuid.UUID {
	if shop == uuid.Nil {
		return nil
	}
	return &shop
}

// Disputes implements payment.DisputeStore. With no shop they are of all shops. A row that payrelay has not written is left out.
func (s *Store) Disputes(ctx context.Context, f payment.DisputeFilter) (payment.Page[payment.Dispute], error) {
	limit := pageSize(f.Limit)
	p := db.DisputesParams{
		ShopID: anyShop(f.Shop), OrderID: f.Order, Kind: string(f.Kind), Status: string(f.Status), Open: f.Open, MaxRows: int32(limit + 1), //nolint:gosec // a page
	}
	if f.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(f.Cursor)
		id, idErr := uuid.FromBytes(raw)
		if err != nil || idErr != nil {
			return payment.Page[payment.Dispute]{}, payment.ErrCursor
		}
		p.Before = &id
	}
	var rows []db.Dispute
	err := s.read(ctx, "list disputes", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Disputes(ctx, p)
		return err
	})
	if err != nil {
		return payment.Page[payment.Dispute]{}, err
	}
	var page payment.Page[payment.Dispute]
	for i := range rows[:min(len(rows), limit)] {
		d, err := s.dispute(ctx, &rows[i])
		if errors.Is(err, payment.ErrFrozen) {
			continue
		}
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, d)
	}
	if len(rows) > limit {
		last := rows[limit-1].ID
		page.Next = base64.RawURLEncoding.EncodeToString(last[:])
	}
	return page, nil
}
