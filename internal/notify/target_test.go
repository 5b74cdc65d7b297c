package notify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/notify"
)

// internal are networks that an operator allowed a shop.
var internal = []string{"10.1.0.0/16:*", "127.0.0.0/8:*", "[fd00:1::/32]:*"}

// Whatever is refused is refused without a name server, in words for whoever gave the address, and by the delivery as well.
func TestTargetsThatCanNeverBeCalled(t *testing.T) {
	t.Parallel()
	const public, tls, port, odd, full = "not on the public internet", "https://", "443 or 8443", "unusual form", "full address"
	for url, says := range map[string]string{
		// loopback, private, link-local, CGNAT, metadata, unspecified, multicast, reserved, documentation
		"https://127.0.0.1/h": public, "https://127.255.255.254/": public, "https://10.0.0.1/h": public, "https://10.1.2.3:8443/": public,
		"https://172.16.0.1/": public, "https://172.31.255.255/": public, "https://192.168.1.1/": public, "https://169.254.1.1/": public,
		"https://169.254.169.254/latest/meta-data/": public, "https://100.64.0.1/": public, "https://100.127.255.255/": public,
		"https://0.0.0.0/": public, "https://0.1.2.3/": public, "https://224.0.0.1/": public, "https://240.0.0.1/": public, "https://255.255.255.255/": public,
		"https://192.0.2.1/": public, "https://198.51.100.1/": public, "https://203.0.113.1/": public, "https://198.18.0.1/": public, "https://192.0.0.1/": public,
		// the same in IPv6
		"https://[::1]/h": public, "https://[::]/": public, "https://[fe80::1]/": public, "https://[fd00:ec2::254]/": public, "https://[fc00::1]/": public,
		"https://[ff02::1]/": public, "https://[2001:db8::1]/": public, "https://[2002:7f00:1::]/": public, "https://[64:ff9b::a00:1]/": public,
		"https://[::ffff:10.0.0.1]/": public, "https://[::ffff:7f00:1]/": public, "https://[::ffff:a9fe:a9fe]/": public, "https://[0:0:0:0:0:ffff:c0a8:0101]/": public,
		"https://[::127.0.0.1]/": public, "https://[0000:0000:0000:0000:0000:0000:0000:0001]/": public,
		"https://[fe80::1%25eth0]/": "zone", "https://[::1%25lo]/": "zone",
		// spellings that some resolvers read as an address
		"https://2130706433/": odd, "https://127.1/": odd, "https://127.0.1/": odd, "https://0x7f000001/": odd, "https://0x7f.1/": odd, "https://0177.0.0.1/": odd,
		"https://0X7F.0.0.1/": odd, "https://017700000001/": odd, "https://127.0.0.1./": odd, "https://10.0.0.1./": odd, "https://8.8.8.8./": odd, "https://134744072/": odd,
		"https://127.0.0.0x1/": odd, "https://1.2.3.4.5/": odd, "https://08.8.8.8/": odd, "https://127.0.0.01/": odd, "https://99999999999999999999999/": odd,
		"https://１２７.0.0.1/": odd, "https://127。0。0。1/": odd, "https://①②⑦.0.0.1/": odd, "https://foo.0x7f/": odd,
		// names of this machine and of internal networks
		"https://localhost/h": public, "https://LOCALHOST/": public, "https://localhost./": public, "https://LocalHost.:8443/": public, "https://a.localhost/": public,
		"https://a.b.localhost./": public, "https://ⓛocalhost/": public, "https://ｌｏｃａｌｈｏｓｔ/": public, "https://shop/": public, "https://metadata/": public,
		"https://metadata.google.internal/": public, "https://printer.local/": public, "https://nas.lan/": public, "https://router.home.arpa/": public,
		"https://x.localdomain/": public, "https://shop.invalid/": public, "https://abc.onion./": public,
		// http to a public name or address
		"http://shop.example.com/": tls, "http://shop.example.com:8443/": tls, "http://8.8.8.8/": tls, "http://[2606:4700::1111]/": tls, "HTTP://SHOP.EXAMPLE.COM/": tls,
		// ports
		"https://shop.example.com:80/": port, "https://shop.example.com:22/": port, "https://8.8.8.8:3000/": port, "https://shop.example.com:65535/": port,
		"https://[2606:4700::1111]:8080/": port, "http://shop.example.com:8080/": port, "https://shop.example.com:0/": "a port", "https://shop.example.com:/": "a port",
		"https://shop.example.com:65536/": "a port", "https://shop.example.com:99999999999/": "a port",
		// what is no address
		"https://user@shop.example.com/": "user name", "https://user:pass@shop.example.com/": "user name", "https://@shop.example.com/": "user name", "https://:@shop.example.com/": "user name",
		"https://shop.example.com/#x": "fragment", "https://shop.example.com/#": "fragment",
		"": full, "shop.example.com": full, "//shop.example.com/": full, "https:/shop.example.com": full, "https:shop.example.com": full, "https://": full, "https:///x": full,
		"ftp://shop.example.com/": full, "file:///etc/passwd": full, "javascript:alert(1)": full, "https://:443/": full, "https://shop.example.com:x/": full, " https://shop.example.com/": full,
		"https://shop.example.com/\n": full, "https://shop example.com/": full, "https://[::1/": full, "https://shop.example.com\\@evil.example/": full,
		"https://shop..example.com/": "no name", "https://.example.com/": "no name", "https://./": "no name", "https://shop.example.com../": "no name", "https://shop!.example.com/": "no name",
		"https://xn--a.example.com/ü#": "fragment", "https://a%2eb.example.com/": full,
	} {
		err := notify.CheckTarget(url, nil)
		require.ErrorContains(t, err, says, url)
		b := setup(t)
		key := newKey()
		b.box.add(key, url, b.secret)
		require.NotZero(t, b.deliver(t, key), url)
		require.Contains(t, []string{"refused_address", "https_required", "bad_url"}, b.box.last().Error, url)
		require.Zero(t, b.box.last().HTTPStatus)
	}
}

