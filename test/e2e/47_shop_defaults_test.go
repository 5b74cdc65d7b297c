package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// A shop leaves out of its requests what the operators have set for it. A repeat is the same order, whatever is set by then.
func TestAShopLeavesOutWhatHasADefault(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	card := func(reference string) string {
		return fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks","flow":"direct",%s,"payment_method":%s}`, reference, customer, cardMethod(cardSuccess))
	}
	p := d.refuses("/v1/payments", card("default-1"), http.StatusUnprocessableEntity, "missing_fields")
	require.Contains(t, p.fields(), "site_url")
	d.operator("shop", "set", "demo", "--site-url", "https://shop.example", "--return-url", "https://shop.example/back", "--success-url", "https://shop.example/thanks", "--reason", "a test")
	var o full
	eventually(t, func() bool {
		res := d.call(http.MethodPost, "/v1/payments", card("default-1"), &o)
		return res.StatusCode == http.StatusCreated
	}, "every replica knows of it")
	require.Contains(t, d.operator("shop", "list", "--json"), `"site_url":"https://shop.example"`)
	_, details := d.raw(http.MethodGet, "/v1/orders/"+o.ID, "", nil)
	require.Contains(t, string(details), `"site_url":"https://shop.example"`, "it is kept as it was used")

	// UAPAY knows one address to come back to.
	hosted := d.makes("/v1/payments", `{"reference":"default-2","amount":1000,"currency":"UAH","description":"Socks"}`, http.StatusCreated)
	require.Equal(t, "requires_action", hosted.Status)

	d.operator("shop", "set", "demo", "--site-url=", "--return-url=", "--success-url=")
	require.NotContains(t, d.operator("shop", "list", "--json"), "shop.example\"")
	repeat := d.makes("/v1/payments", card("default-1"), http.StatusOK)
	require.Equal(t, o.ID, repeat.ID, "a repeat survives a changed default")

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"--site-url must be a full address":         {"--site-url", "shop.example"},
		"--return-url must begin with https://":     {"--return-url", "http://192.0.2.1/back"},
		"--success-url and --fail-url stand beside": {"--fail-url", "https://shop.example/sorry"},
		"--flow is hosted or direct":                {"--flow", "both"},
		"nothing to change":                         {},
	} {
		code, _, text := command(environ, append([]string{"shop", "set", "demo"}, args...)...)
		require.Equal(t, 1, code)
		require.Contains(t, text, want)
	}
}
