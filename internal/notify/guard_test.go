package notify_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"payrelay/internal/notify"
)

func newQuietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// dns serves one IPv4 address for every name, and nothing for AAAA.
func dns(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
			m.Additionals = nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: ip},
				}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func withResolver(r *net.Resolver) func(*notify.Config) {
	return func(c *notify.Config) { c.Resolver = r }
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ url, word string }{
		{"http://127.0.0.1:8080/", "refused_address"},
		{"https://127.0.0.1/", "refused_address"},
		{"https://localhost/", "refused_address"},
		{"https://[::1]/", "refused_address"},
		{"https://0.0.0.0/", "refused_address"},
		{"https://[::]/", "refused_address"},
		{"https://10.1.2.3/", "refused_address"},
		{"https://172.16.0.1/", "refused_address"},
		{"https://192.168.0.1/", "refused_address"},
		{"https://100.64.0.1/", "refused_address"},
		{"http://169.254.169.254/latest/meta-data/", "refused_address"},
		{"https://224.0.0.1/", "refused_address"},
		{"https://255.255.255.255/", "refused_address"},
		{"https://[fe80::1]/", "refused_address"},
		{"https://[fd00:ec2::254]/", "refused_address"},
		{"https://[::ffff:10.0.0.1]/", "refused_address"},
		{"https://[::ffff:7f00:1]/", "refused_address"},
		{"https://[64:ff9b::7f00:1]/", "refused_address"},
		{"https://[2002:7f00:1::]/", "refused_address"},
		{"https://8.8.8.8:22/", "refused_address"},
		{"https://8.8.8.8:80/", "refused_address"},
		{"http://8.8.8.8:8080/", "refused_address"},
		{"http://8.8.8.8/", "https_required"},
		{"https://shop:pass@8.8.8.8/", "bad_url"},
		{"https://shop@8.8.8.8/", "bad_url"},
		{"ftp://8.8.8.8/", "bad_url"},
		{"file:///etc/passwd", "bad_url"},
		{"https:///path", "bad_url"},
		{"https:8.8.8.8", "bad_url"},
		{"//8.8.8.8/", "bad_url"},
		{"8.8.8.8", "bad_url"},
		{"https://8.8.8.8/\n", "bad_url"},
		{"https://8.8.8.8/#x", "bad_url"},
		{"https://8.8.8.8:0/", "bad_url"},
		{"https://2130706433/", "refused_address"},
		{"", "bad_url"},
	} {
		key := newKey()
		// An allow-list for somewhere else, and entries that cannot be read, open nothing.
		b.box.add(key, c.url, b.secret, "10.9.0.0/16:*", "[fd12::/16]:*", "nonsense", "10.0.0.0/99:*", "10.0.0.0/8", "10.1.2.3:444", "127.0.0.1:443x", "[127.0.0.1]:8080", "::1:443", "127.0.0.1:0")
		require.NotZero(t, b.deliver(t, key), c.url)
		require.Equal(t, c.word, b.box.last().Error, c.url)
		require.Zero(t, b.box.last().HTTPStatus)
	}
}

func TestOddSpellingsOfLoopbackNeverArrive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, 200)
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "LOCALHOST"} {
		key := newKey()
		b.box.add(key, strings.Replace(s.URL, "127.0.0.1", host, 1), b.secret)
		require.NotZero(t, b.deliver(t, key), host)
		require.Contains(t, []string{"refused_address", "dns", "bad_url", "timeout"}, b.box.last().Error, host)
	}
	require.Empty(t, s.got())
}

func TestNameThatPointsInsideIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, withResolver(dns(t, [4]byte{127, 0, 0, 1})))
	s := newShop(t, nil, 200)
	url := strings.Replace(s.URL, "127.0.0.1", "shop.example.com", 1)
	key := newKey()
	b.box.add(key, url, b.secret)
	require.NotZero(t, b.deliver(t, key))
	require.Equal(t, "refused_address", b.box.last().Error)
	require.Empty(t, s.got())

	// The same name is fine for the shop whose allow-list has the address: it is the address that counts.
	key = newKey()
	b.box.add(key, url, b.secret, "127.0.0.1:*")
	require.Zero(t, b.deliver(t, key))
	require.Len(t, s.got(), 1)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	elsewhere := newShop(t, nil, 200)
	for status, to := range map[int]string{
		301: "http://169.254.169.254/latest/meta-data/", 302: elsewhere.URL, 303: elsewhere.URL, 307: elsewhere.URL, 308: elsewhere.URL,
	} {
		s := newShop(t, http.Header{"Location": {to}}, status)
		key := newKey()
		b.box.add(key, s.URL, b.secret, loopback)
		require.NotZero(t, b.deliver(t, key))
		require.Equal(t, "redirect", b.box.last().Error, "a dial of the metadata address would be refused_address")
		require.Equal(t, status, b.box.last().HTTPStatus)
	}
	require.Empty(t, elsewhere.got())
}

func TestAllowedAddressOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	b := setup(t, func(c *notify.Config) { c.RootCAs = roots })
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	require.Zero(t, b.deliver(t, key))
	require.True(t, b.box.last().Delivered)
}

func TestConnectionsAreSharedOnlyUnderOneAllowList(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	b := setup(t)

	send := func(allow ...string) string {
		key := newKey()
		b.box.add(key, s.URL, b.secret, allow...)
		b.deliver(t, key)
		return b.box.last().Error
	}
	require.Empty(t, send("127.0.0.1/32:*", "10.0.0.0/8:*"))
	require.EqualValues(t, 1, opened.Load())
	require.Empty(t, send("10.0.0.0/8:*", "127.0.0.1/32:*"))
	require.EqualValues(t, 1, opened.Load(), "the same list in another order keeps the connection")
	require.Equal(t, "refused_address", send())
	require.Equal(t, "refused_address", send("10.0.0.0/8:*"))
	require.Empty(t, send("127.0.0.0/8:*"))
	require.EqualValues(t, 2, opened.Load(), "another list, another connection")
}

func TestProxyFromTheEnvironmentIsNotUsed(t *testing.T) {
	// Not parallel: the environment is everybody's.
	proxy := newShop(t, nil, 200)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	b := setup(t, withResolver(dns(t, [4]byte{10, 0, 0, 1})), withTimeout(2*time.Second))
	key := newKey()
	b.box.add(key, "http://shop.example.com/", b.secret, loopback)
	require.NotZero(t, b.deliver(t, key))
	require.Equal(t, "refused_address", b.box.last().Error)
	require.Empty(t, proxy.got())
}

// Not even a shop that may call anything calls the service itself or its database.
func TestOwnAddressesAreRefusedWhateverIsAllowed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil, 200)
	own, err := netip.ParseAddrPort(strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	b := setup(t, func(c *notify.Config) { c.Own = func(ap netip.AddrPort) bool { return ap == own } }, withResolver(dns(t, [4]byte{127, 0, 0, 1})))
	for _, host := range []string{"127.0.0.1", "shop.example.com", "[::ffff:127.0.0.1]"} {
		key := newKey()
		b.box.add(key, strings.Replace(s.URL, "127.0.0.1", host, 1), b.secret, "0.0.0.0/0:*", "[::/0]:*")
		require.NotZero(t, b.deliver(t, key), host)
		require.Equal(t, "refused_address", b.box.last().Error, host)
	}
	require.Empty(t, s.got())
	other := newShop(t, nil, 200)
	key := newKey()
	b.box.add(key, other.URL, b.secret, "127.0.0.1:*")
	require.Zero(t, b.deliver(t, key))
	require.Len(t, other.got(), 1)
}

// An allowed network is allowed on the ports that are named.
func TestAllowedIsAnAddressAndAPort(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, other := newShop(t, nil, 200), newShop(t, nil, 200)
	at := strings.TrimPrefix(s.URL, "http://")
	for _, allow := range []string{at, "127.0.0.0/8" + at[strings.LastIndexByte(at, ':'):]} {
		key := newKey()
		b.box.add(key, s.URL, b.secret, allow)
		require.Zero(t, b.deliver(t, key), allow)
		key = newKey()
		b.box.add(key, other.URL, b.secret, allow)
		require.NotZero(t, b.deliver(t, key), allow)
		require.Equal(t, "refused_address", b.box.last().Error, allow)
	}
	require.Empty(t, other.got())
	for entry, good := range map[string]bool{
		"10.0.0.5:8080": true, "10.0.0.0/8:443": true, "[fd00::1]:8443": true, "[fd00::/8]:*": true, "10.0.0.5:*": true, "10.0.0.5": false, "10.0.0.0/8": false,
		"fd00::1:443": false, "[10.0.0.5]:443": false, "10.0.0.5:0": false, "10.0.0.5:65536": false, "10.0.0.5:+1": false, "[fd00::1%eth0]:443": false, "10.0.0.0/33:443": false,
		"hooks.internal:443": false, "": false, ":443": false, "[]:443": false, "[fd00::1:443": false,
	} {
		require.Equal(t, good, notify.CheckAllowed(entry) == nil, entry)
	}
}
