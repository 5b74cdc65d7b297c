package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A payout that names no account goes by priority, or by rules for payouts. It goes on to the next account only if its rule says so, and a
// repeat finds it where it is. One that waits for a release stays at the account that the operator saw.
func TestRulesChooseTheAccountsOfPayouts(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	secret := file("secret", "qwerty\n")
	for name, at := range map[string]string{"out-dead": "http://127.0.0.1:1", "out-second": d.Sandbox + "/smartcore"} {
		d.operator("account", "create", name, "--provider", "smartcore", "--currency", "EUR", "--for", "payouts", "--provider-account", "EUR-sandbox-payout", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
			"--pci-url", at+"/pci", "--gateway-url", at+"/gateway")
	}
	body := func(reference string, amount int) string {
		return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"EUR","method":%s}`, reference, amount, payoutTo(cardSuccess))
	}
	pays := func(amount int) full {
		t.Helper()
		return d.makes("/v1/payouts", body("routed-"+uuid.NewString(), amount), http.StatusCreated)
	}
	byPriority := pays(700)
	require.Equal(t, "EUR-sandbox-payout", byPriority.Account)
	d.ends(byPriority.ID, "succeeded")
	p := d.refuses("/v1/payouts", fmt.Sprintf(`{"reference":"no-currency","amount":700,"method":%s}`, payoutTo(cardSuccess)), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"currency"}, p.fields())

	rules := file("rules.json", `{"rules": [
		{"name": "large", "when": {"kind": ["payout"], "currency": ["EUR"], "amount": {"gte": 5000}}, "then": {"accounts": ["out-second"]}},
		{"name": "stays", "when": {"kind": ["payout"], "currency": ["EUR"], "amount": {"lt": 100}}, "then": {"accounts": ["out-dead", "out-second"]}},
		{"name": "out", "when": {"kind": ["payout"]}, "then": {"accounts": ["out-dead", "out-second"], "failover": true}}],
		"otherwise": "by_priority"}`)
	d.operator("route", "set", rules, "--shop", "demo", "--activate", "--reason", "payouts apart")
	d.heard()
	require.Equal(t, "out-second", pays(5000).Account)
	require.Equal(t, "EUR-sandbox", d.paid("a-payment", 6000, "").Account, "no rule is for payments")
	require.Equal(t, "EUR-sandbox-payout", d.makes("/v1/payouts", payout("named", 700, payoutTo(cardSuccess)), http.StatusCreated).Account)

	stays := pays(99)
	require.Equal(t, []string{"out-dead", "failed"}, []string{stays.Account, stays.Status})
	require.Len(t, d.attempts(stays.ID), 1)
	on := body("goes-on", 700)
	moved := d.makes("/v1/payouts", on, http.StatusCreated)
	require.Equal(t, "out-second", moved.Account)
	require.Equal(t, "not_sent", d.attempts(moved.ID)[0].Reason)
	d.ends(moved.ID, "succeeded")
	explained := d.operator("route", "explain", moved.ID)
	require.Contains(t, explained, `rule "out" decides`)
	require.Contains(t, explained, "Attempt 1 at out-dead sent nothing (not_sent)")
	require.NotContains(t, explained, "choose otherwise")
	require.Contains(t, d.operator("route", "try", "--shop", "demo", "--facts", file("facts.json", `{"kind": "payout", "currency": "EUR", "amount": 9000, "method": "card", "flow": "direct"}`)), `rule "large" decides`)

	d.operator("limit", "set", "--shop", "demo", "--kind", "payout", "--rule", "approval", "--currency", "EUR", "--amount", "4000", "--mode", "enforce", "--reason", "a test")
	waits := body("waits", 7000)
	var asked struct {
		Code     string
		Approval struct{ ID string }
	}
	_, text := d.raw(http.MethodPost, "/v1/payouts", waits, nil)
	require.NoError(t, json.Unmarshal(text, &asked))
	require.Equal(t, "approval_pending", asked.Code, "%s", text)
	d.operator("route", "deactivate", "--shop", "demo", "--reason", "back to priorities")
	d.heard()
	require.Equal(t, "EUR-sandbox-payout", pays(701).Account)
	require.Equal(t, moved.ID, d.makes("/v1/payouts", on, http.StatusOK).ID, "a repeat does not move")
	d.operator("payout", "release", asked.Approval.ID, "--reason", "a test")
	released := d.makes("/v1/payouts", waits, http.StatusCreated)
	require.Equal(t, "out-second", released.Account, "as it was released")
	d.ends(released.ID, "succeeded")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}