func TestTargetsThatMayBeCalled(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://shop.example.com/payrelay", "https://shop.example.com", "https://shop.example.com:443/", "https://shop.example.com:8443/?a=b&c=%20", "https://SHOP.example.com./x",
		"https://my_shop.example.com/", "https://магазин.укр/x", "https://xn--80aaac0ct.xn--j1amh/", "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://[::ffff:8.8.8.8]/",
		"https://1.example.com/", "https://3com.example/", "https://0x7f.example/", "https://localhost.example.com/", "https://10.0.0.1.example.com/", "https://internal.example/", "https://mylocal.example/",
	} {
		require.NoError(t, notify.CheckTarget(url, nil), url)
		require.NoError(t, notify.CheckTarget(url, internal), url)
	}
	for _, url := range []string{
		"http://10.1.2.3/x", "https://10.1.2.3:9999/x", "http://127.0.0.1:3000/", "http://localhost:3000/", "http://localhost.:3000/", "http://[::ffff:10.1.2.3]/", "http://[fd00:1::1]:80/",
		"http://shop/", "http://shop.internal:8080/x", "https://shop.example.com:9000/",
	} {
		require.NoError(t, notify.CheckTarget(url, internal), url)
		require.Error(t, notify.CheckTarget(url, nil), url)
	}
	for _, url := range []string{"http://10.2.0.1/", "https://192.168.0.1/", "http://8.8.8.8/", "https://8.8.8.8:22/", "https://[::1]/", "http://[::1]:80/", "https://169.254.169.254/", "https://127.1/", "https://2130706433/"} {
		require.Error(t, notify.CheckTarget(url, internal), "%s: the allow-list is for somewhere else", url)
	}
	require.Error(t, notify.CheckTarget("http://localhost/", []string{"10.0.0.0/8:*"}))
	require.Error(t, notify.CheckTarget("http://shop.example.com/", []string{"nonsense"}), "an entry that cannot be read allows nothing")
}
