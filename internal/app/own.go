package app

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ownAddresses are those of this service's listeners and of its database. No notification is ever sent there.
type ownAddresses struct {
	listeners []netip.AddrPort
	databases []databaseAddress
	lookup    func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// databaseAddress is where Postgres is. A socket is on this machine, where Postgres may have the port, too.
type databaseAddress struct {
	host string
	port uint16
}

func ownOf(pool *pgxpool.Pool) *ownAddresses {
	o := &ownAddresses{lookup: net.DefaultResolver.LookupNetIP}
	c := pool.Config().ConnConfig
	o.databases = append(o.databases, databaseAddress{c.Host, c.Port})
	for _, f := range c.Fallbacks {
		o.databases = append(o.databases, databaseAddress{f.Host, f.Port})
	}
	return o
}

// listen adds a listener, before anything is sent.
func (o *ownAddresses) listen(l net.Listener) {
	if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
		o.listeners = append(o.listeners, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
}

// has reports whether an address is one of them. The port decides first, so that next to nothing is asked.
func (o *ownAddresses) has(ap netip.AddrPort) bool {
	ip := ap.Addr().Unmap()
	for _, l := range o.listeners {
		if l.Port() == ap.Port() && (l.Addr() == ip || ip.IsUnspecified() || l.Addr().IsUnspecified() && isLocal(ip)) {
			return true
		}
	}
	for _, d := range o.databases {
		if d.port == ap.Port() && o.isAt(d.host, ip) {
			return true
		}
	}
	return false
}

// lookupTimeout bounds the look-up of the database's name, which happens only for a target on the database's port.
const lookupTimeout = 2 * time.Second

func (o *ownAddresses) isAt(host string, ip netip.Addr) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return isLocal(ip)
	}
	if at, err := netip.ParseAddr(host); err == nil {
		return at.Unmap() == ip || isLocal(at.Unmap()) && isLocal(ip)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, err := o.lookup(ctx, "ip", host)
	for _, at := range found {
		if at.Unmap() == ip || isLocal(at.Unmap()) && isLocal(ip) {
			return true
		}
	}
	return err != nil // nobody knows, so it is not called now
}

// isLocal reports whether an address is this machine's.
func isLocal(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(network.IP); ok && own.Unmap() == ip {
				return true
			}
		}
	}
	return err != nil
}
