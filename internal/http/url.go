package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/notify"
)

// checkURL says what is wrong with an address that customers' browsers are sent to. http is for hosts of this machine, and for
// shops that an operator allowed internal networks.
func checkURL(text string, allowCIDRs []string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("must be a full address, such as https://shop.example.com/thanks")
	case !goodPort(u) || strings.Contains(u.Host, "%"):
		return errors.New("has a host or port that cannot be called from elsewhere")
	case u.User != nil:
		return errors.New("must not hold a user name or password")
	case strings.Contains(text, "#"):
		return errors.New("must not have a fragment (#)")
	case u.Scheme == "http" && !plainAllowed(u.Hostname(), allowCIDRs):
		return errors.New("must begin with https://")
	}
	return nil
}

func goodPort(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return !strings.HasSuffix(u.Host, ":") && (u.Port() == "" || err == nil && port > 0)
}

func plainAllowed(host string, allowCIDRs []string) bool {
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return true
	}
	if err != nil {
		return len(allowCIDRs) > 0
	}
	return notify.AllowsHost(allowCIDRs, ip)
}

// CheckURL says what is wrong with an address that customers' browsers are sent to, for operators who set it for a shop.
func CheckURL(text string, allowCIDRs []string) error {
	if len(text) > maxURL {
		return fmt.Errorf("must have %d characters at most", maxURL)
	}
	return checkURL(text, allowCIDRs)
}

// maxURL is how long the contract lets an address be.
const maxURL = 2000

func badURLs(ctx context.Context, fields map[string]*string) (bad problems) {
	allowed := principal(ctx).Shop.AllowCIDRs
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] == nil {
			continue
		}
		check := checkURL
		if name == "notification_url" {
			check = notify.CheckTarget // this one is called by us
		}
		if err := check(*fields[name], allowed); err != nil {
			bad = append(bad, gateway.FieldError{Field: name, Message: err.Error()})
		}
	}
	return bad
}

// checkCommon judges the members that most requests have.
func checkCommon(ctx context.Context, urls map[string]*string, metadata *oapi.Metadata) error {
	bad := badURLs(ctx, urls)
	badMetadata(metadata, &bad)
	return bad.err()
}
