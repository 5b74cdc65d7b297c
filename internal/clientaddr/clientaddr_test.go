package clientaddr

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

const proxy = "10.0.0.7:4711"

func find(t *testing.T, f *Finder, remote, header string, lines ...string) Address {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	if header != "" {
		r.Header[header] = lines
	}
	return f.Of(r)
}

// TestXForwardedFor goes through what proxies write, and what a client writes to be taken for another.
func TestXForwardedFor(t *testing.T) {
	t.Parallel()
	f, err := New(XForwardedFor, []string{"10.0.0.0/8", "2001:db8:1::/48"})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		remote    string
		lines     []string
		client    string
		uncertain bool
	}{
		"one proxy":                      {proxy, []string{"203.0.113.9"}, "203.0.113.9", false},
		"two proxies":                    {proxy, []string{"203.0.113.9, 10.1.1.1"}, "203.0.113.9", false},
		"several lines are one list":     {proxy, []string{"203.0.113.9", "10.1.1.1"}, "203.0.113.9", false},
		"no header":                      {proxy, nil, "10.0.0.7", false},
		"all trusted":                    {proxy, []string{"10.1.1.1,10.2.2.2"}, "10.1.1.1", false},
		"port":                           {proxy, []string{"203.0.113.9:80"}, "203.0.113.9", false},
		"IPv6":                           {proxy, []string{"2001:db8::1"}, "2001:db8::1", false},
		"IPv6 and port":                  {proxy, []string{"[2001:db8::1]:80"}, "2001:db8::1", false},
		"IPv6 in brackets":               {proxy, []string{"[2001:db8::1]"}, "2001:db8::1", false},
		"IPv4 in IPv6":                   {proxy, []string{"::ffff:203.0.113.9"}, "203.0.113.9", false},
		"trusted IPv4 in IPv6":           {proxy, []string{"203.0.113.9, ::ffff:10.1.1.1"}, "203.0.113.9", false},
		"proxy as IPv4 in IPv6":          {"[::ffff:10.0.0.7]:1", []string{"203.0.113.9"}, "203.0.113.9", false},
		"proxy over IPv6":                {"[2001:db8:1::1]:1", []string{"203.0.113.9"}, "203.0.113.9", false},
		"written by the client":          {proxy, []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9", false},
		"written by the client, twice":   {proxy, []string{"10.9.9.9", "127.0.0.1, 203.0.113.9"}, "203.0.113.9", false},
		"no proxy":                       {"203.0.113.9:1", []string{"127.0.0.1"}, "203.0.113.9", false},
		"no proxy claims a proxy":        {"203.0.113.9:1", []string{"127.0.0.1, 10.1.1.1"}, "203.0.113.9", false},
		"garbage behind a client":        {proxy, []string{"nonsense, 203.0.113.9"}, "203.0.113.9", false},
		"garbage from a proxy":           {proxy, []string{"203.0.113.9, nonsense"}, "10.0.0.7", true},
		"garbage from the outer proxy":   {proxy, []string{"203.0.113.9, nonsense, 10.1.1.1"}, "10.1.1.1", true},
		"empty header":                   {proxy, []string{""}, "10.0.0.7", true},
		"empty hop":                      {proxy, []string{"203.0.113.9,,"}, "10.0.0.7", true},
		"unknown":                        {proxy, []string{"unknown"}, "10.0.0.7", true},
		"address of two spellings":       {proxy, []string{"0x7f.1"}, "10.0.0.7", true},
		"octal":                          {proxy, []string{"010.0.0.1"}, "10.0.0.7", true},
		"a name":                         {proxy, []string{"localhost"}, "10.0.0.7", true},
		"a network":                      {proxy, []string{"203.0.113.0/24"}, "10.0.0.7", true},
		"port of five nines":             {proxy, []string{"203.0.113.9:99999"}, "10.0.0.7", true},
		"space inside":                   {proxy, []string{"203.0.113 .9"}, "10.0.0.7", true},
		"zone":                           {proxy, []string{"fe80::1%eth0"}, "fe80::1", false},
		"semicolon":                      {proxy, []string{"203.0.113.9;10.1.1.1"}, "10.0.0.7", true},
		"tab and spaces round a hop":     {proxy, []string{" \t203.0.113.9 , 10.1.1.1\t"}, "203.0.113.9", false},
		"the other header's syntax":      {proxy, []string{"for=203.0.113.9"}, "10.0.0.7", true},
		"quotes":                         {proxy, []string{`"203.0.113.9"`}, "10.0.0.7", true},
		"a remote address without sense": {"@", []string{"203.0.113.9"}, "invalid IP", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := find(t, f, c.remote, "X-Forwarded-For", c.lines...)
			require.Equal(t, c.client, a.Client.String())
			require.Equal(t, !c.uncertain, a.Certain)
			require.Equal(t, FromText(c.remote), a.Peer)
		})
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	f, err := New(Forwarded, []string{"10.0.0.0/8"})
	require.NoError(t, err)
	for line, c := range map[string]struct {
		client    string
		uncertain bool
	}{
		`for=203.0.113.9`: {"203.0.113.9", false},
		`For="203.0.113.9:80";proto=https;by=10.0.0.7`:     {"203.0.113.9", false},
		`proto=https; for="[2001:db8::1]:80"`:              {"2001:db8::1", false},
		`for=203.0.113.9, for=10.1.1.1;host="a,b;for=::1"`: {"203.0.113.9", false},
		`for=127.0.0.1, for=203.0.113.9`:                   {"203.0.113.9", false},
		`for=unknown`:                                      {"10.0.0.7", true},
		`for=_hidden, for=10.1.1.1`:                        {"10.1.1.1", true},
		`proto=https`:                                      {"10.0.0.7", true},
		`for=203.0.113.9;for=127.0.0.1`:                    {"10.0.0.7", true},
		`for=203.0.113.9, for="10.1.1.1`:                   {"10.0.0.7", true},
		`for=127.0.0.1;x=", for=203.0.113.9`:               {"10.0.0.7", true},
		`for=127.0.0.1;x=", for="[2001:db8::1]:80"`:        {"10.0.0.7", true},
		`for=127.0.0.1;x="\"", for=203.0.113.9`:            {"10.0.0.7", true},
		`for="203.0.113.9, for=127.0.0.1`:                  {"10.0.0.7", true},
		`203.0.113.9`:                                      {"10.0.0.7", true},
		`for=203.0.113.9,`:                                 {"10.0.0.7", true},
	} {
		a := find(t, f, proxy, "Forwarded", line)
		require.Equal(t, c.client, a.Client.String(), line)
		require.Equal(t, !c.uncertain, a.Certain, line)
	}
}

