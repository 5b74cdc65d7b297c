package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

// An order's row has a seal, and its history is a chain: both are made with a key that the database holds encrypted only. Whoever
// writes to the database alone can make neither. See docs/integrity.md.

// sealedOrder is what the seal of an order covers: what steers money, and the chain of its newest transition. What is encrypted
// is bound to its row already; a test lists what else is left out.
func sealedOrder(o *payment.Order, chain []byte) *seal.Row {
	r := seal.Of("orders").UUID(o.ShopID).UUID(o.ID).Bytes(chain)
	r.Text(string(o.Kind)).Text(o.Reference).Text(string(o.RequestHash))
	for _, other := range []*uuid.UUID{o.ParentID, o.SupersededBy} {
		seal.Nullable(r, other, func(r *seal.Row, id uuid.UUID) *seal.Row { return r.UUID(id) })
	}
	r.Text(string(o.Status)).Text(string(o.Operation)).Bool(o.Manual).Bool(o.FormLost).Int(int64(o.Sequence)).Int(int64(o.Conflicts))
	r.Int(o.Amount.Minor()).Text(string(o.Amount.Currency())).Int(o.Authorized).Int(o.Captured).Int(o.Refunded).Int(o.RefundReserved).Int(o.CaptureAmount)
	r.Int(o.Disputed).Int(o.Overdrawn).Int(int64(o.DisputesOpen))
	seal.Nullable(r, o.ReportedAmount, (*seal.Row).Int)
	r.Text(string(o.Flow)).Bool(o.Recurring).Text(string(o.Cascade)).Text(o.Provider).UUID(o.AccountID).Text(o.AccountName).Text(o.ProviderOrderID)
	r.Text(text(o.ProviderReference)).Text(o.NotificationURL).Time(o.CreatedAt)
	seal.Nullable(r, o.FinalizedAt, (*seal.Row).Time)
	r.Time(o.PollsSince).Int(int64(o.Denials)).Bool(o.Acknowledged).Bool(o.CommandAccepted).Text(string(o.PendingStatus))
	seal.Nullable(r, o.FirstDenialAt, (*seal.Row).Time)
	return seal.Nullable(r, o.PendingSince, (*seal.Row).Time)
}

// chained is what the chain of a transition covers: the chain of the one before it, which the first has none of, and its row. What
// the provider said is covered as it rests, encrypted, so an erasure leaves the chain whole.
func chained(before []byte, t *db.InsertTransitionParams) *seal.Row {
	return seal.Of("order_transitions").Bytes(before).UUID(t.ShopID).UUID(t.OrderID).Int(int64(t.Sequence)).
		Text(t.FromStatus).Text(t.ToStatus).Text(t.Source).Time(t.At).Int(t.Captured).Int(t.Refunded).Bytes(t.ProviderData)
}

// transitions are an order's new transitions as rows, each with its chain. head is the chain of the newest transition.
func (s *Store) transitions(ctx context.Context, chain []byte, key *secrets.DataKey, o *payment.Order) (rows []db.InsertTransitionParams, head []byte, err error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range o.Transitions() {
		row, err := transitionRow(key, o, t)
		if err != nil {
			return nil, nil, err
		}
		chain = sealer.Seal(chained(chain, &row))
		row.Chain = chain
		rows = append(rows, row)
	}
	return rows, chain, nil
}

// transitionRow is a new transition as a row, but for its chain.
func transitionRow(key *secrets.DataKey, o *payment.Order, t payment.Transition) (db.InsertTransitionParams, error) {
	after := t.After
	if after == nil {
		after = o
	}
	providerData, err := sealData(key, t.ProviderData, placeTransition)
	return db.InsertTransitionParams{
		ShopID: o.ShopID, OrderID: o.ID, Sequence: int32(t.Sequence), FromStatus: string(t.From), ToStatus: string(t.To), //nolint:gosec // a count
		Source: string(t.Source), ProviderData: providerData, At: t.At, Captured: after.Captured, Refunded: after.Refunded,
	}, err
}

// usable returns an error if an order's seal is broken: nothing is done with it, and nobody is told what it says.
func (s *Store) usable(o *payment.Order) error {
	if o.Frozen {
		return payment.ErrFrozen
	}
	return nil
}

// checkSeal freezes an order whose row is not as payrelay wrote it.
func (s *Store) checkSeal(ctx context.Context, o *payment.Order, row *db.Order) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	if o.Frozen = !sealer.Matches(sealedOrder(o, row.Chain), row.Seal); o.Frozen {
		s.sealBroken(Finding{"orders", o.ID.String(), sealFinding})
	}
	return nil
}

// brokenStep returns the first step of a history that is not as it was written, and what is wrong with it; "" is nothing. moved is
// the chain of the newest attempt that ended, empty for none: all are between the first step and the second.
func brokenStep(sealer *seal.Sealer, history []db.OrderTransition, moved []byte) (step int32, what string) {
	var before []byte
	status := ""
	for i, t := range history {
		row := db.InsertTransitionParams(t)
		if i == 1 && len(moved) > 0 {
			before = moved
		}
		switch {
		case int(t.Sequence) != i+1:
			return t.Sequence, fmt.Sprintf("the step before it is missing: %d follows %d", t.Sequence, i)
		case t.FromStatus != status || !sealer.Matches(chained(before, &row), t.Chain):
			return t.Sequence, "the chain is broken: this step, or something before it, was changed"
		}
		before, status = t.Chain, t.ToStatus
	}
	return 0, ""
}

// chainEnd is the chain that an order has after a history, with moved as brokenStep takes it.
func chainEnd(history []db.OrderTransition, moved []byte) []byte {
	if len(history) == 1 && len(moved) > 0 {
		return moved
	}
	return history[len(history)-1].Chain
}

// checkChain reports whether a history is as it was written, up to the step whose chain the order has.
func (s *Store) checkChain(ctx context.Context, rows []db.HistoryRow) (bool, error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return false, err
	}
	history := make([]db.OrderTransition, len(rows))
	for i, r := range rows {
		history[i] = r.OrderTransition
	}
	last, moved := history[len(history)-1], rows[0].Moved
	step, what := brokenStep(sealer, history, moved)
	if what == "" && !bytes.Equal(chainEnd(history, moved), rows[0].Head) {
		step, what = last.Sequence, "the order is not as its history ends"
	}
	if what != "" {
		s.sealBroken(Finding{"order_transitions", fmt.Sprintf("%s/%d", last.OrderID, step), what})
	}
	return what == "", nil
}

// readySeal has the key of the seals in memory, so that no transaction needs a second connection for it.
func (s *Store) readySeal(ctx context.Context) error {
	if s.Keyring == nil {
		return nil
	}
	_, err := s.sealer(ctx)
	return err
}

// sealBroken says that a row is not as it was written.
func (s *Store) sealBroken(f Finding) {
	if s.SealBroken != nil {
		s.SealBroken(f)
	}
}
