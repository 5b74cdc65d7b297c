package store

import (
	"context"
	"crypto/rand"

	"payrelay/internal/store/internal/db"
)

const serviceKeyLength = 32

// ServiceKey returns the service's own key of that name: 32 random bytes, made by whoever asks first, the same for
// everybody from then on.
func (s *Store) ServiceKey(ctx context.Context, name string) ([]byte, error) {
	if key, ok := s.serviceKeys.Load(name); ok {
		return key.([]byte), nil //nolint:forcetypeassert // only this function stores
	}
	fresh := make([]byte, serviceKeyLength)
	_, _ = rand.Read(fresh)
	sealed, err := s.seal(fresh, "service", name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "load service key", func(ctx context.Context, q *db.Queries) (err error) {
		// Whoever was first has written the key; the others read that one.
		if _, err = q.InsertServiceKey(ctx, db.InsertServiceKeyParams{Name: name, Value: sealed, CreatedAt: s.Now()}); err != nil {
			return err
		}
		sealed, err = q.ServiceKeyByName(ctx, name)
		return err
	})
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
