package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// DemoShop is the shop of `server dev`, whose key everybody knows.
type DemoShop struct {
	Name            string
	Key             string
	NotificationURL string
	AllowCIDRs      []string
}

// HasDemoKey reports whether the demo key works here: a production service must refuse such a database.
func (s *Store) HasDemoKey(ctx context.Context) (bool, error) {
	has := false
	err := s.read(ctx, "look for the demo key", func(ctx context.Context, q *db.Queries) (err error) {
		has, err = q.KeyLives(ctx, shop.DemoKeyID)
		return err
	})
	return has, err
}

// EnsureDemoShop makes the demo shop, or points the one that is there at new addresses, and returns its webhook secret.
func (s *Store) EnsureDemoShop(ctx context.Context, d DemoShop) (string, error) {
	id, secret := s.NewID(), shop.NewWebhookSecret()
	sealed, err := s.seal([]byte(secret), shopOwner(id), fieldWebhookSecret)
	if err != nil {
		return "", err
	}
	key, err := s.keyRow(ctx, NewKey{Key: d.Key, Scopes: shop.Scopes})
	if err != nil {
		return "", err
	}
	var row db.UpsertDemoShopRow
	err = s.act(ctx, "make the demo shop", func(ctx context.Context, tx pgx.Tx) (_ act, err error) {
		q := db.New(tx)
		if row, err = q.UpsertDemoShop(ctx, db.UpsertDemoShopParams{
			ID: id, Name: d.Name, NotificationUrl: d.NotificationURL, WebhookSecret: sealed, AllowCidrs: orEmpty(d.AllowCIDRs), CreatedAt: s.Now(),
		}); err != nil {
			return act{}, err
		}
		key.ShopID = row.ID
		if _, err = q.InsertDemoKey(ctx, db.InsertDemoKeyParams(key)); err != nil {
			return act{}, err
		}
		return act{action: "dev", kind: "shop", object: d.Name, shop: d.Name, after: shopFacts(d.NotificationURL, orEmpty(d.AllowCIDRs))}, s.resume(ctx, tx, row.ID)
	})
	if err != nil {
		return "", err
	}
	plain, err := s.open(row.WebhookSecret, shopOwner(row.ID), fieldWebhookSecret)
	return string(plain), err
}

// EnsureDemoAccount makes an account, or gives the one of that name new settings.
func (s *Store) EnsureDemoAccount(ctx context.Context, a NewAccount) error {
	err := s.SetAccount(ctx, a.Name, AccountChange{Settings: a.Settings}, func(payment.Account) error { return nil })
	if payment.CodeOf(err) == payment.CodeNotFound {
		_, err = s.CreateAccount(ctx, a)
	}
	return err
}
