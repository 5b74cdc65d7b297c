package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/routing"
	"payrelay/internal/store/internal/db"
)

// The states of a set of routing rules. One of a scope is active at most.
const (
	RoutingDraft   = "draft"
	RoutingActive  = "active"
	RoutingRetired = "retired" // was active
)

// RoutingSet is a version of a scope's routing rules.
type RoutingSet struct {
	ID          uuid.UUID
	Shop        string // "" for the set of every shop without an active set of its own
	Version     int
	Body        []byte
	Checksum    string
	State       string
	Author      string
	Reason      string
	CreatedAt   time.Time
	ActivatedAt *time.Time
	// Gaps are the payments that an activation by force leaves without an account.
	Gaps []string
}

// ExpectedVersion is the version that an operator believes to be active, 0 for none. Nil asks for nothing.
type ExpectedVersion *int

// routingScope is a scope while its sets are changed.
type routingScope struct {
	shop   string
	shopID *uuid.UUID
	sets   []RoutingSet // the newest first
}

// owner is whose rows the sets of a scope are among.
func routingOwner(shop string) ownerOf {
	if shop != "" {
		return shopNamed(shop)
	}
	return nobody
}

func loadRoutingScope(ctx context.Context, q *db.Queries, shop string) (*routingScope, error) {
	scope := &routingScope{shop: shop}
	if shop != "" {
		id, err := q.ShopIDByName(ctx, text(shop))
		if errors.Is(err, pgx.ErrNoRows) {
			err = noShop(shop)
		}
		if err != nil {
			return nil, err
		}
		scope.shopID = &id
	}
	rows, err := q.RoutingSets(ctx, scope.shopID)
	for _, r := range rows {
		scope.sets = append(scope.sets, routingSetOf(r, shop))
	}
	return scope, err
}

func routingSetOf(r db.RoutingSet, shop string) RoutingSet {
	return RoutingSet{
		ID: r.ID, Shop: shop, Version: int(r.Version), Body: []byte(r.Body), Checksum: r.Checksum, State: r.State, Author: r.Author, Reason: r.Reason,
		CreatedAt: r.CreatedAt.UTC(), ActivatedAt: utc(r.ActivatedAt),
	}
}

// active is the active set, of version 0 for none.
func (sc *routingScope) active() RoutingSet {
	for _, set := range sc.sets {
		if set.State == RoutingActive {
			return set
		}
	}
	return RoutingSet{}
}

// before is the set that was active last of those that are not, of version 0 for none.
func (sc *routingScope) before() (last RoutingSet) {
	for _, set := range sc.sets {
		if set.State == RoutingRetired && (last.Version == 0 || set.ActivatedAt.After(*last.ActivatedAt)) {
			last = set
		}
	}
	return last
}

// version returns a set by its version.
func (sc *routingScope) version(n int) (RoutingSet, error) {
	for _, set := range sc.sets {
		if set.Version == n {
			return set, nil
		}
	}
	return RoutingSet{}, &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("There is no version %d of %s. 'server route list' names them.", n, sc)}
}

// String names the scope's rules for people.
func (sc *routingScope) String() string {
	if sc.shop == "" {
		return "the routing rules of all shops"
	}
	return "the routing rules of shop " + sc.shop
}

// expect refuses a change that was meant for another active version.
func (sc *routingScope) expect(wanted ExpectedVersion) error {
	present := sc.active().Version
	if wanted == nil || *wanted == present {
		return nil
	}
	is := fmt.Sprintf("version %d is active", present)
	if present == 0 {
		is = "none is active"
	}
	return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Of %s %s now, not version %d. Nothing was changed. Read what changed with 'server route list', and repeat it with --expect-version %d.", sc, is, *wanted, present)}
}

// facts are what the audit log keeps of the active set.
func (sc *routingScope) facts() map[string]any {
	return activeFacts(sc.active())
}

func activeFacts(set RoutingSet) map[string]any {
	if set.Version == 0 {
		return map[string]any{"active": nil}
	}
	return map[string]any{"active": set.Version, "checksum": set.Checksum}
}

// actOnRouting changes the routing rules of a scope, and writes the audit entry.
func (s *Store) actOnRouting(ctx context.Context, action, shop string, change func(context.Context, *db.Queries, *routingScope) (after map[string]any, err error)) error {
	return s.act(ctx, action, routingOwner(shop), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		scope, err := loadRoutingScope(ctx, q, shop)
		if err != nil {
			return act{}, err
		}
		done := act{action: action, kind: "routing", object: shop, shop: shop, before: scope.facts()}
		if shop == "" {
			done.object = "all shops"
		}
		done.after, err = change(ctx, q, scope)
		return done, err
	})
}

