package kubernetes_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// peer is one end of a connection: a pod of ours, a pod in another namespace, or an address.
type peer struct {
	workload  string
	namespace string
	labels    map[string]string
	address   string
}

// Who may connect to whom. What is not allowed by name is refused.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	pod := func(name string) peer {
		for _, w := range workloads(m) {
			if w.name == name {
				return peer{workload: name, namespace: "payrelay", labels: w.pod.Labels}
			}
		}
		require.Failf(t, "no workload", name)
		return peer{}
	}
	server, pgbouncer, audit, migrate := pod("payrelay"), pod("pgbouncer"), pod("payrelay-audit"), pod("payrelay-migrate-1.0.0")
	ingress, prometheus, other := peer{namespace: "ingress-nginx"}, peer{namespace: "monitoring"}, peer{namespace: "default"}
	dns := peer{namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}
	postgres, provider, inside, metadata := peer{address: "192.0.2.10"}, peer{address: "203.0.113.9"}, peer{address: "10.1.2.3"}, peer{address: "169.254.169.254"}
	provider6, inside6 := peer{address: "2001:db8::9"}, peer{address: "fd00::9"}
	for _, c := range []struct {
		from, to peer
		port     int32
		allowed  bool
	}{
		{ingress, server, 8080, true},
		{ingress, server, 9090, false},
		{ingress, pgbouncer, 6432, false},
		{prometheus, server, 9090, true},
		{prometheus, server, 8080, false},
		{other, server, 8080, false},
		{other, server, 9090, false},
		{other, pgbouncer, 6432, false},
		{server, pgbouncer, 6432, true},
		{audit, pgbouncer, 6432, true},
		{migrate, pgbouncer, 6432, false},
		{server, postgres, 5432, false},
		{pgbouncer, postgres, 5432, true},
		{migrate, postgres, 5432, true},
		{pgbouncer, inside, 5432, false},
		{server, provider, 443, true},
		{server, provider, 8443, true},
		{server, provider, 80, false},
		{server, provider6, 443, true},
		{server, inside, 443, false},
		{server, inside6, 443, false},
		{server, metadata, 443, false},
		{migrate, provider, 443, false},
		{pgbouncer, provider, 443, false},
		{audit, provider, 443, false},
		{server, server, 9090, false},
		{server, dns, 53, true},
		{pgbouncer, dns, 53, true},
		{migrate, dns, 53, true},
	} {
		require.Equal(t, c.allowed, allowed(t, m, c.from, c.to, c.port), "%v to %v, port %d", c.from, c.to, c.port)
	}
}

// allowed judges a connection as the API's documentation says: a pod that a policy selects for a direction may do only what one of
// the policies allows, and both ends must allow it.
func allowed(t *testing.T, m manifests, from, to peer, port int32) bool {
	t.Helper()
	out, in := true, true
	outAllowed, inAllowed := false, false
	for _, p := range all[*networkingv1.NetworkPolicy](m) {
		for _, kind := range p.Spec.PolicyTypes {
			switch {
			case kind == networkingv1.PolicyTypeEgress && from.workload != "" && matches(t, &p.Spec.PodSelector, from.labels):
				out = false
				for _, rule := range p.Spec.Egress {
					outAllowed = outAllowed || covers(t, m, rule.To, rule.Ports, to, to, port)
				}
			case kind == networkingv1.PolicyTypeIngress && to.workload != "" && matches(t, &p.Spec.PodSelector, to.labels):
				in = false
				for _, rule := range p.Spec.Ingress {
					inAllowed = inAllowed || covers(t, m, rule.From, rule.Ports, from, to, port)
				}
			}
		}
	}
	return (out || outAllowed) && (in || inAllowed)
}

// covers reports whether a rule is about the other end and the port of the end that is called.
func covers(t *testing.T, m manifests, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, other, called peer, port int32) bool {
	t.Helper()
	there := false
	for _, p := range ports {
		number := p.Port.IntVal
		for _, w := range workloads(m) {
			if w.name == called.workload && p.Port.StrVal != "" {
				number, _ = w.port(p.Port.StrVal)
			}
		}
		there = there || number == port
	}
	if !there {
		return false
	}
	for _, p := range peers {
		if p.IPBlock != nil {
			if other.address != "" && within(p.IPBlock.CIDR, other.address) && !anyWithin(p.IPBlock.Except, other.address) {
				return true
			}
			continue
		}
		if other.address != "" || p.NamespaceSelector == nil && other.namespace != "payrelay" {
			continue
		}
		if p.NamespaceSelector != nil && !matches(t, p.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": other.namespace}) {
			continue
		}
		if p.PodSelector == nil || matches(t, p.PodSelector, other.labels) {
			return true
		}
	}
	return false
}

func matches(t *testing.T, s *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	return selector.Matches(labels.Set(set))
}

func within(cidr, address string) bool {
	return netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(address))
}

func anyWithin(cidrs []string, address string) bool {
	for _, c := range cidrs {
		if within(c, address) {
			return true
		}
	}
	return false
}
