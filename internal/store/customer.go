package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// OrdersOfCustomer returns a shop's orders of a customer, the oldest first: those with the name as customer_id of their metadata,
// or as the e-mail address of their customer. Nothing is indexed by it: all orders of the shop are read.
func (s *Store) OrdersOfCustomer(ctx context.Context, shop uuid.UUID, name string) ([]payment.Key, error) {
	const page = 1000
	var keys []payment.Key
	for after := uuid.Nil; ; {
		var rows []db.CustomersRow
		err := s.read(ctx, "search a customer's orders", func(ctx context.Context, q *db.Queries) (err error) {
			rows, err = q.Customers(ctx, db.CustomersParams{ShopID: shop, After: after, MaxRows: page})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			after = r.ID
			its, err := s.isOf(&r, name)
			if errors.Is(err, errNoKeyset) {
				return nil, err
			}
			if err != nil { // whose it is cannot be told; a verification names it, too
				s.sealBroken(unreadable("orders", r.ID.String(), err))
			}
			if its {
				keys = append(keys, payment.Key{Shop: shop, Order: r.ID})
			}
		}
		if len(rows) < page {
			return keys, nil
		}
	}
}

func (s *Store) isOf(r *db.CustomersRow, name string) (bool, error) {
	if name != "" && r.CustomerID == name {
		return true, nil
	}
	if r.Details == nil || !strings.Contains(name, "@") {
		return false, nil
	}
	key, err := s.dataKey(r.ID, r.DataKey)
	if err != nil {
		return false, err
	}
	plain, err := key.Open(r.Details, placeDetails)
	if err != nil {
		return false, err
	}
	var details struct {
		Customer struct {
			Email string `json:"email"`
		} `json:"customer"`
	}
	if err := json.Unmarshal(plain, &details); err != nil {
		return false, fmt.Errorf("read the details of order %s: %w", r.ID, err)
	}
	return strings.EqualFold(details.Customer.Email, name), nil
}
