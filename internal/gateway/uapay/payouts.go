package uapay

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// checkPayout is Check for a payout. UAPAY sends money to cards only (uapay.md 9.3).
func (g *Gateway) checkPayout(req gateway.PayoutRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	if req.Method.Card == nil {
		f.add("method", "must be a card: UAPAY sends money to nothing else")
	} else {
		f.need("method.card.number", req.Method.Card.Number.Reveal())
		f.paidTo("method.card", req.Method.Card)
	}
	return f
}

// Payout implements gateway.Payer (uapay.md 9.3). A payout is initiated, which moves nothing and lapses after an hour,
// and then completed with the card, which UAPAY is not told before: an initiating call cannot have paid anybody. If the
// second answer is lost, the payout is found by the order's id.
func (g *Gateway) Payout(ctx context.Context, req gateway.PayoutRequest) (gateway.Result, error) {
	if bad := g.checkPayout(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(a2cInitiate.op, bad)
	}
	r, err := g.call(ctx, a2cInitiate, initiate(req.Ref, req.Description, req.CallbackURL), nil)
	id := kit.Fit(r.PaymentID, kit.IDShape)
	if err == nil && (id == "" || r.ExternalID != "" && string(r.ExternalID) != req.Ref.OrderID) {
		err = r.err(gateway.KindUnknown, a2cInitiate, "no_payment")
	}
	if err != nil {
		return gateway.Result{}, g.giveUp(ctx, err, a2cCancel, &paymentParams{ExternalID: req.Ref.OrderID})
	}
	pan := req.Method.Card.Number.Reveal()
	r, err = g.call(ctx, a2cComplete, &paymentParams{PaymentID: id}, completeData{CardTo: cardRef{PAN: pan}}, pan)
	switch {
	case err != nil:
		if gateway.KindOf(err) == gateway.KindDeclined {
			g.tidy(ctx, a2cCancel, &paymentParams{ExternalID: req.Ref.OrderID})
		}
		return gateway.Result{}, err
	case r.PaymentID != "" && string(r.PaymentID) != id:
		return gateway.Result{}, r.err(gateway.KindUnknown, a2cComplete, "other_order")
	}
	r.providerData["payment_id"] = id
	return gateway.Result{
		Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData,
		State: saved(statePayment, id, stateEngine, engineSplit),
	}, nil
}

// fetchPayout reads a payout. Without the provider's id it is looked up by the order's in the classic engine, which is
// documented to show payouts' progress (uapay.md 9.3). That nothing is found there proves nothing: whether every payout
// shows is not documented, and a payout is never sent twice on a guess.
func (g *Gateway) fetchPayout(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	id := recall(ref, statePayment)
	if id == "" {
		id = kit.Fit(ref.ProviderReference, kit.IDShape)
	}
	if id == "" {
		r, err := g.call(ctx, p2pShow, &idParams{ExternalID: ref.OrderID}, nil)
		if err != nil {
			return gateway.Result{}, err
		}
		if id = kit.Fit(r.ID, kit.IDShape); id == "" || string(r.ExternalID) != ref.OrderID {
			return gateway.Result{}, r.err(gateway.KindUnknown, p2pShow, "other_order")
		}
	}
	return g.readSplit(ctx, ref, idParams{ID: id})
}
