package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// everythingTo is a set with one rule, which leads every payment to an account.
func everythingTo(account string) string {
	return `{"rules": [{"name": "all", "when": {}, "then": {"accounts": ["` + account + `"]}}], "otherwise": "refuse"}`
}

// rules are the versions of a scope with their states, the newest first.
func (b *fixture) rules(t *testing.T, shop string) (states []string) {
	t.Helper()
	sets, err := b.RoutingSets(t.Context(), shop)
	require.NoError(t, err)
	for _, set := range sets {
		states = append(states, set.State)
	}
	return states
}

// ruled is the account to which a shop's active rules lead every payment, "" if it has none.
func (b *fixture) ruled(t *testing.T, shop uuid.UUID) string {
	t.Helper()
	rules, err := b.RoutingRules(t.Context(), shop)
	require.NoError(t, err)
	if rules == nil {
		return ""
	}
	return rules.Set.Accounts()[0]
}

func TestRoutingRulesHaveVersions(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	second, _, _ := b.newShop(t, "second", "")
	b.newAccount(t, "EUR-3", "second")
	add := func(shop, account string, activate bool) store.RoutingSet {
		t.Helper()
		set, err := b.AddRoutingSet(t.Context(), shop, []byte(everythingTo(account)), activate)
		require.NoError(t, err)
		return set
	}
	require.Empty(t, b.ruled(t, b.shop.ID))
	require.Equal(t, 1, add("first", "EUR-1", false).Version)
	require.Empty(t, b.ruled(t, b.shop.ID), "a draft routes nothing")
	set, err := b.ActivateRoutingSet(t.Context(), "first", 1, nil, false)
	require.NoError(t, err)
	require.Equal(t, store.RoutingActive, set.State)
	require.Equal(t, "EUR-1", b.ruled(t, b.shop.ID))
	require.Empty(t, b.ruled(t, second.ID))
	require.Equal(t, 1, add("", "EUR-3", true).Version, "those of all shops are counted apart")
	require.Equal(t, "EUR-3", b.ruled(t, second.ID))
	require.Equal(t, "EUR-1", b.ruled(t, b.shop.ID), "its own come first")

	require.Equal(t, 2, add("first", "EUR-2", true).Version)
	require.Equal(t, "EUR-2", b.ruled(t, b.shop.ID))
	require.Equal(t, []string{store.RoutingActive, store.RoutingRetired}, b.rules(t, "first"))
	one, two := 1, 2
	_, err = b.RollBackRouting(t.Context(), "first", &one, false)
	require.ErrorContains(t, err, "version 2 is active now, not version 1")
	set, err = b.RollBackRouting(t.Context(), "first", &two, false)
	require.NoError(t, err)
	require.Equal(t, 1, set.Version)
	require.Equal(t, "EUR-1", b.ruled(t, b.shop.ID))
	_, err = b.ActivateRoutingSet(t.Context(), "first", 1, nil, false)
	require.ErrorContains(t, err, "is active already")
	_, err = b.ActivateRoutingSet(t.Context(), "first", 7, nil, false)
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
	require.NoError(t, b.DeactivateRouting(t.Context(), "first", &one))
	require.Equal(t, "EUR-3", b.ruled(t, b.shop.ID), "those of all shops are for it now")
	require.ErrorContains(t, b.DeactivateRouting(t.Context(), "first", nil), "none is active")
	_, err = b.RollBackRouting(t.Context(), "second", nil, false)
	require.ErrorContains(t, err, "was ever active")
	_, err = b.RoutingSets(t.Context(), "nobody")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
	require.Empty(t, b.altered(t))
}

// Of operators who activate at once, each believing that none is active, one wins.
func TestALostUpdateOfRoutingIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for range 4 {
		_, err := b.AddRoutingSet(t.Context(), "first", []byte(everythingTo("EUR-1")), false)
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			none := 0
			_, errs[i] = b.ActivateRoutingSet(t.Context(), "first", i+1, &none, false)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			require.ErrorContains(t, err, "is active now, not version 0")
		}
	}
	require.Equal(t, 1, won)
}

func TestRulesThatCannotBeUsedAreRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newShop(t, "second", "")
	b.newAccount(t, "EUR-2", "second")
	b.newAccount(t, "EUR-9", "first")
	require.NoError(t, b.CloseAccount(t.Context(), "EUR-9"))
	b.paid(t, "r-1", 1000)
	one := func(when, account string) string {
		return `{"rules": [{"name": "a rule", "when": ` + when + `, "then": {"accounts": ["` + account + `"]}}], "otherwise": "refuse"}`
	}
	for want, c := range map[string]struct{ shop, body string }{
		`did you mean "currency"?`:                                          {"first", one(`{"curency": ["EUR"]}`, "EUR-1")},
		`did you mean "EUR-1"?`:                                             {"first", one(`{}`, "EURO-1")},
		`shop first may not use account EUR-2`:                              {"first", one(`{}`, "EUR-2")},
		`can never match`:                                                   {"first", one(`{"flow": ["hosted"], "card.bin": ["401200"]}`, "EUR-1")},
		`shop first sent payments of EUR within`:                            {"first", one(`{"flow": ["direct"]}`, "EUR-1")},
		`a payment with shop first, currency EUR has`:                       {"", one(`{"shop": ["second"]}`, "EUR-2")},
		`There is no shop`:                                                  {"nobody", one(`{}`, "EUR-1")},
		`there is no shop "secnd": did you mean "second"?`:                  {"", one(`{"shop": {"not": ["secnd"]}}`, "EUR-1")},
		`there is no shop "elsewhere"; 'server shop list' names`:            {"", one(`{"shop": ["first", "elsewhere"]}`, "EUR-1")},
		`account EUR-9 is closed for good, and takes nothing: leave it out`: {"first", one(`{}`, "EUR-9")},
	} {
		_, err := b.AddRoutingSet(t.Context(), c.shop, []byte(c.body), true)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, b.count(t, "SELECT count(*) FROM routing_sets"))

	// What a shop has not sent for 30 days leaves no gap.
	b.clock.Add(31 * 24 * time.Hour)
	_, err := b.AddRoutingSet(t.Context(), "first", []byte(one(`{"flow": ["direct"]}`, "EUR-1")), true)
	require.NoError(t, err)
}

// An account that the active rules need is unlinked by force only.
func TestTheRulesKeepTheirAccounts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	b.newAccount(t, "EUR-3", "first")
	b.paid(t, "r-1", 1000)
	_, err := b.AddRoutingSet(t.Context(), "", []byte(everythingTo("EUR-3")), true) // the shop's own come first
	require.NoError(t, err)
	_, err = b.AddRoutingSet(t.Context(), "first", []byte(everythingTo("EUR-2")), true)
	require.NoError(t, err)
	require.ErrorContains(t, b.unlink(t, "EUR-2", "first", false), "would leave payments without an account")
	require.Equal(t, "EUR-2", b.ruled(t, b.shop.ID))
	links, err := b.Links(t.Context())
	require.NoError(t, err)
	require.Len(t, links, 3, "nothing was changed")
	require.NoError(t, b.unlink(t, "EUR-3", "first", false), "no rule of the shop names it")
	require.NoError(t, b.unlink(t, "EUR-2", "first", true))
}

// Nobody changes rules by SQL without notice: then no account is chosen by them.
func TestRulesThatWereAlteredRouteNothing(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"the rules":             `UPDATE routing_sets SET body = replace(body, 'EUR-1', 'EUR-2') WHERE state = 'active'`,
		"an older version":      `UPDATE routing_sets SET state = CASE state WHEN 'active' THEN 'retired' ELSE 'active' END`,
		"the rules are gone":    `DELETE FROM routing_sets WHERE state = 'active'`,
		"they are switched off": `UPDATE routing_sets SET state = 'retired' WHERE state = 'active'`,
	} {
		b := newFixture(t)
		b.newAccount(t, "EUR-2", "first")
		second, _, _ := b.newShop(t, "second", "")
		for _, account := range []string{"EUR-2", "EUR-1"} {
			_, err := b.AddRoutingSet(t.Context(), "first", []byte(everythingTo(account)), true)
			require.NoError(t, err)
		}
		b.exec(t, "DROP INDEX routing_sets_active")
		b.byHand(t, sql)
		_, err := b.CheckConfiguration(t.Context())
		require.NoError(t, err)
		_, err = b.RoutingRules(t.Context(), b.shop.ID)
		require.Equal(t, payment.CodeAccountFrozen, payment.CodeOf(err), name)
		_, err = b.RoutingRules(t.Context(), second.ID)
		require.NoError(t, err, "the other shop's payments go on")
	}
}

