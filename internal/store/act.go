package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// ownerOf finds the shop or account whose rows an act changes. It returns pgx.ErrNoRows for one that does not exist.
type ownerOf func(ctx context.Context, q *db.Queries) (uuid.UUID, error)

// nobody owns what is of all shops.
func nobody(context.Context, *db.Queries) (uuid.UUID, error) { return uuid.Nil, nil }

func shopNamed(name string) ownerOf {
	return func(ctx context.Context, q *db.Queries) (uuid.UUID, error) { return q.ShopIDByName(ctx, text(name)) }
}

func shopOfKey(id string) ownerOf {
	return func(ctx context.Context, q *db.Queries) (uuid.UUID, error) { return q.ShopIDByKey(ctx, text(id)) }
}

func accountNamed(name string) ownerOf {
	return func(ctx context.Context, q *db.Queries) (uuid.UUID, error) { return q.AccountIDByName(ctx, text(name)) }
}

// act changes rows of a shop or account. What was changed, and the seals of the rows, are written down in the same transaction: no
// entry, no change. Nobody else changes the configuration meanwhile.
func (s *Store) act(ctx context.Context, doing string, of ownerOf, change func(ctx context.Context, tx pgx.Tx) (act, error)) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	return s.writeDirectory(ctx, doing, func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		if err := q.LockConfiguration(ctx); err != nil {
			return err
		}
		before, said, err := s.ownedRows(ctx, tx, sealer, of)
		if err != nil {
			return err
		}
		done, err := change(ctx, tx)
		if err != nil {
			return err
		}
		owner, err := of(ctx, q)
		if err != nil {
			return err
		}
		after, err := s.sealConfiguration(ctx, tx, sealer, &owner)
		if err != nil {
			return err
		}
		done.owner = &owner
		if done.accepts {
			altered := differences(owner, before, said)
			if len(altered) == 0 {
				return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("No row of %s %s was altered past payrelay, so there is nothing to accept. Nothing was changed.", done.kind, done.object)}
			}
			if slices.ContainsFunc(altered, func(f Finding) bool { return f.Table == tableBINs }) {
				return errBINsNotAccepted
			}
			done.before, done.seals = map[string]any{"altered": altered}, after[owner]
		} else if done.seals, err = nextSeals(done, before, after[owner], said); err != nil {
			return err
		}
		return s.audit(ctx, q, done)
	})
}

// ownedRows are the seals of an owner's rows as they are, and as the audit log says. One that does not exist has none.
func (s *Store) ownedRows(ctx context.Context, tx pgx.Tx, sealer *seal.Sealer, of ownerOf) (there, said rowSeals, err error) {
	q := db.New(tx)
	owner, err := of(ctx, q)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	all, err := s.sealConfiguration(ctx, tx, sealer, &owner)
	if err != nil {
		return nil, nil, err
	}
	said, err = checkedSeals(ctx, q, sealer, owner)
	return all[owner], said, err
}

// nextSeals are what the audit log says from now on: of the rows that the act changed as they are now, of the others as before. So
// an act never makes good what was altered past the service, and may change such a row only if nothing works by it any more.
func nextSeals(done act, before, after, said rowSeals) (rowSeals, error) {
	next := maps.Clone(said)
	if next == nil {
		next = rowSeals{}
	}
	for _, row := range slices.Sorted(maps.Keys(after)) {
		was, known := before[row]
		if known && was == after[row] {
			continue
		}
		if known && was != said[row] && !done.closes {
			return nil, alteredRow(done, row)
		}
		next[row] = after[row]
	}
	for row := range before {
		if _, still := after[row]; !still {
			delete(next, row)
		}
	}
	return next, nil
}

func alteredRow(done act, row string) error {
	return &payment.Error{
		Code: payment.CodeInvalidState,
		Message: "The row " + row + " of " + done.object + " was changed past payrelay, so nothing builds on it. Nothing was changed. 'server audit verify' names all such rows; " +
			"'server audit accept' seals them as they are, once you have looked at them.",
	}
}
