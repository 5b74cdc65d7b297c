package transport

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A probe says of a host what can be known without a secret, and calls no host that is not listed.
func TestAHostIsProbed(t *testing.T) {
	t.Parallel()
	asked := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodHead || r.URL.Path != "/" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.Header().Set("Date", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	})
	encrypted := httptest.NewTLSServer(handler)
	defer encrypted.Close()
	roots := x509.NewCertPool()
	roots.AddCert(encrypted.Certificate())

	p, err := Config{RootCAs: roots}.Probe(t.Context(), encrypted.URL+"/base")
	require.NoError(t, err, "this machine may always be called")
	require.Equal(t, []string{"127.0.0.1"}, p.Addresses)
	require.Equal(t, encrypted.Certificate().NotAfter, p.CertificateEnds)
	require.True(t, p.ClockKnown)
	require.InDelta(t, time.Minute, p.Ahead, float64(3*time.Second))
	require.Equal(t, 1, asked, "no redirect is followed")

	_, err = Config{}.Probe(t.Context(), encrypted.URL)
	require.ErrorContains(t, err, "certificate", "nobody vouches for it")

	plain := httptest.NewServer(handler)
	p, err = Config{}.Probe(t.Context(), plain.URL)
	require.NoError(t, err)
	require.Zero(t, p.CertificateEnds)
	plain.Close()
	_, err = Config{}.Probe(t.Context(), plain.URL)
	require.Error(t, err)

	for _, address := range []string{"https://host.example", "http://host.example", "://"} {
		_, err = Config{Hosts: []string{"other.example:443"}}.Probe(t.Context(), address)
		require.ErrorIs(t, err, ErrNotListed, address)
	}
	u, err := url.Parse(encrypted.URL)
	require.NoError(t, err)
	_, err = Config{AnyHost: true}.Probe(t.Context(), "https://"+net.JoinHostPort("nowhere.invalid", u.Port()))
	require.ErrorIs(t, err, ErrNoName)
}
