package store

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

const serviceKeyLength = 32

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

// storedServiceKey returns a key as it rests, and makes one if there is none. A database that takes no writes has it already.
func (s *Store) storedServiceKey(ctx context.Context, name string) (sealed []byte, err error) {
	fresh := make([]byte, serviceKeyLength)
	_, _ = rand.Read(fresh)
	made, err := s.seal(fresh, "service", name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "load service key", func(ctx context.Context, q *db.Queries) error {
		if sealed, err = q.ServiceKeyByName(ctx, name); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		// Whoever was first has written the key; the others read that one.
		if _, err = q.InsertServiceKey(ctx, db.InsertServiceKeyParams{Name: name, Value: made, CreatedAt: s.Now()}); err != nil {
			return err
		}
		sealed, err = q.ServiceKeyByName(ctx, name)
		return err
	})
	return sealed, err
}
