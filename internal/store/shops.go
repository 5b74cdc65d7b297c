package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// NewShop is a shop to be made.
type NewShop struct {
	Name            string
	NotificationURL string
	AllowCIDRs      []string
	// Key is its first API key, of which a keyed hash is kept.
	Key    string
	Scopes []shop.Scope
	// WebhookSecret signs its notifications.
	WebhookSecret gateway.Secret
}

// CreateShop makes a shop with its first key. A name that is taken or cannot be one is a payment.Error of CodeInvalid
// that says so.
func (s *Store) CreateShop(ctx context.Context, n NewShop) (shop.Shop, error) {
	created := shop.Shop{ID: s.NewID(), Name: n.Name, NotificationURL: n.NotificationURL, AllowCIDRs: orEmpty(n.AllowCIDRs), OnSurplus: shop.HoldSurplus, Mode: shop.ModeEnabled, Version: 1, CreatedAt: s.Now()}
	secret, err := s.seal([]byte(n.WebhookSecret.Reveal()), shopOwner(created.ID), fieldWebhookSecret)
	if err != nil {
		return shop.Shop{}, err
	}
	fingerprint, err := s.fingerprinter(ctx)
	if err != nil {
		return shop.Shop{}, err
	}
	key, err := s.keyRow(ctx, NewKey{Key: n.Key, Scopes: n.Scopes})
	if err != nil {
		return shop.Shop{}, err
	}
	key.ShopID = created.ID
	err = s.act(ctx, "create shop", shopNamed(n.Name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := &queue{}
		statements := db.New(q)
		_, _ = statements.InsertShop(ctx, db.InsertShopParams{
			ID: created.ID, Name: n.Name, NotificationUrl: n.NotificationURL, AllowCidrs: created.AllowCIDRs, CreatedAt: created.CreatedAt,
		})
		_, _ = statements.InsertWebhookSecret(ctx, db.InsertWebhookSecretParams{ShopID: created.ID, ID: s.NewID(), Secret: secret, CreatedAt: created.CreatedAt})
		_, _ = statements.InsertShopKey(ctx, key)
		after := shopFacts(created.NotificationURL, created.AllowCIDRs)
		after["webhook_secret"], after["key"], after["scopes"] = fingerprint(n.WebhookSecret), key.ID, n.Scopes
		return act{action: "shop create", kind: "shop", object: n.Name, shop: n.Name, after: after}, q.send(ctx, tx)
	})
	switch {
	case violates(err, "shops_name_key"):
		return shop.Shop{}, nameTaken("shop", n.Name, err)
	case violates(err, "shops_name_form"):
		return shop.Shop{}, nameForm(n.Name, err)
	case err != nil:
		return shop.Shop{}, err
	}
	return created, nil
}

