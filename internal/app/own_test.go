package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwnAddressesAreKnown(t *testing.T) {
	t.Parallel()
	elsewhere := netip.MustParseAddr("10.0.0.9")
	o := &ownAddresses{
		listeners: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9090"), netip.MustParseAddrPort("[::]:8080")},
		databases: []databaseAddress{{"db.internal", 5432}, {"10.0.0.7", 5433}, {"/run/postgresql", 5434}, {"unknown.internal", 5435}, {"127.0.0.1", 5436}},
		lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host == "db.internal" {
				return []netip.Addr{elsewhere}, nil
			}
			return nil, errors.New("no such host")
		},
	}
	for address, own := range map[string]bool{
		"127.0.0.1:9090": true, "[::ffff:127.0.0.1]:9090": true, "0.0.0.0:9090": true, "127.0.0.2:9090": false, "127.0.0.1:9091": false, "10.0.0.9:9090": false,
		"127.0.0.1:8080": true, "[::1]:8080": true, "127.9.9.9:8080": true, "203.0.113.1:8080": false,
		"10.0.0.9:5432": true, "10.0.0.8:5432": false, "10.0.0.9:443": false,
		"10.0.0.7:5433": true, "[::ffff:10.0.0.7]:5433": true, "10.0.0.9:5433": false,
		"127.0.0.1:5434": true, "[::1]:5434": true, "10.0.0.9:5434": false,
		"10.0.0.9:5435": true, // nobody knows where it is now
		"[::1]:5436":    true, "0.0.0.0:5436": true,
	} {
		require.Equal(t, own, o.has(netip.MustParseAddrPort(address)), address)
	}
	// Every address of this machine is one of a listener on all of them.
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		require.True(t, ok)
		require.True(t, o.has(netip.AddrPortFrom(ip, 8080)), a)
	}
}
