package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

const (
	// directoryFresh is how old the directory may be before it is compared with the database, beside the request.
	directoryFresh = time.Second
	// directoryStale is how old it may be at most. A request then waits for the comparison. With the time that one takes, a
	// revoked key works nowhere after five seconds.
	directoryStale = 4 * time.Second
	// directoryPause is how far apart the comparisons are that unknown keys ask for: a flood of them costs one question at a
	// time, and not many.
	directoryPause = 20 * time.Millisecond
)

// directory keeps in memory what every request needs of shops, keys and accounts. The database counts the changes of their
// tables; the directory is read anew whenever that number has moved.
type directory struct {
	current     atomic.Pointer[entries]
	turn        chan struct{} // held by whoever compares
	failed      atomic.Pointer[failedComparison]
	refreshing  atomic.Bool // a comparison runs beside the requests
	comparisons atomic.Int64
}

// entries are the directory as of a moment. They are never changed.
type entries struct {
	state      db.DirectoryGenerationRow
	comparedAt time.Time           // when the last comparison began that found nothing newer
	keys       map[string]keyEntry // by id
	secrets    map[uuid.UUID][]webhookSecret
	accounts   map[uuid.UUID]accountEntry
	tokens     map[string]tokenEntry     // by hash
	ofShop     map[uuid.UUID][]uuid.UUID // by the accounts' names
	addresses  map[uuid.UUID]string      // where a shop's notifications go
	limits     []payment.Limit
}

// accountEntry is an account, or why it cannot be read. One that cannot hurts no other.
type accountEntry struct {
	payment.Account
	err error
}

// tokenEntry is a callback address.
type tokenEntry struct {
	account uuid.UUID
	until   *time.Time // of one that a rotation replaced
}

type failedComparison struct {
	began time.Time
	err   error
}

// expire makes the next question compare first, because this process has changed a table.
func (d *directory) expire() { d.current.Store(nil) }

// entries returns the directory as it was a short while ago.
func (s *Store) entries(ctx context.Context) (*entries, error) {
	e := s.directory.current.Load()
	switch {
	case e == nil || time.Since(e.comparedAt) > directoryStale:
		return s.entriesSince(ctx, time.Now().Add(-directoryFresh))
	case time.Since(e.comparedAt) > directoryFresh && s.directory.refreshing.CompareAndSwap(false, true):
		go func() {
			defer s.directory.refreshing.Store(false)
			_, _ = s.entriesSince(context.WithoutCancel(ctx), time.Now()) // else the next request tries, and waits once it is too old
		}()
	}
	return e, nil
}

// entriesSince returns the directory as of since or later. Of the callers that wait, one compares for all.
func (s *Store) entriesSince(ctx context.Context, since time.Time) (*entries, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	arrived := time.Now()
	select {
	case s.directory.turn <- struct{}{}:
		defer func() { <-s.directory.turn }()
	case <-ctx.Done():
		return nil, translate("wait for the directory", ctx.Err())
	}
	e := s.directory.current.Load()
	if e != nil && !e.comparedAt.Before(since) {
		return e, nil
	}
	if f := s.directory.failed.Load(); f != nil && f.began.After(arrived) {
		return nil, f.err
	}
	began := time.Now()
	s.directory.comparisons.Add(1)
	fresh, err := s.compare(ctx, e)
	if err != nil {
		s.directory.failed.Store(&failedComparison{began, err})
		return nil, err
	}
	fresh.comparedAt = began
	s.directory.current.Store(fresh)
	return fresh, nil
}

// compare returns what there is now: the old entries if nothing has changed, else what the tables hold.
func (s *Store) compare(ctx context.Context, old *entries) (*entries, error) {
	fresh := &entries{keys: map[string]keyEntry{}, secrets: map[uuid.UUID][]webhookSecret{}, accounts: map[uuid.UUID]accountEntry{}, tokens: map[string]tokenEntry{}, ofShop: map[uuid.UUID][]uuid.UUID{}, addresses: map[uuid.UUID]string{}}
	err := s.read(ctx, "compare the directory", func(ctx context.Context, q *db.Queries) error {
		state, err := q.DirectoryGeneration(ctx)
		if err != nil {
			return err
		}
		if old != nil && old.state.Generation == state.Generation && old.state.ChangedAt.Equal(state.ChangedAt) {
			same := *old
			fresh = &same
			return nil
		}
		fresh.state = state // read first: what changes from now on is found by the next comparison
		return s.fill(ctx, q, fresh)
	})
	return fresh, err
}

