package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Unfreeze seals an order's row as it stands: an operator has compared it with the provider. The row must agree with the order's
// history, refunds and notifications. What nothing confirms, or something contradicts, must be accepted by name; that is returned. The
// entry in the audit log holds what was sealed, and what else was said.
func (s *Store) Unfreeze(ctx context.Context, key payment.Key, accepted []string) (open []Unconfirmed, err error) {
	e, err := s.readyWitnesses(ctx, key.Shop)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, "unfreeze an order", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		row, err := q.OrderForUpdate(ctx, db.OrderForUpdateParams{ShopID: key.Shop, ID: key.Order})
		if err != nil {
			return err
		}
		o, err := s.order(ctx, &row)
		if err != nil {
			return err
		}
		if !o.Frozen {
			return &payment.Error{Code: payment.CodeInvalidState, Message: "The order is not frozen: its seal holds. Nothing was changed."}
		}
		page, err := s.agrees(ctx, q, key)
		if err != nil {
			return err
		}
		if open, err = s.unconfirmed(ctx, e, o, &row, page); err != nil {
			return err
		}
		if err := acceptable(open, accepted); err != nil {
			return err
		}
		return s.sealAsItIs(ctx, q, o, row.Chain, open)
	})
	return open, err
}

// sealAsItIs seals a row that an operator answers for.
func (s *Store) sealAsItIs(ctx context.Context, q *db.Queries, o *payment.Order, chain []byte, open []Unconfirmed) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	if _, err := q.SealOrder(ctx, db.SealOrderParams{Seal: sealer.Seal(sealedOrder(o, chain)), ShopID: o.ShopID, ID: o.ID}); err != nil {
		return err
	}
	if err := q.AddOrderNames(ctx, db.AddOrderNamesParams{ShopID: o.ShopID, OrderID: o.ID}); err != nil {
		return err
	}
	before, names := map[string]any{}, []string{}
	for _, u := range open {
		names = append(names, u.Fact)
		if u.By != "" {
			before[u.Fact] = u.Said
		}
	}
	after := frozenFacts(o)
	after["accepted"] = names
	return s.auditOrder(ctx, q, o.Key(), act{action: "order unfreeze", before: before, after: after})
}

// acceptable returns an error unless an operator has accepted exactly the facts that nothing confirms.
func acceptable(open []Unconfirmed, accepted []string) error {
	var missing []string
	for _, u := range open {
		if !slices.Contains(accepted, u.Fact) {
			missing = append(missing, u.String())
		}
	}
	for _, name := range accepted {
		if !slices.ContainsFunc(open, func(u Unconfirmed) bool { return u.Fact == name }) {
			return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("--accept %s: nothing has to be accepted under this name. The order stays frozen: run the command without it, and read what it asks for.", name)}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &payment.Error{Code: payment.CodeInvalidState, Message: "The order stays frozen: nothing that is sealed or encrypted confirms the following. Compare each with the provider, then name each that is right with --accept, or put the row back from a backup. " + strings.Join(missing, "; ") + "."}
}

// agrees returns an error if an order differs from its history, its refunds or its notifications, which it also returns.
func (s *Store) agrees(ctx context.Context, q *db.Queries, key payment.Key) (*verifiedPage, error) {
	var differences []string
	v := verification{store: s, found: func(f Finding) {
		if f.What != sealFinding && f.Table != "order_names" { // names are added with the seal
			differences = append(differences, fmt.Sprintf("%s %s: %s", f.Table, f.ID, f.What))
		}
	}}
	page, err := v.readPage(ctx, q, key.Shop, uuidBefore(key.Order), key.Order)
	if err != nil {
		return nil, err
	}
	if err := v.compare(ctx, page); err != nil {
		return nil, err
	}
	if err := v.disputesOf(ctx, q, page.orders[key.Order]); err != nil {
		return nil, err
	}
	if len(differences) > 0 {
		return nil, &payment.Error{Code: payment.CodeInvalidState, Message: "The order does not agree with its history, so it stays frozen. Put the rows back from a backup first. " + strings.Join(differences, "; ")}
	}
	return page, nil
}

// frozenFacts are what the audit log keeps of an order that was sealed by an operator's word.
func frozenFacts(o *payment.Order) map[string]any {
	facts := orderFacts(o)
	facts["amount"], facts["currency"], facts["reserved"], facts["operation"] = o.Amount.Minor(), o.Amount.Currency(), o.RefundReserved, o.Operation
	facts["account_id"] = o.AccountID
	facts["account"], facts["provider_order_id"], facts["provider_reference"], facts["notification_url"] = o.AccountName, o.ProviderOrderID, o.ProviderReference, o.NotificationURL
	return facts
}
