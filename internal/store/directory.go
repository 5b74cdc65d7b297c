package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
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
	recheck     atomic.Bool // the next comparison reads the tables whatever the database counted
}

// entries are the directory as of a moment. They are never changed.
type entries struct {
	state      db.DirectoryGenerationRow
	trail      *trail
	altered    map[Finding]bool    // rows that were changed past the service, without what is wrong with each
	frozen     map[string]bool     // the ids of shops and accounts for which nothing is done
	findings   []Finding           // the same with it, and the entries of the audit log that were changed
	comparedAt time.Time           // when the last comparison began that found nothing newer
	keys       map[string]keyEntry // by id
	secrets    map[uuid.UUID][]webhookSecret
	accounts   map[uuid.UUID]accountEntry
	tokens     map[string]tokenEntry       // by hash
	ofShop     map[uuid.UUID][]accountLink // in the order of routing
	limits     []payment.Limit
	paused     map[uuid.UUID]bool // shops whose direct card payments are
	shops      map[uuid.UUID]shop.Shop
	routing    map[uuid.UUID]activeRules // by shop; those of all shops have the zero id
	bins       binsEntry
}

// isAltered reports whether a row of the configuration was changed past the service.
func (e *entries) isAltered(table string, owner uuid.UUID, key ...string) bool {
	return e.altered[findingOf(owner, rowName(table, key...), "")]
}

// accountEntry is an account, or why it cannot be read. One that cannot hurts no other.
type accountEntry struct {
	payment.Account
	err error
}

// accountLink is an account that a shop may use, with its place in the shop's routing.
type accountLink struct {
	account  uuid.UUID
	priority int
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
func (d *directory) expire() {
	if e := d.current.Load(); e != nil {
		old := *e
		old.comparedAt = time.Time{}
		d.current.Store(&old)
	}
}

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
	var state db.DirectoryGenerationRow
	err := s.read(ctx, "compare the directory", func(ctx context.Context, q *db.Queries) (err error) {
		state, err = q.DirectoryGeneration(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if old != nil && !s.directory.recheck.Swap(false) && old.state.Generation == state.Generation && old.state.ChangedAt.Equal(state.ChangedAt) {
		same := *old
		return &same, nil
	}
	return s.readDirectory(ctx, old, state)
}

// readDirectory reads all tables in one snapshot: what is used is what was checked.
func (s *Store) readDirectory(ctx context.Context, old *entries, state db.DirectoryGenerationRow) (fresh *entries, err error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, err
	}
	err = s.retry(ctx, s.Limit, "read the directory", func(ctx context.Context, conn *pgxpool.Conn) error {
		fresh = &entries{
			state: state, // read before: what changed since is found by the next comparison
			keys:  map[string]keyEntry{}, secrets: map[uuid.UUID][]webhookSecret{}, accounts: map[uuid.UUID]accountEntry{}, tokens: map[string]tokenEntry{},
			ofShop: map[uuid.UUID][]accountLink{}, shops: map[uuid.UUID]shop.Shop{}, routing: map[uuid.UUID]activeRules{},
		}
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			q := db.New(tx)
			if err := s.check(ctx, tx, sealer, old, fresh); err != nil {
				return err
			}
			return errors.Join(s.fillShops(ctx, q, fresh), s.fillWebhookSecrets(ctx, q, fresh), s.fillAccounts(ctx, q, fresh), fillRouting(ctx, q, fresh), fillBINs(ctx, q, old, fresh))
		})
	})
	switch {
	case errors.Is(err, errLogCut):
		fresh = old.keptBack()
	case err != nil:
		return nil, err
	}
	s.report(old, fresh)
	return fresh, nil
}

// keptBack are the entries as they were, because what the tables hold now may be older.
func (e *entries) keptBack() *entries {
	kept := *e
	if cut := logCut(e.trail.seq); !slices.Contains(e.findings, cut) {
		kept.findings = append(slices.Clone(e.findings), cut)
	}
	return &kept
}

// freezing are the tables of which one altered row freezes its shop or account.
var freezing = []string{tableShops, tableAccounts, tableAccountSecrets, tableLimits}

// check compares the rows of the configuration with the audit log.
func (s *Store) check(ctx context.Context, tx pgx.Tx, sealer *seal.Sealer, old, fresh *entries) error {
	var known *trail
	if old != nil {
		known = old.trail
	}
	rows, err := s.sealConfiguration(ctx, tx, sealer, nil)
	if err != nil {
		return err
	}
	if fresh.trail, err = s.follow(ctx, db.New(tx), sealer, known); err != nil {
		return err
	}
	altered := fresh.trail.compare(rows)
	fresh.altered, fresh.frozen = make(map[Finding]bool, len(altered)), map[string]bool{}
	for _, f := range altered {
		fresh.altered[Finding{Table: f.Table, ID: f.ID}] = true
		if owner, _, _ := strings.Cut(f.ID, "/"); slices.Contains(freezing, f.Table) {
			fresh.frozen[owner] = true
		}
	}
	fresh.findings = slices.Concat(altered, fresh.trail.findings, fresh.trail.behind)
	return nil
}

