package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// webhookSecret is a signing secret in the directory, or why it cannot be read.
type webhookSecret struct {
	secret    gateway.Secret
	expiresAt *time.Time
	err       error
}

func (s *Store) fillWebhookSecrets(ctx context.Context, q *db.Queries, e *entries) error {
	rows, err := q.WebhookSecrets(ctx, s.Now())
	for _, r := range rows {
		plain, err := s.open(r.Secret, shopOwner(r.ShopID), fieldWebhookSecret)
		switch {
		case err != nil:
		case e.isAltered(tableWebhookSecrets, r.ShopID, r.ID.String()):
			continue
		case e.frozen[r.ShopID.String()]:
			err = frozenShop() // nothing is signed for an address that somebody else may have written
		}
		e.secrets[r.ShopID] = append(e.secrets[r.ShopID], webhookSecret{gateway.Secret(plain), r.ExpiresAt, err})
	}
	return err
}

// WebhookSecrets returns what a shop's notifications are signed with now, the newest first.
func (s *Store) WebhookSecrets(ctx context.Context, of uuid.UUID) ([]gateway.Secret, error) {
	known, ok, err := found(ctx, s, func(e *entries) ([]webhookSecret, bool) { return e.secrets[of], len(e.secrets[of]) > 0 })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, payment.ErrNotFound
	}
	return liveSecrets(known, s.Now())
}

// liveSecrets are those that sign now.
func liveSecrets(known []webhookSecret, now time.Time) ([]gateway.Secret, error) {
	var live []gateway.Secret
	for _, w := range known {
		if w.err != nil {
			return nil, w.err
		}
		if w.expiresAt == nil || w.expiresAt.After(now) {
			live = append(live, w.secret)
		}
	}
	return live, nil
}

// RotateWebhookSecret gives a shop another signing secret. The one before signs too for overlap; with none, everything before ends at
// once. Another rotation with an overlap, while two are live, is an error of CodeInvalidState.
func (s *Store) RotateWebhookSecret(ctx context.Context, shopName string, fresh gateway.Secret, overlap time.Duration) error {
	fingerprint, err := s.fingerprinter(ctx)
	if err != nil {
		return err
	}
	return s.act(ctx, "rotate webhook secret", shopNamed(shopName), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, shopName)
		if err != nil {
			return act{}, err
		}
		now := s.Now()
		before, err := s.endWebhookSecrets(ctx, q, id, shopName, now, overlap)
		if err != nil {
			return act{}, err
		}
		sealed, err := s.seal([]byte(fresh.Reveal()), shopOwner(id), fieldWebhookSecret)
		if err != nil {
			return act{}, err
		}
		_, err = q.InsertWebhookSecret(ctx, db.InsertWebhookSecretParams{ShopID: id, ID: s.NewID(), Secret: sealed, CreatedAt: now})
		return act{
			action: "shop webhook-secret rotate", kind: "shop", object: shopName, shop: shopName,
			before: map[string]any{"webhook_secret": fingerprint(before)}, after: map[string]any{"webhook_secret": fingerprint(fresh), "overlap": overlap.String()},
		}, err
	})
}

// endWebhookSecrets lets a shop's secrets end after overlap, and returns the newest.
func (s *Store) endWebhookSecrets(ctx context.Context, q *db.Queries, of uuid.UUID, shopName string, now time.Time, overlap time.Duration) (newest gateway.Secret, err error) {
	rows, err := q.WebhookSecretsOf(ctx, of)
	if err != nil {
		return "", err
	}
	for i, r := range rows {
		if r.ExpiresAt != nil && r.ExpiresAt.After(now) && overlap > 0 {
			return "", &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Two webhook secrets of %s are live until %s, from the rotation before. Wait until then, or end both with --overlap 0.", shopName, r.ExpiresAt.UTC().Format(time.RFC3339))}
		}
		if i == 0 {
			plain, err := s.open(r.Secret, shopOwner(of), fieldWebhookSecret)
			if err != nil {
				return "", err
			}
			newest = gateway.Secret(plain)
		}
	}
	if err := q.EndWebhookSecrets(ctx, db.EndWebhookSecretsParams{ExpiresAt: now.Add(overlap), ShopID: of}); err != nil {
		return "", err
	}
	return newest, q.DeleteEndedWebhookSecrets(ctx, db.DeleteEndedWebhookSecretsParams{ShopID: of, Now: now})
}
