package store

import (
	"context"
	"time"

	"github.com/google/uuid"
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

// demoKeyLife is longer than the clock of `dev` can be moved.
const demoKeyLife = 100 * 366 * 24 * time.Hour

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
func (s *Store) EnsureDemoShop(ctx context.Context, d DemoShop) (secret string, err error) {
	key, err := s.keyRow(ctx, NewKey{Key: d.Key, Scopes: shop.Scopes, Life: demoKeyLife})
	if err != nil {
		return "", err
	}
	err = s.act(ctx, "make the demo shop", shopNamed(d.Name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := q.UpsertDemoShop(ctx, db.UpsertDemoShopParams{
			ID: s.NewID(), Name: d.Name, NotificationUrl: d.NotificationURL, AllowCidrs: orEmpty(d.AllowCIDRs), CreatedAt: s.Now(),
		})
		if err != nil {
			return act{}, err
		}
		if secret, err = s.demoWebhookSecret(ctx, q, id); err != nil {
			return act{}, err
		}
		key.ShopID = id
		if _, err = q.InsertDemoKey(ctx, db.InsertDemoKeyParams(key)); err != nil {
			return act{}, err
		}
		return act{action: "dev", kind: "shop", object: d.Name, shop: d.Name, after: shopFacts(d.NotificationURL, orEmpty(d.AllowCIDRs))}, s.resume(ctx, tx, id)
	})
	return secret, err
}

// demoWebhookSecret returns a shop's newest webhook secret, or makes its first.
func (s *Store) demoWebhookSecret(ctx context.Context, q *db.Queries, id uuid.UUID) (string, error) {
	rows, err := q.WebhookSecretsOf(ctx, id)
	if err != nil {
		return "", err
	}
	if len(rows) > 0 {
		plain, err := s.open(rows[0].Secret, shopOwner(id), fieldWebhookSecret)
		return string(plain), err
	}
	secret := shop.NewWebhookSecret()
	sealed, err := s.seal([]byte(secret), shopOwner(id), fieldWebhookSecret)
	if err != nil {
		return "", err
	}
	_, err = q.InsertWebhookSecret(ctx, db.InsertWebhookSecretParams{ShopID: id, ID: s.NewID(), Secret: sealed, CreatedAt: s.Now()})
	return secret, err
}

// EnsureDemoAccount makes an account, or gives the one of that name new settings.
func (s *Store) EnsureDemoAccount(ctx context.Context, a NewAccount) error {
	_, err := s.SetAccount(ctx, a.Name, AccountChange{Settings: a.Settings}, func(payment.Account) error { return nil })
	if payment.CodeOf(err) == payment.CodeNotFound {
		_, err = s.CreateAccount(ctx, a)
	}
	return err
}
