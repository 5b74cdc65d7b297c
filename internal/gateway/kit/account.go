package kit

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"payrelay/internal/gateway"
)

// Account reads an account's settings and secrets, and collects everything that is wrong with them.
type Account struct {
	gateway.Account
	known    gateway.Description
	problems []error
}

// Read returns the reader of account, whose settings and secrets are described by known. Unknown names are problems.
func Read(account gateway.Account, known gateway.Description) *Account {
	a := &Account{Account: account, known: known}
	unknown(a, "setting", account.Settings, known.Settings)
	unknown(a, "secret", account.Secrets, known.Secrets)
	return a
}

func unknown[V any](a *Account, what string, given map[string]V, known []gateway.Setting) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(known, func(s gateway.Setting) bool { return s.Name == name }) {
			a.Problem("unknown %s %q", what, name)
		}
	}
}

// Problem adds a problem. The arguments are those of fmt.Errorf.
func (a *Account) Problem(format string, args ...any) {
	a.problems = append(a.problems, fmt.Errorf(format, args...))
}

// Err returns all problems as one error, nil if there are none.
func (a *Account) Err() error { return errors.Join(a.problems...) }

// Setting returns a setting, or its default.
func (a *Account) Setting(name string) string {
	if v := a.Settings[name]; v != "" {
		return v
	}
	i := slices.IndexFunc(a.known.Settings, func(s gateway.Setting) bool { return s.Name == name })
	return a.known.Settings[i].Default
}

// OneOf returns a setting that must be one of the allowed values.
func (a *Account) OneOf(name string, allowed ...string) string {
	v := a.Setting(name)
	if !slices.Contains(allowed, v) {
		a.Problem("%s: use %s", name, strings.Join(allowed, " or "))
	}
	return v
}

// Secret returns a secret that must be there.
func (a *Account) Secret(name string) string {
	v := a.Secrets[name].Reveal()
	if v == "" {
		a.Problem("secret %s is missing", name)
	}
	return v
}

// URL returns a setting that must be an address: https, or http to this machine. It has no slash at its end.
func (a *Account) URL(name string) string {
	text := a.Setting(name)
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		a.Problem("%s: send an address such as https://host", name)
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		a.Problem("%s: https is required, except to loopback hosts", name)
	}
	return strings.TrimRight(text, "/")
}

// MayOpen reports whether a customer's browser may be sent to address: https, or http to this machine if base, the address
// of the provider's API, is on this machine too.
func MayOpen(address, base string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	home, err := url.Parse(base)
	return u.Scheme == "https" || err == nil && u.Scheme == "http" && Loopback(u.Hostname()) && Loopback(home.Hostname())
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
