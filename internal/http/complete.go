package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// complete adds to a refusal of a request whatever else is wrong with it, so that a shop reads of everything at once. A
// request passes the contract, its conversion and what its provider needs, one after the other; a request that was
// refused on the way is taken through all of them here, without storing or sending anything. unreadable are the members
// that break the contract: the rest is judged without them.
func (s *server) complete(r *http.Request, p problem, unreadable []gateway.FieldError) problem {
	switch payment.Code(p.Code) {
	case payment.CodeInvalid, payment.CodeMissingFields, payment.CodeUnsupported:
	default:
		return p
	}
	body, ok := without(bodyOf(r.Context()).bytes, unreadable)
	defer clear(body)
	if !ok {
		return p
	}
	known := len(p.Fields)
	for _, f := range s.furtherProblems(r.Context(), body) {
		if !told(p.Fields, f.Field) {
			p.Fields = append(p.Fields, f)
		}
	}
	if len(p.Fields) > known {
		slices.SortStableFunc(p.Fields, func(a, b gateway.FieldError) int { return strings.Compare(a.Field, b.Field) })
	}
	return p
}

// told reports whether something was said of the field already, or of a part of it.
func told(fields []gateway.FieldError, name string) bool {
	return slices.ContainsFunc(fields, func(f gateway.FieldError) bool { return f.Field == name || strings.HasPrefix(f.Field, name+".") })
}

// furtherProblems is what conversion and provider say of a body.
func (s *server) furtherProblems(ctx context.Context, body []byte) []gateway.FieldError {
	switch chi.RouteContext(ctx).RoutePattern() {
	case "/v1/payments":
		return further(ctx, body, newPayment, s.Orders.MissingPayment)
	case "/v1/payouts":
		return further(ctx, body, newPayout, s.Orders.MissingPayout)
	case "/v1/transfers":
		return further(ctx, body, newTransfer, s.Orders.MissingTransfer)
	case "/v1/statements":
		return further(ctx, body, newTransactionReport, func(context.Context, payment.NewTransactionReport) []gateway.FieldError { return nil })
	case "/v1/payments/{id}/refunds", "/v1/payments/{id}/charges", "/v1/payout-cards":
		return further(ctx, body, func(ctx context.Context, b *oapi.PayoutCardRequest) (none, error) { // has all that they share
			_, urls := returnURLs(b.ReturnUrls)
			urls["notification_url"] = b.NotificationUrl
			return none{}, checkCommon(ctx, urls, b.Metadata)
		}, func(context.Context, none) []gateway.FieldError { return nil })
	}
	return nil
}

type none struct{}

func further[Body, Request any](ctx context.Context, body []byte, convert func(context.Context, *Body) (Request, error),
	missing func(context.Context, Request) []gateway.FieldError,
) []gateway.FieldError {
	var b Body
	if json.Unmarshal(body, &b) != nil {
		return nil
	}
	in, err := convert(ctx, &b)
	var fields []gateway.FieldError
	if e, ok := errors.AsType[*payment.Error](err); ok {
		fields = append(fields, e.Fields...)
	}
	return append(fields, missing(ctx, in)...)
}

// without returns a JSON object without some of its members. It reports false if the rest would be misread: it is no
// object, or a member is missing that decides what others mean.
func without(body []byte, fields []gateway.FieldError) ([]byte, bool) {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&members) != nil || members == nil {
		return nil, false
	}
	for _, f := range fields {
		if f.Field == "flow" {
			return nil, false
		}
		at, path := members, strings.Split(f.Field, ".")
		for _, name := range path[:len(path)-1] {
			at, _ = at[name].(map[string]any)
		}
		delete(at, path[len(path)-1])
	}
	rest, err := json.Marshal(members)
	return rest, err == nil
}
