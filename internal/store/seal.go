package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// sealer makes and checks the seals of rows.
func (s *Store) sealer(ctx context.Context) (*seal.Sealer, error) {
	if known := s.seals.Load(); known != nil {
		return known, nil
	}
	key, err := s.ServiceKey(ctx, sealKey)
	if err != nil {
		return nil, err
	}
	s.seals.CompareAndSwap(nil, seal.New(key))
	return s.seals.Load(), nil
}

// PrepareSeals has the key of the seals in memory, and makes it in a database that has none yet and nothing that is sealed.
func (s *Store) PrepareSeals(ctx context.Context) error {
	_, err := s.sealer(ctx)
	return err
}

// LoadSealKey has the key of the seals in memory, and never makes one: a verification writes nothing.
func (s *Store) LoadSealKey(ctx context.Context) error {
	err := s.read(ctx, "load service key "+sealKey, func(ctx context.Context, q *db.Queries) error {
		_, err := q.ServiceKeyByName(ctx, sealKey)
		if errors.Is(err, pgx.ErrNoRows) {
			return errors.New("the row of service_keys is missing, so no seal can be checked: put it back from a backup. Nothing was written")
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.PrepareSeals(ctx)
}

// Finding is a row that was changed, added or removed past the service.
type Finding struct {
	Table string `json:"table"`
	ID    string `json:"id"`
	What  string `json:"what"`
}
