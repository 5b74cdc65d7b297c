package sandbox

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

func TestSandboxServesItsSimulators(t *testing.T) {
	t.Parallel()
	s, err := New(Config{})
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()

	const order = `{"account":"EUR-sandbox-payout","order_id":"ID"}`
	post := func(id string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			server.URL+"/smartcore/gateway/withdrawal/tokenize-form", strings.NewReader(strings.Replace(order, "ID", id, 1)))
		require.NoError(t, err)
		req.SetBasicAuth("test", "qwerty")
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(raw)
	}
	require.Contains(t, post("a"), server.URL+"/smartcore/payment/")
	s.SetPublicURL("https://pay.example/")
	require.Contains(t, post("b"), "https://pay.example/smartcore/payment/")

	resp, err := http.Get(server.URL + "/") //nolint:noctx // a plain page
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	for _, simulator := range []string{"/smartcore", "/uapay"} {
		require.Contains(t, string(page), `href="`+simulator+`/"`)
		console, err := http.Get(server.URL + simulator + "/") //nolint:noctx // a plain page
		require.NoError(t, err)
		require.NoError(t, console.Body.Close())
		require.Equal(t, 200, console.StatusCode)
	}
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")

	s.Close()
	require.NoError(t, <-done)
	require.NoError(t, s.Run(context.Background()))
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Merchants: []smartcore.Merchant{{Key: "a:b", Secret: "x"}}})
	require.Error(t, err)
	bad := smartcore.DefaultSettings()
	bad.ThreeDS = "odd"
	_, err = New(Config{SmartCore: &bad})
	require.Error(t, err)
	_, err = New(Config{UAPAYMerchants: []uapay.Merchant{{ClientID: "shop"}}})
	require.Error(t, err)
	worse := uapay.DefaultSettings()
	worse.TimeScale = 0
	_, err = New(Config{UAPAY: &worse})
	require.Error(t, err)
}
