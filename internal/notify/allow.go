package notify

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// allowed is an internal network with a port that notifications may go to. Port 0 is any.
type allowed struct {
	network netip.Prefix
	port    uint16
}

var errAllowed = errors.New("write an address or network and a port, such as 10.0.0.5:8080, 10.0.0.0/8:443 or [fd00::/8]:443; the port * is any")

// CheckAllowed says what is wrong with an entry of a shop's internal targets.
func CheckAllowed(entry string) error {
	_, err := parseAllowed(entry)
	return err
}

// AllowsHost reports whether a shop's internal targets have an address, on whatever port.
func AllowsHost(entries []string, ip netip.Addr) bool {
	return slices.ContainsFunc(parseAllow(entries), func(a allowed) bool { return a.network.Contains(ip.Unmap()) })
}

func parseAllowed(entry string) (allowed, error) {
	at := strings.LastIndexByte(entry, ':')
	if at < 0 {
		return allowed{}, errAllowed
	}
	host, port := entry[:at], entry[at+1:]
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		if host, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return allowed{}, errAllowed
		}
	}
	network, err := netip.ParsePrefix(host)
	if err != nil {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" {
			return allowed{}, errAllowed
		}
		network = netip.PrefixFrom(ip, ip.BitLen())
	}
	if network.Addr().Is6() != bracketed {
		return allowed{}, errAllowed
	}
	a := allowed{network: network.Masked()}
	if port == "*" {
		return a, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return allowed{}, errAllowed
	}
	a.port = uint16(n)
	return a, nil
}

// parseAllow reads a shop's internal targets into a sorted list without repeats. An entry that cannot be read allows nothing.
func parseAllow(entries []string) []allowed {
	var list []allowed
	for _, entry := range entries {
		if a, err := parseAllowed(strings.TrimSpace(entry)); err == nil {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b allowed) int {
		return cmp.Or(a.network.Compare(b.network), cmp.Compare(a.port, b.port))
	})
	return slices.Compact(list)
}

// String is the entry that is read as a.
func (a allowed) String() string { return a.network.String() + ":" + strconv.Itoa(int(a.port)) }

// has reports whether a has an address and port.
func (a allowed) has(ap netip.AddrPort) bool {
	return a.network.Contains(ap.Addr()) && (a.port == 0 || a.port == ap.Port())
}