// Shops returns every shop by name.
func (s *Store) Shops(ctx context.Context) ([]shop.Shop, error) {
	var rows []db.ShopsRow
	err := s.read(ctx, "load shops", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Shops(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	shops := make([]shop.Shop, len(rows))
	for i, r := range rows {
		shops[i] = shopOf(r)
	}
	return shops, nil
}

// ShopByName returns a shop. One that does not exist is a payment.Error of CodeNotFound.
func (s *Store) ShopByName(ctx context.Context, name string) (shop.Shop, error) {
	var row db.ShopByNameRow
	err := s.read(ctx, "load shop", func(ctx context.Context, q *db.Queries) (err error) {
		row, err = q.ShopByName(ctx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return noShop(name)
		}
		return err
	})
	if err != nil {
		return shop.Shop{}, err
	}
	return shopOf(db.ShopsRow(row)), nil
}

// ShopName returns a shop's name.
func (s *Store) ShopName(ctx context.Context, id uuid.UUID) (name string, err error) {
	err = s.read(ctx, "load a shop's name", func(ctx context.Context, q *db.Queries) (err error) {
		name, err = q.ShopName(ctx, id)
		return err
	})
	return name, err
}

func shopOf(r db.ShopsRow) shop.Shop {
	return shop.Shop{
		ID: r.ID, Name: r.Name, NotificationURL: r.NotificationUrl, AllowCIDRs: r.AllowCidrs, OnSurplus: shop.Surplus(r.OnSurplus), Mode: shop.Mode(r.Mode),
		Defaults:  shop.Defaults{SiteURL: r.SiteUrl, ReturnURL: r.ReturnUrl, SuccessURL: r.SuccessUrl, FailURL: r.FailUrl, Flow: r.Flow, Cascade: r.Cascade},
		Version:   r.Version,
		CreatedAt: r.CreatedAt.UTC(),
	}
}

// ShopsRefundingSurplus returns the shops whose late money goes back at once. It asks the directory, and so costs nothing.
func (s *Store) ShopsRefundingSurplus(ctx context.Context) ([]uuid.UUID, error) {
	e, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for id, known := range e.shops {
		if known.OnSurplus == shop.RefundSurplus && !e.frozen[id.String()] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// ShopChange is what becomes different of a shop.
type ShopChange struct {
	// Expect is the version that the shop must have, 0 for any.
	Expect int64
	// Apply changes the shop as it is now, or refuses to. It may run twice.
	Apply func(*shop.Shop) error
	// Resume switches addresses on again that answered 410. What was held back and what waits is due then, in order.
	Resume bool
}

// SetNotificationURL is SetShop for where notifications go.
func (s *Store) SetNotificationURL(ctx context.Context, name, url string, allowCIDRs []string) error {
	_, err := s.SetShop(ctx, name, ShopChange{Resume: true, Apply: func(now *shop.Shop) error {
		now.NotificationURL, now.AllowCIDRs = url, allowCIDRs
		return nil
	}})
	return err
}

// SetShop changes a shop. One that does not exist is a payment.Error of CodeNotFound; one of another version than expected, of
// CodeInvalidState.
func (s *Store) SetShop(ctx context.Context, name string, change ShopChange) (set shop.Shop, err error) {
	err = s.act(ctx, "set shop", shopNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		if _, err := lockShop(ctx, q, name); err != nil {
			return act{}, err
		}
		row, err := q.ShopByName(ctx, name)
		if err != nil {
			return act{}, err
		}
		set = shopOf(db.ShopsRow(row))
		if change.Expect != 0 && change.Expect != set.Version {
			return act{}, otherShopVersion(set, change.Expect)
		}
		done := act{action: "shop set", kind: "shop", object: name, shop: name, before: factsOf(set)}
		if err := change.Apply(&set); err != nil {
			return act{}, err
		}
		set.AllowCIDRs = orEmpty(set.AllowCIDRs)
		set.Version++
		d := set.Defaults
		_, err = q.SetShop(ctx, db.SetShopParams{
			ID: set.ID, NotificationUrl: set.NotificationURL, AllowCidrs: set.AllowCIDRs, SiteUrl: d.SiteURL, ReturnUrl: d.ReturnURL, SuccessUrl: d.SuccessURL, FailUrl: d.FailURL, Flow: d.Flow, Cascade: d.Cascade, OnSurplus: string(set.OnSurplus),
		})
		if err == nil && change.Resume {
			err = s.resume(ctx, tx, set.ID)
		}
		done.after = factsOf(set)
		return done, err
	})
	return set, err
}

// otherShopVersion tells who changes a shop that somebody else has changed meanwhile how it is now.
func otherShopVersion(now shop.Shop, expected int64) error {
	d := now.Defaults
	settings := []string{"notification_url=" + now.NotificationURL, "allow_cidrs=" + strings.Join(now.AllowCIDRs, ","), "on_surplus=" + string(now.OnSurplus)}
	for _, set := range [][2]string{{"site_url", d.SiteURL}, {"return_url", d.ReturnURL}, {"success_url", d.SuccessURL}, {"fail_url", d.FailURL}, {"flow", d.Flow}, {"cascade", d.Cascade}} {
		if set[1] != "" {
			settings = append(settings, set[0]+"="+set[1])
		}
	}
	return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf(
		"Shop %s is at version %d, and not %d: somebody has changed it. It is %s now, with %s. Nothing was changed.", now.Name, now.Version, expected, now.Mode, strings.Join(settings, " "))}
}

// lockShop locks a shop until the end of the transaction.
func lockShop(ctx context.Context, q *db.Queries, name string) (uuid.UUID, error) {
	id, err := q.LockShop(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		err = noShop(name)
	}
	return id, err
}

// shopFacts are what the audit log keeps of a shop.
func shopFacts(url string, cidrs []string) map[string]any {
	return map[string]any{"notification_url": url, "allow_cidrs": cidrs}
}

// factsOf are shopFacts of a shop with its defaults, if it has any.
func factsOf(s shop.Shop) map[string]any {
	facts := shopFacts(s.NotificationURL, s.AllowCIDRs)
	if s.Defaults != (shop.Defaults{}) {
		facts["defaults"] = s.Defaults
	}
	if s.OnSurplus == shop.RefundSurplus {
		facts["on_surplus"] = s.OnSurplus
	}
	return facts
}

func scopeNames(scopes []shop.Scope) []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return names
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func noShop(name string) error {
	return &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("There is no shop named %q.", name)}
}

func nameTaken(what, name string, err error) error {
	return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("The %s name %q is taken already.", what, name), Err: err}
}

func nameForm(name string, err error) error {
	return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("%q cannot be a name: use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit.", name), Err: err}
}