func (s *Store) fillShops(ctx context.Context, q *db.Queries, e *entries) error {
	shops, err := q.Shops(ctx)
	if err != nil {
		return err
	}
	for _, r := range shops {
		e.shops[r.ID] = shopOf(r)
	}
	keys, err := q.AllKeys(ctx)
	if err != nil {
		return err
	}
	rates, err := ratesByKey(ctx, q, e)
	if err != nil {
		return err
	}
	if e.limits, err = allLimits(ctx, q); err != nil {
		return err
	}
	if e.paused, err = pausedShops(ctx, q); err != nil {
		return err
	}
	for _, k := range keys {
		e.keys[k.KeyID] = keyEntry{
			shop.Principal{Shop: e.shops[k.ShopID], KeyID: k.KeyID, Scopes: scopesOf(k.Scopes), ExpiresAt: k.ExpiresAt.UTC(), Mode: shop.Mode(k.KeyMode), Rates: rates[k.ShopID][k.KeyID].Over(rates[k.ShopID][""])},
			k.Mac, k.KeyCidrs, k.RevokedAt != nil, k.ReplacedBy != nil, e.isAltered(tableShopKeys, k.ShopID, k.KeyID), e.frozen[k.ShopID.String()],
		}
	}
	return nil
}

func (s *Store) fillAccounts(ctx context.Context, q *db.Queries, e *entries) error {
	accounts, err := q.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, r := range accounts {
		a, err := s.account(accountRow(r))
		if err != nil {
			err = fmt.Errorf("read account %s: %w", r.Name, err)
		} else if e.frozen[r.ID.String()] {
			err = &payment.Error{Code: payment.CodeAccountFrozen, Message: "The account " + r.Name + " was changed past payrelay, so it is not used. Nothing was stored or sent. Use another account, or ask the operators."}
		}
		for _, l := range e.limits {
			if l.Enforced && l.Scope == payment.LimitAccount && l.ObjectID == r.ID.String() {
				a.Limits = append(a.Limits, l)
			}
		}
		e.accounts[r.ID] = accountEntry{a, err}
		if a.CallbackToken != "" {
			e.tokens[string(tokenHash(a.CallbackToken.Reveal()))] = tokenEntry{account: r.ID}
		}
		if r.PreviousTokenUntil != nil {
			e.tokens[string(r.PreviousTokenHash)] = tokenEntry{r.ID, r.PreviousTokenUntil}
		}
	}
	links, err := q.AccountShops(ctx)
	for _, l := range links {
		if !e.isAltered(tableAccountShops, l.AccountID, l.ShopID.String()) {
			e.ofShop[l.ShopID] = append(e.ofShop[l.ShopID], accountLink{l.AccountID, priorityOf(l.Priority)})
		}
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

// expiringCollector shows which shops have keys that end soon.
type expiringCollector struct {
	store *Store
	keys  *prometheus.Desc
}

// KeyCollector tells Prometheus of keys that end soon and that no rotation has replaced.
func (s *Store) KeyCollector() prometheus.Collector {
	return &expiringCollector{s, prometheus.NewDesc("payrelay_keys_expiring", "Keys of a shop that work, end within 14 days and were not rotated.", []string{"shop"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *expiringCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.keys }

// Collect implements prometheus.Collector.
func (c *expiringCollector) Collect(ch chan<- prometheus.Metric) {
	e := c.store.directory.current.Load()
	if e == nil {
		return
	}
	now, soon := c.store.Now(), map[string]int{}
	for _, k := range e.keys {
		if left := k.ExpiresAt.Sub(now); !k.revoked && !k.replaced && k.Mode != shop.ModeOff && left > 0 && left < shop.ExpiryNotice {
			soon[k.Shop.Name]++
		}
	}
	for name, n := range soon {
		ch <- prometheus.MustNewConstMetric(c.keys, prometheus.GaugeValue, float64(n), name)
	}
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

// ShopMode implements payment.MandateStore. A shop whose row was changed past payrelay is frozen.
func (s *Store) ShopMode(ctx context.Context, id uuid.UUID) (shop.Mode, error) {
	frozen := false
	known, ok, err := found(ctx, s, func(e *entries) (shop.Shop, bool) {
		frozen = e.frozen[id.String()]
		known, ok := e.shops[id]
		return known, ok
	})
	switch {
	case err != nil:
		return "", err
	case frozen:
		return "", frozenShop()
	case !ok:
		return "", payment.ErrNotFound
	}
	return known.Mode, nil
}

// ShopAccounts implements payment.Store.
func (s *Store) ShopAccounts(ctx context.Context, id uuid.UUID) ([]payment.Account, error) {
	accounts, _, err := found(ctx, s, func(e *entries) ([]accountEntry, bool) {
		links := e.ofShop[id]
		list := make([]accountEntry, len(links))
		for i, l := range links {
			list[i] = e.accounts[l.account]
			list[i].Priority = l.priority
		}
		return list, len(list) > 0
	})
	if err != nil {
		return nil, err
	}
	list := make([]payment.Account, len(accounts))
	for i, a := range accounts {
		list[i] = a.Account
		list[i].Unusable, list[i].Demoted = a.err, s.health.isDemoted(a.ID)
	}
	return list, nil
}
