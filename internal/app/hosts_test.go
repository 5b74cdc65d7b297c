package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway/transport"
)

func hostsConfig(t *testing.T, environ ...string) (config, error) {
	t.Helper()
	return loadConfig(append(enough[:len(enough):len(enough)], environ...))
}

func TestProviderHosts(t *testing.T) {
	t.Parallel()
	c, err := hostsConfig(t, "PROVIDER_HOSTS=smartcore=API.example.com, smartcore=pci.example.com:8443,uapay=test.example.net")
	require.NoError(t, err)
	smart, ua := c.withHosts(transport.Config{Provider: "smartcore"}, false), c.withHosts(transport.Config{Provider: "uapay"}, false)
	require.Equal(t, []string{"api.example.com:443", "pci.example.com:8443"}, smart.Hosts)
	require.Equal(t, []string{"api.uapay.ua:443", "api.demo.uapay.ua:443", "test.example.net:443"}, ua.Hosts)
	require.False(t, smart.AnyHost || ua.AnyHost || smart.PlainHTTP)

	for _, bad := range []string{"example.com", "paypal=example.com", "smartcore=", "smartcore=https://example.com", "smartcore=example.com/pay", "uapay=a b", "smartcore=u@example.com"} {
		_, err := hostsConfig(t, "PROVIDER_HOSTS="+bad)
		require.ErrorContains(t, err, "PROVIDER_HOSTS: ", bad)
	}
	_, err = hostsConfig(t, "PROVIDER_HOSTS_CHECK=yes")
	require.ErrorContains(t, err, "PROVIDER_HOSTS_CHECK must be warn or enforce")
}

func TestAProviderWithoutListedHosts(t *testing.T) {
	t.Parallel()
	c, err := hostsConfig(t)
	require.NoError(t, err)
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	c.drivers(reg, zerolog.New(&log), false)
	require.Contains(t, log.String(), `"level":"warn","provider":"smartcore"`)
	require.NotContains(t, log.String(), "uapay", "its hosts are built in")
	log.Reset()
	c.drivers(prometheus.NewRegistry(), zerolog.New(&log), true)
	require.Empty(t, log.String(), "'dev' calls simulators, whose hosts nobody names")
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP payrelay_provider_any_host 1 if a provider may be called at any host that the database names, because PROVIDER_HOSTS names none of it.
# TYPE payrelay_provider_any_host gauge
payrelay_provider_any_host{provider="smartcore"} 1
payrelay_provider_any_host{provider="uapay"} 0
`), "payrelay_provider_any_host"))

	_, err = hostsConfig(t, "PROVIDER_HOSTS_CHECK=enforce")
	require.ErrorContains(t, err, "PROVIDER_HOSTS is empty, and PROVIDER_HOSTS_CHECK is enforce: name the hosts")
	c, err = hostsConfig(t, "PROVIDER_HOSTS_CHECK=enforce", "PROVIDER_HOSTS=uapay=test.example.net")
	require.NoError(t, err)
	smart := c.withHosts(transport.Config{Provider: "smartcore"}, false)
	require.Empty(t, smart.Hosts)
	require.False(t, smart.AnyHost, "nothing but this machine")
}
