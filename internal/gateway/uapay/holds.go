package uapay

import (
	"context"
	"errors"
	"strconv"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// codeUnpaid is the code of an error about an invoice without a payment.
const codeUnpaid = "no_payment"

// names returns the provider's ids of an order's invoice and payment, asking for those that are not stored.
func (g *Gateway) names(ctx context.Context, ref gateway.Ref) (paymentParams, error) {
	p := paymentParams{InvoiceID: recall(ref, stateInvoice), PaymentID: recall(ref, statePayment)}
	if p.InvoiceID != "" && p.PaymentID != "" {
		return p, nil
	}
	f, err := g.readInvoice(ctx, ref)
	switch {
	case err != nil:
		return p, err
	case f.payment == nil:
		return paymentParams{InvoiceID: f.id}, f.err(gateway.KindDeclined, invoicesShow, codeUnpaid) // nothing was asked of the money yet
	}
	return paymentParams{InvoiceID: f.id, PaymentID: string(f.payment.PaymentID)}, nil
}

// Capture implements gateway.Capturer (uapay.md 8.5). The whole sum is captured by naming none.
func (g *Gateway) Capture(ctx context.Context, ref gateway.Ref, amount money.Money) (gateway.Result, error) {
	if bad := g.checkCapture(ref, amount); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(paymentsDone.op, bad)
	}
	ref.Operation = gateway.OpCapture
	p, err := g.names(ctx, ref)
	if err != nil {
		return gateway.Result{}, notAsked(err)
	}
	if amount.Minor() < ref.Amount.Minor() {
		p.Amount = kopecks(amount)
	}
	return g.command(ctx, paymentsDone, ref, p)
}

// checkCapture is Check for a capture. The documents do not say whether a payment shows the lower sum
// afterwards (uapay.md 8.5); where it does not, every capture of a part waits for an operator.
func (g *Gateway) checkCapture(ref gateway.Ref, amount money.Money) []gateway.FieldError {
	var f fields
	switch held := ref.Amount; {
	case amount.Currency() != held.Currency() || amount.Minor() <= 0 || amount.Minor() > held.Minor():
		f.add("amount", "must be more than zero and at most what is held")
	case amount.Minor() < held.Minor() && !g.partialCapture:
		f.add("amount", "must be left out: this account captures all of a hold or nothing")
	}
	return f
}

// Cancel implements gateway.Canceler. It releases held money (uapay.md 8.6), or gives up an invoice without a payment
// (uapay.md 7.6) or a card's payment that nobody completed (uapay.md 9.3).
func (g *Gateway) Cancel(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	ref.Operation = gateway.OpCancel
	if bySplit(ref) {
		return g.cancelC2A(ctx, ref)
	}
	p, err := g.names(ctx, ref)
	if e, ok := errors.AsType[*gateway.Error](err); ok && e.Code == codeUnpaid {
		return g.cancelInvoice(ctx, ref, p.InvoiceID)
	}
	if err != nil {
		return gateway.Result{}, notAsked(err)
	}
	return g.command(ctx, paymentsCancel, ref, p)
}

// CancelsUnpaid implements gateway.UnpaidCanceler: an invoice that nobody has paid can be given up (uapay.md 7.6).
func (*Gateway) CancelsUnpaid() bool { return true }

// notAsked turns the failure of a call before a command into an error about the command, which was not sent.
func notAsked(err error) error {
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		switch e.Kind {
		case gateway.KindUnknown:
			e.Kind = gateway.KindNotSent
		case gateway.KindNotFound:
			e.Kind = gateway.KindDeclined
		case gateway.KindNotSent, gateway.KindDuplicate, gateway.KindCredentials, gateway.KindDeclined, gateway.KindRejected,
			gateway.KindInvalid, gateway.KindUnsupported, gateway.KindInvalidSignature:
		}
	}
	return err
}

// command sends a capture or cancel. An acknowledgement changes nothing by itself: the payment is read again, and is
// processing while the hold still stands. An error whose code proves nothing by itself leaves the outcome to the same
// reading: a hold that stands is proof that nothing was done only beside a code that declines. After any other the command
// may be carried out yet, and later readings tell.
func (g *Gateway) command(ctx context.Context, e endpoint, ref gateway.Ref, p paymentParams) (gateway.Result, error) {
	state := saved(stateInvoice, p.InvoiceID, statePayment, p.PaymentID)
	asked := ref
	asked.State = state
	r, err := g.call(ctx, e, &p, nil)
	if err != nil {
		if r.reported {
			return g.afterError(ctx, e, asked, r)
		}
		return gateway.Result{}, err
	}
	if id := string(r.PaymentID); id != "" && id != p.PaymentID {
		return gateway.Result{}, r.err(gateway.KindUnknown, e, "other_order")
	}
	accepted := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: p.InvoiceID, ProviderData: r.providerData, State: state}
	checked, err := g.reread(ctx, asked, p)
	if err != nil || checked.Status == "" {
		return accepted, nil
	}
	for k, v := range state {
		checked.State[k] = v
	}
	return checked, nil
}

// reread reads a payment after something was asked of it (uapay.md 8.8).
func (g *Gateway) reread(ctx context.Context, ref gateway.Ref, p paymentParams) (gateway.Result, error) {
	a, err := g.showPayment(ctx, p.PaymentID)
	if err != nil {
		return gateway.Result{}, err
	}
	result := g.result(a, a.answer, shownState(a.answer).meaning(ref.Operation), ref)
	result.ProviderReference, result.BankReferences = p.InvoiceID, []string{p.PaymentID}
	result.State = saved(stateInvoice, p.InvoiceID, statePayment, p.PaymentID)
	return result, nil
}

// showPayment reads a payment (uapay.md 8.8), and only that one.
func (g *Gateway) showPayment(ctx context.Context, paymentID string) (reply, error) {
	r, err := g.call(ctx, paymentsShow, &paymentParams{PaymentID: paymentID}, nil)
	switch {
	case err != nil:
		return reply{}, err
	case string(r.PaymentID) != paymentID:
		return reply{}, r.err(gateway.KindUnknown, paymentsShow, "other_order")
	}
	return r, nil
}

// afterError settles an error answer to a capture or cancel by reading the payment.
func (g *Gateway) afterError(ctx context.Context, e endpoint, ref gateway.Ref, r reply) (gateway.Result, error) {
	code := r.providerData["error_code"]
	a, err := g.showPayment(ctx, recall(ref, statePayment))
	if err != nil {
		return gateway.Result{}, r.err(gateway.KindUnknown, e, code)
	}
	m := shownState(a.answer).meaning(ref.Operation)
	switch {
	case shownState(a.answer).meaning(gateway.OpAuthorize).status == gateway.StatusAuthorized && declineOf(code):
		return gateway.Result{}, r.err(gateway.KindDeclined, e, code)
	case m.status == gateway.StatusSucceeded || m.status == gateway.StatusCanceled || m.status == gateway.StatusFailed:
		result := g.result(a, a.answer, m, ref)
		result.ProviderReference, result.State = recall(ref, stateInvoice), ref.State
		return result, nil
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, e, code)
}
