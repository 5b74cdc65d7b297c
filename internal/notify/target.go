package notify

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// refusal is why an address is never called: a word for the stored attempt, and a sentence that completes "the address …".
type refusal struct {
	word outcome
	text string
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

func refused(word outcome, text string) error { return &refusal{word, text} }

// CheckTarget says why notifications can never be sent to an address, in words that complete "the address …", or nil. It asks
// no name server: a name that is not refused here is judged by what it leads to, when it is dialled. allow are the internal
// targets that the shop's notifications may go to.
func CheckTarget(raw string, allow []string) error {
	_, err := parseTarget(raw, parseAllow(allow))
	return err
}

// parseTarget reads a notification address and refuses what the guard would refuse whatever the name servers say.
func parseTarget(raw string, allow []allowed) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return nil, refused(badURL, "must be a full address, such as https://shop.example.com/payrelay")
	case u.User != nil:
		return nil, refused(badURL, "must not hold a user name or password")
	case strings.Contains(raw, "#"):
		return nil, refused(badURL, "must not have a fragment (#)")
	}
	port, ok := portOf(u)
	if !ok {
		return nil, refused(badURL, "has a port that cannot be called: it is a number from 1 to 65535")
	}
	g := newGuard(allow, u.Scheme)
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return u, g.literal(ip, port)
	}
	name, err := nameOf(u.Hostname())
	if err != nil {
		return nil, err
	}
	return u, g.name(name, port)
}

// portOf returns the port that is dialled.
func portOf(u *url.URL) (port uint16, ok bool) {
	text := u.Port()
	switch {
	case strings.HasSuffix(u.Host, ":"):
		return 0, false
	case text == "" && u.Scheme == "https":
		return 443, true
	case text == "":
		return 80, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0
}

// nameOf returns a host's name as it is looked up, in small letters and without the dot at its end. Odd spellings of an IP
// address, which some resolvers read, are no names.
func nameOf(host string) (string, error) {
	name, err := strings.ToLower(host), error(nil)
	if !isASCII(host) {
		name, err = idna.Lookup.ToASCII(host) // as net/http does
	}
	name = strings.TrimSuffix(name, ".")
	if err != nil || !isName(name) {
		return "", refused(badURL, "has a host that is no name and no IP address")
	}
	if isNumeric(name[strings.LastIndexByte(name, '.')+1:]) {
		return "", refused(refusedAddress, "has an IP address in an unusual form: write four decimal numbers, such as 203.0.113.7")
	}
	return name, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// isName reports whether name servers can be asked for name.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			return false
		}
	}
	return true
}

// looksLikeNumber reports whether label is decimal, octal or hexadecimal. No top-level domain is.
func isNumeric(label string) bool {
	_, err := strconv.ParseUint(label, 0, 64)
	return err == nil || errors.Is(err, strconv.ErrRange) || !strings.ContainsFunc(label, func(r rune) bool { return r < '0' || r > '9' })
}

// literal judges an IP address as control does when it is dialled.
func (g guard) literal(ip netip.Addr, port uint16) error {
	if ip.Zone() != "" {
		return refused(refusedAddress, "has an IP address with a zone")
	}
	return explain(g.judge(netip.AddrPortFrom(ip.Unmap(), port)))
}

// name judges a name by what no name server can change.
func (g guard) name(name string, port uint16) error {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		here := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
		if slices.ContainsFunc(here, func(ip netip.Addr) bool { return g.allows(netip.AddrPortFrom(ip, port)) }) {
			return nil
		}
		return g.literal(here[0], port)
	}
	if len(g.allow) > 0 {
		return nil // it may lead to an internal target that is allowed, also without TLS
	}
	if !strings.Contains(name, ".") || slices.ContainsFunc(privateNames, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
		return refused(refusedAddress, notPublic)
	}
	if !slices.Contains(g.ports, port) {
		return explain(errPort)
	}
	if !g.https {
		return explain(errPlainHTTP)
	}
	return nil
}

// privateNames are top-level domains that the public name servers never have.
var privateNames = []string{".internal", ".local", ".localdomain", ".lan", ".home.arpa", ".invalid", ".onion"}

const notPublic = "is not on the public internet. An operator can allow the shop an internal network and port"

// explain turns the guard's verdict into words for whoever gave the address.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errOwn):
		return refused(refusedAddress, "is the service itself, or its database")
	case errors.Is(err, errPlainHTTP):
		return refused(httpsRequired, "must begin with https://")
	case errors.Is(err, errPort):
		return refused(refusedAddress, "must have port 443 or 8443, or none")
	}
	return refused(refusedAddress, notPublic)
}
