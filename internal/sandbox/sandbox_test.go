package sandbox

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/host"
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
	for _, nowhere := range []string{"/v1/payments", "/smartcore/nowhere"} {
		missing, err := http.Get(server.URL + nowhere) //nolint:noctx // a plain page
		require.NoError(t, err)
		defer missing.Body.Close()
		text, err := io.ReadAll(missing.Body)
		require.NoError(t, err)
		require.Equal(t, 404, missing.StatusCode, nowhere)
		require.Contains(t, string(text), "This port simulates the providers", nowhere)
	}

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

// A merchant's host is served, taken away and given back by the control API and by the page, and nobody else's goes with it.
func TestMerchantsHaveHosts(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	hosts := control.Hosts{}
	for _, merchant := range []string{"test", "second", "90002"} {
		h, err := host.Listen(t.Context(), host.Config{Address: "127.0.0.1:0", Upstream: server.Listener.Addr().String()})
		require.NoError(t, err)
		hosts[merchant] = h
	}
	t.Cleanup(hosts.Close)
	s, err := New(Config{Hosts: hosts})
	require.NoError(t, err)
	server.Config.Handler = s.Handler()
	server.Start()
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	alive := func(merchant string) bool {
		res, err := client.Get("http://" + hosts[merchant].Address() + "/healthz") //nolint:noctx // a plain page
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	}
	set := func(path, kind, body string) (int, string) {
		res, err := client.Post(server.URL+path, kind, strings.NewReader(body)) //nolint:noctx // a plain page
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(raw)
	}
	status, said := set("/smartcore/control/hosts", "application/json", `{"merchant":"test","state":"refused"}`)
	require.Equal(t, http.StatusOK, status, said)
	require.Contains(t, said, `"refused"`)
	require.Equal(t, []bool{false, true, true}, []bool{alive("test"), alive("second"), alive("90002")})
	status, page := set("/smartcore/console/hosts", "application/x-www-form-urlencoded", "merchant=test&state=open")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, `<option selected>open</option>`)
	require.True(t, alive("test"))
	set("/uapay/control/hosts", "application/json", `{"merchant":"90002","state":"refused"}`)
	require.False(t, alive("90002"))
	for path, body := range map[string]string{
		"/smartcore/control/hosts": `{"merchant":"90002","state":"open"}`, "/uapay/control/hosts": `{"merchant":"90002","state":"gone"}`,
	} {
		status, said = set(path, "application/json", body)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, said, "must be one of [")
	}
	_, err = New(Config{Hosts: control.Hosts{"nobody": hosts["test"]}})
	require.ErrorContains(t, err, `no provider has a merchant "nobody"`)
}
