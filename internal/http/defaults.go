package httpapi

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// What a request leaves out and its shop has a default of is filled in before the request is judged. The request's hash is of what
// came, so a repeat is one whatever the defaults are by then.

// orDefault is a member of a request, or the shop's default of it.
func orDefault[T ~string](given *T, standard string) *T {
	if given != nil || standard == "" {
		return given
	}
	v := T(standard)
	return &v
}

// returnsOf are a request's return addresses, and those of the shop that the provider may be told if the request has none. A request
// that has one has all that it wants.
func returnsOf(ctx context.Context, u *oapi.ReturnURLs) (payment.ReturnURLs, map[string]*string) {
	urls, fields := returnURLs(u)
	if d := principal(ctx).Shop.Defaults; u == nil && d.ReturnURL != "" {
		return payment.ReturnURLs{ReturnURLs: gateway.ReturnURLs{Success: d.SuccessURL, Fail: d.FailURL, Status: d.ReturnURL}, Default: true}, fields
	}
	return payment.ReturnURLs{ReturnURLs: urls}, fields
}