// TestOneSourceOnly holds that whatever was not chosen is not listened to.
func TestOneSourceOnly(t *testing.T) {
	t.Parallel()
	for source, header := range map[Source]string{Peer: "X-Forwarded-For", XForwardedFor: "Forwarded", Forwarded: "X-Forwarded-For", ProxyProtocol: "X-Forwarded-For"} {
		f, err := New(source, []string{"10.0.0.0/8"})
		require.NoError(t, err)
		require.Equal(t, "10.0.0.7", find(t, f, proxy, header, "for=203.0.113.9").Client.String(), source)
		for _, other := range []string{"X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Cluster-Client-Ip"} {
			require.Equal(t, "10.0.0.7", find(t, f, proxy, other, "203.0.113.9").Client.String(), source)
		}
	}
}

// TestPeerOfAProxiedConnection holds that the PROXY line moves the client's address, and not the peer's.
func TestPeerOfAProxiedConnection(t *testing.T) {
	t.Parallel()
	f, err := New(ProxyProtocol, []string{"10.0.0.0/8"})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "203.0.113.9:1"
	r = r.WithContext(WithPeer(r.Context(), netip.MustParseAddr("10.0.0.7")))
	a := f.Of(r)
	require.Equal(t, []string{"203.0.113.9", "10.0.0.7"}, []string{a.Client.String(), a.Peer.String()})
}

func TestWhatASourceLacksIsSaid(t *testing.T) {
	t.Parallel()
	for source, proxies := range map[Source][]string{"": nil, "x-real-ip": {"10.0.0.0/8"}, XForwardedFor: nil, Forwarded: nil, ProxyProtocol: nil, Peer: {"10.0.0.0"}} {
		_, err := New(source, proxies)
		require.Error(t, err, source)
	}
	_, err := New(Peer, nil)
	require.NoError(t, err)
}
