package store

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// ShopKey is an API key as operators see it. The key itself is nowhere.
type ShopKey struct {
	ID, Name, Shop string
	Scopes         []shop.Scope
	// AllowCIDRs are the networks that calls may come from; none is any.
	AllowCIDRs    []string
	Mode          shop.Mode
	CreatedAt     time.Time
	ExpiresAt     time.Time
	ReplacedBy    string // by a rotation
	RevokedAt     *time.Time
	RevokedBy     string
	RevokedReason string
	LastUsedAt    *time.Time // to the minute
}

// NewKey is a key to be made.
type NewKey struct {
	// Key is the key itself, of which a keyed hash is kept.
	Key        string
	Name       string
	Scopes     []shop.Scope
	AllowCIDRs []string
	// Life is how long it works; that of its scopes if zero.
	Life time.Duration
}

// keyRow is a key as it is inserted. The context is used before any transaction only.
func (s *Store) keyRow(ctx context.Context, n NewKey) (db.InsertShopKeyParams, error) {
	id, err := shop.ParseKey(n.Key)
	if err != nil {
		return db.InsertShopKeyParams{}, err
	}
	secret, err := s.keySecret(ctx)
	if err != nil {
		return db.InsertShopKeyParams{}, err
	}
	if n.Life <= 0 {
		n.Life = shop.LifeOf(n.Scopes)
	}
	now := s.Now()
	return db.InsertShopKeyParams{
		ID: id, Mac: shop.KeyMAC(secret, n.Key), Name: text(n.Name), Scopes: scopeNames(n.Scopes), AllowCidrs: orEmpty(n.AllowCIDRs),
		CreatedAt: now, ExpiresAt: now.Add(n.Life),
	}, nil
}

// keySecret is what the hashes of API keys are keyed with.
func (s *Store) keySecret(ctx context.Context) ([]byte, error) { return s.ServiceKey(ctx, apiKey) }

// CreateKey gives a shop another key. One more than a shop may have is an error of CodeInvalidState.
func (s *Store) CreateKey(ctx context.Context, shopName string, n NewKey) (ShopKey, error) {
	row, err := s.keyRow(ctx, n)
	if err != nil {
		return ShopKey{}, err
	}
	err = s.act(ctx, "create key", shopNamed(shopName), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, shopName)
		if err != nil {
			return act{}, err
		}
		return keyAct("key create", row.ID, shopName, nil, keyFacts(row.Scopes, row.AllowCidrs, row.ExpiresAt)), s.insertKey(ctx, q, id, shopName, row)
	})
	return newShopKey(shopName, row), err
}

// insertKey adds a key to a shop that is locked.
func (s *Store) insertKey(ctx context.Context, q *db.Queries, owner uuid.UUID, shopName string, row db.InsertShopKeyParams) error {
	live, err := q.CountLiveKeys(ctx, db.CountLiveKeysParams{ShopID: owner, Now: s.Now()})
	if err != nil {
		return err
	}
	if live >= shop.MaxLiveKeys {
		return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The shop %s has %d live keys, and that is the most. Revoke one that is not used: 'server key list --shop %[1]s' says when each last was.", shopName, live)}
	}
	row.ShopID = owner
	_, err = q.InsertShopKey(ctx, row)
	return err
}

func newShopKey(shopName string, r db.InsertShopKeyParams) ShopKey {
	return ShopKey{ID: r.ID, Name: r.Name, Shop: shopName, Scopes: scopesOf(r.Scopes), AllowCIDRs: r.AllowCidrs, Mode: shop.ModeEnabled, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt}
}

