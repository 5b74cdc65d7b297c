package uapay

import (
	"context"
	"errors"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// Direct payments by the engine of split payments, as debits to the merchant's transit balance (C2A, uapay.md 9.3). An
// account uses it if its setting direct_engine says so; it takes cards kept by the provider, and card numbers where the
// merchant may handle them.

// payC2A initiates a payment, which moves nothing and lapses after an hour, and completes it with the card. Once it is
// initiated its id is known, so whatever becomes of the second call, the payment is followed by that id.
func (g *Gateway) payC2A(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	r, err := g.call(ctx, c2aInitiate, initiate(req.Ref, req.Description, req.CallbackURL), nil)
	id := kit.Fit(r.PaymentID, kit.IDShape)
	if err == nil && (id == "" || r.ExternalID != "" && string(r.ExternalID) != req.Ref.OrderID) {
		err = r.err(gateway.KindUnknown, c2aInitiate, "no_payment")
	}
	if err != nil {
		return gateway.Result{}, g.giveUp(ctx, err, c2aCancel, &paymentParams{ExternalID: req.Ref.OrderID})
	}
	ref := req.Ref
	ref.State = saved(statePayment, id, stateEngine, engineSplit)
	result := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData, State: ref.State}
	from := payerCard(req.Method)
	r, err = g.call(ctx, c2aComplete, &c2aParams{PaymentID: id, Device: g.device(req), ACSRedirectURL: returnURL(req.ReturnURLs)}, c2aData{CardFrom: from},
		from.PAN, from.SecurityCode, req.Customer.IP)
	switch {
	case gateway.KindOf(err) == gateway.KindDeclined:
		g.tidy(ctx, c2aCancel, &paymentParams{PaymentID: id})
		return gateway.Result{}, err
	case err != nil && gateway.KindOf(err) == gateway.KindUnknown:
		if e, ok := errors.AsType[*gateway.Error](err); ok {
			result.ProviderData["complete"] = e.Code
		}
		return result, nil
	case err != nil:
		return gateway.Result{}, err
	case r.PaymentID != "" && string(r.PaymentID) != id:
		return gateway.Result{}, r.err(gateway.KindUnknown, c2aComplete, "other_order")
	}
	r.providerData["payment_id"] = id
	result.ProviderData = r.providerData
	return g.soon(ctx, ref, result), nil
}

// tidy cancels what was initiated and then declined, so that it does not wait out its hour. The decline stands whatever
// the cancel answers.
func (g *Gateway) tidy(ctx context.Context, e endpoint, params sessionUser) {
	_, _ = g.call(ctx, e, params, nil)
}

// giveUp turns an initiating call without an answer that can be believed into what it says of the order: nothing happened
// to the money. What was initiated, if anything, only waits for a completing call, which is not sent and never will be,
// and lapses within an hour (uapay.md 9.3). It may be used only before a completing call. What was initiated is cancelled.
func (g *Gateway) giveUp(ctx context.Context, err error, cancel endpoint, params sessionUser) error {
	e, ok := errors.AsType[*gateway.Error](err)
	if !ok || e.Kind != gateway.KindUnknown {
		return err
	}
	g.tidy(ctx, cancel, params)
	providerData := gateway.ProviderData{"initiate": e.Code}
	for name, value := range e.ProviderData {
		providerData[name] = value
	}
	return &gateway.Error{Kind: gateway.KindDeclined, Op: e.Op, Code: gateway.CodeUnanswered, ProviderData: providerData, Err: err}
}

// payerCard is the card that a direct payment is made with.
func payerCard(m gateway.PaymentMethod) cardRef {
	if m.StoredCard != nil {
		return cardRef{ID: m.StoredCard.ID, SecurityCode: m.StoredCard.CVC.Reveal()}
	}
	return cardOf(gateway.TransferEnd{Card: m.Card})
}

// bySplit reports whether an order is known to the engine of split payments.
func bySplit(ref gateway.Ref) bool { return ref.State[stateEngine].Reveal() == engineSplit }

