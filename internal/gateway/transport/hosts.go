package transport

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"payrelay/internal/gateway/kit"
)

// errHost says that a call names a host that is not listed.
var errHost = errors.New("the host is not listed")

// HostNotAllowed is the code of a call that was not sent, because its host is not in Config.Hosts.
const HostNotAllowed = "host_not_allowed"

// allowed reports whether a call may go to an address. The list is not in the database, so whoever can write there cannot have
// cards and secrets sent to a host of their own.
func (c Config) allowed(u *url.URL) bool {
	if c.AnyHost || kit.Loopback(u.Hostname()) {
		return true
	}
	if u.Scheme == "http" && !c.PlainHTTP {
		return false
	}
	return slices.Contains(c.Hosts, hostPort(u))
}

// Allows reports whether calls may go to an address of an account.
func (c Config) Allows(address string) bool {
	u, err := url.Parse(address)
	return err == nil && c.allowed(u)
}

// HostOf is whom an address calls: one spelling for each host.
func HostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return hostPort(u)
}

// hostPort is whom an address calls: one spelling for each host, as Config.Hosts has it.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
