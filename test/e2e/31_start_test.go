package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
	"payrelay/internal/store/storetest"
)

func TestRunSaysEverythingThatIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	code, _, text := command([]string{"PROVIDER_TIMEOUT=soon", "CALLBACK_POLICY=sometimes", "LOG_LEVEL=loud"}, "run")
	require.Equal(t, 1, code)
	for _, want := range []string{"DATABASE_URL is not set", "SECRET_KEYSET is not set", "PUBLIC_URL is not set", "PROVIDER_TIMEOUT is not a valid", "CALLBACK_POLICY must be", "LOG_LEVEL must be"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "soon", "values are not repeated: they may be secrets in the wrong place")

	code, help, _ := command(nil, "run", "--help")
	require.Zero(t, code)
	for _, want := range []string{"DATABASE_URL", "LISTEN_ADDR", "ADMIN_ADDR", "PUBLIC_URL", "SECRET_KEYSET", "SECRET_KEYSET_FILE", "PROVIDER_TIMEOUT", "30s", "CALLBACK_POLICY", "LOG_LEVEL"} {
		require.Contains(t, help, want)
	}
}

func TestRunRefusesWhatDevHandsOut(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	environ := []string{"DATABASE_URL=" + url, "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0"}
	code, _, text := command(append(environ, "SECRET_KEYSET="+secrets.DemoKeyset), "run")
	require.Equal(t, 1, code)
	require.Contains(t, text, "well-known")

	keyset, err := secrets.NewKeyset()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "keyset")
	require.NoError(t, os.WriteFile(file, []byte(keyset+"\n"), 0o600))
	code, _, text = command(append(environ, "SECRET_KEYSET=x", "SECRET_KEYSET_FILE="+file), "run")
	require.Equal(t, 1, code)
	require.Contains(t, text, "both set")
	code, _, text = command(append(environ, "SECRET_KEYSET=not a keyset"), "run")
	require.Equal(t, 1, code)
	require.NotContains(t, text, "not a keyset\n", "a secret is not repeated")
	code, _, text = command([]string{"DATABASE_URL=" + storetest.Empty(t), "PUBLIC_URL=https://pay.example.com", "SECRET_KEYSET_FILE=" + file}, "run")
	require.Equal(t, 1, code)
	require.Contains(t, text, "server migrate up")
}

// A shop and an account that an operator makes while the service runs work at once.
func TestTheServiceInProduction(t *testing.T) {
	t.Parallel()
	url, dir := storetest.URL(t), t.TempDir()
	_, keyset, _ := command(nil, "keyset", "new")
	environ := []string{"DATABASE_URL=" + url, "SECRET_KEYSET=" + strings.TrimSpace(keyset)}
	code, out, text := command(environ, "migrate", "status")
	require.Zero(t, code, text)
	require.NotContains(t, out, "pending")

	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	code, out, text = command(environ, "shop", "create", "books", "--scope", "payments", "--scope", "read", "--json")
	require.Zero(t, code, text)
	var made struct {
		Key           string `json:"key"`
		WebhookSecret string `json:"webhook_secret"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.True(t, strings.HasPrefix(made.WebhookSecret, "whsec_"))
	account := []string{"account", "create", "EUR-main", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "books"}
	code, _, text = command(environ, account...)
	require.Zero(t, code, text)
	code, _, text = command(environ, account...)
	require.Equal(t, 1, code)
	require.Contains(t, text, "EUR-main")
	code, _, text = command(environ, "shop", "create", "books")
	require.Equal(t, 1, code)
	require.Contains(t, text, "books")

	service := startService(t, environ...)
	d := &dev{t: t, Ready: service.Ready}
	d.ShopKey = made.Key

	res, answer := d.raw(http.MethodGet, "/v1/accounts", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, string(answer), "EUR-main")
	require.NotContains(t, string(answer), "qwerty")
	res, answer = d.raw(http.MethodPost, "/v1/payouts", `{"reference":"x","amount":1,"account":"EUR-main","method":{"type":"phone","phone":"+79123456789"}}`, nil)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Contains(t, string(answer), "payouts")
	d.ShopKey = "prk_test_demo"
	res, _ = d.raw(http.MethodGet, "/v1/accounts", "", nil)
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("WWW-Authenticate"))

	code, out, text = command(environ, "key", "rotate", made.Key[len("prk_live_"):][:10], "--overlap", "0", "--json")
	require.Zero(t, code, text)
	d.ShopKey = made.Key
	require.Eventually(t, func() bool {
		res, _ = d.raw(http.MethodGet, "/v1/accounts", "", nil)
		return res.StatusCode == http.StatusUnauthorized
	}, 5*time.Second, 20*time.Millisecond, "the old key is dead within five seconds")
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	d.ShopKey = made.Key
	res, _ = d.raw(http.MethodGet, "/v1/accounts", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)

	status, metrics := d.adminGet("/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, name := range []string{"payrelay_http_request_seconds", "payrelay_notification_backlog", "payrelay_conflicts_open", "go_goroutines"} {
		require.Contains(t, metrics, name)
	}
	require.Zero(t, service.stop(), service.log)
}
