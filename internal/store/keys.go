package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

const serviceKeyLength = 32

// The service's own keys. The loss of each is told from a new database.
const (
	sealKey        = "seal"
	apiKey         = "api_key"
	secretsKey     = "fingerprint" // tells secrets apart in the audit log
	RequestHashKey = "request_hash"
	FingerprintKey = "order_fingerprint"
)

// serviceKeyNames are all of them.
var serviceKeyNames = []string{sealKey, apiKey, providerOrderIDKey, secretsKey, RequestHashKey, FingerprintKey}

// LoadServiceKeys loads every key of the service, so that one that is missing or cannot be decrypted stops a start, and no request.
func (s *Store) LoadServiceKeys(ctx context.Context) error {
	for _, name := range serviceKeyNames {
		if _, err := s.ServiceKey(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

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
		return nil, fmt.Errorf("the row %s of service_keys cannot be used, put it back from a backup: %w", name, err)
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
	some := func(found []uuid.UUID, err error) (bool, error) { return len(found) > 0, err }
	switch name {
	case sealKey:
		head, err := q.AuditHead(ctx)
		if err != nil || len(head) > 0 {
			return true, err
		}
		return some(q.AnySealedOrder(ctx))
	case apiKey:
		keys, err := q.AnyShopKey(ctx)
		return len(keys) > 0, err
	case secretsKey:
		return some(q.AnyFingerprintedSecret(ctx))
	case providerOrderIDKey, RequestHashKey:
		return some(q.AnySealedOrder(ctx))
	case FingerprintKey:
		return q.AnyOrderFingerprint(ctx)
	}
	return false, nil
}

// OpensServiceKeys reports whether the store's keyset can decrypt one of the service's own keys.
func (s *Store) OpensServiceKeys(ctx context.Context) (opens bool, err error) {
	err = s.read(ctx, "read the service keys", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.ServiceKeys(ctx)
		for _, r := range rows {
			_, closed := s.open(r.Value, "service", r.Name)
			opens = opens || closed == nil
		}
		return err
	})
	return opens, err
}

// serviceKeys verifies that the service's own keys are there, as far as anything was made with them, and can be decrypted.
func (v *verification) serviceKeys(ctx context.Context) error {
	return v.store.read(ctx, "read the service keys", func(ctx context.Context, q *db.Queries) error {
		for _, name := range serviceKeyNames {
			sealed, err := q.ServiceKeyByName(ctx, name)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				used, err := serviceKeyUsed(ctx, q, name)
				if err != nil {
					return err
				}
				if used {
					v.found(Finding{"service_keys", name, "the key is missing, and there are rows that were made with it"})
				}
			case err != nil:
				return err
			default:
				if _, err := v.store.open(sealed, "service", name); err != nil {
					v.found(unreadable("service_keys", name, err))
				}
			}
		}
		return nil
	})
}