// AddRoutingSet adds rules as the next version of a shop's, or of those of all shops for "", and activates it if asked to. Rules with
// which something is wrong are a payment.Error of CodeInvalid.
func (s *Store) AddRoutingSet(ctx context.Context, shop string, body []byte, activate bool) (set RoutingSet, err error) {
	err = s.actOnRouting(ctx, "route set", shop, func(ctx context.Context, q *db.Queries, scope *routingScope) (map[string]any, error) {
		sum := sha256.Sum256(body)
		set = RoutingSet{
			ID: s.NewID(), Shop: shop, Version: 1, Body: body, Checksum: hex.EncodeToString(sum[:]), State: RoutingDraft, CreatedAt: s.Now(),
		}
		if len(scope.sets) > 0 {
			set.Version = scope.sets[0].Version + 1
		}
		set.Author, set.Reason = s.author()
		known, err := s.knownAccounts(ctx, q)
		if err != nil {
			return nil, err
		}
		rules, err := usableRules(ctx, q, set, known)
		if err != nil {
			return nil, err
		}
		if err := refuseProblems(rules.Closed(known)); err != nil { // an older version may name one that was closed since
			return nil, err
		}
		if err := q.InsertRoutingSet(ctx, db.InsertRoutingSetParams{
			ID: set.ID, ShopID: scope.shopID, Version: int32(set.Version), Body: string(body), Checksum: set.Checksum, Author: set.Author, Reason: set.Reason, CreatedAt: set.CreatedAt, //nolint:gosec // a count
		}); err != nil {
			return nil, err
		}
		after := map[string]any{"version": set.Version, "checksum": set.Checksum, "state": RoutingDraft}
		if activate {
			after["state"] = RoutingActive
			set.State = RoutingActive
			_, err = s.activate(ctx, q, scope, set, known, false)
			return after, err
		}
		return after, nil
	})
	return set, err
}

// ActivateRoutingSet activates a version of a scope's rules. force does so although payments are left without an account: the set's
// Gaps and the audit log name them.
func (s *Store) ActivateRoutingSet(ctx context.Context, shop string, version int, expected ExpectedVersion, force bool) (set RoutingSet, err error) {
	return s.changeActive(ctx, "route activate", shop, expected, force, func(scope *routingScope) (RoutingSet, error) { return scope.version(version) })
}

// RollBackRouting activates the version that was active before the present one. force is as for ActivateRoutingSet.
func (s *Store) RollBackRouting(ctx context.Context, shop string, expected ExpectedVersion, force bool) (RoutingSet, error) {
	return s.changeActive(ctx, "route rollback", shop, expected, force, func(scope *routingScope) (RoutingSet, error) {
		if set := scope.before(); set.Version > 0 {
			return set, nil
		}
		return RoutingSet{}, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("No other version of %s was ever active. 'server route deactivate' goes back to priorities. Nothing was changed.", scope)}
	})
}

// DeactivateRouting has a scope go without rules.
func (s *Store) DeactivateRouting(ctx context.Context, shop string, expected ExpectedVersion) error {
	return s.actOnRouting(ctx, "route deactivate", shop, func(ctx context.Context, q *db.Queries, scope *routingScope) (map[string]any, error) {
		if err := scope.expect(expected); err != nil {
			return nil, err
		}
		if scope.active().Version == 0 {
			return nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Of %s none is active. Nothing was changed.", scope)}
		}
		_, err := q.RetireRoutingSet(ctx, scope.shopID)
		return activeFacts(RoutingSet{}), err
	})
}

func (s *Store) changeActive(ctx context.Context, action, shop string, expected ExpectedVersion, force bool, pick func(*routingScope) (RoutingSet, error)) (set RoutingSet, err error) {
	err = s.actOnRouting(ctx, action, shop, func(ctx context.Context, q *db.Queries, scope *routingScope) (map[string]any, error) {
		if err := scope.expect(expected); err != nil {
			return nil, err
		}
		if set, err = pick(scope); err != nil {
			return nil, err
		}
		if set.State == RoutingActive {
			return nil, &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("Version %d of %s is active already. Nothing was changed.", set.Version, scope)}
		}
		known, err := s.knownAccounts(ctx, q)
		if err != nil {
			return nil, err
		}
		after := activeFacts(set)
		set.Gaps, err = s.activate(ctx, q, scope, set, known, force)
		if len(set.Gaps) > 0 {
			after["forced"], after["gaps"] = true, set.Gaps
		}
		return after, err
	})
	set.State = RoutingActive
	return set, err
}

