package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// The secret that a provider signs with is changed while a customer pays.
func TestAccountSecretIsChangedUnderAPayment(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}

	require.Contains(t, d.operator("account", "test", "EUR-sandbox"), "takes the secrets")
	code, _, text := command(environ, "account", "test", "EUR-sandbox", "--staged")
	require.Equal(t, 1, code)
	require.Contains(t, text, "no secret of EUR-sandbox is staged")

	o := d.create("rotated-1")
	d.operator("account", "secret", "stage", "EUR-sandbox", "--secret-file", file)
	code, _, text = command(environ, "account", "test", "EUR-sandbox", "--staged")
	require.Equal(t, 1, code, "the simulator knows the old one only")
	require.Contains(t, text, "refuses the secrets")
	require.Contains(t, d.operator("account", "list"), "passed ", "of the secrets that calls use")
	d.operator("account", "secret", "promote", "EUR-sandbox")
	d.pay(o.NextAction.URL, cardSuccess, "")
	d.await(o.ID, "succeeded")
	var metrics string
	eventually(t, func() bool { // a poll may be before the callback
		_, metrics = d.adminGet("/metrics")
		return strings.Contains(metrics, `payrelay_account_callbacks_total{account="EUR-sandbox",provider="smartcore",secrets="previous"} 1`)
	})
	require.NotContains(t, metrics, `payrelay_callbacks_total{provider="smartcore",verdict="rejected"}`)

	// The address before a rotation takes callbacks still.
	before := d.callbackTarget("EUR-sandbox")
	d.operator("account", "secret", "retire", "EUR-sandbox", "--leaked")
	d.operator("account", "callback-token", "rotate", "EUR-sandbox")
	require.NotEqual(t, before, d.callbackTarget("EUR-sandbox"))
}

// What is drained or off says so, and sends nothing.
func TestWhatIsSwitchedOffSaysSo(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	held := d.held("held-1", 1000)
	body := func(reference string) string { return direct(reference, 1000, cardMethod(cardSuccess), "") }
	d.operator("shop", "disable", "demo", "--mode", "drain", "--reason", "a test")
	d.refuses("/v1/payments", body("drained-1"), http.StatusForbidden, "disabled")
	res, _ := d.raw(http.MethodPost, "/v1/payments/"+held.ID+"/capture", "{}", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, "what has begun goes on")

	d.operator("shop", "enable", "demo")
	d.operator("account", "disable", "EUR-sandbox", "--mode", "off", "--reason", "a test")
	d.refuses("/v1/payments", body("off-1"), http.StatusForbidden, "disabled")
	d.refuses("/v1/payments/"+held.ID+"/refunds", `{"reference":"off-2","reason":"a test"}`, http.StatusForbidden, "disabled")
	require.Equal(t, "succeeded", d.get(held.ID).Status)
	d.operator("account", "enable", "EUR-sandbox")
	d.operator("key", "disable", "demo", "--mode", "off", "--reason", "a test")
	d.refuses("/v1/payments", body("off-3"), http.StatusForbidden, "disabled")
}
