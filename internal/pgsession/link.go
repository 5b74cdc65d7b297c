package pgsession

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Link is how a connection to Postgres is protected on its way.
type Link string

// The links.
const (
	LinkLocal     Link = "local"     // a socket, or this machine
	LinkVerified  Link = "verified"  // TLS, and the server's certificate is checked
	LinkEncrypted Link = "encrypted" // TLS with whoever answers
	LinkPlain     Link = "plain"     // no TLS, as the address says
)

// Links are all links, the best first.
var Links = []Link{LinkLocal, LinkVerified, LinkEncrypted, LinkPlain}

// errOpen says that an address does not decide: pgx goes on without TLS then whenever somebody in between wants it.
var errOpen = errors.New("it names another machine, and leaves open whether TLS is used: add sslmode=verify-full, with sslrootcert=FILE if the authority is your own; or sslmode=disable if nobody else is on that network")

// LinkOf says how a connection is protected, or what is wrong with its address. A connection that may go to several servers is as
// good as its worst.
func LinkOf(c *pgx.ConnConfig) (Link, error) {
	worst := LinkLocal
	found := map[string]Link{} // by host
	add := func(host string, conf *tls.Config) error {
		link := linkTo(host, conf)
		if before, seen := found[host]; seen && (before == LinkPlain) != (link == LinkPlain) {
			return errOpen
		}
		found[host] = link
		if slices.Index(Links, link) > slices.Index(Links, worst) {
			worst = link
		}
		return nil
	}
	err := add(c.Host, c.TLSConfig)
	for _, f := range c.Fallbacks {
		err = errors.Join(err, add(f.Host, f.TLSConfig))
	}
	if err != nil {
		return "", errOpen
	}
	return worst, nil
}

func linkTo(host string, conf *tls.Config) Link {
	ip := net.ParseIP(host)
	switch {
	case strings.HasPrefix(host, "/"), strings.HasPrefix(host, "@"), host == "localhost", ip != nil && ip.IsLoopback():
		return LinkLocal
	case conf == nil:
		return LinkPlain
	case conf.InsecureSkipVerify && conf.VerifyPeerCertificate == nil && conf.VerifyConnection == nil:
		return LinkEncrypted
	}
	return LinkVerified
}
