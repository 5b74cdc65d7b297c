package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// NewAccount is an account to be added.
type NewAccount struct {
	Name     string
	Provider string
	Currency money.Currency
	// Purpose is PurposeAny if empty.
	Purpose  payment.Purpose
	Settings map[string]string
	Secrets  map[string]gateway.Secret
	// Shops names the shops that may use it. The first account of a shop, currency and purpose is routed to.
	Shops []string
}

// CreateAccount adds an account with a callback token of its own. A name that is taken or cannot be one, and a shop that
// does not exist, is a payment.Error of CodeInvalid that says so.
func (s *Store) CreateAccount(ctx context.Context, a NewAccount) (payment.Account, error) {
	created := payment.Account{
		ID: s.NewID(), Name: a.Name, Provider: a.Provider, Currency: a.Currency, Purpose: a.Purpose, Settings: a.Settings, Secrets: a.Secrets,
		CallbackToken: newCallbackToken(), Mode: shop.ModeEnabled, Version: 1, CreatedAt: s.Now(),
	}
	if created.Purpose == "" {
		created.Purpose = payment.PurposeAny
	}
	fingerprint, err := s.fingerprinter(ctx)
	if err != nil {
		return payment.Account{}, err
	}
	err = s.act(ctx, "create account", accountNamed(a.Name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		return act{action: "account create", kind: "account", object: a.Name, after: map[string]any{
			"provider": a.Provider, "currency": a.Currency, "purpose": created.Purpose, "settings": a.Settings, "shops": a.Shops,
			"secrets": fingerprints(fingerprint, a.Secrets), "callback_token": fingerprint(created.CallbackToken),
		}}, s.insertAccount(ctx, db.New(tx), created, a.Shops)
	})
	switch {
	case violates(err, "accounts_name_key"):
		return payment.Account{}, nameTaken("account", a.Name, err)
	case violates(err, "accounts_name_form"):
		return payment.Account{}, nameForm(a.Name, err)
	case err != nil:
		return payment.Account{}, err
	}
	return created, nil
}

func newCallbackToken() gateway.Secret {
	token := make([]byte, 32)
	_, _ = rand.Read(token)
	return gateway.Secret(base64.RawURLEncoding.EncodeToString(token))
}

func (s *Store) insertAccount(ctx context.Context, q *db.Queries, a payment.Account, shops []string) error {
	owner := accountOwner(a.ID)
	token, err := s.seal([]byte(a.CallbackToken.Reveal()), owner, fieldCallbackToken)
	if err != nil {
		return err
	}
	settings, err := toJSONObject(a.Settings)
	if err != nil {
		return err
	}
	if _, err := q.InsertAccount(ctx, db.InsertAccountParams{
		ID: a.ID, Name: a.Name, Provider: a.Provider, Currency: string(a.Currency), Purpose: string(a.Purpose), Settings: settings,
		CallbackToken: token, CallbackTokenHash: tokenHash(a.CallbackToken.Reveal()), CreatedAt: a.CreatedAt,
	}); err != nil {
		return err
	}
	if err := s.setSecrets(ctx, q, a.ID, stageCurrent, a.Secrets); err != nil {
		return err
	}
	for _, name := range shops {
		l, err := loadLinks(ctx, q, a, name)
		if err != nil {
			return err
		}
		priority, err := l.place(Routing{})
		if err != nil {
			return err
		}
		if err := linkAccount(ctx, q, l.shop, a.ID, priority); err != nil {
			return err
		}
	}
	return nil
}

// AccountChange is what becomes different of an account. Settings replace those of their names; an empty one is taken away.
type AccountChange struct {
	Settings map[string]string
	// Expect is the version that the account must have, 0 for any.
	Expect int64
	// Moves says whether calls go to another installation or merchant after the change; nil is for no.
	Moves Moves
}

// Moves reports whether calls about orders go elsewhere, or are made as somebody else, after an account has changed.
type Moves func(before, after payment.Account) bool

// AccountSet is an account as it was changed.
type AccountSet struct {
	payment.Account
	// Moved says that calls go to another installation or merchant now, and Open which orders were open then, and how many.
	Moved bool
	Open  []string
}

// SetAccount changes an account and returns it as it is then. check looks at the account as it will be, and an error of it changes
// nothing. An account that does not exist is a payment.Error of CodeNotFound; one of another version than expected, of CodeInvalidState.
func (s *Store) SetAccount(ctx context.Context, name string, change AccountChange, check func(payment.Account) error) (set AccountSet, err error) {
	err = s.actOnAccount(ctx, "account set", name, func(ctx context.Context, q *db.Queries, a payment.Account, fingerprint func(gateway.Secret) string) (any, any, error) {
		if change.Expect != 0 && change.Expect != a.Version {
			return nil, nil, otherVersion(a, change.Expect)
		}
		old, before := a, accountFacts(fingerprint, a)
		a.Settings = maps.Clone(a.Settings)
		maps.Copy(a.Settings, change.Settings)
		maps.DeleteFunc(a.Settings, func(_, value string) bool { return value == "" })
		if err := check(a); err != nil {
			return nil, nil, err
		}
		settings, err := toJSONObject(a.Settings)
		if err != nil {
			return nil, nil, err
		}
		a.Version++
		if _, err = q.UpdateAccountSettings(ctx, db.UpdateAccountSettingsParams{Settings: settings, ID: a.ID}); err != nil {
			return nil, nil, err
		}
		set, err = s.noteMove(ctx, q, old, a, change.Moves)
		return before, accountFacts(fingerprint, a), err
	})
	return set, err
}

