package notify

import (
	"container/list"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const (
	// maxClients bounds how many allow-lists have connections of their own at once.
	maxClients      = 64
	dialTimeout     = 5 * time.Second
	idleTimeout     = 30 * time.Second
	maxIdlePerHost  = 32
	maxIdle         = 64
	maxAnswerHeader = 64 << 10
)

// publicPorts are the ports on which public addresses may be reached.
var publicPorts = []uint16{443, 8443}

var (
	errPlainHTTP  = errors.New("plain http to an address that is not on the allow-list")
	errPort       = errors.New("a port on which public addresses are not reached")
	errNotPublic  = errors.New("an address that is neither public nor on the allow-list")
	errNotDialled = errors.New("not an IP address and a port over TCP")
	errOwn        = errors.New("an address of the service itself or of its database")
)

// guard decides about addresses at the moment they are dialled.
type guard struct {
	allow  []allowed
	own    func(netip.AddrPort) bool // what is never called, whatever is allowed
	https  bool
	ports  []uint16
	public *ssrf.Guardian
}

// control is a net.Dialer.Control: address is an IP and a port, whatever name or spelling led to it.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return errNotDialled
	}
	return g.judge(ap)
}

// judge says whether an address may be called. It is the one rule, for what was dialled and for what was only written down.
func (g guard) judge(ap netip.AddrPort) error {
	switch {
	case g.own != nil && g.own(ap):
		return errOwn
	case g.allows(ap):
		return nil
	case g.public.SafeAddr(ap.Addr()) != nil:
		return errNotPublic
	case !slices.Contains(g.ports, ap.Port()):
		return errPort
	case !g.https:
		return errPlainHTTP
	}
	return nil
}

// allows reports whether the allow-list has an address and port.
func (g guard) allows(ap netip.AddrPort) bool {
	return slices.ContainsFunc(g.allow, func(a allowed) bool { return a.has(ap) })
}

// newGuard returns the guard for an allow-list and a scheme.
func newGuard(allow []allowed, scheme string) guard {
	// Plain http is refused on every public port; letting its port through names the real reason.
	ports := publicPorts
	if scheme == "http" {
		ports = append([]uint16{80}, ports...)
	}
	return guard{allow: allow, https: scheme == "https", ports: ports, public: ssrf.New(ssrf.WithAnyPort())}
}

// clients keeps one HTTP client for each allow-list and scheme. The transport reuses a connection for whoever asks for
// the same host, and the guard sees dials only; so what two callers share must have passed the same guard.
type clients struct {
	roots    *x509.CertPool
	resolver *net.Resolver
	own      func(netip.AddrPort) bool

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent *list.List // of *client, the most recently used first
}

type client struct {
	key string
	*http.Client
}

func newClients(roots *x509.CertPool, resolver *net.Resolver, own func(netip.AddrPort) bool) *clients {
	return &clients{roots: roots, resolver: resolver, own: own, byKey: map[string]*list.Element{}, recent: list.New()}
}

// forTarget returns the client for an allow-list and a scheme.
func (c *clients) forTarget(allow []allowed, scheme string) *http.Client {
	var b strings.Builder
	b.WriteString(scheme)
	for _, a := range allow {
		b.WriteString(" " + a.String())
	}
	key := b.String()

	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*client).Client //nolint:forcetypeassert // the list holds nothing else
	}
	g := newGuard(allow, scheme)
	g.own = c.own
	made := &client{key, c.build(g)}
	c.byKey[key] = c.recent.PushFront(made)
	if c.recent.Len() > maxClients {
		oldest := c.recent.Remove(c.recent.Back()).(*client) //nolint:forcetypeassert // as above
		delete(c.byKey, oldest.key)
		// A delivery under way goes on; its connection closes when it has been idle for idleTimeout.
		oldest.CloseIdleConnections()
	}
	return made.Client
}

func (c *clients) build(g guard) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: c.resolver, Control: g.control}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots},
			TLSHandshakeTimeout:    dialTimeout,
			DisableCompression:     true,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdlePerHost,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
	}
}

func (c *clients) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*client).CloseIdleConnections() //nolint:forcetypeassert // the list holds nothing else
	}
}
