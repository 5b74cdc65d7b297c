package store

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

const serviceKeyLength = 32

// Service keys whose loss is told from a new database.
const (
	sealKey = "seal"
	apiKey  = "api_key"
)

// ServiceKey returns the service's own key of that name: 32 random bytes, made by whoever asks first, the same for
// everybody from then on.
func (s *Store) ServiceKey(ctx context.Context, name string) ([]byte, error) {
	if key, ok := s.serviceKeys.Load(name); ok {
		return key.([]byte), nil //nolint:forcetypeassert // only this function stores
	}
	sealed, err := s.storedServiceKey(ctx, name)
	if err != nil {
		return nil, err
	}
	key, err := s.open(sealed, "service", name)
	if err != nil {
		return nil, err
	}
	s.serviceKeys.Store(name, key)
	return key, nil
}

// errKeyTaken says that a service key is missing that was there.
var errKeyTaken = errors.New("the row of service_keys is missing, and there are rows that were made with it: put it back from a backup. Nothing was written")

// storedServiceKey returns a key as it rests, and makes one if there is none and nothing was made with it. A database that takes no
// writes has it already.
func (s *Store) storedServiceKey(ctx context.Context, name string) (sealed []byte, err error) {
	fresh := make([]byte, serviceKeyLength)
	_, _ = rand.Read(fresh)
	made, err := s.seal(fresh, "service", name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "load service key "+name, func(ctx context.Context, q *db.Queries) error {
		if sealed, err = q.ServiceKeyByName(ctx, name); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		used, err := serviceKeyUsed(ctx, q, name)
		if err != nil {
			return err
		}
		if !used {
			// Whoever was first has written the key; the others read that one.
			if _, err = q.InsertServiceKey(ctx, db.InsertServiceKeyParams{Name: name, Value: made, CreatedAt: s.Now()}); err != nil {
				return err
			}
		}
		sealed, err = q.ServiceKeyByName(ctx, name) // used or not: somebody may have made it in this moment
		if errors.Is(err, pgx.ErrNoRows) {
			return errKeyTaken
		}
		return err
	})
	return sealed, err
}

// serviceKeyUsed reports whether there are rows that only a service key of that name can have made.
func serviceKeyUsed(ctx context.Context, q *db.Queries, name string) (bool, error) {
	switch name {
	case sealKey:
		head, err := q.AuditHead(ctx)
		if err != nil || len(head) > 0 {
			return true, err
		}
		orders, err := q.AnySealedOrder(ctx)
		return len(orders) > 0, err
	case apiKey:
		keys, err := q.AnyShopKey(ctx)
		return len(keys) > 0, err
	}
	return false, nil
}
