package tinypay

import (
	"context"
	"net/http"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// CreatePayment implements gateway.Gateway.
func (g *Gateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	const op = "createPayment"
	if missing := g.Check(req); len(missing) > 0 {
		return gateway.Result{}, gateway.Refuse(op, missing)
	}
	return g.call(ctx, transport.Call{Operation: op, Class: transport.ClassWrite, Method: http.MethodPost, URL: "/payments"}, req.Ref.OrderID, newPayment{
		ID: req.Ref.OrderID, Amount: req.Ref.Amount.Minor(), Currency: string(req.Ref.Amount.Currency()), Description: req.Description,
		ReturnURL: req.ReturnURLs.Status, CallbackURL: req.CallbackURL,
	})
}

// Check implements gateway.Gateway: what Tinypay needs for a payment, and what it cannot be sent. A refund needs no more than
// every refund has.
func (*Gateway) Check(request gateway.Request) []gateway.FieldError {
	req, ok := request.(gateway.PaymentRequest)
	if !ok {
		return nil
	}
	var fields []gateway.FieldError
	add := func(wrong bool, field, message string, unsupported bool) {
		if wrong {
			fields = append(fields, gateway.FieldError{Field: field, Message: message, Unsupported: unsupported})
		}
	}
	add(req.ReturnURLs.Status == "", "return_urls.status", "is needed: Tinypay has one return address", false)
	add(req.Flow == gateway.FlowDirect, "flow", "must be hosted: Tinypay takes no card data", true)
	add(req.Ref.Operation == gateway.OpAuthorize, "capture", "must be automatic: Tinypay cannot hold money", true)
	add(req.Recurring.Enabled, "recurring", "is not possible at Tinypay", true)
	return fields
}

// Refund implements gateway.Refunder.
func (g *Gateway) Refund(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	call := transport.Call{Operation: "refund", Class: transport.ClassMoneyOut, Method: http.MethodPost, URL: "/payments/" + req.Payment.OrderID + "/refunds"}
	return g.call(ctx, call, req.Refund.OrderID, newRefund{ID: req.Refund.OrderID, Amount: req.Refund.Amount.Minor()})
}

// Fetch implements gateway.Gateway.
func (g *Gateway) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	path := "/payments/" + ref.OrderID
	if ref.Kind == gateway.KindRefund {
		path = "/payments/" + ref.Parent.OrderID + "/refunds/" + ref.OrderID
	}
	return g.call(ctx, transport.Call{Operation: "fetch", Class: transport.ClassRead, Method: http.MethodGet, URL: path}, ref.OrderID, nil)
}