// RotateKey gives a key a successor with its name, scopes and networks. The old one works for overlap still; with none it is
// revoked. One that was rotated before is an error of CodeInvalidState.
func (s *Store) RotateKey(ctx context.Context, id, key string, overlap time.Duration) (ShopKey, error) {
	fresh, err := s.keyRow(ctx, NewKey{Key: key})
	if err != nil {
		return ShopKey{}, err
	}
	var made ShopKey
	err = s.act(ctx, "rotate key", shopOfKey(id), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		old, err := s.lockLiveKey(ctx, q, id)
		if err != nil {
			return act{}, err
		}
		if old.ReplacedBy != nil {
			return act{}, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The key %s was rotated before: %s stands in its place, and it works until %s.", id, *old.ReplacedBy, old.ExpiresAt.UTC().Format(time.RFC3339))}
		}
		if old.Mode != string(shop.ModeEnabled) {
			return act{}, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The key %s is not enabled (%s), and its successor would be. Run 'server key enable %s' first, or 'server key revoke %s'. Nothing was changed.", id, old.Mode, id, id)}
		}
		row := fresh
		row.Name, row.Scopes, row.AllowCidrs = old.Name, old.Scopes, old.AllowCidrs
		row.ExpiresAt = row.CreatedAt.Add(old.ExpiresAt.Sub(old.CreatedAt))
		made = newShopKey(old.Shop, row)
		if _, err := q.ReplaceKey(ctx, db.ReplaceKeyParams{ReplacedBy: row.ID, ExpiresAt: row.CreatedAt.Add(overlap), ID: id}); err != nil {
			return act{}, err
		}
		if overlap <= 0 {
			if err := s.revokeKey(ctx, q, id); err != nil {
				return act{}, err
			}
		}
		after := keyFacts(row.Scopes, row.AllowCidrs, row.ExpiresAt)
		after["replaced_by"], after["overlap"] = row.ID, overlap.String()
		if err := q.CopyKeyRates(ctx, db.CopyKeyRatesParams{ToKey: row.ID, ShopID: old.ShopID, FromKey: id}); err != nil {
			return act{}, err
		}
		if err := q.CopyKeyLimits(ctx, db.CopyKeyLimitsParams{ToKey: row.ID, FromKey: id}); err != nil {
			return act{}, err
		}
		return keyAct("key rotate", id, old.Shop, keyFacts(old.Scopes, old.AllowCidrs, old.ExpiresAt), after), s.insertKey(ctx, q, old.ShopID, old.Shop, row)
	})
	return made, err
}

// RevokeKey ends a key. It works nowhere after five seconds.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.act(ctx, "revoke key", shopOfKey(id), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		old, err := s.lockLiveKey(ctx, q, id)
		if err != nil {
			return act{}, err
		}
		revoked := keyAct("key revoke", id, old.Shop, keyFacts(old.Scopes, old.AllowCidrs, old.ExpiresAt), map[string]any{"revoked": true})
		revoked.closes = true
		return revoked, s.revokeKey(ctx, q, id)
	})
}

func (s *Store) revokeKey(ctx context.Context, q *db.Queries, id string) error {
	p := db.RevokeKeyParams{RevokedAt: s.Now(), RevokedBy: serviceActor, ID: id}
	if o := s.Operator; o != nil {
		p.RevokedBy, p.RevokedReason = text(o.User), text(o.Reason)
	}
	_, err := q.RevokeKey(ctx, p)
	return err
}

// Narrowing takes rights from a key. Zero members take none.
type Narrowing struct {
	Scopes     []shop.Scope
	AllowCIDRs []string
	ExpiresAt  time.Time
}

// NarrowKey takes rights from a key. What would give it more is an error of CodeInvalid.
func (s *Store) NarrowKey(ctx context.Context, id string, n Narrowing) (ShopKey, error) {
	var narrowed ShopKey
	err := s.act(ctx, "narrow key", shopOfKey(id), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		old, err := s.lockLiveKey(ctx, q, id)
		if err != nil {
			return act{}, err
		}
		p := db.NarrowKeyParams{Scopes: old.Scopes, AllowCidrs: old.AllowCidrs, ExpiresAt: old.ExpiresAt, ID: id}
		for _, scope := range n.Scopes {
			if !slices.Contains(old.Scopes, string(scope)) {
				return act{}, widens(id, fmt.Sprintf("it lacks the scope %s", scope))
			}
			p.Scopes = scopeNames(n.Scopes)
		}
		for _, network := range n.AllowCIDRs {
			if !insideOf(network, old.AllowCidrs) {
				return act{}, widens(id, network+" is in none of its networks")
			}
			p.AllowCidrs = n.AllowCIDRs
		}
		if !n.ExpiresAt.IsZero() {
			if n.ExpiresAt.After(old.ExpiresAt) {
				return act{}, widens(id, "it expires earlier")
			}
			p.ExpiresAt = n.ExpiresAt
		}
		narrowed = ShopKey{ID: id, Name: old.Name, Shop: old.Shop, Scopes: scopesOf(p.Scopes), AllowCIDRs: p.AllowCidrs, Mode: shop.Mode(old.Mode), CreatedAt: old.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC()}
		if _, err := q.NarrowKey(ctx, p); err != nil {
			return act{}, err
		}
		return keyAct("key narrow", id, old.Shop, keyFacts(old.Scopes, old.AllowCidrs, old.ExpiresAt), keyFacts(p.Scopes, p.AllowCidrs, p.ExpiresAt)), nil
	})
	return narrowed, err
}

func widens(id, what string) error {
	return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("A key is only narrowed, and %s: %s. Make another key with 'server key create' instead.", id, what)}
}

// insideOf reports whether a network is part of one of others. No others are every network.
func insideOf(network string, others []string) bool {
	inner, err := netip.ParsePrefix(network)
	if err != nil {
		return false
	}
	return len(others) == 0 || slices.ContainsFunc(others, func(other string) bool {
		outer, err := netip.ParsePrefix(other)
		return err == nil && outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
	})
}

