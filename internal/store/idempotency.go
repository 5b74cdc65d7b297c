package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/idempotency"
	"payrelay/internal/store/internal/db"
)

// Idempotency implements idempotency.Store. Answers rest encrypted: they hold what customers are sent to.
type Idempotency struct{ store *Store }

// Idempotency returns the memory of Idempotency-Keys.
func (s *Store) Idempotency() Idempotency { return Idempotency{s} }

// fieldAnswer is the field that a kept answer is bound to; its owner is the shop and the key.
const fieldAnswer = "answer"

func claimOwner(shop uuid.UUID, key string) string { return "idempotency/" + shop.String() + "/" + key }

// Begin implements idempotency.Store.
func (i Idempotency) Begin(ctx context.Context, shop uuid.UUID, key string, requestHash []byte, lease time.Duration) (idempotency.Claim, *idempotency.Response, error) {
	now := i.store.Now()
	claim := db.ClaimIdempotencyKeyParams{ShopID: shop, Key: key, RequestHash: requestHash, Owner: uuid.New(), LockedUntil: now.Add(lease), Now: now}
	w := write{doing: "claim an idempotency key", claim: &claim}
	if err := i.store.commit(ctx, &w); err != nil && !errors.Is(err, errAlone) {
		return idempotency.Claim{}, nil, err
	}
	if w.done {
		return idempotency.Claim{Shop: shop, Key: key, Owner: claim.Owner}, nil, nil
	}
	var kept db.IdempotencyKeyByNameRow
	claimed := false
	err := i.store.read(ctx, "claim an idempotency key", func(ctx context.Context, q *db.Queries) error {
		for range maxTries {
			n, err := q.ClaimIdempotencyKey(ctx, claim)
			if claimed = n == 1; err != nil || claimed {
				return err
			}
			kept, err = q.IdempotencyKeyByName(ctx, db.IdempotencyKeyByNameParams{ShopID: shop, Key: key})
			if !errors.Is(err, pgx.ErrNoRows) { // else it was given up between the two questions
				return err
			}
		}
		return idempotency.ErrInProgress
	})
	switch {
	case err != nil:
		return idempotency.Claim{}, nil, err
	case claimed:
		return idempotency.Claim{Shop: shop, Key: key, Owner: claim.Owner}, nil, nil
	case string(kept.RequestHash) != string(requestHash):
		return idempotency.Claim{}, nil, idempotency.ErrMismatch
	case kept.Status == nil:
		return idempotency.Claim{}, nil, idempotency.ErrInProgress
	}
	r, err := i.store.keptAnswer(shop, key, &kept)
	return idempotency.Claim{}, &r, err
}

// keptAnswer reads a row that has an answer.
func (s *Store) keptAnswer(shop uuid.UUID, key string, row *db.IdempotencyKeyByNameRow) (idempotency.Response, error) {
	body, err := s.open(row.Body, claimOwner(shop, key), fieldAnswer)
	if err != nil {
		return idempotency.Response{}, err
	}
	r := idempotency.Response{Status: int(*row.Status), Body: body}
	return r, fromJSON(row.Header, &r.Header)
}

// errGone says that a claim is another's by now, or given up.
var errGone = errors.New("the claim on the key is gone")

// Renew implements idempotency.Store.
func (i Idempotency) Renew(ctx context.Context, c idempotency.Claim, lease time.Duration) error {
	return i.store.read(ctx, "renew a claim on a key", func(ctx context.Context, q *db.Queries) error {
		n, err := q.RenewIdempotencyKey(ctx, db.RenewIdempotencyKeyParams{ShopID: c.Shop, Key: c.Key, Owner: c.Owner, Until: i.store.Now().Add(lease)})
		if err == nil && n == 0 {
			return errGone
		}
		return err
	})
}

// Finish implements idempotency.Store.
func (i Idempotency) Finish(ctx context.Context, c idempotency.Claim, r idempotency.Response) (idempotency.Response, error) {
	row, err := i.store.answerRow(c, r)
	if err != nil {
		return idempotency.Response{}, err
	}
	w := write{doing: "keep an answer", finish: row}
	err = i.store.commit(ctx, &w)
	if errors.Is(err, errAlone) {
		err = i.store.commitAlone(ctx, &w)
	}
	if err != nil || w.done {
		return r, err
	}
	return i.first(ctx, c)
}

// first returns the answer that was kept for a claim before.
func (i Idempotency) first(ctx context.Context, c idempotency.Claim) (idempotency.Response, error) {
	var row db.IdempotencyKeyByNameRow
	err := i.store.read(ctx, "keep an answer", func(ctx context.Context, q *db.Queries) (err error) {
		row, err = q.IdempotencyKeyByName(ctx, db.IdempotencyKeyByNameParams{ShopID: c.Shop, Key: c.Key})
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && (row.Owner == nil || *row.Owner != c.Owner || row.Status == nil) {
		err = errGone
	}
	if err != nil {
		return idempotency.Response{}, err
	}
	return i.store.keptAnswer(c.Shop, c.Key, &row)
}

// answerRow is an answer as it rests.
func (s *Store) answerRow(c idempotency.Claim, r idempotency.Response) (*db.FinishIdempotencyKeyParams, error) {
	header, err := json.Marshal(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := s.seal(r.Body, claimOwner(c.Shop, c.Key), fieldAnswer)
	if err != nil {
		return nil, err
	}
	status := int32(r.Status) //nolint:gosec // an HTTP status
	return &db.FinishIdempotencyKeyParams{ShopID: c.Shop, Key: c.Key, Owner: c.Owner, Status: &status, Header: header, Body: body}, nil
}

// Abandon implements idempotency.Store. A claim that is gone already, or is another's by now, is no error.
func (i Idempotency) Abandon(ctx context.Context, c idempotency.Claim) error {
	return i.store.read(ctx, "give an idempotency key up", func(ctx context.Context, q *db.Queries) error {
		_, err := q.AbandonIdempotencyKey(ctx, db.AbandonIdempotencyKeyParams{ShopID: c.Shop, Key: c.Key, Owner: c.Owner})
		return err
	})
}