// activate makes a set the active one of its scope, unless something is wrong with it now. It returns the payments that are left without
// an account, which is an error without force.
func (s *Store) activate(ctx context.Context, q *db.Queries, scope *routingScope, set RoutingSet, known []routing.KnownAccount, force bool) (gaps []string, err error) {
	rules, err := usableRules(ctx, q, set, known)
	if err != nil {
		return nil, err
	}
	if gaps, err = s.gapsOfScope(ctx, q, scope, rules, known); err != nil {
		return nil, err
	}
	if !force {
		if err := refuseGaps(gaps, `Add a rule for them, or "otherwise": "by_priority"; or activate the version with --force.`); err != nil {
			return nil, err
		}
	}
	if _, err := q.RetireRoutingSet(ctx, scope.shopID); err != nil {
		return nil, err
	}
	now := s.Now()
	_, err = q.ActivateRoutingSet(ctx, db.ActivateRoutingSetParams{ID: set.ID, ActivatedAt: &now})
	return gaps, err
}

// RoutingSets returns the versions of a shop's rules, or of those of all shops for "", the newest first.
func (s *Store) RoutingSets(ctx context.Context, shop string) ([]RoutingSet, error) {
	var scope *routingScope
	err := s.read(ctx, "load routing rules", func(ctx context.Context, q *db.Queries) (err error) {
		scope, err = loadRoutingScope(ctx, q, shop)
		return err
	})
	if err != nil {
		return nil, err
	}
	return scope.sets, nil
}

// RoutingSet returns a version of a scope's rules, the active one for 0.
func (s *Store) RoutingSet(ctx context.Context, shop string, version int) (RoutingSet, error) {
	sets, err := s.RoutingSets(ctx, shop)
	if err != nil {
		return RoutingSet{}, err
	}
	scope := &routingScope{shop: shop, sets: sets}
	if version > 0 {
		return scope.version(version)
	}
	if active := scope.active(); active.Version > 0 {
		return active, nil
	}
	return RoutingSet{}, &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("Of %s none is active. Name a version; 'server route list' names them.", scope)}
}

// RoutingSetByID returns the set that a decision names.
func (s *Store) RoutingSetByID(ctx context.Context, id uuid.UUID) (set RoutingSet, err error) {
	err = s.read(ctx, "load routing rules", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.RoutingSetByID(ctx, id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return &payment.Error{Code: payment.CodeNotFound, Message: "The routing rules " + id.String() + " are not there any more."}
		}
		shop := ""
		if of := rows[0].ShopID; of != nil {
			if shop, err = q.ShopName(ctx, *of); err != nil {
				return err
			}
		}
		set = routingSetOf(rows[0], shop)
		return nil
	})
	return set, err
}

// activeRules are the active rules of a scope in the directory.
type activeRules struct {
	id    uuid.UUID
	rules *routing.Set
	err   error // why they cannot be used
}

// errRoutingFrozen refuses payments that name no account, because nobody knows which rules were meant.
var errRoutingFrozen = &payment.Error{
	Code: payment.CodeAccountFrozen, Message: "The routing rules of this shop were changed past payrelay, so no account is chosen by them. Nothing was stored or sent. Name an account, or ask the operators.",
}

// fillRouting reads the active rules. A scope with a row that was altered has none that can be used.
func fillRouting(ctx context.Context, q *db.Queries, e *entries) error {
	rows, err := q.ActiveRoutingSets(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		active := activeRules{id: r.ID}
		rules, problems := routing.Parse([]byte(r.Body))
		if active.rules = rules; rules == nil {
			active.err = fmt.Errorf("read the routing rules %s: %s", r.ID, problems[0])
		}
		e.routing[ownerOfRules(r.ShopID)] = active
	}
	for f := range e.altered {
		owner, _, _ := strings.Cut(f.ID, "/")
		if id, err := uuid.Parse(owner); f.Table == tableRoutingSets && err == nil {
			e.routing[id] = activeRules{err: errRoutingFrozen}
		}
	}
	return nil
}

func ownerOfRules(shop *uuid.UUID) uuid.UUID {
	if shop == nil {
		return uuid.Nil
	}
	return *shop
}

// RoutingRules returns the active rules of a shop, its own or those of all shops, nil if there are none.
func (s *Store) RoutingRules(ctx context.Context, shop uuid.UUID) (*payment.RoutingRules, error) {
	e, err := s.entries(ctx)
	if err != nil || len(e.routing) == 0 {
		return nil, err
	}
	for _, owner := range []uuid.UUID{shop, uuid.Nil} {
		if active, ok := e.routing[owner]; ok {
			return e.rulesOf(shop, active)
		}
	}
	return nil, nil //nolint:nilnil // no rules are an answer
}

// rulesOf are active rules for a shop, with the BIN table if they ask for it.
func (e *entries) rulesOf(shop uuid.UUID, active activeRules) (*payment.RoutingRules, error) {
	rules := &payment.RoutingRules{ID: active.id.String(), Shop: e.shops[shop].Name, Set: active.rules}
	if active.err != nil || !active.rules.AsksCardCountry() {
		return rules, active.err
	}
	rules.BINs = e.bins.table
	return rules, e.bins.err
}
