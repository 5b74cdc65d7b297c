package app

import (
	"net"
	"time"

	"github.com/pires/go-proxyproto"

	"payrelay/internal/clientaddr"
)

// proxyLineTime is how long a trusted proxy may take to say whom it passes on.
const proxyLineTime = 3 * time.Second

// proxied takes the addresses of clients from the PROXY protocol: it is required from trusted proxies, and refused from others.
func proxied(l net.Listener, clients *clientaddr.Finder) net.Listener {
	return &proxyproto.Listener{
		Listener: l, ReadHeaderTimeout: proxyLineTime,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if clients.Trusts(clientaddr.FromText(o.Upstream.String())) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.REJECT, nil
		},
	}
}

// peer is the other end of a connection itself, and not whom a proxy passes on. It waits for nothing.
func peer(c net.Conn) net.Addr {
	if p, ok := c.(*proxyproto.Conn); ok {
		return p.Raw().RemoteAddr()
	}
	return c.RemoteAddr()
}
