package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/bind"
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
	body := callOf(r.Context()).body
	if body == nil {
		return p
	}
	rest, ok := body.without(unreadable)
	if !ok {
		return p
	}
	known := len(p.Fields)
	for _, f := range s.furtherProblems(r.Context(), rest) {
		if !covered(p.Fields, f.Field) {
			p.Fields = append(p.Fields, f)
		}
	}
	if len(p.Fields) > known {
		slices.SortStableFunc(p.Fields, func(a, b gateway.FieldError) int { return strings.Compare(a.Field, b.Field) })
	}
	return p
}

// covered reports whether something was said of the field already, or of a part of it.
func covered(fields []gateway.FieldError, name string) bool {
	return slices.ContainsFunc(fields, func(f gateway.FieldError) bool { return f.Field == name || strings.HasPrefix(f.Field, name+".") })
}

// furtherProblems is what conversion and provider say of a body's members.
func (s *server) furtherProblems(ctx context.Context, members map[string]any) []gateway.FieldError {
	switch callOf(ctx).operation.id {
	case "createPayment", "previewPayment":
		return further(ctx, members, newPayment, checked[payment.NewPayment](s))
	case "createPayout":
		return further(ctx, members, newPayout, checked[payment.NewPayout](s))
	case "createTransfer":
		return further(ctx, members, newTransfer, checked[payment.NewTransfer](s))
	case "createTransactionReport":
		return further(ctx, members, newTransactionReport, nil)
	case "refundPayment", "chargePayment", "chargeMandate", "createPayoutCard":
		return further(ctx, members, func(ctx context.Context, b *oapi.PayoutCardRequest) (struct{}, error) { // has all that they share
			_, urls := returnURLs(b.ReturnUrls)
			urls["notification_url"] = b.NotificationUrl
			return struct{}{}, checkCommon(ctx, urls, b.Metadata)
		}, nil)
	}
	return nil
}

// checked is what the payment service says of a request.
func checked[Request payment.Request](s *server) func(context.Context, Request) []gateway.FieldError {
	return func(ctx context.Context, in Request) []gateway.FieldError { return s.Orders.Check(ctx, in) }
}

func further[Body, Request any](ctx context.Context, members map[string]any, convert func(context.Context, *Body) (Request, error),
	missing func(context.Context, Request) []gateway.FieldError,
) []gateway.FieldError {
	var b Body
	if bind.To(members, &b) != nil {
		return nil
	}
	in, err := convert(ctx, &b)
	var fields []gateway.FieldError
	if e, ok := errors.AsType[*payment.Error](err); ok {
		fields = append(fields, e.Fields...)
	}
	if missing != nil {
		fields = append(fields, missing(ctx, in)...)
	}
	return fields
}
