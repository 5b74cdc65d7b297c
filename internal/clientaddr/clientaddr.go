package clientaddr

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Source is what says the client's address.
type Source string

// Sources.
const (
	// Peer is the other end of the connection.
	Peer Source = "peer"
	// XForwardedFor and Forwarded are headers, listened to from trusted proxies only.
	XForwardedFor Source = "x-forwarded-for"
	Forwarded     Source = "forwarded"
	// ProxyProtocol is the line that a trusted proxy sends before everything else.
	ProxyProtocol Source = "proxy-protocol"
)

var sources = []Source{Peer, XForwardedFor, Forwarded, ProxyProtocol}

// Address is where a request comes from.
type Address struct {
	// Client is who asks, Peer the other end of the connection: a proxy, or the client itself.
	Client, Peer netip.Addr
	// Certain is false if a hop in a trusted proxy's header cannot be read. Client is then the last hop that could be.
	Certain bool
}

// Finder finds the address of each request. The zero value takes the connection's.
type Finder struct {
	source  Source
	trusted []netip.Prefix
}

// New returns a finder for a source and the networks of trusted proxies. An error says what a source lacks.
func New(source Source, proxies []string) (*Finder, error) {
	if !slices.Contains(sources, source) {
		return nil, fmt.Errorf("%q is no source: take one of %q", source, sources)
	}
	if source != Peer && len(proxies) == 0 {
		return nil, fmt.Errorf("the source %s wants the networks of the proxies that are trusted", source)
	}
	f := &Finder{source: source}
	for _, text := range proxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no network such as 10.0.0.0/8", text)
		}
		f.trusted = append(f.trusted, p.Masked())
	}
	return f, nil
}

// Trusts reports whether an address is that of a trusted proxy.
func (f *Finder) Trusts(a netip.Addr) bool {
	return slices.ContainsFunc(f.trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Source is what says the client's address.
func (f *Finder) Source() Source { return f.source }

// Of returns where a request comes from.
func (f *Finder) Of(r *http.Request) Address {
	remote := FromText(r.RemoteAddr)
	peer, known := r.Context().Value(peerKey{}).(netip.Addr)
	if !known {
		peer = remote
	}
	switch f.source {
	case XForwardedFor:
		return f.walk(peer, xForwardedFor(r.Header.Values("X-Forwarded-For")))
	case Forwarded:
		return f.walk(peer, forwarded(r.Header.Values("Forwarded")))
	case Peer, ProxyProtocol:
	}
	return Address{Client: remote, Peer: peer, Certain: true}
}

// walk goes from the connection outwards for as long as each hop is a trusted proxy. The first that is not is the client.
func (f *Finder) walk(peer netip.Addr, hops []string) Address {
	found := Address{Client: peer, Peer: peer, Certain: true}
	for _, text := range slices.Backward(hops) {
		if !f.Trusts(found.Client) {
			break
		}
		hop := FromText(text)
		if !hop.IsValid() {
			found.Certain = false
			break
		}
		found.Client = hop
	}
	return found
}

// FromText reads an address with or without a port. IPv4 in IPv6 is IPv4. What is none is the invalid address.
func FromText(text string) netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone("")
}

// xForwardedFor is the hops of X-Forwarded-For. Several lines are one list.
func xForwardedFor(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	hops := strings.Split(strings.Join(lines, ","), ",")
	for i, hop := range hops {
		hops[i] = strings.TrimSpace(hop)
	}
	return hops
}

// forwarded is the hops of Forwarded, RFC 7239. One that names no address is "".
func forwarded(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	var hops []string
	for _, element := range splitUnquoted(strings.Join(lines, ","), ',') {
		hops = append(hops, forOf(element))
	}
	return hops
}

// forOf is what an element of Forwarded says after for=, or "" if it says it never or twice. A quote that a client leaves
// open swallows what its proxy adds: then nothing is read.
func forOf(element string) string {
	if strings.Count(element, `"`)%2 != 0 {
		return ""
	}
	found := ""
	for _, pair := range splitUnquoted(element, ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return ""
		}
		found = strings.Trim(value, `"`)
	}
	return found
}

// splitUnquoted splits text at a separator that stands outside of quotes.
func splitUnquoted(text string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

type peerKey struct{}

// WithPeer notes whom a connection's requests come from by the connection itself, whatever its first bytes say.
func WithPeer(ctx context.Context, peer netip.Addr) context.Context {
	return context.WithValue(ctx, peerKey{}, peer)
}