// fetchC2A reads a payment of the engine of split payments, by the order's id if its own is not known. What the payer
// must do, the classic engine tells (uapay.md 9.3). That nothing is found by the order's id proves nothing, as with
// payouts.
func (g *Gateway) fetchC2A(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	id := recall(ref, statePayment)
	if id == "" {
		r, err := g.call(ctx, p2pShow, &idParams{ExternalID: ref.OrderID}, nil)
		if err != nil {
			return gateway.Result{}, err
		}
		if id = kit.Fit(r.ID, kit.IDShape); id == "" || string(r.ExternalID) != ref.OrderID {
			return gateway.Result{}, r.err(gateway.KindUnknown, p2pShow, "other_order")
		}
	}
	result, err := g.readSplit(ctx, ref, idParams{ID: id})
	if err != nil || result.Status != gateway.StatusRequiresAction {
		return result, err
	}
	r, err := g.call(ctx, p2pShow, &idParams{ID: id}, nil)
	if err != nil || string(r.ID) != id {
		return result, nil // that something is to be done is known; what, a later check tells
	}
	result.NextAction = g.nextAction(r.answer, ref)
	if next := result.NextAction; next != nil && next.AttemptsLeft != nil {
		result.State[stateLeft] = gateway.Secret(itoa(int64(*next.AttemptsLeft)))
	}
	return result, nil
}

// cancelC2A gives up a payment that nobody has completed (uapay.md 9.3).
func (g *Gateway) cancelC2A(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	id := recall(ref, statePayment)
	r, err := g.call(ctx, c2aCancel, &paymentParams{PaymentID: id}, nil)
	switch {
	case err != nil:
		return gateway.Result{}, err
	case r.PaymentID != "" && string(r.PaymentID) != id:
		return gateway.Result{}, r.err(gateway.KindUnknown, c2aCancel, "other_order")
	}
	checked, err := g.fetchC2A(ctx, ref)
	if err != nil || checked.Status == "" {
		return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData, State: saved(statePayment, id, stateEngine, engineSplit)}, nil
	}
	return checked, nil
}

// refundC2A gives all of a payment back in two steps, as it was made: there is no sum to name. The refund is an operation
// of the payment under our own id, so it can be followed whatever becomes of the answers.
func (g *Gateway) refundC2A(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	id := recall(req.Payment, statePayment)
	r, err := g.call(ctx, reverseInitiate, &reverseParams{PaymentID: id, ReverseExternalID: req.Refund.OrderID}, nil)
	if err == nil && (string(r.PaymentID) != id || r.ReverseExternalID != "" && string(r.ReverseExternalID) != req.Refund.OrderID) {
		err = r.err(gateway.KindUnknown, reverseInitiate, "other_order")
	}
	if err != nil {
		return gateway.Result{}, g.giveUp(ctx, err, reverseCancel, &reverseParams{ReverseExternalID: req.Refund.OrderID})
	}
	reference := kit.Fit(r.ReverseOperationID, kit.IDShape)
	r, err = g.call(ctx, reverseComplete, &reverseParams{PaymentID: id}, nil)
	switch {
	case gateway.KindOf(err) == gateway.KindDeclined && err != nil:
		g.tidy(ctx, reverseCancel, &reverseParams{ReverseExternalID: req.Refund.OrderID})
		return gateway.Result{}, err
	case err != nil:
		return gateway.Result{}, err
	case r.PaymentID != "" && string(r.PaymentID) != id:
		return gateway.Result{}, r.err(gateway.KindUnknown, reverseComplete, "other_order")
	}
	return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: reference, ProviderData: r.providerData, State: saved(stateAccepted, "1")}, nil
}

// fetchC2ARefund reads the operation that a refund is.
func (g *Gateway) fetchC2ARefund(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	id := recall(*ref.Parent, statePayment)
	r, err := g.call(ctx, splitShow, &idParams{ID: id}, nothing{})
	switch {
	case err != nil:
		return gateway.Result{}, err
	case string(r.ID) != id:
		return gateway.Result{}, r.err(gateway.KindUnknown, splitShow, "other_order")
	}
	for _, o := range r.Operations {
		if o.Type != "RETURN" || string(o.ExternalID) != ref.OrderID {
			continue
		}
		out := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: kit.Fit(o.ID, kit.IDShape), ProviderData: r.providerData}
		switch o.Status {
		case "FINISHED":
			out.Status, out.Amount = gateway.StatusSucceeded, o.Amount.Pointer()
		case "REJECTED", "CANCELED":
			out.Status, out.Failure = gateway.StatusFailed, rejected()
		case "NEEDS_COMPLETE", "OPEN", "PENDING":
		default:
			out.Status = ""
		}
		return out, nil
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, splitShow, gateway.CodeNotVisible)
}
