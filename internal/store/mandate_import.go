package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// merchantHash is the merchant of a parent as imported_orders has it: its name at the provider may be a secret.
func (s *Store) merchantHash(ctx context.Context, p payment.Parent) ([]byte, error) {
	key, err := s.ServiceKey(ctx, secretsKey)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("merchant\x00" + p.Merchant))
	return mac.Sum(nil), nil
}

// ParentKnown implements payment.ImportStore. An id of payrelay's own is known also if its order was lost.
func (s *Store) ParentKnown(ctx context.Context, p payment.Parent) (known string, err error) {
	merchant, err := s.merchantHash(ctx, p)
	if err != nil {
		return "", err
	}
	shop, own, err := s.ShopOfProviderOrderID(ctx, p.ID)
	if err != nil {
		return "", err
	}
	err = s.read(ctx, "look for a parent", func(ctx context.Context, q *db.Queries) error {
		found, err := q.ImportedAs(ctx, db.ImportedAsParams{ProviderOrderID: p.ID, Merchant: merchant, AccountID: p.Account})
		for _, r := range found {
			known, err = orderAndShop(ctx, q, r.ShopID, r.OrderID)
		}
		if err != nil || known != "" {
			return err
		}
		made, err := q.OwnOrderCalled(ctx, p.ID)
		for _, r := range made {
			known, err = orderAndShop(ctx, q, r.ShopID, r.OrderID)
		}
		if err == nil && known == "" && own {
			known, err = q.ShopName(ctx, shop)
			known = "a payment that payrelay made for the shop " + known
		}
		return err
	})
	return known, err
}

// AccountOfParent implements payment.ImportStore.
func (s *Store) AccountOfParent(ctx context.Context, p payment.Parent) (at uuid.UUID, err error) {
	merchant, err := s.merchantHash(ctx, p)
	if err != nil {
		return uuid.Nil, err
	}
	err = s.read(ctx, "look for the account of a parent", func(ctx context.Context, q *db.Queries) error {
		at = uuid.Nil
		found, err := q.ImportedAs(ctx, db.ImportedAsParams{ProviderOrderID: p.ID, Merchant: merchant, AccountID: p.Account})
		for _, r := range found {
			at = r.AccountID
		}
		return err
	})
	return at, err
}

// orderAndShop names an order for an operator.
func orderAndShop(ctx context.Context, q *db.Queries, shop, order uuid.UUID) (string, error) {
	o, err := q.OrderByID(ctx, db.OrderByIDParams{ShopID: shop, ID: order})
	if err != nil {
		return "", err
	}
	name, err := q.ShopName(ctx, shop)
	return fmt.Sprintf("%s of the shop %s", o.Reference, name), err
}

// ImportMandate implements payment.ImportStore. The parent is claimed first: whoever imports it at the same time waits, and fails.
func (s *Store) ImportMandate(ctx context.Context, p payment.Parent, begin func() (*payment.Order, func())) error {
	merchant, err := s.merchantHash(ctx, p)
	if err != nil {
		return err
	}
	if _, err := s.distributed(ctx); err != nil { // else oneShop does not know
		return err
	}
	var o *payment.Order
	var all changes
	err = s.write(ctx, "import a mandate", func(ctx context.Context, tx pgx.Tx) error {
		var complete func()
		q := db.New(tx)
		o, complete = begin()
		if _, err := q.ReferenceTaken(ctx, db.ReferenceTakenParams{ShopID: o.ShopID, Kind: string(o.Kind), Reference: o.Reference}); err == nil {
			return payment.ErrReferenceTaken
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err := q.InsertImportedOrder(ctx, db.InsertImportedOrderParams{Merchant: merchant, ProviderOrderID: p.ID, AccountID: p.Account, ShopID: o.ShopID, OrderID: o.ID}); err != nil {
			return err
		}
		all = changes{store: s, shop: s.oneShop(o.ShopID)}
		if err := all.addBorn(ctx, o, complete); err != nil {
			return err
		}
		if err := all.send(ctx, tx); err != nil {
			return err
		}
		if err := s.insertMandate(ctx, q, o); err != nil {
			return err
		}
		return s.auditImport(ctx, q, o)
	})
	switch {
	case errors.Is(err, payment.ErrReferenceTaken), violates(err, "imported_orders_key"), violates(err, "imported_orders_account_key"):
		return &payment.Error{Code: payment.CodeReferenceConflict, Message: "Somebody took the reference, or imported the parent, a moment ago. Run the command again: it says which.", Err: err}
	case err != nil:
		return s.beginsNothing(err, o.AccountName)
	}
	o.Saved()
	all.committed()
	return nil
}

// auditImport writes down who imported a mandate, with its parent and its terms.
func (s *Store) auditImport(ctx context.Context, q *db.Queries, o *payment.Order) error {
	name, err := q.ShopName(ctx, o.ShopID)
	if err != nil {
		return err
	}
	return s.audit(ctx, q, act{
		action: "mandate import", kind: "mandate", object: o.ID.String(), shop: name,
		after: map[string]any{
			"reference": o.Reference, "account": o.AccountName, "provider_order_id": o.ProviderOrderID, "amount": o.Amount.Minor(), "currency": o.Amount.Currency(),
			"max_amount": o.Terms.MaxAmount, "min_days": o.Terms.MinDays, "expires_at": o.Terms.ExpiresAt, "max_charges": o.Terms.MaxCharges,
			"schedule": o.Terms.Schedule, "counts_from": o.Terms.CountsFrom,
		},
	})
}
