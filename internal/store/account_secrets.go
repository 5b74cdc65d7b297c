package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// The stages of an account's secret.
const (
	stageStaged   = "staged"
	stageCurrent  = "current"
	stagePrevious = "previous"
)

// PreviousSecretsKept is how long the secrets before a promotion verify callbacks at least. UAPAY repeats a callback for 27 hours;
// SmartCore says nothing of repeats.
const PreviousSecretsKept = 48 * time.Hour

// lockAccount locks an account until the end of the transaction.
func (s *Store) lockAccount(ctx context.Context, q *db.Queries, name string) (payment.Account, error) {
	row, err := q.AccountByName(ctx, text(name))
	if errors.Is(err, pgx.ErrNoRows) {
		return payment.Account{}, &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("There is no account named %q.", name)}
	}
	if err != nil {
		return payment.Account{}, err
	}
	return s.account(accountRow(row))
}

// setSecrets writes secrets of a stage.
func (s *Store) setSecrets(ctx context.Context, q *db.Queries, account uuid.UUID, stage string, secrets map[string]gateway.Secret) error {
	for name, secret := range secrets {
		value, err := s.seal([]byte(secret.Reveal()), secretsOwner(account), name)
		if err != nil {
			return err
		}
		if _, err := q.SetAccountSecret(ctx, db.SetAccountSecretParams{AccountID: account, Name: name, Stage: stage, Value: value, Since: s.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// promote makes the staged secrets the current ones, and those that they replace the previous ones.
func (s *Store) promote(ctx context.Context, q *db.Queries, account uuid.UUID) error {
	now := s.Now()
	if err := q.DropReplacedSecrets(ctx, account); err != nil {
		return err
	}
	if err := q.KeepCurrentSecrets(ctx, db.KeepCurrentSecretsParams{Now: now, AccountID: account}); err != nil {
		return err
	}
	_, err := q.PromoteSecrets(ctx, db.PromoteSecretsParams{Now: now, AccountID: account})
	return err
}

// actOnAccount changes a locked account. change returns what the audit log keeps as before and after.
func (s *Store) actOnAccount(ctx context.Context, action, name string, change func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (before, after any, err error)) error {
	fingerprint, err := s.fingerprinter(ctx)
	if err != nil {
		return err
	}
	return s.act(ctx, action, accountNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		a, err := s.lockAccount(ctx, q, name)
		if err != nil {
			return act{}, err
		}
		before, after, err := change(ctx, q, a, fingerprint)
		return act{action: action, kind: "account", object: name, before: before, after: after}, err
	})
}

// StageSecrets writes down secrets that will replace an account's. They verify callbacks from now on, and no call uses them. check
// looks at the account as it will be, and an error of it changes nothing. Another value that is staged already may be installed at the
// provider, so it is replaced only if replace is given.
func (s *Store) StageSecrets(ctx context.Context, name string, secrets map[string]gateway.Secret, replace bool, check func(payment.Account) error) error {
	return s.actOnAccount(ctx, "account secret stage", name, func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (any, any, error) {
		replaced, fresh := replacedByStaging(a, secrets)
		if len(replaced) > 0 && !replace {
			return nil, nil, otherStaged(a, replaced)
		}
		staged := WithStaged(a)
		maps.Copy(staged.Secrets, secrets)
		if err := check(staged); err != nil {
			return nil, nil, err
		}
		after := map[string]any{"staged": fingerprints(fingerprint, secrets)}
		if len(replaced) > 0 {
			after["replaced"] = fingerprints(fingerprint, replaced)
		}
		return map[string]any{"staged": fingerprints(fingerprint, a.Staged)}, after, s.setSecrets(ctx, q, a.ID, stageStaged, fresh)
	})
}

// replacedByStaging returns the staged secrets that others of their name replace, and the secrets that are not staged yet.
func replacedByStaging(a payment.Account, secrets map[string]gateway.Secret) (replaced, fresh map[string]gateway.Secret) {
	replaced, fresh = map[string]gateway.Secret{}, map[string]gateway.Secret{}
	for name, secret := range secrets {
		staged, ok := a.Staged[name]
		if ok && staged == secret {
			continue
		}
		fresh[name] = secret
		if ok {
			replaced[name] = staged
		}
	}
	return replaced, fresh
}

// otherStaged refuses to replace staged secrets.
func otherStaged(a payment.Account, replaced map[string]gateway.Secret) error {
	names := strings.Join(slices.Sorted(maps.Keys(replaced)), ", ")
	return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Another value of %s is staged for %s. Promote it first ('server account secret promote'); or give --replace, if the provider does not use it: that deletes it.", names, a.Name)}
}

// WithStaged is an account as it will be after a promotion.
func WithStaged(a payment.Account) payment.Account {
	a.Secrets = maps.Clone(a.Secrets)
	maps.Copy(a.Secrets, a.Staged)
	return a
}

// PromoteSecrets makes an account's staged secrets those that calls use. The ones before verify callbacks still. A promotion deletes
// the previous ones of the same name, so it is refused while they may sign callbacks, unless force is given. A secret may name the
// merchant: moves says whether calls are made as another one then.
func (s *Store) PromoteSecrets(ctx context.Context, name string, force bool, moves Moves) (set AccountSet, err error) {
	err = s.actOnAccount(ctx, "account secret promote", name, func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (any, any, error) {
		if len(a.Staged) == 0 {
			return nil, nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("No secret of %s is staged. 'server account secret stage' does that.", name)}
		}
		deleted := deletedByPromotion(a)
		if len(deleted) > 0 && !force {
			if err := s.mayDeletePrevious(ctx, q, a, "A promotion deletes them. Wait until then; after a leak, or if the provider never signed with them, give --force."); err != nil {
				return nil, nil, err
			}
		}
		before, after := map[string]any{"secrets": fingerprints(fingerprint, a.Secrets)}, map[string]any{"secrets": fingerprints(fingerprint, WithStaged(a).Secrets)}
		if len(deleted) > 0 {
			before["previous"], after["forced"] = fingerprints(fingerprint, deleted), force
		}
		if err := s.promote(ctx, q, a.ID); err != nil {
			return nil, nil, err
		}
		set, err = s.noteMove(ctx, q, a, WithStaged(a), moves)
		return before, after, err
	})
	return set, err
}

// deletedByPromotion returns the previous secrets that a promotion deletes. One that is staged again is not lost.
func deletedByPromotion(a payment.Account) map[string]gateway.Secret {
	deleted := map[string]gateway.Secret{}
	for name, staged := range a.Staged {
		if previous, ok := a.Previous[name]; ok && previous != staged {
			deleted[name] = previous
		}
	}
	return deleted
}

// mayDeletePrevious is an error as long as an account's previous secrets may sign callbacks, with advice on what to do.
func (s *Store) mayDeletePrevious(ctx context.Context, q *db.Queries, a payment.Account, advice string) error {
	since, err := q.NewestPreviousSecret(ctx, a.ID)
	if err != nil {
		return err
	}
	if free := since.Add(PreviousSecretsKept); free.After(s.Now()) {
		return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("The previous secrets of %s may sign callbacks until %s. %s", a.Name, free.UTC().Format(time.RFC3339), advice)}
	}
	return nil
}

// RetireSecrets deletes an account's previous secrets. That is refused before the provider has given up repeating callbacks that are
// signed with them, unless they leaked.
func (s *Store) RetireSecrets(ctx context.Context, name string, leaked bool) error {
	return s.actOnAccount(ctx, "account secret retire", name, func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (any, any, error) {
		if len(a.Previous) == 0 {
			return nil, nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("%s has no previous secret.", name)}
		}
		if !leaked {
			if err := s.mayDeletePrevious(ctx, q, a, "Wait until then; after a leak give --leaked."); err != nil {
				return nil, nil, err
			}
		}
		_, err := q.RetireSecrets(ctx, a.ID)
		return map[string]any{"previous": fingerprints(fingerprint, a.Previous)}, map[string]any{"previous": map[string]string{}, "leaked": leaked}, err
	})
}

