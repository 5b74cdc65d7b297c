package httpapi

import (
	"context"
	"net/http"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// CreateCardFrame implements oapi.StrictServerInterface.
func (h *handlers) CreateCardFrame(ctx context.Context, r oapi.CreateCardFrameRequestObject) (oapi.CreateCardFrameResponseObject, error) {
	f, err := h.Orders.CardFrame(ctx, principal(ctx).Shop.ID, r.Name, gateway.CardFrameRequest{
		Payout: r.Body.For == oapi.CardFrameRequestForPayouts, Redirect: valueOf(r.Body.Redirect),
	})
	if payment.CodeOf(err) == payment.CodeUnknownAccount {
		err = noAccount
	}
	if err != nil {
		return nil, err
	}
	body := oapi.CardFrame{Url: f.URL}
	if !f.ExpiresAt.IsZero() {
		body.ExpiresAt = utc(&f.ExpiresAt)
	}
	return secretReply{reply{status: http.StatusOK, body: body}}, nil
}

// noAccount answers an address that names no account of the shop.
var noAccount = &payment.Error{Code: payment.CodeNotFound, Message: "There is no such account for this shop. GET /v1/accounts lists those it may use."}

// secretReply is an answer that is not kept for its Idempotency-Key: a repeat is a new request.
type secretReply struct{ reply }

// VisitCreateCardFrameResponse implements the generated interface.
func (r secretReply) VisitCreateCardFrameResponse(w http.ResponseWriter) error {
	if held, ok := w.(*buffered); ok {
		held.secret = true
	}
	return r.write(w)
}