// What was altered is accepted as it is, and then nothing is routed by it until an operator says so.
func TestAlteredRulesAreAccepted(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"first", ""} {
		b := newFixture(t)
		_, err := b.AddRoutingSet(t.Context(), scope, []byte(everythingTo("EUR-1")), true)
		require.NoError(t, err)
		b.byHand(t, `UPDATE routing_sets SET reason = 'another'`)
		require.NotEmpty(t, b.altered(t))
		accept := b.AcceptGlobal
		if scope != "" {
			accept = func(ctx context.Context) error { return b.AcceptShop(ctx, scope) }
		}
		require.NoError(t, accept(t.Context()))
		require.Empty(t, b.altered(t))
		_, err = b.RoutingRules(t.Context(), b.shop.ID)
		require.NoError(t, err)
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(accept(t.Context())), "nothing is altered any more")
		if scope == "" {
			require.Equal(t, []string{store.RoutingRetired}, b.rules(t, scope))
		}
	}
}

func TestRoutingSetsAreNotChanged(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	_, err := b.AddRoutingSet(t.Context(), "first", []byte(everythingTo("EUR-1")), true)
	require.NoError(t, err)
	for _, sql := range []string{
		`UPDATE routing_sets SET body = '{}'`, `UPDATE routing_sets SET version = 2`, `UPDATE routing_sets SET shop_id = NULL`, `DELETE FROM routing_sets`, `TRUNCATE routing_sets`,
		`INSERT INTO routing_sets SELECT gen_random_uuid(), shop_id, 2, body, checksum, 'active', author, reason, created_at, activated_at FROM routing_sets`,
	} {
		_, err := b.pool.Exec(t.Context(), sql)
		require.Error(t, err, sql)
	}
}

// A decision stays with its order, and an erasure takes the facts out of it.
func TestADecisionIsKeptWithItsOrder(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	draft := b.draft(t, "r-1", 1000)
	draft.Routing = []byte(`{"set":"1","facts":{"metadata":{"channel":"mark-routing"}},"candidates":[{"account":"EUR-1"}]}`)
	o, _, err := b.CreateOrder(t.Context(), draft)
	require.NoError(t, err)
	_, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { o.Record(b.newReport(payment.StatusFailed)); return nil })
	require.NoError(t, err)
	o, err = b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.JSONEq(t, string(draft.Routing), string(o.Routing))

	b.allDelivered(t)
	_, err = b.Erase(t.Context(), store.Erasure{Order: o.Key(), Command: "erase order", Force: true})
	require.NoError(t, err)
	o, err = b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.JSONEq(t, `{"set":"1","candidates":[{"account":"EUR-1"}]}`, string(o.Routing))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE routing IS NOT NULL AND routing->'facts' IS NULL"))
	plain := b.create(t, "r-2", 1000)
	require.Nil(t, plain.Routing, "where no rules decided nothing is kept")
}

// A gap that no rule makes keeps no operator from routing what can be routed. The audit log names it.
func TestRulesWithAGapAreActivatedByForce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	b.paid(t, "r-1", 1000)
	for _, account := range []string{"EUR-1", "EUR-2", "EUR-1"} {
		_, err := b.AddRoutingSet(t.Context(), "first", []byte(everythingTo(account)), account == "EUR-1")
		require.NoError(t, err)
	}
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain))
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-2", shop.ModeDrain))
	_, err := b.ActivateRoutingSet(t.Context(), "first", 2, nil, false)
	require.ErrorContains(t, err, "or activate the version with --force")
	_, err = b.RollBackRouting(t.Context(), "first", nil, false)
	require.ErrorContains(t, err, "would leave payments without an account")
	require.Equal(t, "EUR-1", b.ruled(t, b.shop.ID))

	set, err := b.ActivateRoutingSet(t.Context(), "first", 2, nil, true)
	require.NoError(t, err)
	require.Len(t, set.Gaps, 1)
	require.Contains(t, set.Gaps[0], "shop first sent payments of EUR within 30 days")
	require.Equal(t, "EUR-2", b.ruled(t, b.shop.ID))
	_, err = b.RollBackRouting(t.Context(), "first", nil, true)
	require.NoError(t, err)
	require.Equal(t, "EUR-1", b.ruled(t, b.shop.ID))
	require.Equal(t, 2, b.count(t, `SELECT count(*) FROM audit_log WHERE after->>'forced' = 'true' AND after->'gaps'->>0 LIKE 'shop first sent payments of EUR%'`))

	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-2", shop.ModeEnabled))
	set, err = b.ActivateRoutingSet(t.Context(), "first", 2, nil, true)
	require.NoError(t, err)
	require.Empty(t, set.Gaps)
	require.Equal(t, 2, b.count(t, `SELECT count(*) FROM audit_log WHERE after->>'forced' = 'true'`), "nothing had to be forced")
}
