package store

import (
	"context"

	"github.com/jackc/pgx/v5"

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
		has, err = q.KeyExists(ctx, shop.HashKey(shop.DemoKey))
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
	var row db.UpsertDemoShopRow
	err = s.writeDirectory(ctx, "make the demo shop", func(ctx context.Context, tx pgx.Tx) (err error) {
		q := db.New(tx)
		if row, err = q.UpsertDemoShop(ctx, db.UpsertDemoShopParams{
			ID: id, Name: d.Name, NotificationUrl: d.NotificationURL, WebhookSecret: sealed, AllowCidrs: orEmpty(d.AllowCIDRs), CreatedAt: s.Now(),
		}); err != nil {
			return err
		}
		if _, err = q.InsertDemoKey(ctx, db.InsertDemoKeyParams(s.newKey(row.ID, d.Key, scopeNames(shop.Scopes)))); err != nil {
			return err
		}
		return s.resume(ctx, tx, row.ID)
	})
	if err != nil {
		return "", err
	}
	plain, err := s.open(row.WebhookSecret, shopOwner(row.ID), fieldWebhookSecret)
	return string(plain), err
}

// EnsureDemoAccount makes an account, or gives the one of that name new settings.
func (s *Store) EnsureDemoAccount(ctx context.Context, a NewAccount) error {
	settings, err := toJSONObject(a.Settings)
	if err != nil {
		return err
	}
	var updated int64
	err = s.read(ctx, "set up the demo account", func(ctx context.Context, q *db.Queries) (err error) {
		updated, err = q.UpdateAccountSettings(ctx, db.UpdateAccountSettingsParams{Name: a.Name, Settings: settings})
		return err
	})
	if err != nil || updated > 0 {
		return err
	}
	_, err = s.CreateAccount(ctx, a)
	return err
}
