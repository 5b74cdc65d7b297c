package smartcore

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// checkRefund is Check for a refund.
func (*Gateway) checkRefund(req gateway.RefundRequest) []gateway.FieldError {
	var f fields
	f.money(req.Refund.Amount)
	f.needText("reason", req.Reason)
	if payment := req.Payment.Amount; payment.Currency() != "" && payment.Currency() != req.Refund.Amount.Currency() {
		f.add("currency", "must be that of the payment")
	} else if payment.Currency() != "" && req.Refund.Amount.Minor() > payment.Minor() {
		f.add("amount", "is more than was paid") // smartcore.md A34
	}
	return f
}

// Refund implements gateway.Refunder (smartcore.md 4.7). The provider gives a refund an id, and nothing final is said
// before a check: success false is no decline (smartcore.md A12). An answer without an id is unknown: nothing could ask
// about that refund, and nothing protects from a second one (smartcore.md 14.5). Only a failure whose code is a plain
// decline is believed without a check.
func (g *Gateway) Refund(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	if bad := g.checkRefund(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(refund.op, bad)
	}
	r, err := g.post(ctx, refund, refundRequest{
		OrderID: req.Payment.OrderID, Amount: req.Refund.Amount.Minor(), Reason: req.Reason, CallbackURL: req.CallbackURL,
	})
	if err != nil {
		return gateway.Result{}, err
	}
	id, code := kit.Fit(r.RefundID, kit.IDShape), r.failureCode()
	switch {
	case id != "":
		return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData}, nil
	case r.Status.Is(statusFail) && declines(code):
		return gateway.Result{Status: gateway.StatusFailed, Failure: failureOf(code, r.Cascade, r.hide), ProviderData: r.providerData}, nil
	case code != "":
		return gateway.Result{}, r.err(gateway.KindUnknown, refund, code)
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, refund, "no_refund_id")
}
