package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Unfreeze seals an order's row as it stands: an operator has compared it with the provider. The row must agree with the order's
// history and its refunds, whose own seals must hold. The entry in the audit log holds what was sealed.
func (s *Store) Unfreeze(ctx context.Context, key payment.Key) error {
	return s.write(ctx, "unfreeze an order", func(ctx context.Context, tx pgx.Tx) error {
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
		if err := s.agrees(ctx, q, key); err != nil {
			return err
		}
		sealer, err := s.sealer(ctx)
		if err != nil {
			return err
		}
		if _, err := q.SealOrder(ctx, db.SealOrderParams{Seal: sealer.Seal(sealedOrder(o, row.Chain)), ShopID: key.Shop, ID: key.Order}); err != nil {
			return err
		}
		name, err := q.ShopName(ctx, key.Shop)
		if err != nil {
			return err
		}
		return s.audit(ctx, q, act{action: "order unfreeze", kind: "order", object: key.Order.String(), shop: name, after: frozenFacts(o)})
	})
}

// agrees returns an error if an order differs from its history, its refunds or its notifications.
func (s *Store) agrees(ctx context.Context, q *db.Queries, key payment.Key) error {
	var differences []string
	v := verification{store: s, found: func(f Finding) {
		if f.What != sealFinding {
			differences = append(differences, fmt.Sprintf("%s %s: %s", f.Table, f.ID, f.What))
		}
	}}
	page, err := v.readPage(ctx, q, key.Shop, uuidBefore(key.Order), key.Order)
	if err != nil {
		return err
	}
	if err := v.compare(ctx, page); err != nil {
		return err
	}
	if len(differences) > 0 {
		return &payment.Error{Code: payment.CodeInvalidState, Message: "The order does not agree with its history, so it stays frozen. Put the rows back from a backup first. " + strings.Join(differences, "; ")}
	}
	return nil
}

// frozenFacts are what the audit log keeps of an order that was sealed by an operator's word.
func frozenFacts(o *payment.Order) map[string]any {
	facts := orderFacts(o)
	facts["amount"], facts["currency"], facts["reserved"], facts["operation"] = o.Amount.Minor(), o.Amount.Currency(), o.RefundReserved, o.Operation
	facts["account"], facts["provider_order_id"], facts["provider_reference"], facts["notification_url"] = o.AccountName, o.ProviderOrderID, o.ProviderReference, o.NotificationURL
	return facts
}
