package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// SetShopMode switches a shop off, or on again.
func (s *Store) SetShopMode(ctx context.Context, name string, mode shop.Mode) error {
	return s.act(ctx, "set the mode of a shop", shopNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, name)
		if err != nil {
			return act{}, err
		}
		row, err := q.ShopByName(ctx, name)
		if err != nil {
			return act{}, err
		}
		_, err = q.SetShopMode(ctx, db.SetShopModeParams{Mode: string(mode), ID: id})
		return act{action: modeAction("shop", mode), kind: "shop", object: name, shop: name, before: modeFacts(shop.Mode(row.Mode)), after: modeFacts(mode)}, err
	})
}

// SetKeyMode switches a key off, or on again.
func (s *Store) SetKeyMode(ctx context.Context, id string, mode shop.Mode) error {
	return s.act(ctx, "set the mode of a key", shopOfKey(id), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		old, err := s.lockLiveKey(ctx, q, id)
		if err != nil {
			return act{}, err
		}
		_, err = q.SetKeyMode(ctx, db.SetKeyModeParams{Mode: string(mode), ID: id})
		return keyAct(modeAction("key", mode), id, old.Shop, modeFacts(shop.Mode(old.Mode)), modeFacts(mode)), err
	})
}

// SetAccountMode switches an account off, or on again.
func (s *Store) SetAccountMode(ctx context.Context, name string, mode shop.Mode) error {
	return s.actOnAccount(ctx, modeAction("account", mode), name, func(ctx context.Context, q *db.Queries, a payment.Account, _ func(gateway.Secret) string) (any, any, error) {
		if a.Mode == shop.ModeClosed {
			return nil, nil, closed(name)
		}
		_, err := q.SetAccountMode(ctx, db.SetAccountModeParams{Mode: string(mode), ID: a.ID})
		return modeFacts(a.Mode), modeFacts(mode), err
	})
}

func modeAction(kind string, mode shop.Mode) string {
	if mode == shop.ModeEnabled {
		return kind + " enable"
	}
	return kind + " disable"
}

func modeFacts(mode shop.Mode) map[string]any { return map[string]any{"mode": mode} }
