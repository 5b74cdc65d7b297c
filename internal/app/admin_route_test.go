package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/routing"
)

// everythingTo is a set with one rule, which leads every payment to an account.
func everythingTo(account string) string {
	return `{"rules": [{"name": "all", "when": {}, "then": {"accounts": ["` + account + `"]}}], "otherwise": "refuse"}`
}

func TestTheRulesOfAShop(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "account", "create", "EUR-2", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "two"), "--shop", "first")
	set := func(body string, more ...string) string {
		t.Helper()
		return b.command(t, append([]string{"route", "set", secretIn(t, body), "--shop", "first", "--reason", "a test"}, more...)...)
	}
	require.Contains(t, set(everythingTo("fake-1")), "Version 1 for shop first is a draft. 'server route replay --set 1 --shop first'")
	require.Contains(t, b.refused(t, "route", "set", secretIn(t, everythingTo("fake-2")), "--shop", "first", "--reason", "a test"), `there is no account "fake-2": did you mean "fake-1"?`)
	require.Contains(t, b.refused(t, "route", "set", secretIn(t, everythingTo("4012000000003010")), "--shop", "first", "--reason", "a test"), "digits that may be a card number")
	require.Contains(t, b.refused(t, "route", "set", secretIn(t, everythingTo("fake-1")), "--shop", "first"), "--reason")
	require.Contains(t, b.command(t, "route", "activate", "1", "--shop", "first", "--reason", "a test"), "Version 1 for shop first is active")
	require.Contains(t, set(`{"rules": [
		{"name": "large", "when": {"currency": ["EUR"], "amount": {"gte": 5000}}, "then": {"accounts": ["EUR-2", "fake-1"]}},
		{"name": "all", "when": {}, "then": {"split": {"fake-1": 80, "EUR-2": 20}, "sticky": "customer"}}]}`), "Version 2")
	require.Contains(t, b.refused(t, "route", "activate", "2", "--shop", "first", "--reason", "a test", "--expect-version", "0"), "version 1 is active now, not version 0")

	list := b.command(t, "route", "list", "--shop", "first")
	require.Regexp(t, `2 +draft .*\n1 +active `, list)
	require.Contains(t, b.command(t, "route", "list"), "--shop NAME lists those of one shop")
	require.Contains(t, b.command(t, "route", "show", "--shop", "first"), `"fake-1"`)
	require.Contains(t, b.command(t, "route", "show", "2", "--shop", "first", "--json"), `"reason":"a test"`)
	diff := b.command(t, "route", "diff", "1", "2", "--shop", "first")
	require.Contains(t, diff, `+ "large" {"name":"large"`)
	require.Contains(t, diff, `~ "all"`)
	require.Contains(t, diff, `~ "otherwise"`)
	require.Contains(t, b.command(t, "route", "diff", "2", "2", "--shop", "first"), "the same rules")

	facts := secretIn(t, `{"currency": "EUR", "amount": 5000}`)
	require.Contains(t, b.command(t, "route", "try", "--facts", facts, "--shop", "first"), `By version 1 for shop first rule "all" decides.`)
	tried := b.command(t, "route", "try", "--facts", facts, "--shop", "first", "--set", "2")
	require.Contains(t, tried, `rule "large" decides`)
	require.Regexp(t, `EUR-2 +- +yes`, tried)
	require.Contains(t, b.refused(t, "route", "try", "--facts", secretIn(t, `{"ammount": 1}`), "--shop", "first"), `did you mean "amount"?`)
	b.command(t, "account", "disable", "EUR-2", "--mode", "drain", "--reason", "a test")
	require.Regexp(t, `EUR-2 +- +no: draining`, b.command(t, "route", "try", "--facts", facts, "--shop", "first", "--set", "2"))
}

// Every decision that is stored is reproduced from its facts, by the command too, and a draft is run over them.
func TestStoredDecisionsAreExplainedAndReplayed(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "account", "create", "EUR-2", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "two"), "--shop", "first")
	b.command(t, "route", "set", secretIn(t, everythingTo("fake-1")), "--shop", "first", "--activate", "--reason", "a test")
	b.command(t, "route", "set", secretIn(t, `{"rules": [
		{"name": "large", "when": {"currency": ["EUR"], "amount": {"gte": 5000}}, "then": {"accounts": ["EUR-2"]}},
		{"name": "web", "when": {"metadata.channel": ["web"]}, "then": {"accounts": ["fake-1"]}}], "otherwise": "refuse"}`), "--shop", "first", "--reason", "a test")

	service := payment.New(payment.Config{Store: b.store, RoutingRules: b.store.RoutingRules, FingerprintKey: []byte("key"), Drivers: gateway.NewRegistry(&gatewaytest.Fake{})})
	require.Eventually(t, func() bool {
		rules, err := b.store.RoutingRules(t.Context(), b.paid.Shop)
		return err == nil && rules != nil
	}, 20*time.Second, 50*time.Millisecond)
	pay := func(reference string, minor int64, channel string) uuid.UUID {
		t.Helper()
		o, _, err := service.CreatePayment(t.Context(), payment.NewPayment{
			Shop: b.paid.Shop, Reference: reference, Amount: money.New(minor, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference), Metadata: map[string]string{"channel": channel},
		})
		require.NoError(t, err)
		return o.ID
	}
	ids := []uuid.UUID{pay("routed-1", 6000, "web"), pay("routed-2", 7000, "app"), pay("routed-3", 100, "web"), pay("routed-4", 200, "app")}
	for _, id := range ids {
		var explained struct {
			Version    int
			Reproduced bool
			Decision   routing.Decision
		}
		require.NoError(t, json.Unmarshal([]byte(b.command(t, "route", "explain", id.String(), "--json")), &explained))
		require.True(t, explained.Reproduced, id)
		require.Equal(t, 1, explained.Version)
		require.Equal(t, "all", explained.Decision.Rule)
	}
	text := b.command(t, "route", "explain", "routed-1")
	require.Contains(t, text, `By version 1 for shop first rule "all" decides.`)
	require.Contains(t, text, `"amount":6000`)
	require.Contains(t, text, "The order is at fake-1.")
	require.NotContains(t, text, "choose otherwise")
	require.Contains(t, b.command(t, "route", "explain", "paid-1"), "No routing rules decided on this order")

	var r struct {
		Payments, Same int
		LeftOut        int `json:"left_out"`
		Moves          []struct {
			Rule, From, To string
			Orders         int
			Amount         int64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "route", "replay", "--set", "2", "--shop", "first", "--json")), &r))
	require.Equal(t, 4, r.Payments)
	require.Equal(t, 1, r.Same)
	require.Positive(t, r.LeftOut)
	require.Len(t, r.Moves, 2)
	require.Equal(t, "", r.Moves[0].To)
	require.Equal(t, [2]int64{1, 200}, [2]int64{int64(r.Moves[0].Orders), r.Moves[0].Amount}, "the app's small payment has no route")
	require.Equal(t, "EUR-2", r.Moves[1].To)
	require.Equal(t, [2]int64{2, 13000}, [2]int64{int64(r.Moves[1].Orders), r.Moves[1].Amount})
	require.Contains(t, b.command(t, "route", "replay", "--set", "2", "--shop", "first", "--all"), "no route")

	// A decision that was changed by SQL is found out.
	_, err := b.pool.Exec(t.Context(), `UPDATE orders SET routing = jsonb_set(routing, '{rule}', '"other"') WHERE reference = 'routed-1'`)
	require.NoError(t, err)
	require.Contains(t, b.command(t, "route", "explain", "routed-1"), "choose otherwise")
}