// RotateCallbackToken gives an account another callback address. Callbacks to the one before are taken for overlap still. Another
// rotation with an overlap inside that time is an error of CodeInvalidState.
func (s *Store) RotateCallbackToken(ctx context.Context, name string, overlap time.Duration) (payment.Account, error) {
	token := newCallbackToken()
	var changed payment.Account
	err := s.actOnAccount(ctx, "account callback-token rotate", name, func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (any, any, error) {
		row, err := q.AccountByName(ctx, text(name))
		if err != nil {
			return nil, nil, err
		}
		now := s.Now()
		if until := row.PreviousTokenUntil; until != nil && until.After(now) && overlap > 0 {
			return nil, nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Two callback addresses of %s are live until %s, from the rotation before. Wait until then, or end both with --overlap 0.", name, until.UTC().Format(time.RFC3339))}
		}
		sealed, err := s.seal([]byte(token.Reveal()), accountOwner(a.ID), fieldCallbackToken)
		if err != nil {
			return nil, nil, err
		}
		changed = a
		changed.CallbackToken = token
		_, err = q.RotateCallbackToken(ctx, db.RotateCallbackTokenParams{Until: now.Add(overlap), CallbackToken: sealed, CallbackTokenHash: tokenHash(token.Reveal()), ID: a.ID})
		return map[string]any{"callback_token": fingerprint(a.CallbackToken)}, map[string]any{"callback_token": fingerprint(token), "overlap": overlap.String()}, err
	})
	return changed, err
}
