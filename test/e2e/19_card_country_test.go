package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Cards of two countries go to two accounts by the list of BINs that an operator imported. A new list counts for new payments, and changes
// nothing of what was decided.
func TestCardsAreRoutedByTheirCountry(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	d.operator("account", "create", "abroad", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", file("secret", "qwerty\n"), "--shop", "demo",
		"--pci-url", d.Sandbox+"/smartcore/pci", "--gateway-url", d.Sandbox+"/smartcore/gateway")
	body := func(card string) string { return direct("country-"+uuid.NewString(), 1000, cardMethod(card), "") }
	pays := func(card string) full {
		t.Helper()
		return d.makes("/v1/payments", body(card), http.StatusCreated)
	}
	require.Equal(t, "EUR-sandbox", pays(cardOther).Account, "there are no rules yet")

	d.operator("bin", "import", file("november.csv", "iin_start,iin_end,scheme,country,bank_name\n401200,,visa,GB,One\n411111,411199,visa,US,Two\n"), "--reason", "the list of November")
	require.Equal(t, "GB (version 1)\n", d.operator("bin", "show", "40120000"))
	rules := file("rules.json", `{"rules": [
		{"name": "british", "when": {"card.country": ["GB"]}, "then": {"accounts": ["EUR-sandbox"]}},
		{"name": "foreign", "when": {"card.country": {"not": ["GB"]}}, "then": {"accounts": ["abroad"]}}], "otherwise": "by_priority"}`)
	d.operator("route", "set", rules, "--shop", "demo", "--reason", "foreign cards apart")
	moved := regexp.MustCompile(`foreign +EUR-sandbox +abroad +1 +10\.00 EUR`)
	require.Eventually(t, func() bool {
		return moved.MatchString(d.operator("route", "replay", "--set", "1", "--shop", "demo", "--all"))
	}, 20*time.Second, 100*time.Millisecond,
		"the table says where the card of then is from, once the provider has named it")
	d.operator("route", "activate", "1", "--shop", "demo", "--expect-version", "0", "--reason", "foreign cards apart")
	require.Eventually(t, func() bool { return pays(cardOther).Account == "abroad" }, 20*time.Second, 100*time.Millisecond)

	british := pays(cardSuccess)
	require.Equal(t, "EUR-sandbox", british.Account)
	explained := d.operator("route", "explain", british.ID)
	require.Contains(t, explained, `rule "british" decides`)
	require.Contains(t, explained, `"card.country":"GB"`)
	unknown := pays(cardChallenge)
	require.Equal(t, "EUR-sandbox", unknown.Account, "not in the list: by priority, and no rule with not")
	require.NotContains(t, d.operator("route", "explain", unknown.ID), "card.country")
	hosted := d.makes("/v1/payments", `{"reference":"hosted","amount":1000,"currency":"EUR","description":"Socks",`+customer+`}`, http.StatusCreated)
	require.NotContains(t, d.operator("route", "explain", hosted.ID), "card.country", "no card is known")
	var preview struct {
		Account string
		Rule    *string
	}
	res := d.call(http.MethodPost, "/v1/payments/preview", body(cardOther), &preview)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "abroad", preview.Account)
	require.Equal(t, "foreign", *preview.Rule)

	december := file("december.csv", "bin,country\n401200,DE\n411111,US\n")
	require.Contains(t, d.operator("bin", "import", december, "--dry-run", "--reason", "the list of December"), "0 are new, 100 have another country, and 8800 are gone")
	d.operator("bin", "import", december, "--reason", "the list of December")
	require.Eventually(t, func() bool { return pays(cardSuccess).Account == "abroad" }, 20*time.Second, 100*time.Millisecond)
	require.Equal(t, explained, d.operator("route", "explain", british.ID), "as it was decided")
	require.NotContains(t, d.operator("route", "replay", "--set", "1", "--shop", "demo"), "TO", "what was decided is decided alike, by the facts of then")

	_, metrics := d.adminGet("/metrics")
	require.Regexp(t, `payrelay_bin_table_imported_timestamp_seconds 1\.`, metrics)
	require.Contains(t, d.operator("audit", "list"), "the list of December")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
	require.Zero(t, d.columnsHolding(cardSuccess))
}
