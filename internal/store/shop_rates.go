package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/limit"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// ShopRate is how often each key of a shop, or the one that is named, may ask.
type ShopRate struct {
	Shop, KeyID string
	Class       shop.RateClass
	limit.Rate
}

// ShopRates lists the rates that operators have set.
func (s *Store) ShopRates(ctx context.Context) (list []ShopRate, err error) {
	err = s.read(ctx, "list rates", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.Rates(ctx)
		for _, r := range rows {
			list = append(list, ShopRate{Shop: r.Shop, KeyID: r.KeyID, Class: shop.RateClass(r.Class), Rate: rateOf(r.Quota, r.Seconds)})
		}
		return err
	})
	return list, err
}

func rateOf(quota, seconds int32) limit.Rate {
	return limit.Rate{Quota: int(quota), Window: time.Duration(seconds) * time.Second}
}

// SetShopRate sets a rate, or removes it if its quota is zero.
func (s *Store) SetShopRate(ctx context.Context, to ShopRate) error {
	return s.act(ctx, "set a rate", shopNamed(to.Shop), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, to.Shop)
		if err != nil {
			return act{}, err
		}
		if err := checkOwnKey(ctx, q, id, to); err != nil {
			return act{}, err
		}
		before, err := q.RateOfKey(ctx, db.RateOfKeyParams{ShopID: id, KeyID: to.KeyID, Class: string(to.Class)})
		if err != nil {
			return act{}, err
		}
		done := act{action: "rate set", kind: "shop", object: to.Shop, shop: to.Shop}
		if len(before) > 0 {
			done.before = rateFacts(to, rateOf(before[0].Quota, before[0].Seconds))
		}
		if to.Quota == 0 {
			if len(before) == 0 {
				return act{}, &payment.Error{Code: payment.CodeNotFound, Message: "No such rate was set. 'server rate list' names those that are."}
			}
			done.action, done.after = "rate remove", map[string]any{"removed": true}
			_, err = q.RemoveRate(ctx, db.RemoveRateParams{ShopID: id, KeyID: to.KeyID, Class: string(to.Class)})
			return done, err
		}
		done.after = rateFacts(to, to.Rate)
		_, err = q.SetRate(ctx, db.SetRateParams{
			ShopID: id, KeyID: to.KeyID, Class: string(to.Class), Quota: int32(to.Quota), Seconds: int32(to.Window / time.Second), //nolint:gosec // the command bounds both
		})
		return done, err
	})
}

// checkOwnKey refuses a rate for a key of another shop.
func checkOwnKey(ctx context.Context, q *db.Queries, id uuid.UUID, r ShopRate) error {
	if r.KeyID == "" {
		return nil
	}
	key, err := q.LockKey(ctx, r.KeyID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err != nil || key.ShopID != id {
		return &payment.Error{Code: payment.CodeNotFound, Message: "The shop " + r.Shop + " has no key " + r.KeyID + ". 'server key list --shop " + r.Shop + "' names its keys."}
	}
	return nil
}

func rateFacts(of ShopRate, rate limit.Rate) map[string]any {
	return map[string]any{"key_id": of.KeyID, "class": of.Class, "requests": rate.Quota, "per": rate.Window.String()}
}

// ratesByKey are the rates of each shop and key, those of a shop under the key "". What was changed past the service does not count.
func ratesByKey(ctx context.Context, q *db.Queries, e *entries) (map[uuid.UUID]map[string]shop.Rates, error) {
	rows, err := q.Rates(ctx)
	all := map[uuid.UUID]map[string]shop.Rates{}
	for _, r := range rows {
		if e.isAltered(tableShopRates, r.ShopID, r.KeyID, r.Class) {
			continue
		}
		if all[r.ShopID] == nil {
			all[r.ShopID] = map[string]shop.Rates{}
		}
		if all[r.ShopID][r.KeyID] == nil {
			all[r.ShopID][r.KeyID] = shop.Rates{}
		}
		all[r.ShopID][r.KeyID][shop.RateClass(r.Class)] = rateOf(r.Quota, r.Seconds)
	}
	return all, err
}
