package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/orderid"
	"payrelay/internal/store/internal/db"
)

// providerOrderIDKey is the service key that ids at providers are made with.
const providerOrderIDKey = "provider_order_id"

// ProviderOrderID implements payment.Store. The first id of a shop in this process reads the shop's number, which never changes.
func (s *Store) ProviderOrderID(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string, attempt int) (string, error) {
	codec, err := s.orderIDs(ctx)
	if err != nil {
		return "", err
	}
	number, err := s.shopNumber(ctx, shop)
	if err != nil {
		return "", err
	}
	id, err := codec.Make(orderid.Subject{ShopNumber: number, Shop: shop, Kind: kind, Reference: reference, Attempt: attempt})
	if err != nil {
		return "", fmt.Errorf("name an order at its provider: %w", err)
	}
	return id, nil
}

// ShopOfProviderOrderID reads from an id at a provider which shop's order it is, so that one shop is searched instead of all. It
// is false for ids that were not computed, and for those of nobody here.
func (s *Store) ShopOfProviderOrderID(ctx context.Context, id string) (shop uuid.UUID, ok bool, err error) {
	codec, err := s.orderIDs(ctx)
	if err != nil {
		return uuid.Nil, false, err
	}
	content, ok := codec.Read(id)
	if !ok {
		return uuid.Nil, false, nil
	}
	if shop, ok := s.shopsByNumber.Load(content.ShopNumber); ok {
		return shop.(uuid.UUID), true, nil //nolint:forcetypeassert // only this file stores
	}
	err = s.read(ctx, "find the shop of an order's id", func(ctx context.Context, q *db.Queries) (err error) {
		shop, err = q.ShopOfNumber(ctx, int64(content.ShopNumber))
		ok = !errors.Is(err, pgx.ErrNoRows)
		if !ok {
			err = nil
		}
		return err
	})
	if err != nil || !ok { // unknown numbers are not remembered: anybody could make some up
		return uuid.Nil, false, err
	}
	s.shopsByNumber.Store(content.ShopNumber, shop)
	return shop, true, nil
}

func (s *Store) orderIDs(ctx context.Context) (*orderid.Codec, error) {
	if codec := s.orderIDCodec.Load(); codec != nil {
		return codec, nil
	}
	key, err := s.ServiceKey(ctx, providerOrderIDKey)
	if err != nil {
		return nil, err
	}
	codec := orderid.New(key)
	s.orderIDCodec.Store(codec)
	return codec, nil
}

func (s *Store) shopNumber(ctx context.Context, shop uuid.UUID) (uint32, error) {
	if number, ok := s.shopNumbers.Load(shop); ok {
		return number.(uint32), nil //nolint:forcetypeassert // only this function stores
	}
	var number int64
	err := s.read(ctx, "load a shop's number", func(ctx context.Context, q *db.Queries) (err error) {
		number, err = q.ShopNumber(ctx, shop)
		return err
	})
	if err != nil {
		return 0, err
	}
	if number < 1 || number > 1<<32-1 {
		return 0, fmt.Errorf("shop %s has the number %d, which is in no id", shop, number)
	}
	s.shopNumbers.Store(shop, uint32(number)) //nolint:gosec // checked
	return uint32(number), nil                //nolint:gosec // checked
}
