package store

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/store/internal/db"
)

// KeyActivity is what was done with an API key.
type KeyActivity struct {
	Addresses []KeyAddress `json:"addresses"`
	Sums      []KeySum     `json:"sums"`
	// Orders are the newest that the key has asked for, those that send money out first.
	Orders []KeyOrder `json:"orders"`
}

// KeyAddress is where a key was used from, to the minute. The unspecified address stands for all that were not kept apart.
type KeyAddress struct {
	Address netip.Addr `json:"address"`
	First   time.Time  `json:"first_used_at"`
	Last    time.Time  `json:"last_used_at"`
}

// KeySum is how many orders of a kind and currency a key has asked for.
type KeySum struct {
	Kind     string `json:"kind"`
	Currency string `json:"currency,omitempty"`
	Orders   int64  `json:"orders"`
	Amount   string `json:"amount"` // in minor units; it may be larger than any number of an order
}

// KeyOrder is an order that a key has asked for.
type KeyOrder struct {
	ID          uuid.UUID `json:"id"`
	Kind        string    `json:"kind"`
	Reference   string    `json:"reference"`
	Status      string    `json:"status"`
	Amount      *int64    `json:"amount"`
	Currency    *string   `json:"currency"`
	AccountName string    `json:"account"`
	CreatedAt   time.Time `json:"created_at"`
}

// KeyOrdersMost is how many orders KeyActivity has at most.
const KeyOrdersMost = 1000

// idSlack is how far the clock that an id was made by may be behind that of the order's time.
const idSlack = time.Minute

// ActivityOfKey returns what was done with a key since a time, and from where. It reads the shop's orders since then.
func (s *Store) ActivityOfKey(ctx context.Context, id string, since time.Time) (a KeyActivity, err error) {
	err = s.retry(ctx, sealedLimit, "find out what a key did", func(ctx context.Context, conn *pgxpool.Conn) error {
		q := db.New(conn)
		a = KeyActivity{Addresses: []KeyAddress{}, Sums: []KeySum{}, Orders: []KeyOrder{}}
		shop, err := shopOfKey(id)(ctx, q)
		if err != nil {
			return noKey(id, err)
		}
		addresses, err := q.KeyAddresses(ctx, db.KeyAddressesParams{ID: id, Since: since})
		if err != nil {
			return err
		}
		for _, r := range addresses {
			a.Addresses = append(a.Addresses, KeyAddress{r.Address, r.FirstUsedAt.UTC(), r.LastUsedAt.UTC()})
		}
		first := firstID(since.Add(-idSlack))
		sums, err := q.KeySums(ctx, db.KeySumsParams{ShopID: shop, FirstID: first, Since: since, KeyID: id})
		if err != nil {
			return err
		}
		for _, r := range sums {
			a.Sums = append(a.Sums, KeySum(r))
		}
		orders, err := q.KeyOrders(ctx, db.KeyOrdersParams{ShopID: shop, FirstID: first, Since: since, KeyID: id, MaxRows: KeyOrdersMost})
		for _, r := range orders {
			r.CreatedAt = r.CreatedAt.UTC()
			a.Orders = append(a.Orders, KeyOrder(r))
		}
		return err
	})
	return a, err
}
