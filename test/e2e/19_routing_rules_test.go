package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Rules choose the accounts of payments from their activation on. A request that names its account is never routed. What was decided is
// explained from what is stored, also after the order went on to the next account of its rule.
func TestRulesChooseTheAccountsOfPayments(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	secret := file("secret", "qwerty\n")
	d.operator("account", "create", "large", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
		"--pci-url", d.Sandbox+"/smartcore/pci", "--gateway-url", d.Sandbox+"/smartcore/gateway")
	d.operator("account", "create", "dead", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
		"--pci-url", "http://127.0.0.1:1/pci", "--gateway-url", "http://127.0.0.1:1/gateway")
	body := func(reference string, amount int, member string) string {
		return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"EUR","description":"Socks",%s%s}`, reference, amount, member, customer)
	}
	pays := func(amount int, member string) full {
		t.Helper()
		return d.makes("/v1/payments", body("ruled-"+uuid.NewString(), amount, member), http.StatusCreated)
	}
	require.Equal(t, "EUR-sandbox", pays(6000, "").Account)

	rules := file("rules.json", `{"rules": [
		{"name": "kiosk", "when": {"metadata.channel": ["kiosk"]}, "then": {"accounts": ["dead", "large"]}},
		{"name": "large", "when": {"currency": ["EUR"], "amount": {"gte": 5000}}, "then": {"accounts": ["large"], "if_none": "refuse"}}]}`)
	require.Contains(t, d.operator("route", "set", rules, "--shop", "demo", "--reason", "large ones apart"), "is a draft")
	require.Contains(t, d.operator("route", "replay", "--set", "1", "--shop", "demo", "--all"), "large")
	require.Contains(t, d.operator("route", "activate", "1", "--shop", "demo", "--expect-version", "0", "--reason", "large ones apart"), "is active")
	require.Eventually(t, func() bool { return pays(6000, "").Account == "large" }, 20*time.Second, 100*time.Millisecond)
	require.Equal(t, "EUR-sandbox", pays(4999, "").Account, "no rule fits: by priority")
	require.Equal(t, "EUR-sandbox", pays(6000, `"account":"EUR-sandbox",`).Account, "it was named")

	kiosk := pays(100, `"metadata":{"channel":"kiosk"},`)
	require.Equal(t, "large", kiosk.Account, "nothing was sent at the first account of its rule")
	explained := d.operator("route", "explain", kiosk.ID)
	require.Contains(t, explained, `rule "kiosk" decides`)
	require.Contains(t, explained, "Attempt 1 at dead sent nothing (not_sent)")
	require.Contains(t, explained, "The order is at large.")
	require.NotContains(t, explained, "choose otherwise")

	var preview struct {
		Account    string
		Rule       *string
		Candidates []struct {
			Account string
			Reason  *string
		}
	}
	res := d.call(http.MethodPost, "/v1/payments/preview", body("previewed", 6000, ""), &preview)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "large", preview.Account)
	require.Equal(t, "large", *preview.Rule)
	require.Greater(t, len(preview.Candidates), 2)
	require.Nil(t, preview.Candidates[0].Reason)
	require.Equal(t, "not_routed", *preview.Candidates[1].Reason)
	require.Equal(t, "large", d.makes("/v1/payments", body("previewed", 6000, ""), http.StatusCreated).Account, "the reference was free")
	d.refuses("/v1/payments/preview", body("previewed", 6001, ""), http.StatusConflict, "reference_conflict")
	preview.Rule = nil
	d.call(http.MethodPost, "/v1/payments/preview", body("previewed", 6000, ""), &preview)
	require.Equal(t, []any{"large", "large"}, []any{preview.Account, preview.Candidates[0].Account}, "a repeat is answered with the payment that is there")
	require.Nil(t, preview.Rule)

	d.operator("account", "disable", "large", "--mode", "drain", "--reason", "maintenance")
	require.Eventually(t, func() bool {
		res, text := d.raw(http.MethodPost, "/v1/payments", body("ruled-"+uuid.NewString(), 6000, ""), nil)
		return res.StatusCode == http.StatusUnprocessableEntity && len(text) > 0
	}, 20*time.Second, 100*time.Millisecond)
	p := d.refuses("/v1/payments", body("nowhere", 6000, ""), http.StatusUnprocessableEntity, "no_route")
	require.Equal(t, "is not large: it begins nothing new at the moment", p.Errors[0].Message)
	d.refuses("/v1/payments/preview", body("nowhere", 6000, ""), http.StatusUnprocessableEntity, "no_route")

	_, metrics := d.adminGet("/metrics")
	require.Regexp(t, `payrelay_routed_payments_total\{account="large",rule="large"\} [1-9]`, metrics)
	require.Regexp(t, `payrelay_routed_payments_total\{account="none",rule="otherwise"\} [1-9]`, metrics)

	d.operator("route", "deactivate", "--shop", "demo", "--reason", "back")
	require.Eventually(t, func() bool {
		res, _ := d.raw(http.MethodPost, "/v1/payments", body("ruled-"+uuid.NewString(), 6000, ""), nil)
		return res.StatusCode == http.StatusCreated
	}, 20*time.Second, 100*time.Millisecond)
	require.Contains(t, d.operator("route", "explain", kiosk.ID), `rule "kiosk" decides`, "by the version of then")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}

// A card is routed by the BIN that its rule asks for, and nothing more of it is kept.
func TestARuleByCardKeepsNoMoreThanItsBIN(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	path := filepath.Join(t.TempDir(), "rules.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"rules": [{"name": "card", "when": {"card.bin": ["401200"], "card.brand": ["VISA"]}, "then": {"accounts": ["EUR-sandbox"]}}], "otherwise": "by_priority"}`), 0o600))
	d.operator("route", "set", path, "--activate", "--reason", "by card")
	var explained string
	require.Eventually(t, func() bool {
		o := d.makes("/v1/payments", direct("card-"+uuid.NewString(), 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
		explained = d.operator("route", "explain", o.ID)
		return strings.Contains(explained, `rule "card" decides`)
	}, 20*time.Second, 100*time.Millisecond)
	require.Contains(t, explained, `"card.bin":"401200"`)
	require.Zero(t, d.columnsHolding(cardSuccess))
}
