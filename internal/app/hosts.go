package app

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/gateway/smartcore"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/gateway/uapay"
)

// builtInHosts are hosts that a provider has published for all its merchants. SmartCore's differ by installation
// (smartcore.md A28).
var builtInHosts = map[string][]string{
	smartcore.Name: nil,
	uapay.Name:     uapay.Hosts,
}

// providerHosts reads PROVIDER_HOSTS: the hosts of each provider, as host:port, and what is wrong with the text.
func (c config) providerHosts() (hosts map[string][]string, problems []string) {
	hosts = map[string][]string{}
	for item := range strings.SplitSeq(c.ProviderHosts, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		provider, host, _ := strings.Cut(item, "=")
		if _, known := builtInHosts[provider]; !known {
			problems = append(problems, fmt.Sprintf("PROVIDER_HOSTS: %q is no provider: write smartcore=HOST or uapay=HOST", provider))
			continue
		}
		u, err := url.Parse("https://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			problems = append(problems, fmt.Sprintf("PROVIDER_HOSTS: %q is no host: write a host, or a host and a port, such as api.example.com:443", host))
			continue
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		hosts[provider] = append(hosts[provider], net.JoinHostPort(strings.ToLower(u.Hostname()), port))
	}
	return hosts, problems
}

func (c config) badHosts() []string {
	hosts, problems := c.providerHosts()
	if c.HostsCheck == "enforce" && len(hosts) == 0 && len(problems) == 0 {
		problems = append(problems, "PROVIDER_HOSTS is empty, and PROVIDER_HOSTS_CHECK is enforce: name the hosts of the providers, such as smartcore=api.example.com, or set the check to warn")
	}
	return problems
}

// withHosts says where a provider's calls may go.
func (c config) withHosts(t transport.Config, demo bool) transport.Config {
	listed, _ := c.providerHosts()
	t.Hosts = slices.Concat(builtInHosts[t.Provider], listed[t.Provider])
	t.AnyHost = len(t.Hosts) == 0 && c.HostsCheck != "enforce"
	t.PlainHTTP = demo
	return t
}

// callsOf says where calls of a provider may go.
func (c config) callsOf(provider string) transport.Config {
	return c.withHosts(transport.Config{Provider: provider}, false)
}

// anyHost is what is wrong with a provider that may be called at any host.
const anyHost = "PROVIDER_HOSTS names no host of this provider: whoever can write to the database can have its calls sent anywhere"

// hostsGauge says of each provider whether it may be called anywhere, and warns of it.
func hostsGauge(configs []transport.Config, log zerolog.Logger) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "payrelay_provider_any_host",
		Help: "1 if a provider may be called at any host that the database names, because PROVIDER_HOSTS names none of it.",
	}, []string{"provider"})
	for _, c := range configs {
		g.WithLabelValues(c.Provider).Set(0)
		if c.AnyHost {
			g.WithLabelValues(c.Provider).Set(1)
			if !c.PlainHTTP { // dev calls simulators
				log.Warn().Str("provider", c.Provider).Msg(anyHost)
			}
		}
	}
	return g
}
