package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// CloseAccount ends an account for good. While an order or dispute there is open, a payout waits for an operator, or something can be charged
// by a mandate, that is a payment.Error of CodeInvalidState that says what is open.
func (s *Store) CloseAccount(ctx context.Context, name string) error {
	return s.actOnAccount(ctx, "account close", name, func(ctx context.Context, q *db.Queries, a payment.Account, _ func(gateway.Secret) string) (any, any, error) {
		if a.Mode == shop.ModeClosed {
			return nil, nil, closed(name)
		}
		// Whoever adds an order, or moves one here, waits until the commit and finds the account closed.
		if err := errors.Join(q.OneShardAtATime(ctx), q.LockOrders(ctx)); err != nil {
			return nil, nil, err
		}
		open, err := s.openAt(ctx, q, a)
		if err != nil {
			return nil, nil, err
		}
		if len(open) > 0 {
			return nil, nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf(
				"Account %s cannot be closed while something is open there: %s. Drain it, and close it when all has ended; 'server order list --account %s' shows what each order waits for. Nothing was changed.",
				name, strings.Join(open, ", "), name)}
		}
		_, err = q.SetAccountMode(ctx, db.SetAccountModeParams{Mode: string(shop.ModeClosed), ID: a.ID})
		return modeFacts(a.Mode), modeFacts(shop.ModeClosed), err
	})
}

// ordersAt says which orders are open at an account, and how many.
func ordersAt(ctx context.Context, q *db.Queries, a payment.Account) (open []string, err error) {
	orders, err := q.OpenAtAccount(ctx, a.ID)
	for _, r := range orders {
		what := strings.ReplaceAll(r.Kind, "_", " ") + " " + r.Status
		if r.InConflict {
			what += " with a conflict"
		}
		open = append(open, fmt.Sprintf("%d × %s", r.Orders, what))
	}
	return open, err
}

// openAt says what is open at an account, and how much of it.
func (s *Store) openAt(ctx context.Context, q *db.Queries, a payment.Account) (open []string, err error) {
	if open, err = ordersAt(ctx, q, a); err != nil {
		return nil, err
	}
	disputes, err := q.DisputesAtAccount(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if disputes > 0 {
		open = append(open, fmt.Sprintf("%d × dispute", disputes))
	}
	waiting, err := q.ApprovalsAtAccount(ctx, db.ApprovalsAtAccountParams{AccountName: a.Name, Now: s.Now()})
	if err != nil {
		return nil, err
	}
	if waiting > 0 {
		open = append(open, fmt.Sprintf("%d × payout that waits for a release or was released", waiting))
	}
	mandates, err := s.liveMandates(ctx, q, a, nil)
	if mandates > 0 {
		open = append(open, fmt.Sprintf("%d × mandate that has not ended ('server mandate list --account %s' shows each, 'server mandate revoke' ends it)", mandates, a.Name))
	}
	return open, err
}

// liveMandates counts the mandates at an account by which something can still be charged: of one shop, or of all.
func (s *Store) liveMandates(ctx context.Context, q *db.Queries, a payment.Account, shop *uuid.UUID) (int64, error) {
	return q.LiveMandatesAt(ctx, db.LiveMandatesAtParams{AccountID: a.ID, ShopID: shop, OwnSchedule: s.ownSchedule(a.Provider), Now: s.Now()})
}

// ownSchedule reports whether a provider charges mandates by its own schedule.
func (s *Store) ownSchedule(provider string) bool { return slices.Contains(s.OwnSchedules, provider) }

// closed refuses to change the mode of a closed account.
func closed(name string) error {
	return &payment.Error{Code: payment.CodeInvalidState, Message: "Account " + name + " is closed, and stays so. Create another account for new orders. Nothing was changed."}
}