func (s *Store) fill(ctx context.Context, q *db.Queries, e *entries) error {
	keys, err := q.AllKeys(ctx)
	if err != nil {
		return err
	}
	rates, err := ratesByKey(ctx, q)
	if err != nil {
		return err
	}
	if e.limits, err = allLimits(ctx, q); err != nil {
		return err
	}
	for _, k := range keys {
		of := shopOf(db.ShopsRow{ID: k.ID, Name: k.Name, NotificationUrl: k.NotificationUrl, AllowCidrs: k.AllowCidrs, Mode: k.Mode, CreatedAt: k.CreatedAt})
		e.keys[k.KeyID] = keyEntry{
			shop.Principal{Shop: of, KeyID: k.KeyID, Scopes: scopesOf(k.Scopes), ExpiresAt: k.ExpiresAt.UTC(), Mode: shop.Mode(k.KeyMode), Rates: rates[k.ID][k.KeyID].Over(rates[k.ID][""])},
			k.Mac, k.KeyCidrs, k.RevokedAt != nil,
		}
		e.addresses[k.ID] = k.NotificationUrl
	}
	if err := s.fillWebhookSecrets(ctx, q, e); err != nil {
		return err
	}
	accounts, err := q.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, r := range accounts {
		a, err := s.account(accountRow(r))
		if err != nil {
			err = fmt.Errorf("read account %s: %w", r.Name, err)
		}
		e.accounts[r.ID] = accountEntry{a, err}
		if err == nil {
			e.tokens[string(tokenHash(a.CallbackToken.Reveal()))] = tokenEntry{account: r.ID}
		}
		if r.PreviousTokenUntil != nil {
			e.tokens[string(r.PreviousTokenHash)] = tokenEntry{r.ID, r.PreviousTokenUntil}
		}
	}
	links, err := q.AccountShops(ctx)
	for _, l := range links {
		e.ofShop[l.ShopID] = append(e.ofShop[l.ShopID], l.AccountID)
	}
	return err
}

// DirectoryCollector tells Prometheus which changes of shops, keys and accounts this replica knows of.
func (s *Store) DirectoryCollector() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "payrelay_directory_generation",
		Help: "How many changes of shops, keys and accounts this replica has taken in. Replicas agree within five seconds of requests.",
	}, func() float64 {
		if e := s.directory.current.Load(); e != nil {
			return float64(e.state.Generation)
		}
		return 0
	})
}

// found looks something up. What is not there may be new: the directory is compared once more before that is believed.
func found[T any](ctx context.Context, s *Store, pick func(*entries) (T, bool)) (T, bool, error) {
	var none T
	e, err := s.entries(ctx)
	if err != nil {
		return none, false, err
	}
	if v, ok := pick(e); ok {
		return v, true, nil
	}
	since := time.Now()
	if next := e.comparedAt.Add(directoryPause); next.After(since) {
		pause := time.NewTimer(next.Sub(since))
		defer pause.Stop()
		select {
		case <-ctx.Done():
			return none, false, translate("wait for the directory", ctx.Err())
		case <-pause.C:
		}
	}
	if e, err = s.entriesSince(ctx, since); err != nil {
		return none, false, err
	}
	v, ok := pick(e)
	return v, ok, nil
}

// Account implements payment.Store.
func (s *Store) Account(ctx context.Context, id uuid.UUID) (payment.Account, error) {
	return s.knownAccount(ctx, func(e *entries) (accountEntry, bool) {
		a, ok := e.accounts[id]
		return a, ok
	})
}

// AccountByCallbackToken implements payment.Store.
func (s *Store) AccountByCallbackToken(ctx context.Context, token string) (payment.Account, error) {
	hash := string(tokenHash(token))
	return s.knownAccount(ctx, func(e *entries) (accountEntry, bool) {
		t, ok := e.tokens[hash]
		return e.accounts[t.account], ok && (t.until == nil || t.until.After(s.Now()))
	})
}

func (s *Store) knownAccount(ctx context.Context, pick func(*entries) (accountEntry, bool)) (payment.Account, error) {
	a, ok, err := found(ctx, s, pick)
	switch {
	case err != nil:
		return payment.Account{}, err
	case !ok:
		return payment.Account{}, payment.ErrNotFound
	}
	return a.Account, a.err
}

// ShopAccounts implements payment.Store.
func (s *Store) ShopAccounts(ctx context.Context, id uuid.UUID) ([]payment.Account, error) {
	accounts, _, err := found(ctx, s, func(e *entries) ([]accountEntry, bool) {
		ids := e.ofShop[id]
		list := make([]accountEntry, len(ids))
		for i, a := range ids {
			list[i] = e.accounts[a]
		}
		return list, len(list) > 0
	})
	if err != nil {
		return nil, err
	}
	list := make([]payment.Account, len(accounts))
	for i, a := range accounts {
		if a.err != nil {
			return nil, a.err
		}
		list[i] = a.Account
	}
	return list, nil
}
