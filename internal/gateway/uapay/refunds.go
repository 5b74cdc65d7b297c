package uapay

import (
	"context"
	"errors"

	"payrelay/internal/gateway"
)

// What is stored with a refund of an invoice's payment.
const (
	stateAccepted = "accepted" // the provider acknowledged the request over its signature
	stateLast     = "last"     // after it nothing of the payment is left, so that the payment must read REVERSED
	stateBefore   = "before"   // how the payment read before the refund was asked for: beforePaid or beforeReversed
)

// The values of stateBefore.
const (
	beforePaid     = "paid"
	beforeReversed = "reversed"
)

// checkRefund is Check for a refund.
func (*Gateway) checkRefund(req gateway.RefundRequest) []gateway.FieldError {
	var f fields
	f.money(req.Refund.Amount)
	switch paid := req.Payment.Amount; {
	case paid.Currency() != "" && req.Refund.Amount.Minor() > paid.Minor():
		f.add("amount", "is more than was paid")
	case bySplit(req.Payment) && !whole(req.Refund, req.Payment):
		f.add("amount", "must be left out: UAPAY gives a payment of this kind back whole")
	}
	return f
}

// Refund implements gateway.Refunder (uapay.md 8.7). The answer acknowledges and no more: the refund is processing
// until the payment was read again. The provider gives a refund no id of its own, so the payment is read before, too:
// only a change can prove a refund whose answer is lost. What was read is in the result also with an error.
func (g *Gateway) Refund(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	if bad := g.checkRefund(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(paymentsReverse.op, bad)
	}
	if bySplit(req.Payment) {
		return g.refundC2A(ctx, req)
	}
	p, err := g.names(ctx, req.Payment)
	if err != nil {
		return gateway.Result{}, notAsked(err)
	}
	shown, err := g.showPayment(ctx, p.PaymentID)
	if err != nil {
		return gateway.Result{}, notAsked(err)
	}
	before, last := "", ""
	switch m := shownState(shown.answer).meaning(gateway.OpSale); {
	case m.reversed:
		before = beforeReversed
	case m.status == gateway.StatusSucceeded:
		before = beforePaid
	}
	var data any
	if !whole(req.Refund, req.Payment) {
		data = amountData{Amount: kopecks(req.Refund.Amount)}
	}
	if data == nil || req.Last {
		last = "1"
	}
	result := gateway.Result{State: saved(stateInvoice, p.InvoiceID, statePayment, p.PaymentID, stateBefore, before, stateLast, last)}
	r, err := g.call(ctx, paymentsReverse, &p, data)
	if err != nil {
		return result, err
	}
	if id := string(r.PaymentID); id != p.PaymentID {
		return result, r.err(gateway.KindUnknown, paymentsReverse, "other_order")
	}
	result.Status, result.ProviderData = gateway.StatusProcessing, r.providerData
	result.State[stateAccepted] = "1"
	return result, nil
}

// whole reports whether a refund gives back all of its payment at once.
func whole(refund, payment gateway.Ref) bool {
	paid := payment.Amount.Minor()
	if payment.Captured > 0 {
		paid = payment.Captured
	}
	return refund.Amount.Minor() == paid
}

// fetchRefund reads the payment that a refund belongs to. What a payment shows after a partial refund is not documented
// (uapay.md 1.3), so REVERSED may be an earlier refund's, or that of the merchant cabinet. It proves a refund that the
// provider acknowledged over its signature, and one that leaves nothing of a payment that was not reversed before. A
// refund of a part that was acknowledged, and whose payment still reads as paid, counts as done: the documents name
// nothing else that could show it. One that leaves nothing must read REVERSED in the end. Anything else proves nothing:
// a refund whose answer was lost is never guessed.
func (g *Gateway) fetchRefund(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	if ref.Parent == nil {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindInvalid, Op: paymentsShow.op, Code: "refund_without_payment"}
	}
	if bySplit(*ref.Parent) {
		return g.fetchC2ARefund(ctx, ref)
	}
	paymentID, err := g.refunded(ctx, ref)
	if err != nil {
		return gateway.Result{}, err
	}
	r, err := g.showPayment(ctx, paymentID)
	if err != nil {
		return gateway.Result{}, err
	}
	return r.readRefund(ref)
}

// refunded is the id of the payment that a refund belongs to. That it cannot be found says nothing about the refund.
func (g *Gateway) refunded(ctx context.Context, ref gateway.Ref) (string, error) {
	if known := recall(ref, statePayment); known != "" {
		return known, nil
	}
	p, err := g.names(ctx, *ref.Parent)
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		e.Kind = gateway.KindUnknown
	}
	return p.PaymentID, err
}

// readRefund says what an answer about a payment proves of its refund.
func (r reply) readRefund(ref gateway.Ref) (gateway.Result, error) {
	accepted := ref.State[stateAccepted] != ""
	last := ref.State[stateLast] != "" || whole(ref, *ref.Parent)
	m := shownState(r.answer).meaning(gateway.OpSale)
	fromPaid := m.reversed && ref.State[stateBefore].Reveal() == beforePaid
	out := gateway.Result{Status: gateway.StatusProcessing, ProviderData: r.providerData}
	prove := func(proof string) { out.Status, out.ProviderData["proof"] = gateway.StatusSucceeded, proof }
	switch {
	case m.status == "":
		out.Status = ""
	case fromPaid && (accepted || last):
		prove("reversed")
	case accepted && (m.reversed || m.status == gateway.StatusSucceeded && !last):
		prove("acknowledged")
	case !accepted:
		return gateway.Result{}, r.err(gateway.KindUnknown, paymentsShow, gateway.CodeNotVisible)
	}
	return out, nil
}