// lockLiveKey locks a key that works, and its shop.
func (s *Store) lockLiveKey(ctx context.Context, q *db.Queries, id string) (db.LockKeyRow, error) {
	row, err := q.LockKey(ctx, text(id))
	switch {
	case err != nil:
		return row, noKey(id, err)
	case row.RevokedAt != nil:
		return row, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The key %s was revoked at %s.", id, row.RevokedAt.UTC().Format(time.RFC3339))}
	case !row.ExpiresAt.After(s.Now()):
		return row, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The key %s expired at %s.", id, row.ExpiresAt.UTC().Format(time.RFC3339))}
	}
	return row, nil
}

// noKey says that there is no key of that id, if that is what err means.
func noKey(id string, err error) error {
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("There is no key %q. A key's id stands in it behind prk_live_; 'server key list' shows all.", id)}
}

func keyAct(action, id, shopName string, before, after map[string]any) act {
	a := act{action: action, kind: "key", object: id, shop: shopName, after: after}
	if before != nil {
		a.before = before
	}
	return a
}

// keyFacts are what the audit log keeps of a key.
func keyFacts(scopes, networks []string, expires time.Time) map[string]any {
	return map[string]any{"scopes": scopes, "allow_cidrs": orEmpty(networks), "expires_at": expires.UTC()}
}

// ShopKeys returns the keys of a shop, or of all shops for "".
func (s *Store) ShopKeys(ctx context.Context, shopName string) ([]ShopKey, error) {
	var rows []db.ShopKeysRow
	err := s.read(ctx, "load keys", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.ShopKeys(ctx, text(shopName))
		return err
	})
	keys := make([]ShopKey, len(rows))
	for i, r := range rows {
		keys[i] = ShopKey{
			ID: r.ID, Name: r.Name, Shop: r.Shop, Scopes: scopesOf(r.Scopes), AllowCIDRs: r.AllowCidrs, Mode: shop.Mode(r.Mode), CreatedAt: r.CreatedAt.UTC(),
			ExpiresAt: r.ExpiresAt.UTC(), RevokedAt: utc(r.RevokedAt), RevokedBy: r.RevokedBy, RevokedReason: r.RevokedReason,
		}
		if r.LastUsedAt.Unix() > 0 {
			keys[i].LastUsedAt = utc(&r.LastUsedAt)
		}
		if r.ReplacedBy != nil {
			keys[i].ReplacedBy = *r.ReplacedBy
		}
	}
	return keys, err
}

func scopesOf(names []string) []shop.Scope {
	scopes := make([]shop.Scope, len(names))
	for i, name := range names {
		scopes[i] = shop.Scope(name)
	}
	return scopes
}

// keyEntry is a key in the directory.
type keyEntry struct {
	shop.Principal
	mac      []byte
	networks []string
	revoked  bool
	replaced bool // by a rotation
	altered  bool // the key, past the service
	frozen   bool // its shop was
}

// frozenShop refuses whatever concerns a shop that was changed past the service.
func frozenShop() error {
	return &payment.Error{Code: payment.CodeShopFrozen, Message: "What the service knows of this shop was changed past it, so nothing is done for the shop. Nothing was stored or sent. Ask the operators."}
}

// Authenticate returns whose key it is. A key that does not work is a *shop.KeyError. No query is made for one that cannot be a key.
// One that is revoked elsewhere works for at most five seconds more.
func (s *Store) Authenticate(ctx context.Context, key string, from netip.Addr) (shop.Principal, error) {
	id, err := shop.ParseKey(key)
	if err != nil {
		return shop.Principal{}, err
	}
	k, ok, err := found(ctx, s, func(e *entries) (keyEntry, bool) {
		k, ok := e.keys[id]
		return k, ok
	})
	if err != nil {
		return shop.Principal{}, err
	}
	secret, err := s.keySecret(ctx)
	if err != nil {
		return shop.Principal{}, err
	}
	now := s.Now()
	refused := &shop.KeyError{ID: id}
	switch {
	case !ok, !hmac.Equal(k.mac, shop.KeyMAC(secret, key)):
		refused.Reason = shop.KeyUnknown
	case k.altered:
		refused.Reason = shop.KeyAltered
	case k.frozen:
		return shop.Principal{}, frozenShop()
	case k.revoked:
		refused.Reason = shop.KeyRevoked
	case !k.ExpiresAt.After(now):
		refused.Reason = shop.KeyExpired
	case k.Mode == shop.ModeOff:
		refused.Reason = shop.KeyDisabled
	case !shop.Within(k.networks, from):
		refused.Reason = shop.KeyNetwork
	default:
		s.keyUses.note(id, from, now)
		p := k.Principal
		p.Mode = p.Mode.Stricter(p.Shop.Mode)
		return p, nil
	}
	return shop.Principal{}, refused
}
