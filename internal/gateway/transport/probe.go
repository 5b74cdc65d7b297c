package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// HostProbe is what a host shows of itself to whoever calls it, before anything of an account is sent.
type HostProbe struct {
	// Addresses are those that its name leads to.
	Addresses []string
	// CertificateEnds is when the first certificate of its chain ends, zero for a host of this machine without TLS.
	CertificateEnds time.Time
	// Ahead is how far its clock is ahead of this machine's, to the second. It is nothing unless ClockKnown.
	Ahead      time.Duration
	ClockKnown bool
}

// ErrNotListed says that a host was not called, because Config.Hosts does not list it.
var ErrNotListed = errors.New("PROVIDER_HOSTS does not list it")

// ErrNoName says that a host's name leads nowhere.
var ErrNoName = errors.New("its name leads nowhere")

// Probe looks at a host that an account names. It sends one HEAD, without credentials. With an error comes what was found until then.
func (c Config) Probe(ctx context.Context, address string) (p HostProbe, err error) {
	c = c.withDefaults()
	u, err := url.Parse(address)
	if err != nil || !c.allowed(u) {
		return p, ErrNotListed
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if p.Addresses, err = net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		return p, errors.Join(ErrNoName, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Scheme+"://"+u.Host+"/", http.NoBody)
	if err != nil {
		return p, err
	}
	pool := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: c.DialTimeout}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}, TLSHandshakeTimeout: c.TLSTimeout, DisableKeepAlives: true,
	}
	asked := time.Now()
	resp, err := pool.RoundTrip(req) // follows no redirect
	if err != nil {
		return p, err
	}
	_ = resp.Body.Close()
	if resp.TLS != nil {
		for i, cert := range resp.TLS.PeerCertificates {
			if i == 0 || cert.NotAfter.Before(p.CertificateEnds) {
				p.CertificateEnds = cert.NotAfter
			}
		}
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		between := asked.Add(time.Since(asked) / 2)
		p.Ahead, p.ClockKnown = at.Sub(between).Truncate(time.Second), true
	}
	return p, nil
}
