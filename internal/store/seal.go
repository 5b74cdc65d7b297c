package store

import (
	"context"

	"payrelay/internal/seal"
)

// sealer makes and checks the seals of rows.
func (s *Store) sealer(ctx context.Context) (*seal.Sealer, error) {
	if known := s.seals.Load(); known != nil {
		return known, nil
	}
	key, err := s.ServiceKey(ctx, "seal")
	if err != nil {
		return nil, err
	}
	s.seals.CompareAndSwap(nil, seal.New(key))
	return s.seals.Load(), nil
}

// Finding is a row that was changed, added or removed past the service.
type Finding struct {
	Table string `json:"table"`
	ID    string `json:"id"`
	What  string `json:"what"`
}
