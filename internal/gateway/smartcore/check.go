package smartcore

import "payrelay/internal/gateway"

// Check implements gateway.Gateway: everything that is missing or cannot be sent, at once.
func (g *Gateway) Check(req gateway.Request) []gateway.FieldError {
	switch r := req.(type) {
	case gateway.PaymentRequest:
		return g.checkPayment(r)
	case gateway.CaptureRequest:
		return g.checkCapture(r.Ref, r.Amount)
	case gateway.RefundRequest:
		return g.checkRefund(r)
	case gateway.ChargeRequest:
		return g.checkCharge(r)
	case gateway.PayoutRequest:
		return g.checkPayout(r)
	case gateway.PayoutCardRequest:
		return g.checkPayoutCard(r)
	}
	return nil
}
