package httpapi

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/idempotency"
	"payrelay/internal/shop"
)

// keys is an Authenticator.
type keys struct {
	err      error
	mode     shop.Mode
	expires  time.Time
	rates    shop.Rates
	defaults shop.Defaults
}

func (k *keys) Authenticate(_ context.Context, key string, _ netip.Addr) (shop.Principal, error) {
	if k.err != nil {
		return shop.Principal{}, k.err
	}
	p, ok := map[string]shop.Principal{
		goodKey:      {Shop: shop.Shop{ID: myShop, Name: "mine"}, Scopes: shop.Scopes},
		readKey:      {Shop: shop.Shop{ID: myShop, Name: "mine"}, Scopes: []shop.Scope{shop.ScopeRead}},
		otherKey:     {Shop: shop.Shop{ID: otherShop, Name: "other", AllowCIDRs: []string{"10.0.0.0/8:*"}}, Scopes: shop.Scopes},
		shop.DemoKey: {Shop: shop.Shop{ID: myShop, Name: "demo"}, Scopes: shop.Scopes},
	}[key]
	if key == revokedKey {
		return p, &shop.KeyError{Reason: shop.KeyRevoked, ID: "revoked-id"}
	}
	if !ok {
		return p, &shop.KeyError{Reason: shop.KeyUnknown}
	}
	p.Mode, p.ExpiresAt, p.Rates, p.Shop.Defaults = k.mode, k.expires, k.rates, k.defaults
	return p, nil
}

// memory is an idempotency.Store with the promises of the real one, but for leases that run out.
type memory struct {
	mu   sync.Mutex
	rows map[string]*kept
}

func (m *memory) Begin(_ context.Context, shop uuid.UUID, key string, hash []byte, _ time.Duration) (idempotency.Claim, *idempotency.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch row := m.rows[shop.String()+key]; {
	case row == nil:
		m.rows[shop.String()+key] = &kept{hash: hash}
		return idempotency.Claim{Shop: shop, Key: key}, nil, nil
	case !bytes.Equal(row.hash, hash):
		return idempotency.Claim{}, nil, idempotency.ErrMismatch
	case row.answer == nil:
		return idempotency.Claim{}, nil, idempotency.ErrInProgress
	default:
		return idempotency.Claim{}, row.answer, nil
	}
}

func (m *memory) Finish(_ context.Context, c idempotency.Claim, r idempotency.Response) (idempotency.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[c.Shop.String()+c.Key]
	if row.answer == nil {
		r.Body = bytes.Clone(r.Body)
		row.answer = &r
	}
	return *row.answer, nil
}

func (m *memory) Renew(context.Context, idempotency.Claim, time.Duration) error { return nil }

func (m *memory) Abandon(_ context.Context, c idempotency.Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, c.Shop.String()+c.Key)
	return nil
}