// noteMove writes down when an account's calls begin to go elsewhere. What was sent before can be denied there, which proves nothing.
func (s *Store) noteMove(ctx context.Context, q *db.Queries, before, after payment.Account, moves Moves) (AccountSet, error) {
	set := AccountSet{Account: after, Moved: moves != nil && moves(before, after)}
	if !set.Moved {
		return set, nil
	}
	now := s.Now()
	set.MovedAt = &now
	if _, err := q.MoveAccount(ctx, db.MoveAccountParams{MovedAt: &now, ID: after.ID}); err != nil {
		return set, err
	}
	var err error
	set.Open, err = ordersAt(ctx, q, after)
	return set, err
}

// Withhold leaves a capability out of what an account does, with the reason, or takes it in again for the reason "".
func (s *Store) Withhold(ctx context.Context, name, capability, reason string, check func(payment.Account) error) error {
	action := "account withhold"
	if reason == "" {
		action = "account allow"
	}
	return s.actOnAccount(ctx, action, name, func(ctx context.Context, q *db.Queries, a payment.Account, _ func(gateway.Secret) string) (any, any, error) {
		if err := check(a); err != nil {
			return nil, nil, err
		}
		before := map[string]any{"withheld": a.Withheld}
		now := map[string]string{}
		maps.Copy(now, a.Withheld)
		delete(now, capability)
		if reason != "" {
			now[capability] = reason
		}
		withheld, err := toJSONObject(now)
		if err != nil {
			return nil, nil, err
		}
		_, err = q.SetWithheld(ctx, db.SetWithheldParams{Withheld: withheld, ID: a.ID})
		return before, map[string]any{"withheld": now}, err
	})
}

// otherVersion tells who changes an account that somebody else has changed meanwhile how it is now.
func otherVersion(a payment.Account, expected int64) error {
	settings := make([]string, 0, len(a.Settings))
	for _, key := range slices.Sorted(maps.Keys(a.Settings)) {
		settings = append(settings, key+"="+a.Settings[key])
	}
	return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf(
		"Account %s is at version %d, and not %d: somebody has changed it. It is %s now, with the settings: %s. Nothing was changed.",
		a.Name, a.Version, expected, a.Mode, cmp.Or(strings.Join(settings, " "), "none"))}
}

// accountFacts are what the audit log keeps of an account.
func accountFacts(fingerprint func(gateway.Secret) string, a payment.Account) map[string]any {
	return map[string]any{"settings": maps.Clone(a.Settings), "secrets": fingerprints(fingerprint, a.Secrets), "version": a.Version}
}

// secretsOwner keeps the names that providers give their secrets apart from the names of columns.
func secretsOwner(account uuid.UUID) string { return accountOwner(account) + "/secret" }

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Accounts returns every account by name, for operators. One that cannot be read is Unusable, and hurts no other.
func (s *Store) Accounts(ctx context.Context) ([]payment.Account, error) {
	var rows []db.AccountsRow
	err := s.read(ctx, "load accounts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Accounts(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	accounts := make([]payment.Account, len(rows))
	for i, r := range rows {
		if accounts[i], err = s.account(accountRow(r)); err != nil {
			accounts[i].Unusable = fmt.Errorf("read account %s: %w", r.Name, err)
		}
	}
	return accounts, nil
}

// accountRow is an account as it is stored.
type accountRow struct {
	ID                 uuid.UUID
	Name               string
	Provider           string
	Currency           string
	Purpose            string
	Settings           json.RawMessage
	Withheld           json.RawMessage
	CallbackToken      []byte
	PreviousTokenHash  []byte
	PreviousTokenUntil *time.Time
	Mode               string
	Version            int64
	MovedAt            *time.Time
	CreatedAt          time.Time
	SecretNames        []string
	SecretStages       []string
	SecretValues       [][]byte
}

// account turns a row into an account. With an error it has what needs no decrypting.
func (s *Store) account(r accountRow) (payment.Account, error) {
	a := payment.Account{
		ID: r.ID, Name: r.Name, Provider: r.Provider, Currency: money.Currency(r.Currency), Purpose: payment.Purpose(r.Purpose),
		Mode: shop.Mode(r.Mode), Version: r.Version, MovedAt: utc(r.MovedAt), CreatedAt: r.CreatedAt.UTC(), Secrets: map[string]gateway.Secret{},
	}
	if _, err := money.KnownCurrency(r.Currency); err != nil {
		return a, err
	}
	token, err := s.open(r.CallbackToken, accountOwner(r.ID), fieldCallbackToken)
	if err != nil {
		return a, err
	}
	a.CallbackToken = gateway.Secret(token)
	for i, name := range r.SecretNames {
		value, err := s.open(r.SecretValues[i], secretsOwner(r.ID), name)
		if err != nil {
			return a, err
		}
		switch r.SecretStages[i] {
		case stageCurrent:
			a.Secrets[name] = gateway.Secret(value)
		case stageStaged:
			a.Staged = with(a.Staged, name, gateway.Secret(value))
		case stagePrevious:
			a.Previous = with(a.Previous, name, gateway.Secret(value))
		}
	}
	err = errors.Join(fromJSON(r.Settings, &a.Settings), fromJSON(r.Withheld, &a.Withheld))
	if len(a.Withheld) == 0 {
		a.Withheld = nil
	}
	return a, err
}

// with sets an entry of a map that may be nil.
func with(m map[string]gateway.Secret, name string, value gateway.Secret) map[string]gateway.Secret {
	if m == nil {
		m = map[string]gateway.Secret{}
	}
	m[name] = value
	return m
}
